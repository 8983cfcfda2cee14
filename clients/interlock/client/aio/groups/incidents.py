"""`client.incidents`: what went wrong, how grave it is, and what that obliges to. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.incidents`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import accountability_pb2, accountability_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from interlock.v1.accountability_pb2 import Incident


class AsyncIncidents(AsyncGroup):
    """Incidents of models, or of everything."""

    async def report(
        self,
        target: str,
        title: str,
        *,
        category: str = "other",
        severity: str = "",
        discovered: datetime | None = None,
        request_id: str | None = None,
    ) -> Incident:
        """Report an incident of a model, or of everything (`-`), under one's own name."""
        request = accountability_pb2.ReportIncidentRequest(
            target=names.target(target),
            title=title,
            category=category,
            severity=severity,
            request_id=self._id(request_id),
        )
        if discovered is not None:
            request.discover_time.FromDatetime(discovered)
        return await self._transport.call(self._stub.ReportIncident, request)

    async def report_anonymously(
        self, target: str, title: str, *, category: str = "other", discovered: datetime | None = None
    ) -> Incident:
        """Report an incident under nobody's name; no session is opened for it. Not tried again by itself."""
        request = accountability_pb2.ReportIncidentAnonymouslyRequest(
            target=names.target(target), title=title, category=category
        )
        if discovered is not None:
            request.discover_time.FromDatetime(discovered)
        return await self._transport.call_unnamed(self._stub.ReportIncidentAnonymously, request)

    async def triage(
        self, incident: str, severity: str, *, category: str = "", reason: str = "", request_id: str | None = None
    ) -> Incident:
        """Judge how grave an incident is. Raises RefusedError where that lowers the severity: it takes a change."""
        request = accountability_pb2.TriageIncidentRequest(
            name=names.incident(incident),
            severity=severity,
            category=category,
            reason=reason,
            request_id=self._id(request_id),
        )
        return await self._transport.call(self._stub.TriageIncident, request)

    async def mitigate(self, incident: str, *, reason: str = "", request_id: str | None = None) -> Incident:
        """Say that the harm is stopped."""
        request = accountability_pb2.MitigateIncidentRequest(
            name=names.incident(incident), reason=reason, request_id=self._id(request_id)
        )
        return await self._transport.call(self._stub.MitigateIncident, request)

    async def close(self, incident: str, *, reason: str = "", request_id: str | None = None) -> Incident:
        """Close an incident. Raises RefusedError where it blocks: that takes a change."""
        request = accountability_pb2.CloseIncidentRequest(
            name=names.incident(incident), reason=reason, request_id=self._id(request_id)
        )
        return await self._transport.call(self._stub.CloseIncident, request)

    async def get(self, incident: str, *, as_of: AsOf = None) -> Incident:
        """Return an incident as it stands, or as it stood."""
        request = accountability_pb2.GetIncidentRequest(name=names.incident(incident))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetIncident, request, remember=as_of is None)

    def list(self, *, model: str = "", show_closed: bool = False, as_of: AsOf = None) -> AsyncIterator[Incident]:
        """Yield incidents, newest first: those that are open, unless ``show_closed``."""
        request = accountability_pb2.ListIncidentsRequest(
            model=names.model(model) if model else "", show_closed=show_closed
        )
        put_as_of(request, as_of)
        return self._pages(self._stub.ListIncidents, request, "incidents", remember=as_of is None)

    @property
    def _stub(self) -> accountability_pb2_grpc.AccountabilityServiceAsyncStub:
        return accountability_pb2_grpc.AccountabilityServiceStub(self._transport.channel)
