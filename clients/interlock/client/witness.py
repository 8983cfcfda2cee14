"""A witness: it signs that the newest head of a log extends every head that it has signed before.

 1. checkpoint   a key of the log that is known here signed it, and had not ended there
 2. own head     what this witness signed last for that log, read under a lock; its signatures were checked then
 3. not smaller  a smaller tree is never signed: the log was rolled back, and the server is shown what it has lost; but
                 a head that the recovery quorum gave up is let go of, once whoever runs the witness has said so
 4. consistent   the same size has the same root, a larger one comes with a consistency proof from the own head;
                 two heads that disagree are kept as proof of the fork
 5. store        the new head is on the disk, folder and all
 6. sign         only then is the cosignature made (C2SP tlog-cosignature), and sent

Lives here: the procedure and the folder it keeps (`witness.key`, `witness.json`). Not here: how often (command line),
which witnesses count (the server's configuration, and whoever reads cosignatures). Source: C2SP tlog-witness.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.client import files
from interlock.client.errors import ForkError, InterlockError, ProfileError, RollbackError, UnprovenError
from interlock.client.keyfile import load_key
from interlock.client.keymaking import create_keys
from interlock.client.memory import keep_fork
from interlock.client.proving import SignedCheckpoint, open_signed
from interlock.proofs import cosignature, keys, note
from interlock.proofs.errors import Fault
from interlock.proofs.errors import RefusedError as ProofRefused

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from interlock.client.groups.audit import Audit
    from interlock.client.keyfile import Passphrase
    from interlock.proofs.log_keys import LogKeys

_USE: Final = "witness"
_STATE: Final = "witness.json"
_LOCK: Final = "witness.lock"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A head that was cosigned: size, root, size of the own head that it extends (0: none), and the whole note."""

    size: int
    root: bytes
    before: int
    note: str


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness's name, key and folder."""

    name: str
    key: Ed25519PrivateKey
    folder: Path

    @property
    def vkey(self) -> str:
        """The verifier key: what a server and whoever relies on this witness must know."""
        return cosignature.WitnessKey(self.name, keys.public_bytes(self.key)).vkey

    def cosign(self, audit: Audit, known: LogKeys, now: int, *, accept_restored: bool = False) -> Witnessed:
        """Look at the log's newest head once, and cosign it; ``now`` is POSIX time in seconds.

        With ``accept_restored`` an own head that was lost with a restore is let go of, and kept beside the new one:
        only where its key ended before it, as whoever runs the witness has verified. Raises RollbackError, ForkError
        and UnprovenError where nothing was signed because of what the log is, and the other errors of a call.
        """
        head = open_signed(audit.checkpoint_note(), known)  # 1
        origin = known.origin
        with files.locked(self.folder / _LOCK):
            own = self._heads().get(origin)  # 2
            before = _own_head(own) if own is not None else None
            if before is not None and accept_restored and _is_lost(audit, before, head, known):
                keep_fork(self.folder, before.note, head.note)
                before = None
            if before is not None and head.size < before.size:  # 3
                self._show_what_was_lost(audit, before, now)
                raise RollbackError(
                    f"the log has {head.size} entries, this witness has signed its head of {before.size}: it was "
                    f"rolled back",
                    reason="LOG_ROLLED_BACK",
                )
            if before is not None:
                audit.prove_extension(before, head)  # 4
            self._store(origin, _own_note(head))  # 5
            line = self._sign(head, now)  # 6
        return Witnessed(
            head.size,
            head.root,
            before.size if before is not None else 0,
            audit.add_cosignature(_own_note(head) + line),
        )

    def _sign(self, head: SignedCheckpoint, now: int) -> str:
        return cosignature.sign(note.split_note(head.note).text, self.name, self.key, now)

    def _show_what_was_lost(self, audit: Audit, before: SignedCheckpoint, now: int) -> None:
        """Send the server its own signed head: it stops to rely on its log, and says so by an error."""
        try:
            audit.add_cosignature(before.note + self._sign(before, now))
        except InterlockError:
            return

    def _heads(self) -> dict[str, str]:
        return _load(self.folder).heads

    def _store(self, origin: str, text: str) -> None:
        _save(self.folder, _State(self.name, {**self._heads(), origin: text}))


@dataclass(frozen=True, slots=True)
class _State:
    """What `witness.json` says: the witness's name, and the note of the last head signed, by origin."""

    name: str
    heads: dict[str, str]


def create_witness(folder: Path, name: str, passphrase: bytes) -> str:
    """Make a witness's key and its empty memory in a folder; return the verifier key. Raises ProfileError."""
    try:
        note.check_key_name(name)
    except ProofRefused as refused:
        raise ProfileError(f"not a witness's name: {refused}", reason="KEY_NAME") from refused
    (made,) = create_keys(folder, (_USE,), passphrase)
    _save(folder, _State(name, {}))
    return cosignature.WitnessKey(name, made.public).vkey


def load_witness(folder: Path, passphrase: Passphrase) -> Witness:
    """Open a witness's folder. Raises ProfileError; a memory that is gone is not taken for an empty one."""
    state = _load(folder)
    return Witness(state.name, load_key(folder / f"{_USE}.key", passphrase), folder)


def _load(folder: Path) -> _State:
    path = folder / _STATE
    try:
        kept = json.loads(path.read_text("utf-8"))
        return _State(str(kept["name"]), {str(origin): str(text) for origin, text in kept["heads"].items()})
    except OSError as error:
        raise ProfileError(
            f"{path} can't be read: {error.strerror}. `interlock audit witness-key` makes a new witness; "
            "nothing makes the memory of one that signed before",
            reason="NO_WITNESS",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProfileError(f"{path} is damaged: what this witness has signed is lost", reason="MEMORY") from error


def _save(folder: Path, state: _State) -> None:
    text = json.dumps({"name": state.name, "heads": state.heads}, indent=2)
    files.write_durably(folder / _STATE, text.encode() + b"\n")


def _is_lost(audit: Audit, before: SignedCheckpoint, head: SignedCheckpoint, known: LogKeys) -> bool:
    """Say whether a head is by a key that ended before it, and the new one does not extend it."""
    try:
        known.open(before.note)
    except ProofRefused as refused:
        if refused.fault is not Fault.LOG_KEY_ENDED:
            return False
    else:
        return False
    if head.size < before.size:
        return True
    try:
        audit.prove_extension(before, head)
    except (ForkError, UnprovenError):
        return True
    return False


def _own_head(text: str) -> SignedCheckpoint:
    """Return the head that this witness signed last, by whichever key of the log."""
    try:
        head = note.Checkpoint.from_text(note.split_note(text).text)
    except ProofRefused as refused:
        raise ProfileError(f"the witness's memory is damaged: {refused}", reason="MEMORY") from refused
    return SignedCheckpoint(text, head.size, head.root)


def _own_note(head: SignedCheckpoint) -> str:
    """Return a note with the log's own signature alone."""
    parts = note.split_note(head.note)
    origin = note.Checkpoint.from_text(parts.text).origin
    return f"{parts.text}\n" + "".join(row.line for row in parts.signatures if row.name == origin)
