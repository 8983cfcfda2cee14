"""Whether the log can be relied on: while it can't, the gate denies, nothing is written and nothing is signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.statemachine.unmet import Code

if TYPE_CHECKING:
    from interlock.service.ledger.highwater import Mark


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """``code`` is the gate's reason, LEDGER or LOG_ROLLED_BACK, empty while all is well; ``detail`` is for people.

    ``actual`` says in the gate's reason what is there; it gives nothing away. ``lost`` is the head that a log which is
    otherwise as it should be once had: going on without it is for the recovery quorum to accept, and nobody else.
    """

    ok: bool
    code: str = ""
    detail: str = ""
    actual: str = "it does not agree with itself"
    lost: Mark | None = None


HEALTHY: Final = LedgerHealth(ok=True)

UNREACHABLE: Final = LedgerHealth(ok=False, code=Code.LEDGER, detail="silent store", actual="its store does not answer")
"""The store failed or is silent; it passes when the store answers again."""


def disagrees(detail: str) -> LedgerHealth:
    """The log and what is kept beside it contradict each other."""
    return LedgerHealth(ok=False, code=Code.LEDGER, detail=detail)


def rolled_back(detail: str, lost: Mark | None = None) -> LedgerHealth:
    """The log was longer once, or is not the one that was seen before."""
    seen = "it is not the one that was seen before"
    return LedgerHealth(ok=False, code=Code.LOG_ROLLED_BACK, detail=detail, actual=seen, lost=lost)
