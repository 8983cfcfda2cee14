"""Incidents and findings: who judges what, what opens an obligation, and what blocks."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.machines.incident import MOST_UNTRIAGED
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.policy.model import After, EvidenceNeed, Obligation
from interlock.statemachine.unmet import Code
from tests.support.world import DAY_US, codes
from tests.unit.statemachine.steps import MODEL, NOW, outcome, step, with_model

if TYPE_CHECKING:
    from tests.support.world import World

NAME = "incidents/1"


def incident(state: str, severity: str = "serious", category: str = "other") -> r.Incident:
    """Return an incident on the model."""
    return r.Incident(NAME, MODEL, category, severity, state, discovered_at=NOW - DAY_US)


@pytest.mark.parametrize(
    ("firing", "expected"),
    [
        (f.IncidentReport(MODEL, "other", "serious"), "reported"),
        (f.IncidentReport("-", "other"), "reported"),
        (f.IncidentReport(MODEL, "other", "", NOW), "reported"),
        (f.IncidentReport(MODEL, "other", "", NOW + 1), Code.DISCOVERED_LATER),
        (f.IncidentReport("models/never", "other"), Code.MODEL_UNKNOWN),
        (f.IncidentReport(MODEL, "nothing", "grave"), f"{Code.CATEGORY_UNKNOWN} {Code.SEVERITY_UNKNOWN}"),
        (f.IncidentReport(MODEL, ""), Code.MALFORMED),
    ],
)
def test_report(firing: f.IncidentReport, expected: str, world: World) -> None:
    """An incident is of a model or of everything, in words of the policy, and not discovered in time to come."""
    assert outcome(world, with_model(world), firing) == expected


@pytest.mark.parametrize(
    ("before", "severity", "expected"),
    [
        (incident("reported", ""), "low", "triaged"),
        (incident("reported"), "serious", "triaged"),
        (incident("reported"), "low", "triaged"),
        (incident("triaged"), "critical", "triaged"),
        (incident("triaged"), "serious", "settled"),
        (incident("mitigated"), "critical", "triaged"),
        (incident("mitigated"), "low", "mitigated"),
        (incident("mitigated"), "serious", "settled"),
        (incident("closed"), "serious", "triaged"),
        (incident("closed"), "low", Code.NO_SUCH_EDGE),
        (incident("triaged"), "grave", Code.SEVERITY_UNKNOWN),
    ],
)
def test_triage(before: r.Incident, severity: str, expected: str, world: World) -> None:
    """Whoever judges says how grave it is; a closed one opens again, and never milder."""
    assert outcome(world, with_model(world, before), f.IncidentTriage(NAME, severity)) == expected


@pytest.mark.parametrize(
    ("state", "firing", "expected"),
    [
        ("reported", f.IncidentMitigate(NAME), Code.NO_SUCH_EDGE),
        ("triaged", f.IncidentMitigate(NAME), "mitigated"),
        ("reported", f.IncidentClose(NAME), Code.NO_SUCH_EDGE),
        ("triaged", f.IncidentClose(NAME), "closed"),
        ("mitigated", f.IncidentClose(NAME), "closed"),
        ("closed", f.IncidentClose(NAME), Code.NO_SUCH_EDGE),
        ("triaged", f.IncidentClose("incidents/9"), Code.NOT_FOUND),
    ],
)
def test_mitigate_and_close(state: str, firing: f.Firing, expected: str, world: World) -> None:
    """What was judged is mitigated or closed."""
    assert outcome(world, with_model(world, incident(state)), firing) == expected


@pytest.mark.parametrize(
    ("state", "firing", "expected"),
    [
        ("raised", f.FindingConfirm("findings/1"), "confirmed"),
        ("confirmed", f.FindingConfirm("findings/1"), "settled"),
        ("dismissed", f.FindingConfirm("findings/1"), "confirmed"),
        ("raised", f.FindingDismiss("findings/1"), "dismissed"),
        ("confirmed", f.FindingDismiss("findings/1"), "dismissed"),
        ("dismissed", f.FindingDismiss("findings/1"), Code.NO_SUCH_EDGE),
        ("raised", f.FindingRaise(MODEL, "serious", ("evidence/9",)), Code.EVIDENCE_UNKNOWN),
        ("raised", f.FindingRaise(MODEL, "grave"), Code.SEVERITY_UNKNOWN),
        ("raised", f.FindingRaise("-", "serious"), "raised"),
    ],
)
def test_findings(state: str, firing: f.Firing, expected: str, world: World) -> None:
    """A finding is confirmed or dismissed, and confirmed after all."""
    assert outcome(world, with_model(world, r.Finding("findings/1", MODEL, "serious", state)), firing) == expected


LONE: dict[str, tuple[r.Resource, f.Firing, list[Code]]] = {
    "close serious": (incident("triaged"), f.IncidentClose(NAME), [Code.CHANGE_REQUIRED]),
    "close low": (incident("triaged", "low"), f.IncidentClose(NAME), []),
    "lower": (incident("triaged"), f.IncidentTriage(NAME, "low"), [Code.CHANGE_REQUIRED]),
    "raise": (incident("triaged"), f.IncidentTriage(NAME, "critical"), []),
    "dismiss raised": (r.Finding("findings/1", MODEL, "serious"), f.FindingDismiss("findings/1"), []),
    "dismiss confirmed": (
        r.Finding("findings/1", MODEL, "serious", "confirmed"),
        f.FindingDismiss("findings/1"),
        [Code.CHANGE_REQUIRED],
    ),
    "dismiss mild": (r.Finding("findings/1", MODEL, "low", "confirmed"), f.FindingDismiss("findings/1"), []),
}


@pytest.mark.parametrize("case", LONE)
def test_nobody_clears_alone_what_blocks(case: str, world: World) -> None:
    """Closing, lowering and dismissing are one person's only where nothing blocks."""
    there, firing, expected = LONE[case]
    alone = world.fork()
    alone.state = with_model(alone, there)
    alone.now = NOW

    assert codes(alone.decide("owner-a", c.Fire(firing))) == expected


def test_a_severity_that_a_later_policy_drops_blocks(world: World) -> None:
    """What nobody can judge any more is not let through, and any known severity is lower."""
    assert world.policy.severity_blocks("gone")
    assert world.policy.severity_rank("gone") > world.policy.severity_rank("critical")
    assert not world.policy.severity_blocks("")


def test_anonymous_reports_name_nobody_and_are_bounded(world: World) -> None:
    """The entry is the system's, the incident has neither reporter nor severity; too many that wait are refused."""
    lone = world.fork()
    lone.fire("evaluator", f.ModelRegister(MODEL))
    command = c.ReportAnonymously(MODEL, "other")
    decided = [lone.attempt(c.SYSTEM, command) for _ in range(MOST_UNTRIAGED + 1)]
    first = lone.state.need(NAME, r.Incident)

    assert isinstance(decided[0], Accepted)
    assert decided[0].entry.actor == c.SYSTEM
    assert (first.reporter, first.severity, first.state) == ("", "", "reported")
    assert codes(decided[-1]) == [Code.UNTRIAGED]
    assert all(isinstance(one, Accepted) for one in decided[:-1])
    assert codes(lone.decide("owner-a", command)) == [Code.RIGHT_MISSING]


def with_clocks(world: World) -> World:
    """Return a world whose policy starts a clock at each moment of a critical incident."""
    events = ("discovery", "determination", "closing")
    specs = {
        event: Obligation(
            event, "", 0, EvidenceNeed("risk_report", None), False, None, True, None,  # noqa: FBT003 - blocking, in_force
            After(event, 3 * DAY_US, "serious"),  # type: ignore[arg-type]  # one of the literals
        )
        for event in events
    }  # fmt: skip
    return replace(world, policy=replace(world.policy, obligations=MappingProxyType(specs)))


def test_clocks_start_from_discovery_determination_and_closing(world: World) -> None:
    """A mild one starts none; judged grave it owes from its discovery and from now, each once; closed, the last."""
    clocked = with_clocks(world)
    mild = with_model(clocked, incident("triaged", "low"))
    raised = step(clocked, mild, f.IncidentTriage(NAME, "serious"))
    assert isinstance(raised, Moved)
    again = step(clocked, raised.state, f.IncidentTriage(NAME, "critical"))
    assert isinstance(again, Moved)
    closed = step(clocked, again.state, f.IncidentClose(NAME), NOW + 7)
    assert isinstance(closed, Moved)

    periods = {row.name: (row.start, row.due, row.cause) for row in closed.state.all_of(r.Period)}
    assert raised.state.caused == again.state.caused
    assert periods == {
        "obligations/discovery/periods/1": (NOW - DAY_US, NOW + 2 * DAY_US, NAME),
        "obligations/determination/periods/1": (NOW, NOW + 3 * DAY_US, NAME),
        "obligations/closing/periods/1": (NOW + 7, NOW + 7 + 3 * DAY_US, NAME),
    }
    assert not list(with_model(clocked).all_of(r.Period))
