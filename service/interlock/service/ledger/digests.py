"""State digests, written by the server itself: from time to time, and where an export asks for one.

A digest goes over every resource (``statemachine/digest.py``), twice: to make it, and in ``decide``, which believes
nobody. So one is due when half as many entries have come as there are resources, and never before ``every`` of them:
all digests together cost at most four resources' hashing an entry, however long the log. (Half: where each entry makes
a resource, as many as there are would never come.)
Lives here: when, and where the last one stands. Not here: what it is over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from google.protobuf.empty_pb2 import Empty

from interlock.service.errors import ServiceError
from interlock.service.ledger.calls import Call, Prepared
from interlock.service.storage import EntryFilter, queries
from interlock.statemachine import codec, digest
from interlock.statemachine import commands as c

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from structlog.typing import FilteringBoundLogger

    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.steps import Step
    from interlock.service.ledger.view import View
    from interlock.service.storage import Store
    from interlock.statemachine.decide import Accepted

METHOD: Final = "state_digest"
"""Stands where a call names its method: nobody calls this one."""

_PAGE: Final = 32


class Digests:
    """Writes digests through the committer, between ``start`` and ``close``. ``every`` entries; 0: only when asked."""

    def __init__(self, committer: Committer, store: Store, log: FilteringBoundLogger, every: int) -> None:
        self._committer = committer
        self._store = store
        self._log = log
        self._every = every
        self._tried = queries.NEVER
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write digests where they are due."""
        if self._every:
            self._committer.listen(self._hear)
            self._moved.set()
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop. The committer is still there, and finishes what waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def at_head(self) -> int:
        """Return the position of a digest after which nothing else has come, written now unless it is there.

        Raises what `Committer.submit` raises.
        """
        view = self._committer.view
        if await self.last(view.position) == view.position:
            return view.position
        written: list[int] = []

        def render(_view: View, accepted: Accepted) -> Empty:
            written.append(accepted.entry.seq)
            return Empty()

        await self._committer.submit(Call(c.SYSTEM, METHOD, "", b"", _prepare, render, Empty))
        return written[0]

    async def last(self, until: int) -> int:
        """Return the position of the last digest up to and with ``until``; -1 for none. Raises StoreUnavailable."""
        return await self._store.read(lambda connection: find_digest(connection, until))

    def _hear(self, _steps: tuple[Step, ...]) -> None:
        self._moved.set()

    def _is_due(self, view: View) -> bool:
        since = view.position - self._tried
        return since >= self._every and 2 * since >= len(view.state.items) and self._committer.health.ok

    async def _run(self) -> None:
        """Wait for entries, and write a digest where it is due; one that fails is tried again as many entries later."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            view = self._committer.view
            if not self._is_due(view):
                continue
            self._tried, before = view.position, self._tried
            try:
                if before == queries.NEVER and (found := await self.last(view.position)) != queries.NEVER:
                    self._tried = found  # the first look since the start
                    self._moved.set()
                else:
                    self._tried = await self.at_head()
            except ServiceError as error:
                self._log.warning("state_digest_not_written", error=repr(error))


def find_digest(connection: Connection, until: int) -> int:
    """Return the position of the last digest up to and with ``until``; -1 for none."""
    wanted = EntryFilter(actor=c.SYSTEM.principal, descending=True)
    after = None
    while page := queries.list_entries(connection, wanted, after=after, limit=_PAGE, head=until):
        for row in page:
            if codec.is_state_digest(row.data):
                return row.seq
        after = page[-1].seq
    return queries.NEVER


def _prepare(view: View, _instant: int) -> Prepared:
    return Prepared(digest.digest_of(view.state))
