"""The matching of sign-offs to slots, against brute force."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.statemachine.quorum import assign

CANDIDATES = st.lists(st.frozensets(st.integers(0, 4)), max_size=5)


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([], ()),
        ([set()], (None,)),
        ([{0}], (0,)),
        ([{0}, {0}], (0, None)),
        ([{0, 1}, {0}], (1, 0)),
        ([{0, 1}, {0, 1}], (0, 1)),
        ([{1}, {0, 1}], (1, 0)),
        ([{0, 1}, {1}, {0}], (0, 1, None)),
        ([set(), {0}], (None, 0)),
        ([{0, 2}, {0, 1}, {0}], (2, 1, 0)),
    ],
)
def test_examples(candidates: list[set[int]], expected: tuple[int | None, ...]) -> None:
    """Earlier sign-offs are kept first, each at the lowest slot that leaves the kept ones theirs."""
    assert assign([frozenset(slots) for slots in candidates]) == expected


@given(CANDIDATES)
def test_it_is_an_assignment(candidates: list[frozenset[int]]) -> None:
    """Everyone fills a slot that they could fill, and no slot is filled twice."""
    given_slots = assign(candidates)

    filled = [slot for slot in given_slots if slot is not None]
    assert len(set(filled)) == len(filled)
    assert all(slot is None or slot in could for slot, could in zip(given_slots, candidates, strict=True))


@given(CANDIDATES)
def test_it_fills_as_many_slots_as_any(candidates: list[frozenset[int]]) -> None:
    """No other assignment fills more: a rule that can be met is met."""
    best = max(
        len({slot for slot in choice if slot is not None})
        for choice in product(*([None, *could] for could in candidates))
        if len([slot for slot in choice if slot is not None]) == len({slot for slot in choice if slot is not None})
    )

    assert sum(slot is not None for slot in assign(candidates)) == best


@given(st.lists(st.frozensets(st.integers(0, 2), min_size=1), min_size=1, max_size=4))
def test_which_slots_are_filled_does_not_depend_on_order(candidates: list[frozenset[int]]) -> None:
    """However the sign-offs came, the rule is met to the same extent."""
    counts = {sum(slot is not None for slot in assign(order)) for order in permutations(candidates)}

    assert len(counts) == 1


@given(CANDIDATES, st.frozensets(st.integers(0, 4)))
def test_a_later_sign_off_displaces_nobody(candidates: list[frozenset[int]], later: frozenset[int]) -> None:
    """Who filled a slot still fills one after somebody else has signed."""
    before, after = assign(candidates), assign([*candidates, later])

    kept = [slot is not None for slot in before]
    assert [slot is not None for slot in after[:-1]] == kept
