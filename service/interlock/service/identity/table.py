"""Sessions in the database: written in the committer's thread and transaction, read once at the start.

Each row is sealed with a key that is not in the database: whoever can write to that makes no session of it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import astuple
from typing import TYPE_CHECKING, Final

from interlock.service.identity.caller import Caller
from interlock.service.identity.sessions import LASTS_US
from interlock.service.storage import queries, writes
from interlock.service.storage.rows import SessionRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from interlock.service.ledger.committer import Committer


_PURPOSE: Final = b"interlock-stored-session-v1"
_BETWEEN: Final = "."
_TYPES: Final = (bytes, str, str, int)
"""Of a row's fields in their order."""


class SessionSeal:
    """Seals rows of sessions, and opens those that it sealed. The key follows from one that the server has anyway."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, hashlib.sha256)

    def close(self, session: Caller) -> SessionRow:
        """Return the row of a session; the seal stands behind the credential."""
        sealed = f"{session.credential}{_BETWEEN}{self._mac(session)}"
        return SessionRow(session.session_digest, session.principal, sealed, session.expires_at)

    def open(self, row: SessionRow) -> Caller | None:
        """Return the session of a row; None for one that was written or edited by somebody else."""
        if tuple(map(type, astuple(row))) != _TYPES:  # SQLite keeps any type in any column
            return None
        credential, _, mac = row.credential.rpartition(_BETWEEN)
        session = Caller(row.principal, credential, row.digest, row.expires_at)
        return session if hmac.compare_digest(_bytes_of(mac), _bytes_of(self._mac(session))) else None

    def _mac(self, session: Caller) -> str:
        parts = (session.session_digest.hex(), session.principal, session.credential, str(session.expires_at))
        return hmac.digest(self._key, _bytes_of("\0".join(parts)), hashlib.sha256).hex()


def _bytes_of(text: str) -> bytes:
    """Encode any text of the database, also what is none: it was decoded so to be found wrong (`storage/engine.py`)."""
    return text.encode("utf-8", "surrogateescape")


class StoredSessions:
    """The table ``sessions``."""

    def __init__(self, committer: Committer, seal: SessionSeal) -> None:
        self._committer = committer
        self._seal = seal

    async def put(self, session: Caller) -> None:
        """Write a session, or its new end; durable when this returns."""
        row = self._seal.close(session)
        await self._committer.side(lambda connection: writes.put_session(connection, row))

    async def drop(self, digests: Iterable[bytes]) -> None:
        """Delete sessions."""
        gone = tuple(digests)
        await self._committer.side(lambda connection: writes.drop_sessions(connection, gone))


def load_sessions(connection: Connection, now: int, seal: SessionSeal) -> tuple[Caller, ...]:
    """Return the stored sessions that have not ended at ``now`` (microseconds).

    One that ends later than a session opened now would was dated by a clock that ran ahead, and one whose seal does not
    fit was written by somebody else: it is left out, and costs its owner a login.
    """
    rows = queries.sessions(connection, now, now + LASTS_US)
    return tuple(session for row in rows if (session := seal.open(row)) is not None)
