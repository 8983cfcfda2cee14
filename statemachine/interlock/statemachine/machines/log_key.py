"""The log's own key rotates by a change: the quorum consents, the old key says a word for the new one (decision 0073).

Where the old key is lost, or may be somebody else's, the recovery quorum names the next one (``recovery.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import log_keys
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge
from interlock.statemachine.unmet import RefusalKind, Refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def rotate(_moment: Moment, state: State, firing: f.LogRotateKey) -> Moved | Refused:
    """Put the new key in force with this entry, and end the old one before it."""
    log, trigger = state.log, firing.trigger.value
    before = "closed" if log.closed else "open"
    target = tables.LOG.target(before, trigger)
    if target is None:
        return no_edge(tables.LOG, trigger, log.name, before)
    faults = tuple(log_keys.rotation_faults(state, firing))
    if faults:
        return Refused(RefusalKind.UNMET, faults)
    return Moved(state.put(log_keys.rotated(state, firing)), (Transition(log.name, trigger, before, target),))
