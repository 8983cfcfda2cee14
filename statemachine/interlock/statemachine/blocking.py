"""Rule 7 of the ALLOW rule: what is open that blocks, one leaf for each.

What lives here: leaves, and nothing else; what is owed is worked out in ``owed.py``. An obligation that does not block
is told as an advisory once it is overdue. Every reason lasts until somebody acts: time alone ends none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import moments, owed
from interlock.statemachine import resources as r
from interlock.statemachine.leaf import Leaf
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Obligation, Policy
    from interlock.statemachine.state import State


def open_matters(policy: Policy, state: State, model: str) -> Iterator[Leaf]:
    """Yield a leaf for every incident that is open and every finding that is confirmed, where its severity blocks."""
    for name in state.standing_on(model):
        found = state.items[name]
        if isinstance(found, r.Incident) and policy.severity_blocks(found.severity):
            wish, since = "no open incident of a severity that blocks", moments.to_text(found.reported_at)
            actual = f"{found.severity}, {found.category}, {found.state}, reported {since}{_on(found.target)}"
            yield Leaf(7, "incident", wish, name, Unmet(Code.INCIDENT_OPEN, wish, actual, name, rule=7))
        elif isinstance(found, r.Finding) and policy.severity_blocks(found.severity):
            wish, since = "no confirmed finding of a severity that blocks", moments.to_text(found.moved_at)
            actual = f"{found.severity}, confirmed {since} by {found.mover}{_on(found.target)}"
            yield Leaf(7, "finding", wish, name, Unmet(Code.FINDING_CONFIRMED, wish, actual, name, rule=7))


def _on(target: str) -> str:
    return ", on everything" if target == EVERYTHING else ""


def open_duties(policy: Policy, state: State, instant: int) -> Iterator[Leaf]:
    """Yield what rule 7 asks for at ``instant`` (microseconds), in the policy's order."""
    for spec in owed.obligations_of(policy):
        yield from _obligation(state, spec, instant)


def _obligation(state: State, spec: Obligation, instant: int) -> Iterator[Leaf]:
    """Yield a leaf for every period that is not fulfilled, and for the next one where that is due before all of these.

    Of an obligation that does not block only one: one advisory is enough.
    """
    of = f"obligations/{spec.id}"
    wish = f"{spec.id} fulfilled or waived in time"
    soonest: int | None = None
    periods = owed.unfulfilled(state, of, instant)
    if spec.after is not None and not spec.blocking:
        nearest = owed.nearest(state, periods, instant)
        periods = iter(() if nearest is None else (nearest,))
    for name in periods:
        ends = owed.overdue_from(state, name) or 0
        yield _period(state, spec, wish, name, ends, instant)
        if not spec.blocking:
            return
        if instant < ends:
            soonest = ends if soonest is None else min(soonest, ends)
    following = owed.next_due(state, of, instant)
    if following is not None and (soonest is None or following[1] < soonest):
        name, due = following
        yield Leaf(7, "obligation", wish, name, None, due, spec.blocking)


def _period(state: State, spec: Obligation, wish: str, name: str, ends: int, instant: int) -> Leaf:  # as it stands
    if instant < ends:
        return Leaf(7, "obligation", wish, name, None, ends, spec.blocking)
    waived = owed.period_of(state, name).waived_until
    actual = f"overdue since {moments.to_text(ends)}" + (", when its waiver ended" if waived == ends else "")
    late = Unmet(Code.OBLIGATION_OVERDUE, wish, actual, name, rule=7)
    return Leaf(7, "obligation", wish, name, late, None, spec.blocking)
