"""Ratifying: another change makes a tainted one count again, without rewriting anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.unmet import Code, RefusalKind, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State
    from interlock.statemachine.unmet import Refused


def ratify(moment: Moment, state: State, firing: f.ChangeRatify) -> Moved | Refused:
    """Note on a tainted change which entry ratified it; that it stands by this is derived (``taint.py``)."""
    trigger = firing.trigger.value
    change = state.find(firing.change, r.Change)
    if change is None:
        return not_found(firing.change, "a tainted change")
    target = tables.CHANGE.target(change.state, trigger)
    if target is None:
        return no_edge(tables.CHANGE, trigger, change.name, change.state)
    if change.applied_position not in state.tainted:
        wish, actual = "a change that is tainted", "it stands on its own sign-offs, or was ratified"
        return refused(RefusalKind.UNMET, Code.NOT_TAINTED, wish, actual, change.name, trigger)
    if firing.content_digest != change.content_digest:
        wish, actual = f"the digest of what it applied, {change.content_digest.hex()}", firing.content_digest.hex()
        return refused(RefusalKind.UNMET, Code.CONTENT, wish, actual or "none", change.name, trigger)
    if change.grounds is not None and not state.accounts(moment.actor).isdisjoint(change.grounds.barred):
        wish = "somebody who did not sign the use of break-glass that the tainted change reviews"
        return refused(RefusalKind.UNMET, Code.BREAK_GLASS_SIGNER, wish, f"{moment.actor} did", change.name, trigger)
    if state.size in change.ratified_by:
        return Moved(state)
    ratified = replace(change, ratified_by=(*change.ratified_by, state.size))
    return Moved(state.put(ratified), (Transition(change.name, trigger, change.state, target),))
