"""By which key of the log each checkpoint was signed: held to what the log itself says of its keys, at the end.

The pinned key may be any that the log has had. Which keys these are, and where each ended, is in the entries; so a note
that no key known by then has signed waits. 1. Every checkpoint is by a key of the log that had not ended at its size.
2. The pinned key is one of them. 3. Where the head is by another one, the pinned key, or the pinned founding, vouches
for those who named it: that takes a checkpoint by it that covers the founding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from interlock.client.verify.report import LOG
from interlock.proofs import note
from interlock.proofs.errors import Fault, NoteError
from interlock.statemachine import log_keys

if TYPE_CHECKING:
    from interlock.client.verify.report import Find
    from interlock.statemachine import resources as r

_MOST_WAITING: Final = 10_000
"""How many checkpoints by keys that are not known yet are kept; proofs alone ask a new key for heads of before."""

MOST_CHARACTERS: Final = 1 << 24
"""How long these are together: a checkpoint is short, but a note may be a megabyte."""


@dataclass(slots=True)
class SigningKeys:
    """What was signed by whom so far. ``vouched``: the pinned key is known to have signed for this founding."""

    pinned: note.NoteVerifier
    find: Find
    greatest: dict[bytes, tuple[int, str]] = field(default_factory=dict)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    characters: int = 0
    vouched: bool = False
    cut: int | None = None
    """Where what is judged ends before the head: entries that are not here may name the key that signed that."""

    def open(self, step: str, text: str, log: r.Log | None) -> note.Checkpoint | None:
        """Return what a note says, and note who signed it; a finding and None for what no log signs.

        ``log`` is the log as far as it is known. Without a signature by a key of it the answer is still unproven.
        """
        known = {self.pinned}
        if log is not None:
            keys = log_keys.history(log, self.pinned.name).keys
            known |= {note.NoteVerifier(self.pinned.name, key.public_key) for key in keys}
        try:
            signers = self._signers(step, text, known)
            checkpoint = note.Checkpoint.from_text(note.split_note(text).text)
        except NoteError as refused:
            self.find(step, LOG, refused.fault, refused.detail)
            return None
        if checkpoint.origin != self.pinned.name:
            detail = f"a checkpoint of {checkpoint.origin}, not of {self.pinned.name}"
            self.find(step, LOG, Fault.CHECKPOINT_ORIGIN, detail)
            return None
        for signer in signers:
            size, _ = self.greatest.get(signer.public_key, (-1, ""))
            if checkpoint.size > size:
                self.greatest[signer.public_key] = checkpoint.size, step
        return checkpoint

    def _signers(self, step: str, text: str, known: set[note.NoteVerifier]) -> tuple[note.NoteVerifier, ...]:
        """Return who signed a note for the log; nobody where that has to wait. Raises `NoteError`."""
        try:
            signers = note.open_note(text, known).signers
        except NoteError as refused:
            if refused.fault is not Fault.NOTE_NOT_SIGNED:
                raise
            signers = ()
        lines = [row for row in note.split_note(text).signatures if row.name == self.pinned.name]
        if len(lines) == len(signers) == 1:
            return signers
        self.characters += len(text)
        if len(self.waiting) >= _MOST_WAITING or self.characters > MOST_CHARACTERS:
            raise NoteError(Fault.NOTE_NOT_SIGNED, "one more by no known key than are kept until the keys are known")
        self.waiting.append((step, text))  # by several keys: which of them counts is known at the end
        return ()

    def lost(self, text: str, log: r.Log | None) -> note.Checkpoint | None:
        """Return a checkpoint by a key that a restore ended, of a tree larger than it signs; None for any other."""
        if log is None or not log.restores:
            return None
        known = log_keys.history(log, self.pinned.name)
        ended = {row.retired_by: row for row in log.retired}
        try:
            opened = note.open_note(text, {note.NoteVerifier(self.pinned.name, key.public_key) for key in known.keys})
            found = note.Checkpoint.from_text(opened.text)
        except NoteError:
            return None
        signers = {signer.public_key for signer in opened.signers}
        gone = {ended[row.accepted_by].public_key for row in log.restores if row.kept_size < found.size}
        return found if signers <= gone else None

    def judge(self, log: r.Log | None, *, pinned_genesis: bool) -> None:
        """Hold all of it to what the log says of its keys."""
        if log is None:
            for step, _ in self.waiting:
                self.find(step, LOG, Fault.NOTE_NOT_SIGNED, "no signature by a known key")
            return
        known, pinned = log_keys.history(log, self.pinned.name), self.pinned.public_key
        signed, _ = self.greatest.get(pinned, (-1, ""))
        if not known.has(pinned) and (self.cut is None or signed <= self.cut):
            self.find("genesis", 0, "OTHER_LOG_KEY", "it names another log key than the pinned one")
        for step, text in self.waiting:
            try:
                checkpoint, signers = known.open(text)
            except NoteError as refused:
                self.find(step, LOG, refused.fault, refused.detail)
                continue
            self.vouched |= pinned in signers and checkpoint.size >= log_keys.FOUNDED
        for public_key, (size, step) in self.greatest.items():
            key = next((key for key in known.keys if key.public_key == public_key), None)
            if key is not None and not key.signs(size):
                ended = f"{size} entries, signed by a key of this log that ended at {key.last_size}"
                self.find(step, LOG, Fault.LOG_KEY_ENDED, ended)
        if log.retired and not (self.vouched or pinned_genesis or signed >= log_keys.FOUNDED):
            detail = "the pinned key signed no checkpoint of this log that covers its founding: pin the founding"
            self.find("genesis", 0, "KEY_NOT_VOUCHED", detail)
