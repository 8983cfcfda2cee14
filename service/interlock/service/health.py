"""``grpc.health.v1``: serving from the first answer on, not serving from the moment that it drains.

Not the servicer of grpcio-health-checking: its watches never end, so each would hold a drain up to its last second.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from grpc import aio

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(health_pb2_grpc.HealthServicer):
    """Answers for the server as a whole (the empty name) and for each of its services alike."""

    def __init__(self, services: Iterable[str]) -> None:
        self._known = frozenset(("", *services))
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
        """Say how it is now, and once more when that changes."""
        if not self._draining.is_set():
            yield self._answer(request.service)
            await self._draining.wait()
        yield self._answer(request.service)

    def _answer(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._known:
            return health_pb2.HealthCheckResponse(status=SERVICE_UNKNOWN)
        return health_pb2.HealthCheckResponse(status=NOT_SERVING if self._draining.is_set() else SERVING)
