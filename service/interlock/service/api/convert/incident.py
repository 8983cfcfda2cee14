"""Incidents and findings as messages; their titles and reasons are texts, so left out."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.service.api.convert.obligation import obligation_message
from interlock.service.api.times import from_microseconds
from interlock.statemachine.names import obligation_of
from interlock.statemachine.owed import obligations_of
from interlock.v1 import accountability_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.service.ledger.view import View
    from interlock.statemachine import resources as r

_INCIDENTS: Final[Mapping[str, accountability_pb2.IncidentState.ValueType]] = MappingProxyType(
    {
        "reported": accountability_pb2.INCIDENT_STATE_REPORTED,
        "triaged": accountability_pb2.INCIDENT_STATE_TRIAGED,
        "mitigated": accountability_pb2.INCIDENT_STATE_MITIGATED,
        "closed": accountability_pb2.INCIDENT_STATE_CLOSED,
    }
)
_FINDINGS: Final[Mapping[str, accountability_pb2.FindingState.ValueType]] = MappingProxyType(
    {
        "raised": accountability_pb2.FINDING_STATE_RAISED,
        "confirmed": accountability_pb2.FINDING_STATE_CONFIRMED,
        "dismissed": accountability_pb2.FINDING_STATE_DISMISSED,
    }
)


def incident_message(view: View, incident: r.Incident, instant: int) -> accountability_pb2.Incident:
    """Return an incident as it stands at ``instant`` (microseconds), with what it obliges to under the policy."""
    order = [f"obligations/{spec.id}" for spec in obligations_of(view.policy)]
    opened = view.state.caused.get(incident.name, ())
    owed = sorted(
        (row for row in opened if obligation_of(row) in order), key=lambda row: order.index(obligation_of(row))
    )
    message = accountability_pb2.Incident(
        name=incident.name,
        target=incident.target,
        state=_INCIDENTS[incident.state],
        severity=incident.severity,
        category=incident.category,
        blocking=incident.is_open and view.policy.severity_blocks(incident.severity),
        discover_time=from_microseconds(incident.discovered_at),
        report_time=from_microseconds(incident.reported_at),
        reporter=incident.reporter,
        obligations=[obligation_message(view, period, instant) for period in owed],
        mover=incident.mover,
        position=view.state.position(incident.name),
        instant=from_microseconds(instant),
    )
    if incident.moved_at:
        message.update_time.CopyFrom(from_microseconds(incident.moved_at))
    return message


def finding_message(view: View, finding: r.Finding) -> accountability_pb2.Finding:
    """Return a finding."""
    message = accountability_pb2.Finding(
        name=finding.name,
        target=finding.target,
        state=_FINDINGS[finding.state],
        severity=finding.severity,
        blocking=finding.state == "confirmed" and view.policy.severity_blocks(finding.severity),
        evidence=finding.evidence,
        raise_time=from_microseconds(finding.raised_at),
        raiser=finding.raiser,
        mover=finding.mover,
        position=view.state.position(finding.name),
    )
    if finding.moved_at:
        message.update_time.CopyFrom(from_microseconds(finding.moved_at))
    return message
