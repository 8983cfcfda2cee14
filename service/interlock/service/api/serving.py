"""The serving conditions of rule 1: whether clock and ledger can be relied on for an answer that is given now.

They are judged each time, never kept, and left out of answers about the past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.clock import MICROSECONDS
from interlock.service.ledger.batch import is_behind
from interlock.statemachine.tree import Node
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock.service.ledger.health import LedgerHealth
    from interlock.service.ledger.view import View

_LEDGER: Final = "a ledger that can be relied on"
_CLOCK: Final = "a clock that is not behind the log and has not jumped"


def not_served(health: LedgerHealth, view: View, now: int, ahead: int) -> list[Unmet]:
    """Return why clock or ledger can't be relied on, if so.

    ``now`` is what the guarded clock says (microseconds), ``ahead`` by how much the one that is set has jumped.
    """
    reasons: list[Unmet] = []
    if not health.ok:
        reasons.append(Unmet(Code(health.code), _LEDGER, health.actual, rule=1))
    if is_behind(now, view.state):
        actual = f"the server's clock is {(view.state.time - now) / MICROSECONDS:.3f} s behind the last entry"
        reasons.append(Unmet(Code.CLOCK, _CLOCK, actual, rule=1))
    if ahead:
        actual = (
            f"the server's clock has jumped {ahead // MICROSECONDS} s ahead; an admin can accept it with "
            "`interlock audit accept-clock`"
        )
        reasons.append(Unmet(Code.CLOCK, _CLOCK, actual, rule=1))
    return reasons


def serving_nodes(reasons: Sequence[Unmet]) -> tuple[Node, ...]:
    """Return the serving conditions as leaves of the requirement tree; ``reasons`` are those that are not met."""
    unmet = {reason.requirement: reason for reason in reasons}
    return tuple(
        Node(1, wish, met=False, code=reason.code, actual=reason.actual)
        if (reason := unmet.get(wish)) is not None
        else Node(1, wish, met=True, actual="it is so now")
        for wish in (_LEDGER, _CLOCK)
    )
