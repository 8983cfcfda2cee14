"""The grant machine: one administrator ends a grant; giving one is a change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.triggers import Trigger

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State
    from interlock.statemachine.unmet import Refused


def end(moment: Moment, state: State, firing: f.GrantEnd) -> Moved | Refused:
    """End a grant for good."""
    grant = state.find(firing.grant, r.Grant)
    if grant is None:
        return not_found(firing.grant, "a grant")
    trigger = firing.trigger.value
    if (grant.state, trigger) in tables.SETTLED["grant"]:
        return Moved(state)
    if tables.GRANT.target(grant.state, trigger) is None:
        return no_edge(tables.GRANT, trigger, grant.name, grant.state)
    after, move = ended(state, grant, moment.instant)
    return Moved(after, (move,))


def ended(state: State, grant: r.Grant, instant: int) -> tuple[State, Transition]:
    """Return the state with a grant ended at ``instant`` (microseconds), and the edge."""
    gone = replace(grant, state="ended", ended_at=instant)
    return state.put(gone), Transition(grant.name, Trigger.GRANT_END.value, grant.state, gone.state)
