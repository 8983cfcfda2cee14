"""The incident machine: anyone may report, a named person judges how grave it is, what blocks is closed by a change.

Raising a severity tightens, lowering one loosens (``ruling.py``). A closed incident can be judged anew, so that closing
one that does not block spares nobody anything. Each step opens the obligations that the policy starts by it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from interlock.statemachine import firings as f
from interlock.statemachine import moments
from interlock.statemachine import resources as r
from interlock.statemachine.commands import SYSTEM
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import clocks, tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State

MOST_UNTRIAGED: Final = 100
"""How many anonymous reports may wait for a named person: nobody is known who could be asked to stop."""


def report(moment: Moment, state: State, firing: f.IncidentReport) -> Moved | Refused:
    """Record a new incident of a model, retired or not, or of everything."""
    if firing.target != EVERYTHING and state.find(firing.target, r.Model) is None:
        return not_found(firing.target, "a model, or `-` for everything", Code.MODEL_UNKNOWN)
    unknown = tuple(unknown_words(moment.policy, firing.trigger.value, firing.severity, firing.category))
    if unknown:
        return Refused(RefusalKind.NOT_FOUND, unknown)
    if firing.discovered_at > moment.instant:
        wish, actual = f"discovered by {moments.to_text(moment.instant)}", moments.to_text(firing.discovered_at)
        return refused(RefusalKind.INVALID, Code.DISCOVERED_LATER, wish, actual, firing.target, firing.trigger.value)
    incident = r.Incident(
        state.next_name("incidents"),
        firing.target,
        firing.category,
        firing.severity,
        discovered_at=firing.discovered_at or moment.instant,
        reported_at=moment.instant,
        reporter="" if moment.actor == SYSTEM.principal else moment.actor,
        title_digest=firing.title_digest,
    )
    move = Transition(incident.name, firing.trigger.value, tables.ABSENT, incident.state)
    after = state.counted("incidents").put(incident)
    return Moved(clocks.start_by_incident(moment.policy, after, incident, moment.instant), (move,))


def report_anonymously(moment: Moment, state: State, firing: f.IncidentReport) -> Moved | Refused:
    """Record what nobody signs for, while not too much of that waits."""
    waiting = sum(1 for rows in state.standing.values() for name in rows.values() if _is_untriaged(state, name))
    if waiting >= MOST_UNTRIAGED:
        wish = f"fewer than {MOST_UNTRIAGED} anonymous reports that wait for a named person"
        return refused(RefusalKind.UNMET, Code.UNTRIAGED, wish, str(waiting), "incidents", firing.trigger.value)
    return report(moment, state, firing)


def _is_untriaged(state: State, name: str) -> bool:
    incident = state.find(name, r.Incident)
    return incident is not None and incident.state == "reported" and not incident.reporter


def triage(moment: Moment, state: State, firing: f.IncidentTriage) -> Moved | Refused:
    """Judge how grave an incident is, and of what category; the same again starts what a policy since then asks for."""
    incident = state.find(firing.incident, r.Incident)
    if incident is None:
        return not_found(firing.incident, "an incident")
    unknown = tuple(unknown_words(moment.policy, firing.trigger.value, firing.severity, firing.category))
    if unknown:
        return Refused(RefusalKind.NOT_FOUND, unknown)
    trigger = f"{firing.trigger.value}[{_way(moment.policy, incident, firing)}]"
    if (incident.state, trigger) in tables.SETTLED["incident"]:
        return Moved(clocks.start_by_incident(moment.policy, state, incident, moment.instant))
    target = tables.INCIDENT.target(incident.state, trigger)
    if target is None:
        return no_edge(tables.INCIDENT, trigger, incident.name, incident.state)
    judged = replace(
        incident,
        state=target,
        severity=firing.severity,
        category=firing.category or incident.category,
        lowered_by=state.size if trigger.endswith("[lower]") else incident.lowered_by,
        moved_at=moment.instant,
        mover=moment.actor,
        reason_digest=firing.reason_digest,
    )
    move = Transition(incident.name, firing.trigger.value, incident.state, target)
    reopened = not incident.is_open
    after = clocks.start_by_incident(moment.policy, state.put(judged), judged, moment.instant, reopened=reopened)
    return Moved(after, (move,))


def _way(policy: Policy, incident: r.Incident, firing: f.IncidentTriage) -> str:
    """Say where a severity goes."""
    before, after = policy.severity_rank(incident.severity), policy.severity_rank(firing.severity)
    if before != after:
        return "raise" if after > before else "lower"
    same = firing.category in {"", incident.category} or incident.state in {"reported", "closed"}
    return "keep" if same else "category"


def mitigate(moment: Moment, state: State, firing: f.IncidentMitigate | f.IncidentClose) -> Moved | Refused:
    """Mitigate or close an incident that was triaged."""
    incident = state.find(firing.incident, r.Incident)
    if incident is None:
        return not_found(firing.incident, "an incident")
    trigger = firing.trigger.value
    target = tables.INCIDENT.target(incident.state, trigger)
    if target is None:
        return no_edge(tables.INCIDENT, trigger, incident.name, incident.state)
    moved = replace(
        incident, state=target, moved_at=moment.instant, mover=moment.actor, reason_digest=firing.reason_digest
    )
    move = Transition(incident.name, trigger, incident.state, target)
    if isinstance(firing, f.IncidentMitigate):
        return Moved(state.put(moved), (move,))
    moved = replace(moved, closed_by=state.size)
    state, ended = clocks.end_by_closing(moment.policy, state, firing, moment.instant)
    after = clocks.start_by_closing(moment.policy, state.put(moved), moved, moment.instant)
    return Moved(after, (move, *ended))


def unknown_words(policy: Policy, trigger: str, severity: str, category: str) -> Iterator[Unmet]:
    """Yield what the policy does not know of a severity and a category; an empty one says nothing."""
    if severity and policy.severity_rank(severity) >= len(policy.severities):
        wish = f"a severity of the policy: {', '.join(row.id for row in policy.severities)}"
        yield Unmet(Code.SEVERITY_UNKNOWN, wish, "unknown", severity, trigger)
    if category and category not in policy.categories:
        wish = f"a category of the policy: {', '.join(policy.categories)}"
        yield Unmet(Code.CATEGORY_UNKNOWN, wish, "unknown", category, trigger)
