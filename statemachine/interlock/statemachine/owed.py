"""What is owed: periods of obligations as they stand at an instant, and whether one that is overdue blocks. Pure.

What lives here: derived facts, for the ALLOW rule, for listings and for the machine. Nothing is written. When a period
is due is a fact of the log; that it is overdue follows from the instant that is asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.policy.model import EvidenceNeed, Obligation
from interlock.statemachine.policy.vocabulary import BREAK_GLASS_REVIEW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


REVIEW: Final = Obligation(
    id=BREAK_GLASS_REVIEW,
    title="A review of a use of break-glass, by people who did not sign it",
    every_us=0,
    fulfilled_by=EvidenceNeed("break_glass_review", None),
    blocking=True,
    jurisdiction=None,
    in_force=True,
    source=None,
)
"""What every use of break-glass owes, whatever the policy lists: its periods have no grid, each use opens one."""


def obligations_of(policy: Policy) -> Iterator[Obligation]:
    """Yield every obligation that is in force, the policy's in its order."""
    yield from (spec for spec in policy.obligations.values() if spec.in_force)
    yield REVIEW


def spec_of(policy: Policy, name: str) -> Obligation | None:
    """Return what the policy says of an obligation, by the name of it or of a period; None where not in force."""
    wanted = names.leaf_of(names.obligation_of(name))
    if wanted == REVIEW.id:
        return REVIEW
    spec = policy.obligations.get(wanted)
    return spec if spec is not None and spec.in_force else None


def blocks(policy: Policy, name: str) -> bool:
    """Say whether an obligation denies every release once it is overdue."""
    spec = spec_of(policy, name)
    return spec is not None and spec.blocking


def period_of(state: State, name: str) -> r.Period:
    """Return a period; due when nothing was written."""
    return state.find(name, r.Period) or r.Period(name)


def span_of(state: State, name: str) -> tuple[int, int]:
    """Return when a period begins and when it is due (microseconds). Raises LookupError for no such obligation."""
    known = state.find(name, r.Period)
    if known is not None and known.start is not None and known.due is not None:
        return known.start, known.due
    return state.need(names.obligation_of(name), r.Obligation).span(names.number_of(name))


def overdue_from(state: State, name: str) -> int | None:
    """Return from when on a period is overdue (microseconds); None where it is owed no more."""
    return period_of(state, name).overdue_from(span_of(state, name)[1])


def unfulfilled(state: State, obligation: str, instant: int) -> Iterator[str]:
    """Yield the periods of ``obligations/{id}`` that have begun at ``instant`` and are owed still, by number."""
    known = state.find(obligation, r.Obligation)
    if known is None:
        return
    for number in range(state.cleared.get(obligation, 0) + 1, known.running(instant) + 1):
        name = f"{obligation}/periods/{number}"
        if period_of(state, name).is_owed:
            yield name


def nearest(state: State, periods: Iterator[str], instant: int) -> str | None:
    """Return the first of some periods that is overdue; where none is, the one that will be next; None of none.

    It looks no further than the first: there can be any number, for each artifact that a release tool records may open
    one, and the gate asks for each verdict.
    """
    soonest: tuple[int, str] | None = None
    for name in periods:
        ends = overdue_from(state, name) or 0
        if ends <= instant:
            return name
        if soonest is None or ends < soonest[0]:
            soonest = ends, name
    return None if soonest is None else soonest[1]


def next_due(state: State, obligation: str, instant: int) -> tuple[str, int] | None:
    """Return the first period of the grid that has not begun at ``instant``, and when it is due; None: no such."""
    known = state.find(obligation, r.Obligation)
    if known is None or not known.grids or not known.grids[-1][2]:
        return None
    number = known.running(instant) + 1
    return f"{obligation}/periods/{number}", known.span(number)[1]
