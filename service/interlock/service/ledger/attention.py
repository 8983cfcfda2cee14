"""Whether the store answers: what the gate says from memory holds only as long as somebody has looked at the log.

The writer looks every second, before and between commits (`Committer._drain`). A commit says that the store answers,
but not that the file is where the next process will look for it. A store that fails, or has not answered for too long,
is a ledger that can't be relied on, until a look finds it well again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.ledger.health import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.service.ledger.health import LedgerHealth

LOOK_EVERY_SECONDS: Final = 1.0
"""How long the writer works before it looks at the store."""

LONGEST_SILENCE_SECONDS: Final = 3.0
"""How old the last look may be. Longer than any commit should take, shorter than SQLite waits for a lock."""


class Attention:
    """What was last heard of the store. Used from the event loop; ``monotonic`` counts seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._answered_at = self._looked_at = monotonic()
        self._look_fault = ""
        self._commit_fault = ""

    @property
    def fault(self) -> str:
        """What the store failed with last; empty where it answered."""
        return self._look_fault or self._commit_fault

    def rest_seconds(self) -> float:
        """Return how long the store need not be looked at yet; nothing left, or less, is time to look."""
        return LOOK_EVERY_SECONDS - (self._monotonic() - self._looked_at)

    def heard(self, fault: str, *, looked: bool) -> None:
        """Take in what came of a look or else of a commit; an empty ``fault`` is a store that answers.

        Only a look mends what a look found: an open file goes on taking commits when it has no name any more.
        """
        now = self._monotonic()
        if looked:
            self._looked_at, self._look_fault = now, fault
        if not looked or not fault:
            self._commit_fault = fault
        if not self.fault:
            self._answered_at = now

    def judged(self, health: LedgerHealth) -> LedgerHealth:
        """Return what the ledger's health comes to, given what is known of its store."""
        if not health.ok:
            return health
        if self.fault or self._monotonic() - self._answered_at > LONGEST_SILENCE_SECONDS:
            return UNREACHABLE
        return health
