"""What ids of a pack stand for, said by whoever asks: no more than a pack could say itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.client.mapping import MapError, map_ids
from interlock.client.packs import read_pack
from interlock.statemachine.carrying import level_after, source_of_safeguard, sources_of_threshold
from interlock.statemachine.policy.loader import load_pack

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy

OLD, NEW = (load_pack(read_pack(name)) for name in ("rsp-2.2", "minimal"))
THRESHOLD = next(iter(NEW.thresholds))
LEVELS = [row.id for row in NEW.levels]


def of(new: Policy) -> tuple[str, ...]:
    """Return what the first threshold stands for."""
    return sources_of_threshold(OLD, new, THRESHOLD)


def test_a_threshold_may_stand_for_several() -> None:
    """As `succeeds` may say; and what is not named goes by the same id, as there."""
    several = tuple(OLD.thresholds)[:2]

    mapped = map_ids(OLD, NEW, {THRESHOLD: several})

    assert (of(NEW), of(mapped)) == ((), several)
    assert mapped.digest == NEW.digest


def test_a_level_stands_for_another_and_only_one_may() -> None:
    """A model has one level of a standard: what comes to two would have to be guessed."""
    old = OLD.levels[0].id

    assert level_after(OLD, map_ids(OLD, NEW, {LEVELS[0]: (old,)}), old) == LEVELS[0]
    with pytest.raises(MapError, match="two levels stand for"):
        map_ids(OLD, NEW, {LEVELS[0]: (old,), LEVELS[1]: (old,)})


def test_a_safeguard_stands_for_one() -> None:
    """It has one state."""
    one = next(iter(NEW.safeguards))
    olds = tuple(name for name, spec in OLD.safeguards.items() if spec.shared == NEW.safeguards[one].shared)

    mapped = map_ids(OLD, NEW, {f"safeguards/{one}": olds[:1]})

    assert source_of_safeguard(OLD, mapped, NEW.safeguards[one]) == olds[0]
    with pytest.raises(MapError):
        map_ids(OLD, NEW, {one: olds[:2]})


@pytest.mark.parametrize(
    "given",
    [
        {"nothing": (next(iter(OLD.thresholds)),)},
        {THRESHOLD: ("nothing",)},
        {f"levels/{THRESHOLD}": (next(iter(OLD.thresholds)),)},
        {THRESHOLD: (OLD.levels[0].id,)},
    ],
    ids=["no such id", "no such old id", "of another kind", "for one of another kind"],
)
def test_what_no_pack_could_say_is_refused(given: dict[str, tuple[str, ...]]) -> None:
    """Both sides are known, and of one kind."""
    with pytest.raises(MapError):
        map_ids(OLD, NEW, given)
