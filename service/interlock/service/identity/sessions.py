"""Sessions: which token stands for which account and key, and until when.

A token is 32 random bytes; only its SHA-256 is kept, here and in the table ``sessions``, so neither a dump of memory
tables nor a backup lets anyone in. Whether the account and the key still stand is asked of the fold at every request
(``authenticate.py``); a session is no fold of the log, and losing the table costs everyone a login.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from interlock.service.clock import MICROSECONDS
from interlock.service.errors import ServiceError
from interlock.service.identity.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from structlog.typing import FilteringBoundLogger

    from interlock.service.clock import Clock

TOKEN_BYTES: Final = 32
LASTS_US: Final = 15 * 60 * MICROSECONDS
RENEW_AFTER_US: Final = 60 * MICROSECONDS
"""A session's end moves at most once a minute: a request then costs a look-up, not a write."""

MAX_OF_ONE_PRINCIPAL: Final = 1024


class SessionTable(Protocol):
    """Where sessions survive a restart."""

    async def put(self, session: Caller) -> None:
        """Write a session, or its new end."""
        ...

    async def drop(self, digests: Iterable[bytes]) -> None:
        """Delete sessions."""
        ...


class Sessions:
    """Every session that has not ended. Used from the event loop only.

    The clock must never go back (``ForwardClock``): ends are set and judged by it alone.
    """

    def __init__(
        self,
        table: SessionTable,
        clock: Clock,
        rng: Callable[[int], bytes],
        log: FilteringBoundLogger,
        saved: Iterable[Caller] = (),
    ) -> None:
        self._table = table
        self._clock = clock
        self._rng = rng
        self._log = log
        self._sessions = {session.session_digest: session for session in saved}
        self._writes: set[asyncio.Task[None]] = set()

    async def open(self, principal: str, credential: str) -> tuple[str, Caller]:
        """Start a session once it is stored, and return its token, which exists nowhere else."""
        await self._sweep(principal)
        token = base64.urlsafe_b64encode(self._rng(TOKEN_BYTES)).rstrip(b"=").decode()
        session = Caller(principal, credential, digest_of(token), self._clock.now_us() + LASTS_US)
        await self._table.put(session)
        self._sessions[session.session_digest] = session
        return token, session

    async def close(self, session: Caller) -> None:
        """End a session."""
        self._sessions.pop(session.session_digest, None)
        await self._table.drop((session.session_digest,))

    def find(self, token: str) -> Caller | None:
        """Return the session of a token unless it has ended, and renew it."""
        session = self._sessions.get(digest_of(token))
        if session is None:
            return None
        now = self._clock.now_us()
        if now >= session.expires_at:
            # Dropped where it is stored too: after a restart, the next process knows nothing of this one's clock.
            del self._sessions[session.session_digest]
            self._start(self._drop_ended(session))
            return None
        if now + LASTS_US - session.expires_at >= RENEW_AFTER_US:
            return self._renew(session, now)
        return session

    def stands(self, session: Caller) -> bool:
        """Say whether a session has neither ended nor been closed. It is not renewed."""
        known = self._sessions.get(session.session_digest)
        return known is not None and self._clock.now_us() < known.expires_at

    def end_fallen(self, stands: Callable[[Caller], bool]) -> None:
        """End every session whose account or key does not stand: what comes back later brings no old session back."""
        fallen = [session for session in self._sessions.values() if not stands(session)]
        for session in fallen:
            del self._sessions[session.session_digest]
            self._start(self._drop_ended(session))

    async def settle(self) -> None:
        """Wait until every renewal and every end is stored; for the end of the process."""
        await asyncio.gather(*self._writes)

    def _renew(self, session: Caller, now: int) -> Caller:
        renewed = Caller(session.principal, session.credential, session.session_digest, now + LASTS_US)
        self._sessions[session.session_digest] = renewed
        self._start(self._store_renewal(renewed))
        return renewed

    def _start(self, write: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(write)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _drop_ended(self, session: Caller) -> None:
        """Not dropped means: the next start judges it by its end, as any other."""
        try:
            await self._table.drop((session.session_digest,))
        except ServiceError as error:
            self._log.warning("session_end_not_stored", principal=session.principal, error=repr(error))

    async def _store_renewal(self, session: Caller) -> None:
        """Not stored means: after a restart the session ends a little earlier."""
        try:
            if session.session_digest in self._sessions:
                await self._table.put(session)
        except ServiceError as error:
            self._log.warning("session_renewal_not_stored", principal=session.principal, error=repr(error))

    async def _sweep(self, principal: str) -> None:
        """Drop what has ended, and the oldest sessions of a principal that has too many."""
        now = self._clock.now_us()
        gone = [digest for digest, session in self._sessions.items() if session.expires_at <= now]
        own = sorted(
            (session for session in self._sessions.values() if session.principal == principal),
            key=lambda session: session.expires_at,
        )
        surplus = max(0, len(own) + 1 - MAX_OF_ONE_PRINCIPAL)
        gone += [session.session_digest for session in own[:surplus]]
        if gone:
            for digest in gone:
                self._sessions.pop(digest, None)
            await self._table.drop(gone)


def digest_of(token: str) -> bytes:
    """SHA-256 of a token, the only form in which it is kept."""
    return hashlib.sha256(token.encode()).digest()
