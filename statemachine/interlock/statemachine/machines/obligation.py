"""The obligation machine: a period is due, is waived until an instant, is fulfilled by documents.

What lives here: where grids begin, fulfilling and waiving. That a period is overdue, and what that blocks, is derived
(``owed.py``). Fulfilling loosens where the obligation blocks (``ruling.py``); the step is the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import excepting, moments, names
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import clocks, tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.owed import period_of, span_of, spec_of
from interlock.statemachine.requirements import evidence_unmet, unknown_evidence
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine import firings as f
    from interlock.statemachine.policy.model import Obligation, Policy
    from interlock.statemachine.state import State


def begin_grids(policy: Policy, state: State, instant: int) -> State:
    """Return the state after a policy was adopted: each obligation in force that no policy named before begins now.

    One that asks for another length goes on by that after the period that runs. Nothing moves what was.
    """
    for spec in policy.obligations.values():
        if not spec.in_force:
            continue
        name = f"obligations/{spec.id}"
        known = state.find(name, r.Obligation) or r.Obligation(name)
        if _moves(known, spec.every_us):
            state = _grid(state, known, spec.every_us, instant)
    return state


def moved_grids(policy: Policy, state: State) -> frozenset[str]:
    """Return the obligations whose grid adopting a policy would begin, change or end."""
    found = ((f"obligations/{spec.id}", spec.every_us) for spec in policy.obligations.values() if spec.in_force)
    return frozenset(
        name for name, every in found if _moves(state.find(name, r.Obligation) or r.Obligation(name), every)
    )


def _moves(known: r.Obligation, every: int) -> bool:
    """Say whether a grid goes on by another length than now; 0 is none."""
    return every != (known.grids[-1][2] if known.grids else 0)


def _grid(state: State, known: r.Obligation, every: int, instant: int) -> State:
    """Return the state with an obligation whose grid has this length from now on; 0 for what entries start."""
    if not known.grids or not known.grids[-1][2]:
        first = (known.running(instant) + 1, instant, every)
        return state.put(replace(known, grids=(*known.grids, first)))
    running = known.running(instant)
    following = (running + 1, known.span(running)[1], every)
    kept = tuple(grid for grid in known.grids if grid[0] <= running)
    opened = known.opened if every else max(known.opened, running)
    return state.put(replace(known, grids=(*kept, following), opened=opened))


def fulfil(moment: Moment, state: State, firing: f.ObligationFulfil) -> Moved | Refused:
    """Fulfil a period that has begun, overdue or not, by documents of the kind that the policy asks for."""
    begun = _begun(moment, state, firing.period)
    if isinstance(begun, Refused):
        return begun
    spec, known = begun
    trigger = firing.trigger.value
    target = tables.OBLIGATION.target(known.state, trigger)
    if target is None:
        return no_edge(tables.OBLIGATION, trigger, known.name, known.state)
    missing = unknown_evidence(state, firing.evidence, trigger)
    if missing:
        return Refused(RefusalKind.NOT_FOUND, missing)
    unmet = (
        *_signed_it(moment, state, firing),
        *_unmet(moment, state, spec, firing, span_of(state, known.name)[0]),
    )
    if unmet:
        return Refused(RefusalKind.UNMET, unmet)
    done = replace(
        known,
        state=target,
        evidence=firing.evidence,
        fulfilled_at=moment.instant,
        fulfiller=moment.actor,
        fulfilled_by=state.size,
    )
    after = clocks.go_on(moment.policy, state.put(done), known.name)
    return Moved(after, (Transition(known.name, trigger, known.state, target),))


def waive(moment: Moment, state: State, firing: f.ObligationWaive) -> Moved | Refused:
    """Waive a period that has begun until an instant; from then on it is due again, or overdue."""
    begun = _begun(moment, state, firing.period)
    if isinstance(begun, Refused):
        return begun
    _, known = begun
    trigger = firing.trigger.value
    target = tables.OBLIGATION.target(known.state, trigger)
    if target is None:
        return no_edge(tables.OBLIGATION, trigger, known.name, known.state)
    if firing.until <= moment.instant:
        wish, actual = f"an end after {moments.to_text(moment.instant)}", moments.to_text(firing.until)
        return refused(RefusalKind.UNMET, Code.END_PASSED, wish, actual, known.name, trigger)
    signed = tuple(_signed_it(moment, state, firing))
    if signed:
        return Refused(RefusalKind.UNMET, signed)
    waived = replace(known, state=target, waived_until=firing.until, waived_by=state.size)
    return Moved(state.put(waived), (Transition(known.name, trigger, known.state, target),))


def _signed_it(moment: Moment, state: State, firing: f.ObligationFulfil | f.ObligationWaive) -> Iterator[Unmet]:
    """Yield that whoever would close the review of a use of break-glass signed that use, or is about to be asked to."""
    cause = state.find(period_of(state, firing.period).cause, r.Exemption)
    if cause is not None and cause.opened_by == state.size:
        wish, actual = "a use of break-glass in an earlier change", "it is opened by this one"
        yield Unmet(Code.BREAK_GLASS_SIGNER, wish, actual, firing.period, firing.trigger.value)
    if not state.accounts(moment.actor).isdisjoint(excepting.barred_accounts(state, (firing,))):
        wish = "somebody who did not sign the use of break-glass that is reviewed"
        yield Unmet(Code.BREAK_GLASS_SIGNER, wish, f"{moment.actor} did", firing.period, firing.trigger.value)


def _begun(moment: Moment, state: State, period: str) -> tuple[Obligation, r.Period] | Refused:
    """Return a period that has begun with what the policy in force says of it, or why there is none."""
    spec = spec_of(moment.policy, period)
    obligation = state.find(names.obligation_of(period), r.Obligation)
    if spec is None or obligation is None:
        return not_found(period, "a period of an obligation of the policy in force")
    last = obligation.running(moment.instant)
    if names.number_of(period) > last:
        return not_found(period, f"a period that has begun: up to {last}")
    return spec, period_of(state, period)


def _unmet(moment: Moment, state: State, spec: Obligation, firing: f.ObligationFulfil, start: int) -> Iterator[Unmet]:
    """Yield what the documents lack: the kind and freshness asked for, made in the period, used for no other one."""
    trigger, need = firing.trigger.value, spec.fulfilled_by
    yield from evidence_unmet(state, (need,), firing.evidence, moment.instant, firing.period, trigger)
    used = state.fulfilled_by(names.obligation_of(firing.period))
    for name in firing.evidence:
        document = state.need(name, r.Evidence)
        if document.kind == need.kind and document.fresh_from < start:
            wish = f"{need.kind} made at or after {moments.to_text(start)}, when the period began"
            yield Unmet(Code.EVIDENCE_STALE, wish, moments.to_text(document.fresh_from), name, trigger)
        if name in used:
            yield Unmet(Code.EVIDENCE_USED, "a document that fulfils no other period", used[name], name, trigger)
