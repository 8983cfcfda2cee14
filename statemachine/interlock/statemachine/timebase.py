"""A clock that jumped is accepted: an administrator says which time it is, and the log goes on from there.

Whether there was a jump only a running server can know; what is judged here, and again in every replay, is that who
accepted it had the right, and that the clock which the entry was dated by agrees with what was accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.statemachine import moments
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine import commands as c
    from interlock.statemachine.state import State
    from interlock.statemachine.turn import Turn

AGREEMENT_US: Final = 60 * 60 * 1_000_000
"""How far the clock may be from the time that was accepted (microseconds): as far as it may jump by itself."""


def accept(turn: Turn, state: State, command: c.AcceptClock) -> Moved | Refused:
    """Accept the clock by which this entry is dated; nothing moves but the log's time."""
    if abs(turn.instant - command.time) <= AGREEMENT_US:
        return Moved(state)
    return refused(
        RefusalKind.UNMET,
        Code.CLOCK,
        f"a clock within an hour of {moments.to_text(command.time)}, the time that was accepted",
        f"it shows {moments.to_text(turn.instant)}",
    )
