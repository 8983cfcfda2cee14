"""WatchModels on a real server: a snapshot, then every model that is touched, whoever breaks off in between."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from interlock.service.ledger import steps
from interlock.v1 import hold_pb2, model_pb2, safeguard_pb2
from tests.support.people import People, Person, refused
from tests.support.server import CALL_SECONDS, ServerThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Watcher:
    """A raw stream, and what came out of it."""

    def __init__(self, who: Person, after: int | None = None) -> None:
        request = model_pb2.WatchModelsRequest(after_position=after)
        self.call: Any = who.models.WatchModels(request, timeout=CALL_SECONDS)

    def group(self) -> tuple[int, list[str]]:
        """Return the next position with the models that are told of it, up to the message that completes it."""
        messages = self.messages()
        positions = {message.log_position for message in messages}
        assert len(positions) == 1
        return positions.pop(), [message.model.name for message in messages]

    def messages(self) -> list[model_pb2.WatchModelsResponse]:
        """Return messages up to the one that completes a position."""
        found: list[model_pb2.WatchModelsResponse] = []
        while not found or not found[-1].complete:
            found.append(next(self.call))
        return found


def head_of(people: People) -> int:
    """Return the log's last position."""
    return people["auditor"].checkpoint().size - 1


def hold(people: People, target: str) -> int:
    """Place a hold, and return the position of its entry."""
    people["admin" if target == "-" else "owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=target))
    return head_of(people)


@pytest.fixture
def people(data: Path) -> Iterator[People]:
    """Serve a fresh log, with people."""
    with ServerThread(data) as server, People(server) as crowd:
        yield crowd


def test_a_log_without_models_says_where_it_is(people: People) -> None:
    """The snapshot of nothing is one message, complete, without a model: a watcher can go on from it."""
    assert Watcher(people["auditor"]).group() == (head_of(people), [""])


def test_a_snapshot_then_each_touched_model(people: People) -> None:
    """All models first; then at each position those that its entry touches, and a hold on everything touches all."""
    one, other = people.new_model().model, people.new_model().model
    watcher = Watcher(people["auditor"])
    assert watcher.group() == (head_of(people), [one, other])

    assert watcher_after(people, watcher, lambda: hold(people, other)) == [other]
    assert watcher_after(people, watcher, lambda: hold(people, "-")) == [one, other]
    people["engineer"].upload("red_team_report", b"of no concern")
    started = safeguard_pb2.StartSafeguardRequest(name=f"{one}/safeguards/input-filter")
    assert watcher_after(people, watcher, lambda: people["engineer"].safeguards.StartSafeguard(started)) == [one]


def watcher_after(people: People, watcher: Watcher, act: Any) -> list[str]:  # noqa: ANN401  # any call
    """Act, and return the models that are told at the position of what was done."""
    act()
    position, models = watcher.group()
    assert position == head_of(people)
    return models


def test_a_model_is_told_as_get_tells_it(people: People) -> None:
    """What comes at a position is what GetModel says as of that position."""
    subject = people.new_model()
    watcher = Watcher(people["auditor"], head_of(people))
    position = hold(people, subject.model)

    (message,) = watcher.messages()

    request = model_pb2.GetModelRequest(name=subject.model, position=position)
    assert message.model == people["auditor"].models.GetModel(request)


def test_going_on_from_any_complete_position_leaves_nothing_out(people: People) -> None:
    """From each position on, the same groups come as came to one who never broke off."""
    subjects = [people.new_model().model for _ in range(3)]
    watcher = Watcher(people["auditor"])
    groups = [watcher.group()]
    for target in (*subjects, "-", subjects[1]):
        hold(people, target)
        groups.append(watcher.group())

    for index, (position, _) in enumerate(groups[:-1]):
        again = Watcher(people["auditor"], position)
        assert [again.group() for _ in groups[index + 1 :]] == groups[index + 1 :]


def test_after_a_restart_each_touched_model_comes_once(data: Path) -> None:
    """Who comes back to a server that no longer has the steps in memory gets each model that was touched, as it is."""
    with ServerThread(data) as server, People(server) as people:
        subjects = [people.new_model().model for _ in range(4)]
        start = head_of(people)
        for target in (subjects[2], subjects[0], subjects[2]):
            hold(people, target)
        people["engineer"].upload("red_team_report", b"of no concern")
    with ServerThread(data) as server, People(server) as people:
        watcher = Watcher(people["auditor"], start)
        messages = watcher.messages()
        then = hold(people, subjects[3])

        assert [message.model.name for message in messages] == [subjects[0], subjects[2]]
        assert [len(message.model.holds) for message in messages] == [1, 2]
        assert watcher.group() == (then, [subjects[3]])


def test_one_who_falls_behind_what_is_in_memory_loses_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher who is away for longer than memory goes gets the newest state of all that was touched."""
    monkeypatch.setattr(steps, "KEPT", 4)
    with ServerThread(data) as server, People(server) as people:
        one, other = people.new_model().model, people.new_model().model
        start = head_of(people)
        for target in itertools.islice(itertools.cycle((one, other)), 20):
            hold(people, target)
        messages = Watcher(people["auditor"], start).messages()

        assert [(row.model.name, len(row.model.holds), row.log_position) for row in messages] == [
            (one, 10, head_of(people)),
            (other, 10, head_of(people)),
        ]


def test_a_position_past_the_head_is_refused(people: People) -> None:
    """Who has seen more than this server has is told so."""
    with refused("POSITION_NOT_REACHED"):
        next(Watcher(people["auditor"], 10**6).call)
