"""Clocks that an entry starts: the periods of obligations that something opens (domain design, "The law").

Calendar time from an incident (its discovery, its determination by a named person, its closing), from a deployment,
from an adoption. What was opened stays owed, whatever becomes of its cause. What repeats goes on from one period that
was met to the next, until its incident is closed. Not here: the grid of the calendar (``obligation.py``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from interlock.statemachine import firings as f
from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.owed import overdue_from, period_of, span_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import After, Event, Obligation, Policy
    from interlock.statemachine.state import State

OF_JUDGING: Final[tuple[Event, ...]] = ("discovery", "determination")


def open_period(state: State, obligation: str, start: int, due: int, cause: str) -> State:
    """Return the state with a further period of an obligation (by id)."""
    name = f"obligations/{obligation}"
    known = state.find(name, r.Obligation) or r.Obligation(name)
    number = known.running(start) + 1
    period = r.Period(f"{name}/periods/{number}", start=start, due=due, cause=cause)
    return state.put(replace(known, opened=number)).put(period)


# Incidents --------------------------------------------------------------------------------------------------------


def start_by_incident(
    policy: Policy, state: State, incident: r.Incident, instant: int, *, reopened: bool = False
) -> State:
    """Return the state with all that an incident, reported or judged so, newly obliges to: each obligation once.

    What repeats is started anew where it has stopped: by a closing, or under a policy by which it did not go on.
    """
    for spec, after in clocks_of(policy, *OF_JUDGING):
        opened = state.opened_by(incident.name, f"obligations/{spec.id}")
        stopped = after.repeats and (reopened or (bool(opened) and not period_of(state, opened[-1]).is_owed))
        if (opened and not stopped) or not _matches(policy, after, incident):
            continue
        start = incident.discovered_at if after.event == "discovery" and not opened else instant
        state = open_period(state, spec.id, start, start + after.within_us, incident.name)
    return state


def _matches(policy: Policy, after: After, incident: r.Incident) -> bool:
    """Say whether an incident is what a clock starts from: judged by a named person, and as grave."""
    if not incident.severity or policy.severity_rank(incident.severity) < policy.severity_rank(after.at_least):
        return False
    return not after.categories or incident.category in after.categories


def start_by_closing(policy: Policy, state: State, incident: r.Incident, instant: int) -> State:
    """Return the state with what closing an incident newly obliges to: each obligation once.

    Nothing else is started by a neutral step: what blocks begins when somebody says that it is grave, by that version.
    """
    for spec, after in clocks_of(policy, "closing"):
        if _matches(policy, after, incident) and not state.opened_by(incident.name, f"obligations/{spec.id}"):
            state = open_period(state, spec.id, instant, instant + after.within_us, incident.name)
    return state


def go_on(policy: Policy, state: State, name: str) -> State:
    """Return the state after a period was met, with the next one where it repeats and its incident is open.

    It begins when the one before was due, so that nothing is reported ahead; how grave the incident is by now, and of
    what category, is not asked again.
    """
    spec, incident = spec_of(policy, name), state.find(_repeats_for(policy, state, name), r.Incident)
    if spec is None or spec.after is None or incident is None or not incident.is_open:
        return state
    if state.opened_by(incident.name, names.obligation_of(name))[-1] != name:
        return state  # it was missed before the incident was closed and judged anew
    due = span_of(state, name)[1]
    return open_period(state, spec.id, due, due + spec.after.within_us, incident.name)


def _repeats_for(policy: Policy, state: State, name: str) -> str:
    """Return the incident for which a period repeats by the policy; empty for none."""
    spec = spec_of(policy, name)
    return period_of(state, name).cause if spec is not None and spec.after is not None and spec.after.repeats else ""


def _running_until_closed(policy: Policy, state: State, incident: str) -> Iterator[str]:
    """Yield the periods that closing an incident ends, unless they are overdue: the last one of all that repeats."""
    for spec, after in clocks_of(policy, *OF_JUDGING):
        opened = state.opened_by(incident, f"obligations/{spec.id}")
        if after.repeats and opened and period_of(state, opened[-1]).is_owed:
            yield opened[-1]


def end_by_closing(
    policy: Policy, state: State, firing: f.IncidentClose, instant: int
) -> tuple[State, tuple[Transition, ...]]:
    """Return the state after an incident was closed, and what that ended; what is overdue by then stays owed."""
    moves: list[Transition] = []
    for name in _running_until_closed(policy, state, firing.incident):
        period, ends = period_of(state, name), overdue_from(state, name)
        target = tables.OBLIGATION.target(period.state, firing.trigger.value)
        if target is not None and ends is not None and instant < ends:
            state = state.put(replace(period, state=target, ended_by=state.size))
            moves.append(Transition(name, firing.trigger.value, period.state, target))
    return state, tuple(moves)


# Deployments, adoptions -------------------------------------------------------------------------------------------


def start_by_deployment(policy: Policy, state: State, firing: f.DeploymentRecord, instant: int) -> State:
    """Return the state with what a deployment newly obliges to: once for a model, once for each later artifact.

    The period begins when that came to be known, so that a document counts that was made before the deployment.
    """
    model = state.need(firing.model, r.Model)
    cause, start = _deployed(model, firing.artifact)
    for spec, after in clocks_of(policy, "deployment"):
        if _starts_in(after, firing.context) and not state.opened_by(cause, f"obligations/{spec.id}"):
            state = open_period(state, spec.id, start, instant + after.within_us, cause)
    return state


def _starts_in(after: After, context: str) -> bool:
    return not after.contexts or context in after.contexts


def _deployed(model: r.Model, artifact: str) -> tuple[str, int]:
    """Return what was deployed, the model or a later artifact of it, and since when that is known (microseconds).

    Where no artifact is named it is the newest: nobody says that it is an older one. One that is not the model's own
    is another one than what was registered.
    """
    artifact = artifact or (model.artifacts[-1].sha256 if model.artifacts else "")
    own = next((own for own in model.artifacts if own.sha256 == artifact), None)
    since = model.registered_at if own is None else own.added_at
    if not artifact or (own is not None and since == model.registered_at):
        return model.name, model.registered_at
    return f"{model.name}/artifacts/{artifact}", since


def start_by_adoption(policy: Policy, state: State, version: str, instant: int) -> State:
    """Return the state with what adopting a version in the place of another one obliges to, by that version's word."""
    for spec, after in clocks_of(policy, "adoption"):
        state = open_period(state, spec.id, instant, instant + after.within_us, version)
    return state


def touched(policy: Policy, state: State, firing: f.Firing) -> set[str]:
    """Return what a trigger may start or end, and what it reads for that."""
    match firing:
        case f.ObligationFulfil():
            return {_repeats_for(policy, state, firing.period)} - {""}
        case f.IncidentReport() | f.IncidentTriage():
            return {f"obligations/{spec.id}" for spec, _ in clocks_of(policy, *OF_JUDGING)}
        case f.IncidentClose():
            moved = clocks_of(policy, "closing", *OF_JUDGING)
            rows = {f"obligations/{spec.id}" for spec, after in moved if after.event == "closing" or after.repeats}
            return rows | set(_running_until_closed(policy, state, firing.incident))
        case f.DeploymentRecord():
            started_by = clocks_of(policy, "deployment")
            return {f"obligations/{spec.id}" for spec, after in started_by if _starts_in(after, firing.context)}
        case _:
            return set()


def clocks_of(policy: Policy, *events: Event) -> Iterator[tuple[Obligation, After]]:
    """Yield the obligations in force whose clock one of some events starts, in the policy's order."""
    for spec in policy.obligations.values():
        if spec.in_force and spec.after is not None and spec.after.event in events:
            yield spec, spec.after
