"""HoldService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.calls import digest_of
from interlock.service.api.convert.records import hold_message
from interlock.service.api.pages import page_of
from interlock.service.api.reads import newest_first
from interlock.service.errors import NotFound
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.names import leaf_of
from interlock.statemachine.state import EVERYTHING
from interlock.v1 import hold_pb2, hold_pb2_grpc

if TYPE_CHECKING:
    from interlock.service.api.calls import Writer
    from interlock.service.api.reads import Reader
    from interlock.service.api.texts import Texts
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.statemachine.decide import Accepted


class HoldService(hold_pb2_grpc.HoldServiceServicer):
    """Holds: one authorised person stops a release at once."""

    def __init__(self, reader: Reader, writer: Writer, texts: Texts) -> None:
        self._reader = reader
        self._writer = writer
        self._texts = texts

    async def PlaceHold(self, request: hold_pb2.PlaceHoldRequest, context: Context) -> hold_pb2.Hold:
        """Place a hold; the next check sees it."""
        why = self._writer.salted("reason", request.reason)
        firing = f.HoldPlace(request.target, digest_of(why))

        def render(view: View, accepted: Accepted) -> hold_pb2.Hold:
            placed = next(move.resource for move in accepted.entry.transitions)
            return hold_message(view, view.state.need(placed, r.Hold), accepted.entry.time)

        method = "interlock.v1.HoldService/PlaceHold"
        reply = await self._writer.fire(method, request, firing, render, hold_pb2.Hold, why)
        await self._texts.give_reasons(self._reader.now()[0], [reply], why)
        return reply

    async def GetHold(self, request: hold_pb2.GetHoldRequest, context: Context) -> hold_pb2.Hold:
        """Return one hold."""
        view, instant = await self._reader.as_of(request)
        hold = view.state.find(request.name, r.Hold)
        if hold is None:
            raise NotFound(request.name)
        message = hold_message(view, hold, instant)
        await self._texts.give_reasons(view, [message])
        return message

    async def ListHolds(self, request: hold_pb2.ListHoldsRequest, context: Context) -> hold_pb2.ListHoldsResponse:
        """Return holds, newest first."""
        page = page_of(request)
        view, instant = await self._reader.as_of(request)
        targets = {request.model, EVERYTHING} if request.model else None
        wanted = (
            hold
            for hold in newest_first(view.state, "holds", r.Hold, page.number_after())
            if (targets is None or hold.target in targets) and (hold.state == "placed" or not request.placed_only)
        )
        chosen, token = page.cut(wanted, lambda hold: leaf_of(hold.name))
        messages = [hold_message(view, hold, instant) for hold in chosen]
        await self._texts.give_reasons(view, messages)
        messages, token = page.fit(messages, token, lambda message: leaf_of(message.name))
        return hold_pb2.ListHoldsResponse(holds=messages, next_page_token=token)
