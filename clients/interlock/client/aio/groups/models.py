"""`client.models`: register, read, confirm, retire. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.models`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.errors import UnavailableError, rolled_back
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import model_pb2, model_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from interlock.client.errors import InterlockError
    from interlock.v1.model_pb2 import Model, WatchModelsResponse


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

    async def watch(
        self,
        after_position: int | None = None,
        *,
        on_break: Callable[[InterlockError], None] | None = None,
        on_resume: Callable[[], None] | None = None,
    ) -> AsyncIterator[WatchModelsResponse]:
        """Yield every model as it is, then each that an entry touches, as that entry leaves it; never ends.

        With ``after_position``, of a message with ``complete``, only what was touched since. A stream that breaks off
        is taken up where it was, no model at a position twice. Raises InterlockError where going on can't help.
        """
        position, told, at = after_position, set[str](), -1

        def request() -> model_pb2.WatchModelsRequest:
            return model_pb2.WatchModelsRequest(after_position=position)

        try:
            async for message in self._transport.resuming(
                self._stub.WatchModels, request, patient=True, on_break=on_break, on_resume=on_resume
            ):
                if message.log_position != at:
                    told, at = set(), message.log_position
                if message.model.name not in told:
                    told.add(message.model.name)
                    yield message
                if message.complete:
                    position = message.log_position
                    self._transport.memory.note_position(position)
        except UnavailableError as error:
            raise rolled_back(error) from error

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
