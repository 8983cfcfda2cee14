"""Whose cosignatures a head has: of the witnesses that the reader trusts, made at a time at which it could be made.

A cosignature says that, as of its time, the witness knew no larger tree. One that is dated before an entry which this
tree has, before what the reader asks for, or past what the reader's clock shows, says nothing about this head: its
witness does not count. Signatures are checked on every checkpoint, times on the one that has to have been cosigned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.client.verify.report import LOG
from interlock.proofs import cosignature
from interlock.proofs.errors import RefusedError
from interlock.statemachine import moments

if TYPE_CHECKING:
    from interlock.client.verify.report import Find, Trust

_MICROSECONDS = 1_000_000


@dataclass(slots=True)
class Witnesses:
    """``counted`` are the names of those that cosigned the head in time, one for each key, once `end` was called."""

    trust: Trust
    find: Find
    counted: tuple[str, ...] = ()
    _head: tuple[cosignature.Cosignature, ...] | None = None

    def open(self, step: str, text: str) -> tuple[cosignature.Cosignature, ...]:
        """Check the lines of trusted witnesses under a checkpoint; a finding where one is bad."""
        try:
            return cosignature.open_cosignatures(text, self.trust.witnesses)
        except RefusedError as refused:
            self.find(step, LOG, refused.fault, f"a witness's line: {refused.detail}")
            return ()

    def take_head(self, text: str) -> None:
        """Take the head, whose cosignatures count."""
        self._head = self.open("checkpoint", text)

    def end(self, last_entry: int) -> None:
        """Count them; ``last_entry`` is the time (microseconds) of the last entry that is known of the head."""
        if self._head is None:
            return
        whys = [(row, self._why_not(row, last_entry)) for row in self._head]
        self.counted = tuple({row.witness.public_key: row.witness.name for row, why in whys if not why}.values())
        if len(self.counted) >= self.trust.least_witnesses:
            return
        needed = f"{self.trust.least_witnesses} of {len(self.trust.witnesses)} witnesses"
        late = "".join(f"; that of {row.witness.name} does not count: {why}" for row, why in whys if why)
        by = ", ".join(self.counted) or "none of them"
        self.find("checkpoint", LOG, "COSIGNATURES_MISSING", f"{needed} must have cosigned it; it is by {by}{late}")

    def _why_not(self, row: cosignature.Cosignature, last_entry: int) -> str:
        """Say why a cosignature is dated as none of this head can be; empty where it is not."""
        made = f"made at {moments.to_text(row.timestamp * _MICROSECONDS)}"
        if row.timestamp + cosignature.CLOCKS_APART_SECONDS < last_entry // _MICROSECONDS:
            return f"{made}, before an entry of this tree, of {moments.to_text(last_entry)}"
        if row.timestamp < self.trust.cosigned_since:
            return f"{made}, older than is asked for"
        if row.timestamp > self.trust.cosigned_until:
            return f"{made}, which is to come"
        return ""
