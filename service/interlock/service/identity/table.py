"""Sessions in the database: written in the committer's thread and transaction, read once at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.identity.caller import Caller
from interlock.service.identity.sessions import LASTS_US
from interlock.service.storage import queries, writes
from interlock.service.storage.rows import SessionRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from interlock.service.ledger.committer import Committer


class StoredSessions:
    """The table ``sessions``."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer

    async def put(self, session: Caller) -> None:
        """Write a session, or its new end; durable when this returns."""
        row = SessionRow(session.session_digest, session.principal, session.credential, session.expires_at)
        await self._committer.side(lambda connection: writes.put_session(connection, row))

    async def drop(self, digests: Iterable[bytes]) -> None:
        """Delete sessions."""
        gone = tuple(digests)
        await self._committer.side(lambda connection: writes.drop_sessions(connection, gone))


def load_sessions(connection: Connection, now: int) -> tuple[Caller, ...]:
    """Return the stored sessions that have not ended at ``now`` (microseconds).

    One that ends later than a session opened now would was dated by a clock that ran ahead, or its row was written by
    somebody else: it is left out, and costs its owner a login.
    """
    rows = queries.sessions(connection, now, now + LASTS_US)
    return tuple(Caller(row.principal, row.credential, row.digest, row.expires_at) for row in rows)
