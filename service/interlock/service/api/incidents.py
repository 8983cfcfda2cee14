"""Incidents behind AccountabilityService: reported by anybody, judged by a named person, closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.calls import as_is, digest_of
from interlock.service.api.convert.incident import incident_message
from interlock.service.api.pages import page_of
from interlock.service.api.reads import newest_first
from interlock.service.api.times import to_positive_microseconds
from interlock.service.errors import NotFound
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.names import leaf_of
from interlock.statemachine.state import EVERYTHING
from interlock.v1 import accountability_pb2

if TYPE_CHECKING:
    from interlock.service.api.calls import Writer
    from interlock.service.api.reads import Reader
    from interlock.service.api.texts import Texts
    from interlock.service.ledger.view import View
    from interlock.service.storage.rows import Text
    from interlock.statemachine.decide import Accepted

_SERVICE: Final = "interlock.v1.AccountabilityService"


class Incidents:
    """What went wrong."""

    def __init__(self, reader: Reader, writer: Writer, texts: Texts) -> None:
        self._reader = reader
        self._writer = writer
        self._texts = texts

    async def report(self, request: accountability_pb2.ReportIncidentRequest) -> accountability_pb2.Incident:
        """Record an incident under the caller's name."""
        title, found = self._writer.salted("title", request.title), _discovered(request)
        firing = f.IncidentReport(request.target, request.category, request.severity, found, digest_of(title))
        method, kind = f"{_SERVICE}/ReportIncident", accountability_pb2.Incident
        return await self._told(await self._writer.fire(method, request, firing, _made, kind, title), title)

    async def report_anonymously(
        self, request: accountability_pb2.ReportIncidentAnonymouslyRequest
    ) -> accountability_pb2.Incident:
        """Record an incident under nobody's name: the entry is the system's, and no session is asked for."""
        title = self._writer.salted("title", request.title)
        command = c.ReportAnonymously(request.target, request.category, _discovered(request), digest_of(title))
        method, kind = f"{_SERVICE}/ReportIncidentAnonymously", accountability_pb2.Incident
        prepare = as_is(command, title)
        reply = await self._writer.submit(method, request, prepare, _made, kind, actor=c.SYSTEM)
        return await self._told(reply, title)

    async def move(
        self,
        method: str,
        request: accountability_pb2.TriageIncidentRequest
        | accountability_pb2.MitigateIncidentRequest
        | accountability_pb2.CloseIncidentRequest,
    ) -> accountability_pb2.Incident:
        """Triage, mitigate or close one."""
        why = self._writer.salted("reason", request.reason)
        firing: f.Firing
        match request:
            case accountability_pb2.TriageIncidentRequest():
                firing = f.IncidentTriage(request.name, request.severity, request.category, digest_of(why))
            case accountability_pb2.MitigateIncidentRequest():
                firing = f.IncidentMitigate(request.name, digest_of(why))
            case _:
                firing = f.IncidentClose(request.name, digest_of(why))

        def render(view: View, accepted: Accepted) -> accountability_pb2.Incident:
            return incident_message(view, view.state.need(request.name, r.Incident), accepted.entry.time)

        kind = accountability_pb2.Incident
        return await self._told(
            await self._writer.fire(f"{_SERVICE}/{method}", request, firing, render, kind, why), why
        )

    async def get(self, request: accountability_pb2.GetIncidentRequest) -> accountability_pb2.Incident:
        """Return one. Raises NotFound."""
        view, instant = await self._reader.as_of(request)
        found = view.state.find(request.name, r.Incident)
        if found is None:
            raise NotFound(request.name)
        message = incident_message(view, found, instant)
        await self._texts.give_titles(view, [message])
        await self._texts.give_reasons(view, [message])
        return message

    async def list(self, request: accountability_pb2.ListIncidentsRequest) -> accountability_pb2.ListIncidentsResponse:
        """Return a page, newest first."""
        page = page_of(request)
        view, instant = await self._reader.as_of(request)
        targets = {request.model, EVERYTHING} if request.model else None
        wanted = (
            item
            for item in newest_first(view.state, "incidents", r.Incident, page.number_after())
            if (targets is None or item.target in targets) and (request.show_closed or item.is_open)
        )
        chosen, token = page.cut(wanted, lambda item: leaf_of(item.name))
        messages = [incident_message(view, item, instant) for item in chosen]
        await self._texts.give_titles(view, messages)
        await self._texts.give_reasons(view, messages)
        messages, token = page.fit(messages, token, lambda message: leaf_of(message.name))
        return accountability_pb2.ListIncidentsResponse(incidents=messages, next_page_token=token)

    async def _told(self, reply: accountability_pb2.Incident, fresh: tuple[Text, ...]) -> accountability_pb2.Incident:
        """Put the texts into a reply; one that is remembered holds none."""
        view = self._reader.now()[0]
        await self._texts.give_titles(view, [reply], fresh)
        await self._texts.give_reasons(view, [reply], fresh)
        return reply


def _made(view: View, accepted: Accepted) -> accountability_pb2.Incident:
    made = next(move.resource for move in accepted.entry.transitions)
    return incident_message(view, view.state.need(made, r.Incident), accepted.entry.time)


def _discovered(
    request: accountability_pb2.ReportIncidentRequest | accountability_pb2.ReportIncidentAnonymouslyRequest,
) -> int:
    if not request.HasField("discover_time"):
        return 0
    return to_positive_microseconds(request.discover_time, "discover_time")
