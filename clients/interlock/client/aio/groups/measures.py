"""`client.measures`: what stands in for safeguards for a while; putting one in force is a change. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.measures`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import gate_pb2, gate_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interlock.v1.gate_pb2 import InterimMeasure


class AsyncMeasures(AsyncGroup):
    """Interim measures of models."""

    async def end(self, measure: str, *, reason: str = "", request_id: str | None = None) -> InterimMeasure:
        """End a measure at once; the next check sees it."""
        request = gate_pb2.EndInterimMeasureRequest(
            name=names.interim_measure(measure), reason=reason, request_id=self._id(request_id)
        )
        return await self._transport.call(self._stub.EndInterimMeasure, request)

    async def get(self, measure: str, *, as_of: AsOf = None) -> InterimMeasure:
        """Return a measure as it stands, or as it stood."""
        request = gate_pb2.GetInterimMeasureRequest(name=names.interim_measure(measure))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetInterimMeasure, request, remember=as_of is None)

    def list(self, *, model: str = "", show_ended: bool = False, as_of: AsOf = None) -> AsyncIterator[InterimMeasure]:
        """Yield measures, newest first: those in force, unless ``show_ended``."""
        request = gate_pb2.ListInterimMeasuresRequest(model=names.model(model) if model else "", show_ended=show_ended)
        put_as_of(request, as_of)
        return self._pages(self._stub.ListInterimMeasures, request, "interim_measures", remember=as_of is None)

    @property
    def _stub(self) -> gate_pb2_grpc.GateServiceAsyncStub:
        return gate_pb2_grpc.GateServiceStub(self._transport.channel)
