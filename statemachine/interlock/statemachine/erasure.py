"""Erasing a text: an entry says that what a digest stood for is forgotten. Who may, and once only.

Lives here: the decision. Not here: forgetting it (the store), and whether an entry names the digest: of texts the fold
knows nothing, so the server looks at what it keeps, and a verifier at what it has read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import forms
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.names import text_name
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine.commands import EraseText
    from interlock.statemachine.state import State
    from interlock.statemachine.turn import Turn

KEPT = "kept"
ERASED = "erased"


def erase(turn: Turn, state: State, command: EraseText) -> Moved | Refused:
    """Record that a text was erased."""
    name = text_name(command.digest)
    if not forms.is_digest(command.digest):
        return refused(
            RefusalKind.INVALID, Code.MALFORMED, "a digest of 32 bytes", f"{len(command.digest)} bytes", "log"
        )
    if state.find(name, r.ErasedText) is not None:
        by = f"erased by entry {state.position(name)}"
        return refused(RefusalKind.UNMET, Code.NO_SUCH_EDGE, "a text that was not erased", by, name, "text.erase")
    gone = r.ErasedText(name, turn.actor.principal, turn.instant)
    return Moved(state.put(gone), (Transition(name, "text.erase", KEPT, ERASED),))
