"""`client.safeguards`: what one person may do with a safeguard; the rest is a change. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.safeguards`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import safeguard_pb2, safeguard_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from interlock.v1.safeguard_pb2 import Safeguard


class AsyncSafeguards(AsyncGroup):
    """Safeguards by resource name: `models/{m}/safeguards/{s}`, or `safeguards/{s}` for a shared one."""

    async def get(self, name: str, *, as_of: AsOf = None) -> Safeguard:
        """Return a safeguard as it is, or as it was."""
        request = safeguard_pb2.GetSafeguardRequest(name=name)
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetSafeguard, request, remember=as_of is None)

    def list(self, *, model: str = "") -> AsyncIterator[Safeguard]:
        """Yield the safeguards of a model, shared ones too; without a model, the shared ones."""
        request = safeguard_pb2.ListSafeguardsRequest(model=names.model(model) if model else "")
        return self._pages(self._stub.ListSafeguards, request, "safeguards")

    async def start(self, name: str, *, request_id: str | None = None) -> Safeguard:
        """Begin work on a safeguard."""
        request = safeguard_pb2.StartSafeguardRequest(name=name, request_id=self._id(request_id))
        return await self._transport.call(self._stub.StartSafeguard, request)

    async def verify(self, name: str, *, evidence: Iterable[str] = (), request_id: str | None = None) -> Safeguard:
        """Record that a safeguard was shown to work, by evidence."""
        request = safeguard_pb2.VerifySafeguardRequest(
            name=name, evidence=[names.evidence(item) for item in evidence], request_id=self._id(request_id)
        )
        return await self._transport.call(self._stub.VerifySafeguard, request)

    async def replan(self, name: str, *, reason: str = "", request_id: str | None = None) -> Safeguard:
        """Send a safeguard back to planning."""
        request = safeguard_pb2.ReplanSafeguardRequest(name=name, reason=reason, request_id=self._id(request_id))
        return await self._transport.call(self._stub.ReplanSafeguard, request)

    async def degrade(self, name: str, *, reason: str = "", request_id: str | None = None) -> Safeguard:
        """Record that a safeguard no longer does what it should; takes effect at once."""
        request = safeguard_pb2.DegradeSafeguardRequest(name=name, reason=reason, request_id=self._id(request_id))
        return await self._transport.call(self._stub.DegradeSafeguard, request)

    async def suspend(self, name: str, *, reason: str = "", request_id: str | None = None) -> Safeguard:
        """Switch a safeguard off; takes effect at once."""
        request = safeguard_pb2.SuspendSafeguardRequest(name=name, reason=reason, request_id=self._id(request_id))
        return await self._transport.call(self._stub.SuspendSafeguard, request)

    async def retire(self, name: str, *, reason: str = "", request_id: str | None = None) -> Safeguard:
        """Take a safeguard out of use; refused while a level leans on it."""
        request = safeguard_pb2.RetireSafeguardRequest(name=name, reason=reason, request_id=self._id(request_id))
        return await self._transport.call(self._stub.RetireSafeguard, request)

    @property
    def _stub(self) -> safeguard_pb2_grpc.SafeguardServiceAsyncStub:
        return safeguard_pb2_grpc.SafeguardServiceStub(self._transport.channel)
