"""The log's own keys: which one signed checkpoints of which sizes, and how the next one is named (ledger design).

A key ends at a size: of a larger tree it signs no head, whoever has it by then. A change rotates the key, with a word
of the old one, which ends before the entry; the recovery quorum names one without, and says where the old one ends.
Whose consent that takes is judged elsewhere (`changes.py`, `recovery.py`), signatures over checkpoints by
`interlock.proofs.log_keys`. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from interlock.proofs import keys, merkle
from interlock.proofs.errors import RefusedError
from interlock.proofs.log_keys import LogKey, LogKeys
from interlock.statemachine import possession
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.entry import RecoveryDocument, TreeHead
    from interlock.statemachine.firings import LogRotateKey
    from interlock.statemachine.state import State

FOUNDED: Final = 2
"""The size of a log that is founded: the entry that names its quorum and the one that closes the founding."""


def history(log: r.Log, origin: str) -> LogKeys:
    """Return the log's keys, oldest first, each with the last size that it may sign."""
    retired = (LogKey(row.public_key, row.last_size) for row in log.retired)
    return LogKeys(origin, (*retired, LogKey(log.log_key)))


def keys_of(log: r.Log) -> frozenset[bytes]:
    """Return every key that is or was the log's own: none of them is ever anybody's."""
    return frozenset({log.log_key, log.decision_key, *(row.public_key for row in log.retired)})


def proof_bytes(log_id: bytes, public_key: bytes) -> bytes:
    """Return what a new log key signs. Raises KeyMaterialError for what is no key."""
    return possession.registration_bytes(log_id, "log", "log", keys.fingerprint(public_key))


def rotation_bytes(log_id: bytes, public_key: bytes) -> bytes:
    """Return what the key in force signs for the one that takes its place. Raises as ``proof_bytes``."""
    return possession.rotation_bytes(log_id, "log", "log", keys.fingerprint(public_key))


def faults(state: State, document: RecoveryDocument) -> Iterator[Unmet]:
    """Yield what stands against the key and the restore that a document names; nothing where it names neither."""
    named, lost = document.log_key, document.lost
    if named is not None:
        yield from _key_faults(state, named.public_key, named.proof)
        yield from _last_faults(state, named.last, restored=lost is not None)
    elif lost is not None:
        yield Unmet(Code.LOG_HEAD, "a new log key, whose predecessor ends at the head restored to", "none", "log")
    if lost is not None and (lost.size <= state.size or len(lost.root) != merkle.HASH_BYTES):
        wish = f"the root of a lost tree of more than {state.size} entries"
        yield Unmet(Code.NOT_ROLLED_BACK, wish, _in_words(lost), "log")


def rotation_faults(state: State, firing: LogRotateKey) -> Iterator[Unmet]:
    """Yield what stands against a rotation: of the new key as for any, and that the old one says no word for it."""
    log = state.log
    if log.retired and log.retired[-1].retired_by == state.size:
        yield Unmet(Code.KEY_TAKEN, "one new log key in a change", "two", "log")
        return
    found = tuple(_key_faults(state, firing.public_key, firing.proof))
    yield from found
    if any(unmet.code is Code.POSSESSION for unmet in found):
        return
    try:
        keys.verify(log.log_key, rotation_bytes(log.log_id, firing.public_key), firing.replaces_proof)
    except RefusedError as error:
        wish = (
            "the signature of the log key in force over this log's id and the new key; without it, a recovery names one"
        )
        yield Unmet(Code.POSSESSION, wish, str(error), "log")


def rotated(state: State, firing: LogRotateKey) -> r.Log:
    """Return the log with the new key in force from the entry at the head on, which the old one signs no more."""
    gone = r.RetiredKey(state.log.log_key, state.size, state.size)
    return replace(state.log, log_key=firing.public_key, retired=(*state.log.retired, gone))


def _key_faults(state: State, public_key: bytes, proof: bytes) -> Iterator[Unmet]:
    try:
        fingerprint = keys.fingerprint(public_key)
        keys.verify(public_key, proof_bytes(state.log.log_id, public_key), proof)
    except RefusedError as error:
        yield Unmet(Code.POSSESSION, "the new log key's own signature over this log's id and it", str(error), "log")
        return
    owner = "the log" if public_key in keys_of(state.log) else state.key_owner.get(fingerprint)
    if owner is not None:
        yield Unmet(Code.KEY_TAKEN, "a key that was never used in this log", f"of {owner}", "log")


def _last_faults(state: State, last: TreeHead, *, restored: bool) -> Iterator[Unmet]:
    """Yield why a head can't be the last one of the old key. That its root is this log's, is not known here."""
    least = max((FOUNDED, *(row.last_size for row in state.log.retired)))
    if len(last.root) != merkle.HASH_BYTES or not least <= last.size <= state.size:
        wish = f"the root of a tree of {least} to {state.size} entries as the last head of the old key"
        yield Unmet(Code.LOG_HEAD, wish, _in_words(last), "log")
    elif restored and last.size != state.size:
        wish = f"the head restored to, of all {state.size} entries, as the last head of the old key"
        yield Unmet(Code.LOG_HEAD, wish, _in_words(last), "log")


def named(state: State, document: RecoveryDocument) -> tuple[r.Log, tuple[Transition, ...]]:
    """Return the log with the key that a document names in force, and the edges; as it was where it names none."""
    log, key, lost = state.log, document.log_key, document.lost
    if key is None:
        return log, ()
    moves = [Transition("log", "log.name_key", "closed", "closed")]
    gone = r.RetiredKey(log.log_key, key.last.size, state.size)
    log = replace(log, log_key=key.public_key, retired=(*log.retired, gone))
    if lost is not None:
        moves.append(Transition("log", "log.accept_restore", "closed", "closed"))
        row = r.Restore(key.last.size, key.last.root, lost.size, lost.root, state.size)
        log = replace(log, restores=(*log.restores, row))
    return log, tuple(moves)


def _in_words(head: TreeHead) -> str:
    return f"{head.size} entries, root {head.root.hex() or 'none'}"
