"""What was seen of the log before, held to it: earlier heads, notes that are given along, the smallest size.

Lives here: step 4, and what of it is excused by a restore that the recovery quorum accepted. Not here: by which key a
head was signed (`signing_keys.py`), the roots themselves (`roots.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.client.verify.report import LOG

if TYPE_CHECKING:
    from interlock.client.verify.report import Find, Trust
    from interlock.client.verify.roots import Roots
    from interlock.client.verify.signing_keys import SigningKeys
    from interlock.proofs import note
    from interlock.statemachine.resources import Log, Restore


@dataclass(slots=True)
class History:
    """``held`` counts the heads that are of this very log; ``beyond``: one could not be held to it, it covers more.

    ``let_go``: something that was seen is lost, and whoever verifies accepts it.
    """

    trust: Trust
    keys: SigningKeys
    roots: Roots
    find: Find
    held: int = 0
    beyond: bool = False
    let_go: bool = False

    def take(self, text: str, size: int, log: Log | None) -> bool:
        """Hold a checkpoint to the log, that was signed when it had ``size`` entries; False for what is none."""
        seen = self.keys.open("history", text, log)
        if seen is None:
            return False
        if (seen.size, seen.root) == (size, self.roots.at(size)):
            self.held += 1
        else:
            self._find_fork(seen.size)
        return True

    def end(self, head: note.Checkpoint | None, size: int, log: Log | None) -> None:
        """Hold all that was seen before to the log, once ``size`` entries have come."""
        least = max((self.trust.least_size, *(seen for seen, _ in self.trust.heads)))
        if head is not None and head.size < least:
            detail = f"{head.size} entries, but {least} were seen before"
            self._find_loss("checkpoint", least, None, log, ("LOG_ROLLED_BACK", detail))
        for seen_size, seen_root in self.trust.heads:
            if seen_size > size:
                self.beyond = True
            elif not (root := self.roots.at(seen_size)):
                self._find_unknown(seen_size)
            elif root == seen_root:
                self.held += 1
            else:
                detail = f"the head of {seen_size} entries that was signed before is none of this log"
                self._find_loss("history", seen_size, seen_root, log, ("LOG_FORKED", detail))
        for text in self.trust.notes:
            self._take_note(text, size, log)

    def _take_note(self, text: str, size: int, log: Log | None) -> None:
        """Hold a checkpoint to the log that was given along: no smaller log, and this very tree."""
        lost = self.keys.lost(text, log)
        if lost is not None and self.roots.at(lost.size) != lost.root:
            self._say_lost("history", lost.size, log)
            return
        seen = self.keys.open("history", text, log)
        if seen is None:
            return
        if seen.size > size:
            self.beyond = True
            self.find("checkpoint", LOG, "LOG_ROLLED_BACK", f"{size} entries, but {seen.size} were seen before")
        elif not (root := self.roots.at(seen.size)):
            self._find_unknown(seen.size)
        elif root == seen.root:
            self.held += 1
        else:
            self._find_fork(seen.size)

    def _find_fork(self, size: int) -> None:
        detail = f"the head of {size} entries that was signed before is none of this log"
        self.find("history", LOG, "LOG_FORKED", detail)

    def _find_unknown(self, size: int) -> None:
        self.find("history", LOG, "NOT_DECIDABLE", f"the tree of {size} entries is not known: it ends in a gap")

    def _find_loss(self, step: str, size: int, root: bytes | None, log: Log | None, otherwise: tuple[str, str]) -> None:
        """Note that what was seen of ``size`` entries is not here: lost with a restore that was accepted, or for none.

        Of a position alone there is no root: then it is as the newest head that was seen. Such a head was lost where
        its key ended with the restore.
        """
        lost = [self.keys.lost(text, log) for text in self.trust.seen]
        if root is not None:
            accepted = any(head is not None and (head.size, head.root) == (size, root) for head in lost)
        else:
            accepted = _restore_before(log, size) is not None and all(lost)
        if accepted:
            self._say_lost(step, size, log)
        else:
            self.find(step, LOG, *otherwise)

    def _say_lost(self, step: str, size: int, log: Log | None) -> None:
        """Tell what was accepted as lost, unless whoever verifies has accepted it as well."""
        row = _restore_before(log, size)
        self.let_go = self.let_go or self.trust.accept_restored
        if row is not None and not self.trust.accept_restored:
            most = max(size, row.lost_size)
            more = "" if size <= row.lost_size else f", more than the {row.lost_size} that the quorum knew of"
            kept = f"entry {row.accepted_by} accepts that the log was set back to {row.kept_size} of {most} entries"
            self.find(step, row.accepted_by, "LOG_RESTORED", f"{kept}: {size} were seen here{more}")


def _restore_before(log: Log | None, size: int) -> Restore | None:
    return next((row for row in log.restores if row.kept_size < size), None) if log else None
