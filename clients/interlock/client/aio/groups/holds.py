"""`client.holds`: one person stops a release at once; lifting is a change. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.holds`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import hold_pb2, hold_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interlock.v1.hold_pb2 import Hold


class AsyncHolds(AsyncGroup):
    """Holds on models, or on everything."""

    async def place(self, target: str, *, reason: str = "", request_id: str | None = None) -> Hold:
        """Place a hold on a model, or on everything (``-``); the next check sees it."""
        request = hold_pb2.PlaceHoldRequest(target=names.target(target), reason=reason, request_id=self._id(request_id))
        return await self._transport.call(self._stub.PlaceHold, request)

    async def get(self, hold: str, *, as_of: AsOf = None) -> Hold:
        """Return a hold as it is, or as it was."""
        request = hold_pb2.GetHoldRequest(name=names.hold(hold))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetHold, request, remember=as_of is None)

    def list(self, *, model: str = "", placed_only: bool = False, as_of: AsOf = None) -> AsyncIterator[Hold]:
        """Yield holds, newest first, as they are or as they were."""
        request = hold_pb2.ListHoldsRequest(model=names.model(model) if model else "", placed_only=placed_only)
        put_as_of(request, as_of)
        return self._pages(self._stub.ListHolds, request, "holds")

    @property
    def _stub(self) -> hold_pb2_grpc.HoldServiceAsyncStub:
        return hold_pb2_grpc.HoldServiceStub(self._transport.channel)
