"""The interim measure machine: a change puts one in force until an instant, one person ends it before.

It is *proposed* while the change that would put it in force is under review. That it has run out is derived.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import moments
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found, registered_model
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


def put_in_force(moment: Moment, state: State, firing: f.InterimMeasurePutInForce) -> Moved | Refused:
    """Put a new measure in force, from the entry that applies it until the instant that the change names."""
    model = registered_model(state, firing.model)
    if isinstance(model, Refused):
        return model
    unknown = _unknown(moment.policy, firing)
    if unknown:
        return Refused(RefusalKind.NOT_FOUND, unknown)
    trigger = firing.trigger.value
    if firing.until <= moment.instant:
        wish, actual = f"an end after {moments.to_text(moment.instant)}", moments.to_text(firing.until)
        return refused(RefusalKind.UNMET, Code.END_PASSED, wish, actual, model.name, trigger)
    measure = r.InterimMeasure(
        state.next_name("interimMeasures"),
        model.name,
        firing.safeguards,
        firing.contexts,
        firing.until,
        in_force_from=moment.instant,
        in_force_by=state.size,
    )
    move = Transition(measure.name, trigger, tables.ABSENT, measure.state)
    return Moved(state.put(measure).counted("interimMeasures"), (move,))


def _unknown(policy: Policy, firing: f.InterimMeasurePutInForce) -> tuple[Unmet, ...]:
    """Return what the measure names and the policy does not know."""
    trigger = firing.trigger.value
    contexts = ", ".join(entry.id for entry in policy.contexts)
    return (
        *(
            Unmet(Code.SAFEGUARD_UNKNOWN, "a safeguard of the policy, by id", "unknown", safeguard, trigger)
            for safeguard in firing.safeguards
            if safeguard not in policy.safeguards
        ),
        *(
            Unmet(Code.CONTEXT_UNKNOWN, f"a context of the policy: {contexts}", "unknown", context, trigger)
            for context in firing.contexts
            if policy.context(context) is None
        ),
    )


def end(moment: Moment, state: State, firing: f.InterimMeasureEnd) -> Moved | Refused:
    """End a measure at once, run out or not; one that was ended already is acknowledged."""
    measure = state.find(firing.interim_measure, r.InterimMeasure)
    if measure is None:
        return not_found(firing.interim_measure, "an interim measure in force")
    trigger = firing.trigger.value
    if (measure.state, trigger) in tables.SETTLED["interim_measure"]:
        return Moved(state)
    target = tables.INTERIM_MEASURE.target(measure.state, trigger)
    if target is None:
        return no_edge(tables.INTERIM_MEASURE, trigger, measure.name, measure.state)
    ended = replace(
        measure, state=target, ended_at=moment.instant, ender=moment.actor, reason_digest=firing.reason_digest
    )
    return Moved(state.put(ended), (Transition(measure.name, trigger, measure.state, target),))
