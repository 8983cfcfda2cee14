"""What stands in for something for a while, behind GateService: interim measures, and uses of break-glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.calls import digest_of
from interlock.service.api.convert.records import measure_message, use_message
from interlock.service.api.pages import page_of
from interlock.service.api.reads import newest_first
from interlock.service.errors import NotFound
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.names import leaf_of
from interlock.v1 import gate_pb2

if TYPE_CHECKING:
    from interlock.service.api.calls import Writer
    from interlock.service.api.reads import Reader
    from interlock.service.api.texts import Texts
    from interlock.service.ledger.view import View
    from interlock.statemachine.decide import Accepted


class Measures:
    """What stands in for safeguards for a while."""

    def __init__(self, reader: Reader, writer: Writer, texts: Texts) -> None:
        self._reader = reader
        self._writer = writer
        self._texts = texts

    async def end(self, request: gate_pb2.EndInterimMeasureRequest) -> gate_pb2.InterimMeasure:
        """End one at once; the next check sees it."""
        why = self._writer.salted("reason", request.reason)
        firing = f.InterimMeasureEnd(request.name, digest_of(why))

        def render(view: View, accepted: Accepted) -> gate_pb2.InterimMeasure:
            return measure_message(view, view.state.need(request.name, r.InterimMeasure), accepted.entry.time)

        method = "interlock.v1.GateService/EndInterimMeasure"
        reply = await self._writer.fire(method, request, firing, render, gate_pb2.InterimMeasure, why)
        await self._texts.give_reasons(self._reader.now()[0], [reply], why)
        return reply

    async def get(self, request: gate_pb2.GetInterimMeasureRequest) -> gate_pb2.InterimMeasure:
        """Return one. Raises NotFound."""
        view, instant = await self._reader.as_of(request)
        found = view.state.find(request.name, r.InterimMeasure)
        if found is None:
            raise NotFound(request.name)
        message = measure_message(view, found, instant)
        await self._texts.give_reasons(view, [message])
        return message

    async def list(self, request: gate_pb2.ListInterimMeasuresRequest) -> gate_pb2.ListInterimMeasuresResponse:
        """Return a page, newest first, judged at one position and instant."""
        page = page_of(request)
        view, instant = await self._reader.as_of(request)
        wanted = (
            item
            for item in newest_first(view.state, "interimMeasures", r.InterimMeasure, page.number_after())
            if (not request.model or item.model == request.model) and (request.show_ended or item.holds_at(instant))
        )
        chosen, token = page.cut(wanted, lambda item: leaf_of(item.name))
        messages = [measure_message(view, item, instant) for item in chosen]
        await self._texts.give_reasons(view, messages)
        messages, token = page.fit(messages, token, lambda message: leaf_of(message.name))
        return gate_pb2.ListInterimMeasuresResponse(interim_measures=messages, next_page_token=token)

    async def uses(self, request: gate_pb2.ListBreakGlassRequest) -> gate_pb2.ListBreakGlassResponse:
        """Return a page of uses of break-glass, newest first, judged at one position and instant."""
        page = page_of(request)
        view, instant = await self._reader.as_of(request)
        found = newest_first(view.state, "exceptions", r.Exemption, page.number_after())
        messages = (use_message(view, use, instant) for use in found)
        wanted = (use for use in messages if not request.open_only or use.in_force or not use.reviewed)
        chosen, token = page.cut(wanted, lambda use: leaf_of(use.name))
        chosen, token = page.fit(chosen, token, lambda use: leaf_of(use.name))
        return gate_pb2.ListBreakGlassResponse(uses=chosen, next_page_token=token)
