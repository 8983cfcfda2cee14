"""AccountabilityService: obligations, period by period, judged at the instant of the answer; incidents, findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.convert.obligation import obligation_message
from interlock.service.api.pages import page_of
from interlock.service.errors import Invalid, NotFound
from interlock.statemachine import firings as f
from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.owed import obligations_of, overdue_from, period_of, span_of, spec_of
from interlock.v1 import accountability_pb2, accountability_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.service.api.calls import Writer
    from interlock.service.api.findings import Findings
    from interlock.service.api.incidents import Incidents
    from interlock.service.api.reads import Reader
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.statemachine.decide import Accepted


class AccountabilityService(accountability_pb2_grpc.AccountabilityServiceServicer):
    """What the policy in force obliges to."""

    def __init__(self, reader: Reader, writer: Writer, incidents: Incidents, findings: Findings) -> None:
        self._reader = reader
        self._writer = writer
        self._incidents = incidents
        self._findings = findings

    async def FulfilObligation(
        self, request: accountability_pb2.FulfilObligationRequest, context: Context
    ) -> accountability_pb2.Obligation:
        """Fulfil a period."""

        def render(view: View, accepted: Accepted) -> accountability_pb2.Obligation:
            return obligation_message(view, request.name, accepted.entry.time)

        firing = f.ObligationFulfil(request.name, tuple(request.evidence))
        method = "interlock.v1.AccountabilityService/FulfilObligation"
        return await self._writer.fire(method, request, firing, render, accountability_pb2.Obligation)

    async def GetObligation(
        self, request: accountability_pb2.GetObligationRequest, context: Context
    ) -> accountability_pb2.Obligation:
        """Return one period that has begun. Raises NotFound."""
        view, instant = await self._reader.as_of(request)
        name = names.obligation_of(request.name)
        grid = view.state.find(name, r.Obligation)
        if grid is None or spec_of(view.policy, name) is None or names.number_of(request.name) > grid.running(instant):
            raise NotFound(request.name)
        return obligation_message(view, request.name, instant)

    async def ListObligations(
        self, request: accountability_pb2.ListObligationsRequest, context: Context
    ) -> accountability_pb2.ListObligationsResponse:
        """Return a page of periods that have begun."""
        page = page_of(request)
        view, instant = await self._reader.as_of(request)
        latest = None
        if request.HasField("due_within"):
            latest = instant + request.due_within.ToMicroseconds()
        wanted = (
            name
            for name in _names(view, instant, page.after)
            if (request.show_fulfilled or period_of(view.state, name).is_owed)
            and (latest is None or _due(view, name) <= latest)
        )
        chosen, token = page.cut(wanted, lambda name: name)
        messages = [obligation_message(view, name, instant) for name in chosen]
        messages, token = page.fit(messages, token, lambda message: message.name)
        return accountability_pb2.ListObligationsResponse(obligations=messages, next_page_token=token)

    async def ReportIncident(
        self, request: accountability_pb2.ReportIncidentRequest, context: Context
    ) -> accountability_pb2.Incident:
        """Record an incident under the caller's name."""
        return await self._incidents.report(request)

    async def ReportIncidentAnonymously(
        self, request: accountability_pb2.ReportIncidentAnonymouslyRequest, context: Context
    ) -> accountability_pb2.Incident:
        """Record an incident under nobody's name."""
        return await self._incidents.report_anonymously(request)

    async def TriageIncident(
        self, request: accountability_pb2.TriageIncidentRequest, context: Context
    ) -> accountability_pb2.Incident:
        """Judge how grave an incident is."""
        return await self._incidents.move("TriageIncident", request)

    async def MitigateIncident(
        self, request: accountability_pb2.MitigateIncidentRequest, context: Context
    ) -> accountability_pb2.Incident:
        """Say that the harm is stopped."""
        return await self._incidents.move("MitigateIncident", request)

    async def CloseIncident(
        self, request: accountability_pb2.CloseIncidentRequest, context: Context
    ) -> accountability_pb2.Incident:
        """Close an incident."""
        return await self._incidents.move("CloseIncident", request)

    async def GetIncident(
        self, request: accountability_pb2.GetIncidentRequest, context: Context
    ) -> accountability_pb2.Incident:
        """Return an incident. Raises NotFound."""
        return await self._incidents.get(request)

    async def ListIncidents(
        self, request: accountability_pb2.ListIncidentsRequest, context: Context
    ) -> accountability_pb2.ListIncidentsResponse:
        """Return a page of incidents."""
        return await self._incidents.list(request)

    async def RaiseFinding(
        self, request: accountability_pb2.RaiseFindingRequest, context: Context
    ) -> accountability_pb2.Finding:
        """Record a finding."""
        return await self._findings.raise_(request)

    async def ConfirmFinding(
        self, request: accountability_pb2.ConfirmFindingRequest, context: Context
    ) -> accountability_pb2.Finding:
        """Say that a finding is so."""
        return await self._findings.judge(request)

    async def DismissFinding(
        self, request: accountability_pb2.DismissFindingRequest, context: Context
    ) -> accountability_pb2.Finding:
        """Dismiss a finding."""
        return await self._findings.judge(request)

    async def GetFinding(
        self, request: accountability_pb2.GetFindingRequest, context: Context
    ) -> accountability_pb2.Finding:
        """Return a finding. Raises NotFound."""
        return await self._findings.get(request)

    async def ListFindings(
        self, request: accountability_pb2.ListFindingsRequest, context: Context
    ) -> accountability_pb2.ListFindingsResponse:
        """Return a page of findings."""
        return await self._findings.list(request)


def _names(view: View, instant: int, after: str | None) -> Iterator[str]:
    """Yield the periods that have begun, past ``after``. Raises Invalid where that is none."""
    ids = [spec.id for spec in obligations_of(view.policy)]
    number = 0
    if after is not None:
        of, _, word = after.removeprefix("obligations/").partition("/periods/")
        if of not in ids or not word.isdecimal():
            raise Invalid("page_token", "the listing has changed; begin again")
        ids, number = ids[ids.index(of) :], int(word)
    for obligation in ids:
        grid = view.state.find(f"obligations/{obligation}", r.Obligation)
        last = grid.running(instant) if grid is not None else 0
        yield from (f"obligations/{obligation}/periods/{at}" for at in range(number + 1, last + 1))
        number = 0


def _due(view: View, name: str) -> int:
    """Return from when on a period is overdue, or was due where it is owed no more (microseconds)."""
    return overdue_from(view.state, name) or span_of(view.state, name)[1]
