"""The verifier's fold on disk is the fold: the same answers, whatever was settled."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from interlock.client.verify import fold as folds
from interlock.client.verify import verify_bundle
from interlock.client.verify.fold import Fold, Spilled
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.replay import Replay
from tests.support.stories import every_command, whole_bundle, whole_trust

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fold]:
    """Give a fold that settles after every entry and keeps one value a map."""
    monkeypatch.setattr(folds, "SETTLE_EVERY", 1)
    monkeypatch.setattr(folds, "KEPT", 1)
    fold = Fold()
    yield fold
    fold.close()


def test_a_log_is_decided_alike_from_disk(fold: Fold) -> None:
    """Every entry of every command is accepted, and every resource is as it is in memory."""
    world = every_command()
    replay = Replay(world.resolve, fold.begin())

    for data in world.encoded():
        assert replay.feed(data) is not None, replay.findings
        replay.state = fold.settle(replay.state)

    assert dict(replay.state.items.items()) == dict(world.state.items.items())
    assert dict(replay.state.positions.items()) == dict(world.state.positions.items())
    assert {name: replay.state.items[name] for name in world.state.items} == dict(world.state.items.items())
    assert not any(isinstance(item, r.Change | r.Evidence) for item in _recent(replay.state.items).values())


def _recent(items: object) -> dict[str, object]:
    assert isinstance(items, Spilled)
    return dict(items.recent.items())


def test_what_is_asked_for_by_kind_is_found_on_disk_and_in_memory(fold: Fold) -> None:
    """Models are in memory, documents on disk; both are all there."""
    world = every_command()
    replay = Replay(world.resolve, fold.begin())
    for data in world.encoded():
        replay.feed(data)
        replay.state = fold.settle(replay.state)

    for kind in (r.Model, r.Evidence, r.Principal, r.Change):
        assert {item.name for item in replay.state.all_of(kind)} == {item.name for item in world.state.all_of(kind)}


def test_a_map_on_disk_answers_as_a_map(fold: Fold) -> None:
    """Missing keys, defaults, and a value that was written again."""
    state = fold.begin()
    positions: Any = state.positions.set("a", 1).set("b", 2)
    positions = positions.settled().set("a", 3)

    assert (positions.get("a"), positions.get("b"), positions.get("c", -1)) == (3, 2, -1)
    assert "b" in positions
    assert "c" not in positions
    assert sorted(positions.items()) == [("a", 3), ("b", 2)]
    assert sorted(positions) == ["a", "b"]
    with pytest.raises(KeyError):
        positions["c"]


def test_documents_are_found_by_their_bytes(fold: Fold) -> None:
    """The first record gives the name; the same bytes may be recorded again."""
    record = next(e for e in every_command().entries if isinstance(e.command, c.RecordEvidence)).command
    assert isinstance(record, c.RecordEvidence)
    fold.note_document(record.sha256, "evidence/1", record.size)
    fold.note_document(record.sha256, "evidence/4", record.size)

    assert fold.documents(record.sha256) == [("evidence/1", record.size), ("evidence/4", record.size)]
    assert fold.documents("00") == []


def test_what_a_visitor_was_shown_may_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state of the past stays what it was, also once the verification has ended and its temporary files are gone."""
    monkeypatch.setattr(folds, "SETTLE_EVERY", 1)
    world, kept = every_command(), []

    report = verify_bundle(
        BytesIO(whole_bundle().data).read, whole_trust(), visit=lambda _entry, state, _policy: kept.append(state)
    )

    assert report.verified
    assert [state.size for state in kept] == list(range(1, len(world.entries) + 1))
    assert dict(kept[-1].items.items()) == dict(world.state.items.items())
    assert all(item.state == "placed" for item in kept[3].all_of(r.Hold))
