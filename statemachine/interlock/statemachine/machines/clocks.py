"""Clocks that an entry starts: the periods of obligations that an incident opens (domain design, "The law").

Calendar time from the discovery, from when somebody determined that it is so, or from the closing. A period that was
opened stays owed, whatever becomes of the incident; each obligation is owed once for each incident.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import names
from interlock.statemachine import resources as r

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import After, Policy
    from interlock.statemachine.state import State


def open_period(state: State, obligation: str, start: int, due: int, cause: str) -> tuple[State, str]:
    """Return the state with a further period of an obligation (by id), and the period's name."""
    name = f"obligations/{obligation}"
    known = state.find(name, r.Obligation) or r.Obligation(name)
    number = known.running(start) + 1 if known.running(start) > known.opened else known.opened + 1
    period = r.Period(f"{name}/periods/{number}", start=start, due=due, cause=cause)
    return state.put(replace(known, opened=number)).put(period), period.name


def open_periods(policy: Policy, state: State, incident: r.Incident, instant: int) -> tuple[State, tuple[str, ...]]:
    """Return the state with all that an incident, as it is now, newly obliges to; and the names of these periods."""
    opened: list[str] = []
    done = {names.obligation_of(period) for period in incident.owed}
    for spec in policy.obligations.values():
        if spec.after is None or not spec.in_force or f"obligations/{spec.id}" in done:
            continue
        if not _matches(policy, spec.after, incident):
            continue
        start = incident.discovered_at if spec.after.event == "discovery" else instant
        state, period = open_period(state, spec.id, start, start + spec.after.within_us, incident.name)
        opened.append(period)
    return state, tuple(opened)


def _matches(policy: Policy, after: After, incident: r.Incident) -> bool:
    """Say whether an incident is what a clock starts from: judged by a named person, as grave, and as far gone."""
    if not incident.severity or policy.severity_rank(incident.severity) < policy.severity_rank(after.at_least):
        return False
    if after.categories and incident.category not in after.categories:
        return False
    return after.event != "closing" or incident.state == "closed"
