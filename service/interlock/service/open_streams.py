"""The streams that are open: counted against their principals, and ended where their reason to be ends.

A stream may stay open for days. So it is judged again before each message, and while it is idle with each entry that
writes identity and once a second: a session that ended, a revoked key, a suspended account or a lost role ends it. An
open stream does not renew its session.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from interlock.service.errors import LimitExceeded, ServiceError, ShuttingDown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interlock.service.identity.admission import Admission
    from interlock.service.identity.caller import Caller
    from interlock.service.identity.permissions import Permission
    from interlock.service.metrics import Metrics


class Watch:
    """One open server stream; ``ended`` is why it was interrupted, None while it was not."""

    def __init__(
        self, admission: Admission, permission: Permission, caller: Caller | None, task: asyncio.Task[Any] | None
    ) -> None:
        self._admission = admission
        self._permission = permission
        self._caller = caller
        self._task = task
        self.ended: ServiceError | None = None

    def review(self) -> None:
        """Raise Unauthenticated or NotAllowed where its caller would not be admitted any more."""
        self._admission.review(self._permission, self._caller)

    def end(self, why: ServiceError) -> None:
        """Interrupt it wherever it waits; its handler answers with ``why``."""
        if self.ended is None and self._task is not None:
            self.ended = why
            self._task.cancel()


class OpenStreams:
    """All streams of a server. Used from the event loop only."""

    def __init__(self, admission: Admission, metrics: Metrics, most_of_one_principal: int) -> None:
        self._admission = admission
        self._metrics = metrics
        self._most = most_of_one_principal
        self._open: dict[str, int] = {}
        self._watches: set[Watch] = set()
        self._draining = False

    def review(self) -> None:
        """End every stream whose caller would not be admitted any more."""
        for watch in tuple(self._watches):
            try:
                watch.review()
            except ServiceError as error:
                watch.end(error)

    def drain(self) -> None:
        """End the streams that have no end of their own; their clients are told to come again."""
        self._draining = True
        for watch in tuple(self._watches):
            watch.end(ShuttingDown())

    @asynccontextmanager
    async def watch(self, caller: Caller | None, permission: Permission) -> AsyncIterator[Watch]:
        """Count a server stream while it is open, and keep it under review. Raises ShuttingDown, LimitExceeded."""
        async with self.count(caller):
            watch = Watch(self._admission, permission, caller, asyncio.current_task())
            self._watches.add(watch)
            try:
                yield watch
            finally:
                self._watches.discard(watch)

    @asynccontextmanager
    async def count(self, caller: Caller | None) -> AsyncIterator[None]:
        """Count a stream against its principal while it is open. Raises ShuttingDown, LimitExceeded."""
        if self._draining:
            raise ShuttingDown
        principal = caller.principal if caller else ""
        if self._open.get(principal, 0) >= self._most:
            raise LimitExceeded("open streams of this principal")
        self._open[principal] = self._open.get(principal, 0) + 1
        self._metrics.streams.inc()
        try:
            yield
        finally:
            self._metrics.streams.dec()
            self._open[principal] -= 1
            if not self._open[principal]:
                del self._open[principal]
