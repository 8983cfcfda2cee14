"""Who could fill a rule's slots, compared: people as role sets, one person a slot.

A person counts by what they may fill. Two rules are compared by asking whether every group of people that meets the
one meets the other. Not compared is what a person did for one change alone (``evidence_author``, ``seen``): whoever
wrote the evidence of one change is nobody special for the next, and no pack can say otherwise.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import chain, combinations
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from interlock.statemachine.quorum import assign

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from interlock.statemachine.policy.model import Affiliation, Assurance, Rule, Slot

_MAX_KINDS: Final = 10  # 1024 subsets; a rule with more kinds of people is compared with one rule at a time


class Kind(NamedTuple):
    """What a slot asks of whoever fills it."""

    role: str
    affiliation: Affiliation
    assurance: Assurance
    not_requester: bool

    def serves_as(self, other: Kind) -> bool:
        """Say whether whoever fills a slot of this kind could fill one of ``other`` too."""
        return (
            self.role == other.role
            and (other.affiliation == "any" or self.affiliation == "external")
            and (other.assurance == "login" or self.assurance == "signature")
            and (self.not_requester or not other.not_requester)
        )


Kinds: TypeAlias = tuple[Kind, ...]


def kind_of(slot: Slot) -> Kind:
    """Return what a slot asks for."""
    return Kind(slot.role, slot.affiliation, slot.assurance, "requester" in slot.distinct_from)


def kinds_of(rule: Rule) -> Kinds:
    """Return what each slot of a rule asks for."""
    return tuple(kind_of(slot) for slot in rule.slots)


def implies(rules: Collection[Rule], wanted: Rule) -> bool:
    """Say whether every group of people that meets all of ``rules`` meets ``wanted`` as well.

    By Hall's theorem a group can't meet ``wanted`` if and only if for some of its slots too few of the group could
    fill any of them. The fewest that ``rules`` force to be there are as many as the rule that asks for most of them:
    the others may be met by the same people.
    """
    return _implies(tuple(kinds_of(rule) for rule in rules), kinds_of(wanted))


@lru_cache(maxsize=4096)
def _implies(asked: tuple[Kinds, ...], wanted: Kinds) -> bool:
    if any(not _left_out(kinds, wanted) for kinds in asked):
        return True
    counts = Counter(wanted)
    if len(asked) == 1 or len(counts) > _MAX_KINDS:
        return False
    subsets = chain.from_iterable(combinations(counts, size) for size in range(1, len(counts) + 1))
    return all(
        max(sum(any(kind.serves_as(one) for one in some) for kind in kinds) for kinds in asked)
        >= sum(counts[one] for one in some)
        for some in subsets
    )


def _left_out(asked: Kinds, wanted: Kinds) -> Kinds:
    """Return the kinds of ``wanted`` that a group of exactly the people that are ``asked`` leaves unfilled."""
    candidates = [frozenset(at for at, one in enumerate(wanted) if kind.serves_as(one)) for kind in asked]
    filled = set(assign(candidates))
    return tuple(one for index, one in enumerate(wanted) if index not in filled)


def lacking(rules: Sequence[Rule], wanted: Rule) -> tuple[Kind, ...]:
    """Return whom ``wanted`` asks for and the best of ``rules`` leaves out: for a message, empty if one implies it."""
    return min((_left_out(kinds_of(rule), kinds_of(wanted)) for rule in rules), key=len)


def in_words(kinds: Iterable[Kind]) -> str:
    """Say whom a list of slots asks for, as in ``owner, 2 × reviewer (external)``."""
    words = Counter(_word(kind) for kind in kinds)
    return ", ".join(word if count == 1 else f"{count} × {word}" for word, count in words.items())


def _word(kind: Kind) -> str:
    more = [
        word
        for word, is_so in (
            ("external", kind.affiliation == "external"),
            ("by login", kind.assurance == "login"),
            ("or the requester", not kind.not_requester),
        )
        if is_so
    ]
    return f"{kind.role} ({', '.join(more)})" if more else kind.role


def signed_by(rule: Rule) -> str:
    """Return ``signed by …`` for a call in words."""
    return f"signed by {in_words(kinds_of(rule))}"
