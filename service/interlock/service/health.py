"""``grpc.health.v1``: serving from the first answer on, not serving from the moment that it drains.

Beside the services it answers for parts that the server needs, by their names, `evidence` and `keys`; the service for
evidence is not serving without its folder. The server as a whole, the empty name, goes on: a probe that ended it for a
part would take the gate and every tightening word with it (decision 0070).

Not the servicer of grpcio-health-checking: its watches never end, so each would hold a drain up to its last second.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from interlock.service.lookout import EVIDENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from grpc import aio

    from interlock.service.lookout import Lookout

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

_PART_OF: Final = {"interlock.v1.EvidenceService": EVIDENCE}
"""What a service is nothing without."""


class Health(health_pb2_grpc.HealthServicer):
    """Answers for the whole server (the empty name), for each of its services and for each part of ``lookout``."""

    def __init__(self, services: Iterable[str], lookout: Lookout) -> None:
        self._known = frozenset(("", *services)) | lookout.parts
        self._lookout = lookout
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Say not serving from now on, and end every watch with it."""
        self._draining.set()

    async def Check(  # noqa: N802  # the contract's name
        self, request: health_pb2.HealthCheckRequest, context: aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """Say how it is now."""
        if request.service not in self._known:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return self._answer(request.service)

    async def Watch(  # noqa: N802  # as above
        self,
        request: health_pb2.HealthCheckRequest,
        context: aio.ServicerContext[Any, Any],  # noqa: ARG002  # as above
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Say how it is now, and again whenever that changes; ends when it drains."""
        told = None
        while not self._draining.is_set():
            change = self._lookout.change
            answer = self._answer(request.service)
            if answer != told:
                yield answer
            told = answer
            await self._until(change)
        yield self._answer(request.service)

    async def _until(self, change: asyncio.Event) -> None:
        """Wait until it drains, or a part breaks or is mended."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._draining, change)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    def _answer(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._known:
            return health_pb2.HealthCheckResponse(status=SERVICE_UNKNOWN)
        down = self._draining.is_set() or self._lookout.fault(_PART_OF.get(service, service))
        return health_pb2.HealthCheckResponse(status=NOT_SERVING if down else SERVING)
