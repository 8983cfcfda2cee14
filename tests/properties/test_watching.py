"""What a watcher of a release is told, on random histories: exactly the flips of a naive walk over log and clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.service.api.release_watch import Flips
from interlock.service.api.resume import read_token
from interlock.service.api.times import to_microseconds
from interlock.service.api.token_seal import TokenSeal
from interlock.service.ledger.steps import step_of
from interlock.service.ledger.view import View
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import rules
from interlock.statemachine.decide import Accepted
from interlock.statemachine.explain import explain
from interlock.v1 import gate_pb2
from tests.properties.moves import mending, names_of
from tests.properties.released import CASTS, released
from tests.properties.watched import ARTIFACTS, MODELS
from tests.support.world import DAY_US, LOG_ID, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interlock.statemachine.state import State

MODEL = MODELS[0]
SEAL = TokenSeal.of(LOG_ID, b"secret")


class Flip(NamedTuple):
    """A verdict from a position and an instant on."""

    position: int
    instant: int
    allowed: bool


class History(World):
    """A world that remembers what each entry left."""

    past: list[tuple[State, tuple[str, ...]]]

    def attempt(self, *arguments: object, **rest: object) -> object:  # type: ignore[override]  # handed through
        """Do a command."""
        decided = super().attempt(*arguments, **rest)  # type: ignore[arg-type]
        if isinstance(decided, Accepted):
            self.past.append((decided.state, tuple(name for name, _ in decided.entry.prev)))
        return decided


def history_of(pack: str) -> History:
    """Return a world with a released model, which remembers from here on."""
    base = released(pack, "cannot_rule_out")
    history = History(base.policy, base.cast, base.state, base.now, list(base.entries), dict(base.objects))
    history.past = [(base.state, ())]
    return history


def _lift(world: World) -> None:
    placed = [name for name in names_of(world, r.Hold) if world.state.need(name, r.Hold).state == "placed"]
    if placed:
        _enact(world, [f.HoldLift(name) for name in placed])


def _mend(world: World) -> None:
    for context in world.policy.contexts:
        firings = mending(world, MODEL, context.id, lambda kind: world.upload("evaluator", kind))
        if firings:
            _enact(world, firings)


def _enact(world: World, firings: list[f.Firing]) -> None:
    change = world.propose("evaluator", *firings, evidence=[world.upload("engineer", "evaluation_results")])
    for who in world.cast:
        world.sign(who, change)


def _worsen(world: World) -> None:
    for safeguard in sorted(item.name for item in world.state.all_of(r.Safeguard)):
        for who in world.cast:
            if isinstance(world.fire(who, f.SafeguardDegrade(safeguard)), Accepted):
                return


def _by_anyone(firing: f.Firing) -> Callable[[World], None]:
    def move(world: World) -> None:
        for who in world.cast:
            if isinstance(world.fire(who, firing), Accepted):
                return

    return move


MOVES: dict[str, Callable[[World], None]] = {
    "hold": _by_anyone(f.HoldPlace(MODEL)),
    "hold everything": _by_anyone(f.HoldPlace("-")),
    "hold another": _by_anyone(f.HoldPlace(MODELS[1])),
    "another model": _by_anyone(f.ModelRegister(MODELS[1])),
    "lift": _lift,
    "mend": _mend,
    "worsen": _worsen,
    "a week": lambda world: world.wait(7 * DAY_US),
    "a quarter": lambda world: world.wait(91 * DAY_US),
    "half a year": lambda world: world.wait(180 * DAY_US),
}


def naive(history: History, context: str, artifact: str, until: int) -> list[Flip]:
    """Walk every position, and in each every moment that any resource names, and note where the verdict is another."""
    found: list[Flip] = []
    ends = [state.time for state, _ in history.past[1:]] + [until + 1]
    for (state, _), end in zip(history.past, ends, strict=True):
        moments = {state.time, *(moment for moment in _moments(state) if state.time <= moment < end)}
        for moment in sorted(moments):
            allowed = explain(history.policy, state, MODEL, context, artifact, moment).allowed
            if not found or found[-1].allowed != allowed:
                found.append(Flip(state.head, moment, allowed))
    return found


def _moments(state: State) -> Iterator[int]:
    for item in state.items.values():
        for name in ("lapses_at", "attested_until", "waived_until"):
            moment = getattr(item, name, None)
            if moment is not None:
                yield moment
        if isinstance(item, r.Period) and item.due is not None:
            yield item.due
        if isinstance(item, r.Obligation) and item.grids:
            yield from (item.span(number)[1] for number in range(1, 40))


def told_of(message: gate_pb2.WatchReleaseResponse) -> Flip:
    """Read what a watcher got."""
    answer = message.answer
    allowed = answer.verdict == gate_pb2.VERDICT_ALLOW
    return Flip(answer.log_position, to_microseconds(answer.instant, "instant"), allowed)


@pytest.mark.parametrize("pack", sorted(CASTS))
@given(data=st.data())
def test_a_watcher_is_told_exactly_the_flips_of_a_naive_walk(pack: str, data: st.DataObject) -> None:
    """However the steps come in, and wherever the watcher breaks off and goes on: the same flips, each once."""
    history = history_of(pack)
    for move in data.draw(st.lists(st.sampled_from(sorted(MOVES)), max_size=12)):
        MOVES[move](history)
    context = data.draw(st.sampled_from([context.id for context in history.policy.contexts]))
    question = (MODEL, context, ARTIFACTS[0])
    until = max(history.now, history.state.time) + data.draw(st.sampled_from([0, DAY_US, 400 * DAY_US]))
    views = [View(state, history.policy, rules.current(), bytes(32)) for state, _ in history.past]
    steps = [step_of(view, written) for view, (_, written) in zip(views, history.past, strict=True)]

    flips = Flips(SEAL, question, views[0], views[0].state.time)
    flips.tell(views[0], views[0].state.time, [])
    told = list(flips.found)
    for before, step, after in zip(views, steps[1:], [*steps[2:], None], strict=False):
        flips.found.clear()
        flips.visit(before, step)
        if data.draw(st.booleans()):  # the stream is awake before the next entry comes
            now = after.time - 1 if after is not None else step.time
            flips.pass_time(step.view, now)
            flips.tell(step.view, now, [])
        told += flips.found
        if data.draw(st.integers(0, 4)) == 0:  # the stream breaks off, and is taken up from the last message
            last = read_token(SEAL, question, told[-1].resume_token)
            start = last.position - views[0].position
            flips = Flips(SEAL, question, views[start], last.instant, told=last.allowed)
            for again, past in zip(views[start:], steps[start + 1 :], strict=False):
                if past.position <= step.position:
                    flips.visit(again, past)
            told += flips.found
    flips.found.clear()
    flips.pass_time(views[-1], until)
    flips.tell(views[-1], until, [])
    told += flips.found

    expected = naive(history, context, ARTIFACTS[0], until)
    assert [told_of(message) for message in told] == expected


def test_histories_have_flips_of_both_kinds() -> None:
    """The moves above turn a verdict by an entry and by time alone, both ways."""
    history = history_of("rich")
    for move in ("hold", "lift", "half a year", "mend"):
        MOVES[move](history)
    context = history.policy.contexts[-1].id

    found = naive(history, context, ARTIFACTS[0], history.state.time)

    entries = {state.time for state, _ in history.past}
    assert [flip.allowed for flip in found] == [True, False, True, False, True]
    assert [flip.instant in entries for flip in found] == [True, True, True, False, True]
