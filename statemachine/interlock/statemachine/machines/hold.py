"""The hold machine: one authorised person places, a change lifts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, Refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def place(moment: Moment, state: State, firing: f.HoldPlace) -> Moved | Refused:
    """Place a new hold on a model, retired or not, or on everything."""
    if firing.target != EVERYTHING and state.find(firing.target, r.Model) is None:
        return not_found(firing.target, "a model, or `-` for everything", Code.MODEL_UNKNOWN)
    hold = r.Hold(
        state.next_name("holds"),
        firing.target,
        placed_at=moment.instant,
        placed_actor=moment.actor,
        reason_digest=firing.reason_digest,
    )
    move = Transition(hold.name, firing.trigger.value, tables.ABSENT, "placed")
    return Moved(state.put(hold).counted("holds"), (move,))


def lift(_moment: Moment, state: State, firing: f.HoldLift) -> Moved | Refused:
    """Lift a placed hold."""
    hold = state.find(firing.hold, r.Hold)
    if hold is None:
        return not_found(firing.hold, "a placed hold")
    trigger = firing.trigger.value
    target = tables.HOLD.target(hold.state, trigger)
    if target is None:
        return no_edge(tables.HOLD, trigger, hold.name, hold.state)
    lifted = replace(hold, state=target, lifted_by=state.size)
    return Moved(state.put(lifted), (Transition(hold.name, trigger, hold.state, target),))
