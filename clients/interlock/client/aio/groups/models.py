"""`client.models`: register, read, confirm, retire. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.models`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import model_pb2, model_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from interlock.v1.model_pb2 import Model


class AsyncModels(AsyncGroup):
    """Models with their levels, determinations, safeguards and verdicts."""

    async def create(self, model_id: str, *, artifacts: Iterable[str] = (), request_id: str | None = None) -> Model:
        """Register a model, perhaps with its first weights manifests (SHA-256 each, hex)."""
        request = model_pb2.CreateModelRequest(
            model_id=model_id.removeprefix("models/"), artifacts=artifacts, request_id=self._id(request_id)
        )
        return await self._transport.call(self._stub.CreateModel, request)

    async def get(self, model: str, *, as_of: AsOf = None) -> Model:
        """Return a model as it is, or as of a log position (int) or a time (aware datetime)."""
        request = model_pb2.GetModelRequest(name=names.model(model))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetModel, request, remember=as_of is None)

    def list(self) -> AsyncIterator[Model]:
        """Yield every model, by name."""
        return self._pages(self._stub.ListModels, model_pb2.ListModelsRequest(), "models")

    async def confirm_level(self, model: str, standard: str, *, request_id: str | None = None) -> Model:
        """Make a provisional level a confirmed one."""
        request = model_pb2.ConfirmLevelRequest(name=names.level(model, standard), request_id=self._id(request_id))
        return await self._transport.call(self._stub.ConfirmLevel, request)

    async def retire(self, model: str, *, reason: str = "", request_id: str | None = None) -> Model:
        """Withdraw a model for good; its name is never used again."""
        request = model_pb2.RetireModelRequest(name=names.model(model), reason=reason, request_id=self._id(request_id))
        return await self._transport.call(self._stub.RetireModel, request)

    async def record_run(self, model: str, evidence: str, *, request_id: str | None = None) -> Model:
        """Record a training run from its evidence."""
        request = model_pb2.RecordRunRequest(
            name=names.model(model), evidence=names.evidence(evidence), request_id=self._id(request_id)
        )
        return await self._transport.call(self._stub.RecordRun, request)

    @property
    def _stub(self) -> model_pb2_grpc.ModelServiceAsyncStub:
        return model_pb2_grpc.ModelServiceStub(self._transport.channel)
