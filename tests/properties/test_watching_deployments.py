"""What a watcher of deployments is told, on random histories: exactly the turns of a naive walk over log and clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.service.api import deployment_watch
from interlock.service.api.deployment_token import read_token
from interlock.service.api.times import to_microseconds
from interlock.service.ledger.steps import step_of
from interlock.service.ledger.view import View
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import rules
from interlock.statemachine.compliance import Compliance, live_deployments
from tests.properties.released import CASTS
from tests.properties.test_watching import MOVES, SEAL, _moments, history_of
from tests.properties.watched import ARTIFACTS, MODELS
from tests.support.world import DAY_US

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.service.api.deployment_watch import Turns
    from interlock.service.ledger.steps import Step
    from interlock.statemachine.state import State
    from interlock.v1 import gate_pb2
    from tests.properties.test_watching import History
    from tests.support.world import World


class Turn(NamedTuple):
    """A deployment that is out of compliance, or no more, from a position and an instant on."""

    position: int
    instant: int
    name: str
    outside: bool


def _record(model: str, context: int, artifact: str) -> Callable[[World], None]:
    def move(world: World) -> None:
        contexts = [place.id for place in world.policy.contexts]
        world.fire("release-bot", f.DeploymentRecord(model, contexts[context], artifact, "cluster-a"))

    return move


def _end(*, last: bool) -> Callable[[World], None]:
    def move(world: World) -> None:
        names = sorted(item.name for item in live_deployments(world.state))
        if names:
            world.fire("release-bot", f.DeploymentEnd(names[-1 if last else 0]))

    return move


DEPLOYING: dict[str, Callable[[World], None]] = {
    **MOVES,
    "deploy": _record(MODELS[0], 0, ARTIFACTS[0]),
    "deploy further": _record(MODELS[0], -1, ARTIFACTS[0]),
    "deploy the unknown": _record(MODELS[0], 0, ARTIFACTS[1]),
    "deploy another": _record(MODELS[1], 0, ""),
    "end the newest": _end(last=True),
    "end the oldest": _end(last=False),
}


def outside(history: History, state: State, model: str, instant: int) -> set[str]:
    """Return what is out of compliance."""
    gate = Compliance(history.policy, state, instant)
    return {item.name for item in live_deployments(state) if model in {"", item.model} and gate.denied(item)}


def naive(history: History, model: str, until: int) -> list[Turn]:
    """Walk every position, and in each every moment that any resource names, and note what turned."""
    found: list[Turn] = []
    before: set[str] = set()
    ends = [state.time for state, _ in history.past[1:]] + [until]
    for (state, _), end in zip(history.past, ends, strict=True):
        moments = {state.time, *(moment for moment in _moments(state) if state.time <= moment <= end)}
        for moment in sorted(moments):
            now = outside(history, state, model, moment)
            turned = sorted(before ^ now, key=lambda name: int(name.rpartition("/")[2]))
            found += [Turn(state.head, moment, name, name in now) for name in turned]
            before = now
    return found


def told_of(message: gate_pb2.WatchDeploymentsResponse) -> Turn:
    """Read what a watcher got; a deployment that ended is not out of compliance."""
    deployment, instant = message.deployment, to_microseconds(message.instant, "instant")
    return Turn(message.log_position, instant, deployment.name, deployment.out_of_compliance)


class Stream:
    """A watcher without a server: it is shown steps and moments, and may break off after any message."""

    def __init__(self, model: str, views: list[View], steps: list[Step]) -> None:
        self.model, self.views, self.steps = model, views, steps
        self.first = views[0].position
        self.turns: Turns = deployment_watch._from_nothing(model, views[0], views[0].state.time, 0)  # noqa: SLF001  # pure
        self.told: list[gate_pb2.WatchDeploymentsResponse] = []

    def take(self, most: int | None = None) -> None:
        """Take the messages that are there, or so many; those that are not taken are lost with the stream."""
        messages = [m for group in self.turns.found for m in deployment_watch._messages(SEAL, self.model, group)]  # noqa: SLF001
        self.turns.found.clear()
        self.told += messages[:most]

    def visit(self, step: Step) -> None:
        """Be shown a step, judged on the loop or in a thread."""
        before = self.views[step.position - self.first - 1]
        self.turns.visit(before, step)
        self.turns.judge_heavy()
        self.turns.position = step.position

    def go_on(self, until: int) -> None:
        """Begin again from the last message's token, and be shown everything up to a position."""
        last = read_token(SEAL, self.model, self.told[-1].resume_token)
        after = self.views[last.position - self.first]
        if last.base_position < 0:
            self.turns = deployment_watch._from_nothing(self.model, after, last.instant, last.count)  # noqa: SLF001
        else:
            before = self.views[last.base_position - self.first]
            self.turns = deployment_watch._from_token(self.model, last, before, after)  # noqa: SLF001
        for step in self.steps:
            if last.position < step.position <= until:
                self.visit(step)


@pytest.mark.parametrize("pack", sorted(CASTS))
@given(data=st.data())
def test_a_watcher_is_told_exactly_the_turns_of_a_naive_walk(pack: str, data: st.DataObject) -> None:
    """However the steps come in, and after whichever message the watcher breaks off: the same turns, each once."""
    with pytest.MonkeyPatch.context() as patch:
        _walk(pack, data, patch)


def _walk(pack: str, data: st.DataObject, patch: pytest.MonkeyPatch) -> None:
    history = history_of(pack)
    for move in data.draw(st.lists(st.sampled_from(sorted(DEPLOYING)), max_size=14)):
        DEPLOYING[move](history)
    until = max(history.now, history.state.time) + data.draw(st.sampled_from([0, DAY_US, 400 * DAY_US]))
    views = [View(state, history.policy, rules.current(), bytes(32)) for state, _ in history.past]
    steps = [step_of(view, written) for view, (_, written) in zip(views, history.past, strict=True)]
    stream = Stream(data.draw(st.sampled_from(["", MODELS[0]])), views, steps)
    stream.take()
    patch.setattr(deployment_watch, "INLINE", data.draw(st.sampled_from([0, 32])))

    for step, after in zip(steps[1:], [*steps[2:], None], strict=False):
        stream.visit(step)
        if data.draw(st.booleans()):  # the stream is awake before the next entry comes
            stream.turns.pass_time(step.view, after.time - 1 if after is not None else step.time)
        if stream.told and data.draw(st.integers(0, 3)) == 0:
            stream.take(data.draw(st.integers(0, 2)))
            stream.go_on(step.position)
        stream.take()
    stream.turns.pass_time(views[-1], until)
    stream.take()

    found = [told_of(message) for message in stream.told if message.HasField("deployment")]
    assert found == naive(history, stream.model, until)
    assert stream.told[0].complete or stream.told[1].log_position == stream.told[0].log_position


def test_histories_have_turns_of_every_kind() -> None:
    """The moves above turn deployments by an entry and by time, several at once, begin denied ones and end them."""
    history = history_of("rich")
    for move in ("deploy", "deploy further", "hold", "deploy further", "lift", "half a year", "end the newest", "mend"):
        DEPLOYING[move](history)

    found = naive(history, "", history.state.time)

    entries = {state.time for state, _ in history.past}
    assert {turn.outside for turn in found} == {True, False}
    assert any(turn.instant not in entries for turn in found)
    assert len({turn.instant for turn in found}) < len(found)
    assert history.state.need("deployments/3", r.Deployment).allowed is False


def test_a_group_that_was_told_in_part_goes_on_in_its_middle() -> None:
    """A hold turns three at once: whoever has one of them is told the other two, whichever way the group came."""
    history = history_of("minimal")
    for move in ("deploy", "deploy", "deploy", "hold"):
        DEPLOYING[move](history)
    views = [View(state, history.policy, rules.current(), bytes(32)) for state, _ in history.past]
    steps = [step_of(view, written) for view, (_, written) in zip(views, history.past, strict=True)]
    stream = Stream("", views, steps)
    stream.take()
    for step in steps[1:]:
        stream.visit(step)
    stream.take(1)
    told = [told_of(message).name for message in stream.told[1:]]

    stream.go_on(steps[-1].position)
    stream.take()

    assert told == ["deployments/1"]
    assert [told_of(message).name for message in stream.told[2:]] == ["deployments/2", "deployments/3"]
    assert [message.complete for message in stream.told[1:]] == [False, False, True]
