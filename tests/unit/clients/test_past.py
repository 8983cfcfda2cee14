"""The past asked of a bundle: which moments it can tell of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from interlock.client.past import read_bundle_past
from tests.support.bundles import trust_in
from tests.support.parted import a_range, a_selection, story

if TYPE_CHECKING:
    from pathlib import Path


def test_a_selection_says_nothing_of_a_position_that_it_leaves_out(tmp_path: Path) -> None:
    """When that entry was made is not in it, so neither is what had ended by then; of its own entries it tells."""
    world, _ = story()
    cut, file = a_selection(), tmp_path / "m.ilbundle"
    file.write_bytes(cut.data)
    hidden = [at for at in range(cut.header.digest) if at not in cut.kept]
    trust = replace(trust_in(world), partial_ok=True)

    past = read_bundle_past(file, trust, (*hidden, *cut.kept))

    assert hidden
    assert past.moments[: len(hidden)] == (None,) * len(hidden)
    told = [(moment.position, moment.instant) for moment in past.moments[len(hidden) :] if moment]
    assert told == [(at, world.entries[at].time) for at in cut.kept]


def test_a_selection_tells_of_the_time_of_an_entry_that_it_leaves_out(tmp_path: Path) -> None:
    """What concerned the model by then is in it, whoever did something else meanwhile."""
    world, _ = story()
    cut, file = a_selection(), tmp_path / "m.ilbundle"
    file.write_bytes(cut.data)
    hidden = next(at for at in range(cut.header.digest) if at not in cut.kept)
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=world.entries[hidden].time)

    (moment,) = read_bundle_past(file, replace(trust_in(world), partial_ok=True), (when,)).moments

    assert moment is not None
    assert (moment.position, moment.instant) == (hidden - 1, world.entries[hidden].time)


def test_a_range_tells_of_each_of_its_entries_and_of_none_before(tmp_path: Path) -> None:
    """Those before its begin gave the state that it begins with: how the log was after each is not in it."""
    world, at = story()
    file = tmp_path / "range.ilbundle"
    file.write_bytes(a_range().data)

    past = read_bundle_past(file, trust_in(world), tuple(range(at["second"] + 2)))

    told = [moment.position for moment in past.moments if moment is not None]
    assert told == list(range(at["first"], at["second"] + 1))
