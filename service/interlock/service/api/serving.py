"""The serving conditions of rule 1: whether clock and ledger can be relied on for an answer that is given now.

They are judged each time, never kept, and left out of answers about the past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.clock import MICROSECONDS
from interlock.service.ledger.batch import is_behind
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from interlock.service.ledger.health import LedgerHealth
    from interlock.service.ledger.view import View


def not_served(health: LedgerHealth, view: View, now: int) -> list[Unmet]:
    """Return why clock (which shows ``now``, microseconds) or ledger can't be relied on, if so."""
    reasons: list[Unmet] = []
    if not health.ok:
        reasons.append(Unmet(Code(health.code), "a ledger that agrees with itself", "it does not", rule=1))
    if is_behind(now, view.state):
        actual = f"the server's clock is {(view.state.time - now) / MICROSECONDS:.3f} s behind the last entry"
        reasons.append(Unmet(Code.CLOCK, "a clock that is not behind the log", actual, rule=1))
    return reasons
