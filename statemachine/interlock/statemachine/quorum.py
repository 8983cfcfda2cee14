"""Quorum by matching: which sign-offs fill which slots of a rule, one person a slot (identity, "Sign-off rules")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def assign(candidates: Sequence[frozenset[int]]) -> tuple[int | None, ...]:
    """Give each candidate the slot it fills, or None. Candidates come in order of position, one a person.

    Each candidate is the set of slot numbers that it could fill. The one assignment that is recorded: keep each
    candidate that can still be matched together with those kept before, then give each kept one the lowest slot
    possible. Keeping greedily is also largest (matchable sets are a transversal matroid), so a rule that can be met
    by some assignment is met by this one.
    """
    kept: list[int] = []
    for index in range(len(candidates)):
        if _matchable([candidates[i] for i in (*kept, index)]):
            kept.append(index)
    slots: dict[int, int] = {}
    for place, index in enumerate(kept):
        later = kept[place + 1 :]
        for slot in sorted(candidates[index] - set(slots.values())):
            taken = {*slots.values(), slot}
            if _matchable([candidates[i] - taken for i in later]):
                slots[index] = slot
                break
    return tuple(slots.get(index) for index in range(len(candidates)))


def _matchable(candidates: Sequence[frozenset[int]]) -> bool:
    """Say whether every candidate can have a slot of its own (augmenting paths, Kuhn 1955)."""
    holder: dict[int, int] = {}

    def place(index: int, seen: set[int]) -> bool:
        for slot in sorted(candidates[index] - seen):
            seen.add(slot)
            if slot not in holder or place(holder[slot], seen):
                holder[slot] = index
                return True
        return False

    return all(place(index, set()) for index in range(len(candidates)))
