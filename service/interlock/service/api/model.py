"""ModelService."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import TYPE_CHECKING

from interlock.service.api.calls import digest_of
from interlock.service.api.convert.model import model_message
from interlock.service.api.pages import page_of
from interlock.service.errors import NotFound
from interlock.statemachine import firings as f
from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.v1 import model_pb2, model_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from interlock.service.api.calls import Writer
    from interlock.service.api.model_watch import ModelWatches
    from interlock.service.api.reads import Reader
    from interlock.service.api.texts import Texts
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.service.storage import Text
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.firings import Firing

_SERVICE = "interlock.v1.ModelService"


class ModelService(model_pb2_grpc.ModelServiceServicer):
    """Models: registered, read, confirmed, retired."""

    def __init__(self, reader: Reader, writer: Writer, texts: Texts, watches: ModelWatches) -> None:
        self._watches = watches
        self._reader = reader
        self._writer = writer
        self._texts = texts

    def WatchModels(
        self, request: model_pb2.WatchModelsRequest, context: Context
    ) -> AsyncIterator[model_pb2.WatchModelsResponse]:
        """Yield every model, then each that changes."""
        return self._watches.watch(request)

    async def CreateModel(self, request: model_pb2.CreateModelRequest, context: Context) -> model_pb2.Model:
        """Register a model."""
        firing = f.ModelRegister(f"models/{request.model_id}", tuple(request.artifacts))
        return await self._fire("CreateModel", request, firing, firing.model)

    async def ConfirmLevel(self, request: model_pb2.ConfirmLevelRequest, context: Context) -> model_pb2.Model:
        """Make a provisional level a confirmed one."""
        model = names.model_of(request.name) or ""
        return await self._fire("ConfirmLevel", request, f.LevelConfirm(request.name), model)

    async def RetireModel(self, request: model_pb2.RetireModelRequest, context: Context) -> model_pb2.Model:
        """Withdraw a model for good."""
        why = self._writer.salted("reason", request.reason)
        firing = f.ModelRetire(request.name, digest_of(why))
        return await self._fire("RetireModel", request, firing, request.name, why)

    async def RecordRun(self, request: model_pb2.RecordRunRequest, context: Context) -> model_pb2.Model:
        """Record a training run from its evidence."""
        firing = f.ModelRecordRun(request.name, request.evidence)
        return await self._fire("RecordRun", request, firing, request.name)

    async def GetModel(self, request: model_pb2.GetModelRequest, context: Context) -> model_pb2.Model:
        """Return one model, now or as of a time or position."""
        view, instant = await self._reader.as_of(request)
        model = view.state.find(request.name, r.Model)
        if model is None:
            raise NotFound(request.name)
        message = model_message(view, model, instant)
        await self._texts.give_reasons(view, message.safeguards)
        return message

    async def ListModels(self, request: model_pb2.ListModelsRequest, context: Context) -> model_pb2.ListModelsResponse:
        """Return models by name."""
        page = page_of(request)
        view, instant = self._reader.now()
        ordered = sorted(model.name for model in view.state.all_of(r.Model))
        start = 0 if page.after is None else bisect_right(ordered, page.after)
        chosen, token = page.cut(ordered[start:], str)
        # A page of models judged in every context is much work: the loop answers others meanwhile.
        messages = await asyncio.to_thread(_judged(view, chosen, instant))
        await self._texts.give_reasons(view, [part for message in messages for part in message.safeguards])
        messages, token = page.fit(messages, token, lambda message: message.name)
        return model_pb2.ListModelsResponse(models=messages, next_page_token=token)

    async def _fire(
        self,
        method: str,
        request: object,
        firing: Firing,
        model: str,
        texts: tuple[Text, ...] = (),
    ) -> model_pb2.Model:
        def render(view: View, accepted: Accepted) -> model_pb2.Model:
            return model_message(view, view.state.need(model, r.Model), accepted.entry.time)

        reply = await self._writer.fire(f"{_SERVICE}/{method}", request, firing, render, model_pb2.Model, texts)
        await self._texts.give_reasons(self._reader.now()[0], reply.safeguards, texts)
        return reply


def _judged(view: View, models: list[str], instant: int) -> Callable[[], list[model_pb2.Model]]:
    return lambda: [model_message(view, view.state.need(name, r.Model), instant) for name in models]
