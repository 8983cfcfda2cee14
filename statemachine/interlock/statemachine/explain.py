"""The gate: the ALLOW rule by its numbers, every reason at once (domain design, "The ALLOW rule").

    1 context known · 2 model registered, artifact its own · 3 no hold · 4 determinations confirmed and not lapsed
    5 assigned level >= required · 6 listed commitments active and attested · 7 nothing blocking open · 8 no taint

What each of these asks for is in ``leaves.py``, one leaf a requirement; here they are summed up to a verdict, which is
a function of (position, instant) and nothing else: ``state`` is the position, ``instant`` is given.
The serving conditions of rule 1 (clock, ledger) are the server's to add; an answer about the past leaves them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine.leaves import find_leaves

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State
    from interlock.statemachine.unmet import Unmet


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says.

    ``valid_until`` is the first instant at which the verdict could change by time alone (None: never; a DENY never
    turns by time). ``stable_until`` is the first at which even a reason or an advisory could.
    """

    allowed: bool
    reasons: tuple[Unmet, ...]
    advisories: tuple[Unmet, ...]
    valid_until: int | None
    stable_until: int | None


def explain(policy: Policy, state: State, model: str, context: str, artifact: str, instant: int) -> Verdict:
    """Judge a release of ``model`` (with ``artifact``, hex SHA-256 or empty) to ``context`` at ``instant``.

    Raises nothing for unknown names: they are reasons to deny.
    """
    reasons: list[Unmet] = []
    advisories: list[Unmet] = []
    blocking_ends: list[int] = []
    other_ends: list[int] = []
    for leaf in find_leaves(policy, state, model, context, artifact, instant):
        if leaf.unmet is not None:
            (reasons if leaf.blocking else advisories).append(leaf.unmet)
        elif leaf.until is not None:
            (blocking_ends if leaf.blocking else other_ends).append(leaf.until)
    first = min(blocking_ends, default=None)
    return Verdict(
        allowed=not reasons,
        reasons=tuple(reasons),
        advisories=tuple(advisories),
        valid_until=None if reasons else first,
        stable_until=min(blocking_ends + other_ends, default=None),
    )
