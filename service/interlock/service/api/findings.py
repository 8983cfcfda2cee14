"""Findings behind AccountabilityService: raised by an analyser, confirmed or dismissed by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.calls import digest_of
from interlock.service.api.convert.incident import finding_message
from interlock.service.api.pages import page_of
from interlock.service.api.reads import newest_first
from interlock.service.errors import NotFound
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


class Findings:
    """What analysers of activity records saw."""

    def __init__(self, reader: Reader, writer: Writer, texts: Texts) -> None:
        self._reader = reader
        self._writer = writer
        self._texts = texts

    async def raise_(self, request: accountability_pb2.RaiseFindingRequest) -> accountability_pb2.Finding:
        """Record one."""
        title = self._writer.salted("title", request.title)
        firing = f.FindingRaise(request.target, request.severity, tuple(request.evidence), digest_of(title))

        def render(view: View, accepted: Accepted) -> accountability_pb2.Finding:
            made = next(move.resource for move in accepted.entry.transitions)
            return finding_message(view, view.state.need(made, r.Finding))

        method = f"{_SERVICE}/RaiseFinding"
        reply = await self._writer.fire(method, request, firing, render, accountability_pb2.Finding, title)
        return await self._told(reply, title)

    async def judge(
        self, request: accountability_pb2.ConfirmFindingRequest | accountability_pb2.DismissFindingRequest
    ) -> accountability_pb2.Finding:
        """Confirm or dismiss one."""
        why = self._writer.salted("reason", request.reason)
        firing: f.FindingConfirm | f.FindingDismiss
        if isinstance(request, accountability_pb2.ConfirmFindingRequest):
            method, firing = "ConfirmFinding", f.FindingConfirm(request.name, digest_of(why))
        else:
            method, firing = "DismissFinding", f.FindingDismiss(request.name, digest_of(why))

        def render(view: View, _accepted: Accepted) -> accountability_pb2.Finding:
            return finding_message(view, view.state.need(request.name, r.Finding))

        kind = accountability_pb2.Finding
        return await self._told(
            await self._writer.fire(f"{_SERVICE}/{method}", request, firing, render, kind, why), why
        )

    async def get(self, request: accountability_pb2.GetFindingRequest) -> accountability_pb2.Finding:
        """Return one. Raises NotFound."""
        view, _ = await self._reader.as_of(request)
        found = view.state.find(request.name, r.Finding)
        if found is None:
            raise NotFound(request.name)
        message = finding_message(view, found)
        await self._texts.give_titles(view, [message])
        await self._texts.give_reasons(view, [message])
        return message

    async def list(self, request: accountability_pb2.ListFindingsRequest) -> accountability_pb2.ListFindingsResponse:
        """Return a page, newest first."""
        page = page_of(request)
        view, _ = await self._reader.as_of(request)
        targets = {request.model, EVERYTHING} if request.model else None
        wanted = (
            item
            for item in newest_first(view.state, "findings", r.Finding, page.number_after())
            if (targets is None or item.target in targets) and (request.show_dismissed or item.state != "dismissed")
        )
        chosen, token = page.cut(wanted, lambda item: leaf_of(item.name))
        messages = [finding_message(view, item) for item in chosen]
        await self._texts.give_titles(view, messages)
        await self._texts.give_reasons(view, messages)
        messages, token = page.fit(messages, token, lambda message: leaf_of(message.name))
        return accountability_pb2.ListFindingsResponse(findings=messages, next_page_token=token)

    async def _told(self, reply: accountability_pb2.Finding, fresh: tuple[Text, ...]) -> accountability_pb2.Finding:
        """Put the texts into a reply; one that is remembered holds none."""
        view = self._reader.now()[0]
        await self._texts.give_titles(view, [reply], fresh)
        await self._texts.give_reasons(view, [reply], fresh)
        return reply
