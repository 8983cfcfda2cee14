"""SafeguardService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.calls import digest_of
from interlock.service.api.convert.safeguard import safeguard_message, safeguards_of, shared_safeguards
from interlock.service.api.pages import page_of, past
from interlock.service.errors import NotFound
from interlock.statemachine import firings as f
from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.v1 import safeguard_pb2, safeguard_pb2_grpc

if TYPE_CHECKING:
    from interlock.service.api.calls import Writer
    from interlock.service.api.reads import Reader
    from interlock.service.api.texts import Texts
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.service.storage import Text
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.firings import Firing

_SERVICE = "interlock.v1.SafeguardService"


class SafeguardService(safeguard_pb2_grpc.SafeguardServiceServicer):
    """Safeguards, and what one person may do with them."""

    def __init__(self, reader: Reader, writer: Writer, texts: Texts) -> None:
        self._reader = reader
        self._writer = writer
        self._texts = texts

    async def ListSafeguards(
        self, request: safeguard_pb2.ListSafeguardsRequest, context: Context
    ) -> safeguard_pb2.ListSafeguardsResponse:
        """Return a model's safeguards, or the shared ones, in the policy's order."""
        page = page_of(request)
        view, instant = self._reader.now()
        if request.model and view.state.find(request.model, r.Model) is None:
            raise NotFound(request.model)
        ordered = safeguards_of(view, request.model) if request.model else shared_safeguards(view)
        chosen, token = page.cut(past(ordered, page.after), str)
        messages = [safeguard_message(view, name, instant) for name in chosen]
        await self._texts.give_reasons(view, messages)
        messages, token = page.fit(messages, token, lambda message: message.name)
        return safeguard_pb2.ListSafeguardsResponse(safeguards=messages, next_page_token=token)

    async def GetSafeguard(
        self, request: safeguard_pb2.GetSafeguardRequest, context: Context
    ) -> safeguard_pb2.Safeguard:
        """Return one safeguard."""
        view, instant = await self._reader.as_of(request)
        if not _exists(view, request.name):
            raise NotFound(request.name)
        message = safeguard_message(view, request.name, instant)
        await self._texts.give_reasons(view, [message])
        return message

    async def StartSafeguard(
        self, request: safeguard_pb2.StartSafeguardRequest, context: Context
    ) -> safeguard_pb2.Safeguard:
        """Begin work on a safeguard."""
        return await self._fire("StartSafeguard", request, f.SafeguardStart(request.name))

    async def VerifySafeguard(
        self, request: safeguard_pb2.VerifySafeguardRequest, context: Context
    ) -> safeguard_pb2.Safeguard:
        """Record that a safeguard was shown to work."""
        firing = f.SafeguardVerify(request.name, tuple(request.evidence))
        return await self._fire("VerifySafeguard", request, firing)

    async def ReplanSafeguard(
        self, request: safeguard_pb2.ReplanSafeguardRequest, context: Context
    ) -> safeguard_pb2.Safeguard:
        """Send a safeguard back to planning."""
        why = self._writer.salted("reason", request.reason)
        return await self._fire("ReplanSafeguard", request, f.SafeguardReplan(request.name, digest_of(why)), why)

    async def DegradeSafeguard(
        self, request: safeguard_pb2.DegradeSafeguardRequest, context: Context
    ) -> safeguard_pb2.Safeguard:
        """Record that a safeguard no longer does what it should."""
        why = self._writer.salted("reason", request.reason)
        return await self._fire("DegradeSafeguard", request, f.SafeguardDegrade(request.name, digest_of(why)), why)

    async def SuspendSafeguard(
        self, request: safeguard_pb2.SuspendSafeguardRequest, context: Context
    ) -> safeguard_pb2.Safeguard:
        """Switch a safeguard off."""
        why = self._writer.salted("reason", request.reason)
        return await self._fire("SuspendSafeguard", request, f.SafeguardSuspend(request.name, digest_of(why)), why)

    async def RetireSafeguard(
        self, request: safeguard_pb2.RetireSafeguardRequest, context: Context
    ) -> safeguard_pb2.Safeguard:
        """Take a safeguard out of use."""
        why = self._writer.salted("reason", request.reason)
        return await self._fire("RetireSafeguard", request, f.SafeguardRetire(request.name, digest_of(why)), why)

    async def _fire(
        self, method: str, request: object, firing: Firing, texts: tuple[Text, ...] = ()
    ) -> safeguard_pb2.Safeguard:
        name: str = getattr(firing, "safeguard")  # noqa: B009  # every firing here has one; their union does not say so

        def render(view: View, accepted: Accepted) -> safeguard_pb2.Safeguard:
            return safeguard_message(view, name, accepted.entry.time)

        full = f"{_SERVICE}/{method}"
        reply = await self._writer.fire(full, request, firing, render, safeguard_pb2.Safeguard, texts)
        await self._texts.give_reasons(self._reader.now()[0], [reply], texts)
        return reply


def _exists(view: View, name: str) -> bool:
    """Say whether the policy knows a safeguard by that name, for a model that there is, or some entry wrote it."""
    if view.state.find(name, r.Safeguard) is not None:
        return True
    spec = view.policy.safeguards.get(names.leaf_of(name))
    model = names.model_of(name)
    if spec is None or spec.shared != (model is None):
        return False
    return model is None or view.state.find(model, r.Model) is not None
