"""A deliberately naive second opinion on quorums: every assignment of sign-offs to slots is tried.

Read off the identity design and nothing else; no code is shared with ``signing.py`` or ``quorum.py``. Who counts as one
person is a set of names; whoever signed for somebody is one person with them on that change, for good.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Wanted:
    """A slot: a role, and whom its filler must not be."""

    role: str
    no_requester: bool = False
    no_author: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """An approval: by an account, in the name of another one or in its own, in some roles; ``at`` orders it in time."""

    signer: str
    roles: frozenset[str]
    owner: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Lent:
    """A delegation that stands: who lends which role to whom; ``at`` orders it in time."""

    owner: str
    delegate: str
    role: str
    at: int = -1


@dataclass(frozen=True, slots=True)
class Town:
    """Who is who: the person behind each account, its roles, which delegations stand, who was suspended."""

    person: Mapping[str, str]
    roles: Mapping[str, frozenset[str]]
    delegations: frozenset[Lent] = frozenset()
    requesters: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    admins: frozenset[str] = frozenset()
    used: tuple[tuple[str, str], ...] = field(default=())
    suspended: frozenset[str] = frozenset()

    def one_with(self, person: str, said: Iterable[Said]) -> frozenset[str]:
        """Return everybody who is one person with somebody, where these approvals were given."""
        pairs = [(self.person[row.signer], self.person[row.owner]) for row in said]
        pairs += [(self.person[signer], self.person[owner]) for signer, owner in self.used]
        group = {person}
        for _ in pairs:
            for pair in pairs:
                if group & set(pair):
                    group |= set(pair)
        return frozenset(group)

    def fits(self, slot: Wanted, row: Said, said: Iterable[Said]) -> bool:
        """Say whether an approval could fill a slot, for everybody that it stands for."""
        people = self.one_with(self.person[row.signer], said)
        if slot.role not in row.roles or slot.role not in self.roles[row.owner]:
            return False
        if {row.owner, row.signer} & self.suspended:
            return False
        lent = [one.at for one in self.delegations if (one.owner, one.delegate) == (row.owner, row.signer)
                and one.role == slot.role]  # fmt: skip
        if row.owner != row.signer and not any(at < row.at for at in lent):
            return False
        if {self.person[row.signer], self.person[row.owner]} & self.admins:
            return False
        return not ((slot.no_requester and people & self.requesters) or (slot.no_author and people & self.authors))

    def met(self, slots: tuple[Wanted, ...], said: tuple[Said, ...]) -> bool:
        """Say whether some way to give each slot an approval, no two to one person, fills them all."""
        return any(
            all(self.fits(slot, row, said) for slot, row in zip(slots, chosen, strict=True))
            and len({self.one_with(self.person[row.signer], said) for row in chosen}) == len(slots)
            for chosen in permutations(said, len(slots))
        )
