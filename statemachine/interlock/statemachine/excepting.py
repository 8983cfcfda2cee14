"""Break-glass: what is excepted from the gate until an instant, and who may not review that (identity, "Break-glass").

An exception changes no stored state: the hold stays placed, the safeguard degraded or suspended. Lives here: facts
derived of exceptions, for the ALLOW rule, listings and sign-offs, and what a tightening trigger ends. Opening one is
``machines/exception.py``'s business.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import firings as f
from interlock.statemachine import moments
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.leaf import Leaf
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from interlock.statemachine.machines.step import Moment
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


def stood_in_for(state: State, resource: str) -> str:
    """Return the trigger that an exception of a hold or a safeguard would stand in for now; empty for none.

    A suspended safeguard would return to what it remembers, never further: only one that was active is worth it.
    """
    hold = state.find(resource, r.Hold)
    if hold is not None:
        return "hold.lift" if hold.state == "placed" else ""
    known = state.find(resource, r.Safeguard)
    if known is None:
        return ""
    return {"degraded": "safeguard.restore", "suspended(active)": "safeguard.resume"}.get(known.state, "")


def in_force(policy: Policy, state: State, resource: str, instant: int) -> r.Exemption | None:
    """Return the exception of a hold or a safeguard that counts at ``instant`` (microseconds), or None.

    Of several the longest; one of a tainted change counts for nothing beside another.
    """
    trigger = stood_in_for(state, resource)
    if not trigger or trigger not in policy.break_glass:
        return None
    rows = [state.need(name, r.Exemption) for name in state.exemptions.get(resource, ())]
    holding = [row for row in rows if row.trigger == trigger and row.holds_at(instant)]
    return max(holding, key=lambda row: (row.opened_by not in state.tainted, row.until), default=None)


def leaves_of(exemption: r.Exemption, rule: int, wish: str, until: int, *, blocking: bool = True) -> Iterator[Leaf]:
    """Yield what the gate says of an exception: that its rule is met up to ``until``, and that it is by this."""
    yield Leaf(rule, "exemption", wish, exemption.name, None, until, blocking)
    actual = f"excepted until {moments.to_text(exemption.until)} by break-glass, {exemption.name}"
    told = Unmet(Code.BREAK_GLASS, wish, actual, exemption.resource, rule=rule)
    yield Leaf(rule, "exemption", wish, exemption.name, told, None, blocking=False)


def ended_by(moment: Moment, moved: Moved, firing: f.Firing) -> Moved:
    """Return a step with every exception ended that a tightening trigger is about: any word on it takes it back."""
    match firing:
        case f.HoldPlace():
            over = {firing.target} if firing.target != EVERYTHING else None
            names = [name for name in moved.state.exemptions if _is_on(moved.state, name, over)]
        case f.SafeguardDegrade() | f.SafeguardSuspend() | f.SafeguardRetire():
            names = [firing.safeguard]
        case _:
            return moved
    state, moves = moved.state, list(moved.transitions)
    for exemption in _open(state, sorted(names)):
        ended = replace(exemption, state="ended", ended_at=moment.instant, ender=moment.actor)
        state = state.put(ended)
        moves.append(Transition(exemption.name, firing.trigger.value, exemption.state, ended.state))
    return Moved(state, tuple(moves))


def _is_on(state: State, resource: str, targets: set[str] | None) -> bool:
    hold = state.find(resource, r.Hold)
    return hold is not None and (targets is None or hold.target in targets)


def _open(state: State, resources: Iterable[str]) -> Iterator[r.Exemption]:
    for resource in resources:
        rows = (state.need(name, r.Exemption) for name in state.exemptions.get(resource, ()))
        yield from (row for row in rows if row.state == "open")


def unreviewed(state: State, resource: str) -> tuple[r.Exemption, ...]:
    """Return the exceptions that a resource ever had whose review is not closed, or only by a tainted change."""
    rows = (state.need(name, r.Exemption) for name in state.exemptions.get(resource, ()))
    return tuple(row for row in rows if not _is_closed(state, state.need(row.review, r.Period)))


def _is_closed(state: State, review: r.Period) -> bool:
    return review.state == "fulfilled" and review.fulfilled_by not in state.tainted


def barred_accounts(state: State, firings: Iterable[f.Firing]) -> frozenset[str]:
    """Return the accounts that signed, or lent, the use of break-glass that some of these triggers review or waive."""
    found: set[str] = set()
    for firing in firings:
        if not isinstance(firing, f.ObligationFulfil | f.ObligationWaive):
            continue
        period = state.find(firing.period, r.Period)
        exemption = state.find(period.cause, r.Exemption) if period is not None else None
        if exemption is None:
            continue
        change = state.find(state.applied.get(exemption.opened_by, ""), r.Change)
        for row in change.sign_offs if change is not None else ():
            if row.decision == "approve":
                found |= {row.signer, row.on_behalf_of or row.signer}
    return frozenset(found)
