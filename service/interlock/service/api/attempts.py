"""Refused attempts become entries: who tried what, and what stood against it (ledger design, "Attempts").

At most one entry in five minutes for the same principal, method and codes, and so many in all: a caller who is told
no must not be able to fill the log. What is beyond the cap is counted and logged. Never for gate checks, malformed
requests or callers without a session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google.protobuf.empty_pb2 import Empty

from interlock.service.api.status import codes_of
from interlock.service.clock import MICROSECONDS
from interlock.service.errors import NotAllowed, Refusal, ServiceError
from interlock.service.ledger.calls import Call, Prepared
from interlock.statemachine.commands import AttemptRefused
from interlock.statemachine.unmet import RefusalKind

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from interlock.service.clock import Clock
    from interlock.service.identity.caller import Caller
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.service.metrics import Metrics
    from interlock.statemachine.decide import Accepted

WINDOW_US: Final = 5 * 60 * MICROSECONDS

_RECORDED: Final = frozenset({RefusalKind.UNMET, RefusalKind.NOT_ALLOWED, RefusalKind.SIGN_OFF_INVALID})


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is recorded once in a window."""

    principal: str
    method: str
    codes: tuple[str, ...]


def is_attempt(error: ServiceError) -> bool:
    """Say whether an error refuses what was tried, rather than how it was written or when it came."""
    match error:
        case NotAllowed():
            return True
        case Refusal(refused):
            return refused.kind in _RECORDED
        case _:
            return False


class Attempts:
    """Records refused attempts. Used from the event loop only."""

    def __init__(
        self,
        committer: Committer,
        clock: Clock,
        metrics: Metrics,
        log: FilteringBoundLogger,
        *,
        most_in_a_window: int = 1000,
    ) -> None:
        self._committer = committer
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._most = most_in_a_window
        self._recent: dict[Attempt, int] = {}

    async def record(self, caller: Caller, method: str, request_digest: bytes, error: ServiceError) -> None:
        """Write the attempt unless its like was written in this window; a store that fails is logged, not raised."""
        if not is_attempt(error):
            return
        attempt = Attempt(caller.principal, method, codes_of(error))
        fate = self._admit(attempt)
        if fate == "recorded":
            try:
                await self._committer.submit(_call(caller, attempt, request_digest))
            except ServiceError as fault:  # the caller's answer stays the refusal
                fate = "failed"
                self._recent.pop(attempt, None)
                self._log.warning("attempt_not_recorded", principal=caller.principal, error=repr(fault))
        self._metrics.attempts.labels(fate).inc()

    def _admit(self, attempt: Attempt) -> str:
        now = self._clock.now_us()
        # A clock that went back ends every window: rather one entry more than none.
        ended = [old for old, then in self._recent.items() if not 0 <= now - then < WINDOW_US]
        for old in ended:
            del self._recent[old]
        if attempt in self._recent:
            return "coalesced"
        if len(self._recent) >= self._most:
            self._log.warning("attempt_over_cap", principal=attempt.principal, codes=attempt.codes)
            return "over_cap"
        self._recent[attempt] = now
        return "recorded"


def _call(caller: Caller, attempt: Attempt, request_digest: bytes) -> Call[Empty]:
    command = AttemptRefused(attempt.method, request_digest, attempt.codes)

    def prepare(_view: View, _instant: int) -> Prepared:
        return Prepared(command)

    def render(_view: View, _accepted: Accepted) -> Empty:
        return Empty()

    return Call(caller.actor, attempt.method, "", request_digest, prepare, render, Empty)
