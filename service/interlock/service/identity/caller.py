"""Who calls: set once per request by the server's wrapper, read by the servicers."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from interlock.statemachine.commands import Actor


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated account and the session it came with; ``expires_at`` is in Unix microseconds UTC."""

    principal: str
    credential: str
    session_digest: bytes
    expires_at: int

    @property
    def actor(self) -> Actor:
        """The actor that entries name."""
        return Actor(self.principal, self.credential)


CALLER: Final[ContextVar[Caller]] = ContextVar("interlock_caller")
"""The caller of the request that this task serves; unset in public methods."""


def caller() -> Caller:
    """Return who calls. Raises LookupError in a public method, which no session guards."""
    return CALLER.get()
