"""The one assignment of sign-offs to slots that is recorded, against every assignment there is."""

from __future__ import annotations

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from interlock.statemachine.quorum import assign

SLOTS = 4
CANDIDATES = st.lists(st.frozensets(st.integers(0, SLOTS - 1)), max_size=5)

Assignment = tuple[int | None, ...]


def every_assignment(candidates: list[frozenset[int]]) -> list[Assignment]:
    """Return every way to give candidates slots of theirs, or none, no slot twice."""
    ways = product(*[[None, *sorted(slots)] for slots in candidates])
    return [way for way in ways if len(taken := [slot for slot in way if slot is not None]) == len(set(taken))]


def kept(way: Assignment) -> tuple[bool, ...]:
    """Return who has a slot."""
    return tuple(slot is not None for slot in way)


@given(CANDIDATES)
def test_an_assignment_gives_own_slots_once(candidates: list[frozenset[int]]) -> None:
    """Nobody gets a slot that they can't fill, and no slot is filled twice."""
    assert assign(candidates) in every_assignment(candidates)


@given(CANDIDATES)
def test_the_assignment_is_largest(candidates: list[frozenset[int]]) -> None:
    """No way fills more slots."""
    assert sum(kept(assign(candidates))) == max(sum(kept(way)) for way in every_assignment(candidates))


@given(CANDIDATES)
def test_earlier_sign_offs_are_kept(candidates: list[frozenset[int]]) -> None:
    """Of all ways the one is recorded that keeps the earliest, each as far as those before it allow."""
    assert kept(assign(candidates)) == max(kept(way) for way in every_assignment(candidates))


@given(CANDIDATES)
def test_each_kept_one_has_the_lowest_slot(candidates: list[frozenset[int]]) -> None:
    """Of the ways that keep the same people, the earlier has the lowest slot possible."""
    recorded = assign(candidates)
    same = [way for way in every_assignment(candidates) if kept(way) == kept(recorded)]
    assert recorded == min(same, key=lambda way: [SLOTS if slot is None else slot for slot in way])


@given(CANDIDATES, st.frozensets(st.integers(0, SLOTS - 1)))
def test_one_more_sign_off_takes_nothing_away(candidates: list[frozenset[int]], more: frozenset[int]) -> None:
    """A later sign-off moves people to other slots at most: whoever had one keeps one."""
    before, after = assign(candidates), assign([*candidates, more])
    assert kept(after)[: len(candidates)] == kept(before)


def test_every_small_case_is_largest() -> None:
    """All rules of two slots with up to three candidates, exhaustively."""
    sets = [frozenset(chosen) for size in range(3) for chosen in combinations(range(2), size)]
    for count in range(4):
        for candidates in product(sets, repeat=count):
            ways = every_assignment(list(candidates))
            assert kept(assign(candidates)) == max(kept(way) for way in ways)
