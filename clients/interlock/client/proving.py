"""Proofs as a server gives them, checked against checkpoints that the log's key signed: then, and only then, values.

Lives here: opening and checking. Not here: asking for them (`groups/audit.py`), what was seen before (`memory.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.client.errors import DataLossError, UnprovenError
from interlock.proofs import merkle
from interlock.proofs.errors import Fault, ProofError
from interlock.proofs.errors import RefusedError as ProofRefused

if TYPE_CHECKING:
    from interlock.client.verify import Finding
    from interlock.proofs.log_keys import LogKeys
    from interlock.v1.audit_pb2 import ConsistencyProof, InclusionProof


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A tree head that a key of the profile's log signed, with its note as received."""

    note: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """That the leaf with ``leaf_hash`` is at ``position`` of the tree that ``checkpoint`` signs; checked."""

    position: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class ProvenExtension:
    """That the tree of ``second`` only appended to that of ``first``, both signed; checked."""

    first: SignedCheckpoint
    second: SignedCheckpoint
    hashes: tuple[bytes, ...]


def open_signed(text: str, known: LogKeys) -> SignedCheckpoint:
    """Return a checkpoint with a good signature by a key of the log that had not ended there. Raises DataLossError."""
    try:
        checkpoint, _ = known.open(text)
    except ProofRefused as refused:
        what = f"the server's checkpoint is refused: {refused}"
        if refused.fault == Fault.NOTE_NOT_SIGNED:
            what += ". If the log has another key by now, `interlock audit verify` says who named it"
        raise DataLossError(what, reason=refused.fault) from refused
    return SignedCheckpoint(text, checkpoint.size, checkpoint.root)


def check_inclusion(reply: InclusionProof, position: int, entry: bytes | None, known: LogKeys) -> ProvenEntry:
    """Check that an entry is where it was asked for; ``entry`` are its stored bytes, where the caller has them.

    Raises DataLossError for a checkpoint that is not signed so, UnprovenError for a proof that does not lead to it.
    """
    head = open_signed(reply.checkpoint, known)
    leaf = reply.leaf_hash if entry is None else merkle.leaf_hash(entry)
    hashes = tuple(reply.hashes)
    if (reply.tree_size, reply.leaf_index) != (head.size, position):
        raise UnprovenError(
            f"asked for entry {position}, the server proves entry {reply.leaf_index} of {reply.tree_size}",
            reason="OTHER_PROOF",
        )
    try:
        merkle.verify_inclusion(leaf, position, head.size, hashes, head.root)
    except ProofError as refused:
        raise UnprovenError(f"entry {position} is not proven: {refused}", reason=refused.fault) from refused
    return ProvenEntry(position, leaf, hashes, head)


def check_consistency(reply: ConsistencyProof, known: LogKeys) -> ProvenExtension:
    """Check that one signed tree extends another. Raises as `check_inclusion`."""
    first, second = open_signed(reply.first_checkpoint, known), open_signed(reply.second_checkpoint, known)
    hashes = tuple(reply.hashes)
    if (reply.first_size, reply.second_size) != (first.size, second.size):
        raise UnprovenError("the checkpoints are not those of the proof", reason="OTHER_PROOF")
    try:
        merkle.verify_consistency(first.size, second.size, hashes, first.root, second.root)
    except ProofError as refused:
        what = f"that {second.size} entries extend {first.size} is not proven: {refused}"
        raise UnprovenError(what, reason=refused.fault) from refused
    return ProvenExtension(first, second, hashes)


def fork_finding(why: str, kept: str) -> Finding:
    """Return the finding that two signed heads are not of one log; ``kept`` is the file that has both."""
    from interlock.client.verify.report import LOG, Finding  # noqa: PLC0415  # replay brings all of the rules

    where = f"; both are kept in {kept}" if kept else ""
    again = ". Whether the recovery quorum accepted a restore, `audit verify --full` says"
    what = f"the head is not one of the log that was verified here: {why}{where}{again}"
    return Finding("history", LOG, "LOG_FORKED", what)
