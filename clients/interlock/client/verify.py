"""The verifier: everything that a log claims, checked again from its first byte, trusting one pinned key.

 1. checkpoint   the tree head is signed by the pinned log key, and no smaller than what was seen before
 2. genesis      the founding document is the pinned one, of the pinned log and key
 3. tree         leaf hashes of the stored bytes give the checkpoint's root, in size and value
 4. history      every checkpoint seen before is a head of this same tree
 5. replay       each entry is decided again by these rules: transitions, sign-offs, keys, rights, quorums
 6. sign-offs    each statement names a tree head that this log really had before it

Bytes come as a stream and are dropped as they are judged; what grows with the log is the fold, and 32 bytes an entry in
a temporary file. Lives here: the procedure. Not here: where records come from, printing. Not checked: that the log is
the only one (witnesses), texts and evidence blobs (they are not in the stream), that the clock was right.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, Self

from interlock.proofs import dsse, merkle, note
from interlock.proofs.errors import RefusedError
from interlock.statemachine import codec, signoff
from interlock.statemachine import commands as c
from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.entry import Entry

    Progress = Callable[[int, int], None]

LOG: Final = -1
"""Position of a finding that is about the log as a whole."""


class Record(Protocol):
    """An entry's stored bytes, and the objects that it names first (`interlock.v1.EntryRecord`)."""

    @property
    def entry(self) -> bytes:
        """The stored bytes."""

    @property
    def objects(self) -> Sequence[bytes]:
        """The objects' bytes."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verifier believes beforehand. ``heads`` are tree heads seen earlier, as (size, root)."""

    log_key: str
    log_id: bytes
    genesis_digest: bytes
    heads: tuple[tuple[int, bytes], ...] = ()
    least_size: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and where: ``position`` is that of an entry, or -1 for the log as a whole."""

    step: str
    position: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step of the procedure, and what it found good."""

    number: int
    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome. ``root`` is the recomputed one over ``entries``; only without findings is the log verified."""

    entries: int
    root: bytes
    development: bool
    genesis_digest: bytes
    countersigned: tuple[str, ...]
    sign_offs: int
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]

    @property
    def verified(self) -> bool:
        """Whether everything holds."""
        return not self.findings

    @property
    def last_line(self) -> str:
        """The line that scripts look for; it begins with `verified:` only where everything holds."""
        verdict = "verified" if self.verified else "NOT VERIFIED"
        return f"{verdict}: {self.entries} entries, root {self.root.hex()}"


STEPS: Final = ("checkpoint", "genesis", "tree", "history", "replay", "sign-offs")


def verify_log(
    records: Iterable[Record], checkpoint_note: str, trust: Trust, progress: Progress | None = None
) -> VerifyReport:
    """Verify a log from its records in order and its signed checkpoint. Bad data gives findings, never an exception.

    Records past the checkpoint are not looked at: nothing vouches for them yet.
    """
    with _Verifier(trust) as verifier:
        checkpoint = verifier.open_checkpoint(checkpoint_note)
        size = checkpoint.size if checkpoint is not None else 0
        for record in records:
            if verifier.frontier.size == size:
                break
            verifier.take(record)
            if progress is not None:
                progress(verifier.frontier.size, size)
        verifier.close_tree(checkpoint)
        return verifier.report(checkpoint)


@dataclass(slots=True)
class _Verifier:
    trust: Trust
    findings: list[Finding] = field(default_factory=list)
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    objects: dict[bytes, bytes] = field(default_factory=dict)
    genesis: bytes = b""
    sign_offs: int = 0
    replay: Replay = field(init=False)
    roots: _Roots = field(init=False)

    def __post_init__(self) -> None:
        self.replay = Replay(self._resolve)
        self.roots = _Roots()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.roots.close()

    def find(self, step: str, position: int, code: str, detail: str) -> None:
        self.findings.append(Finding(step, position, code, detail))

    def open_checkpoint(self, text: str) -> note.Checkpoint | None:
        """Step 1."""
        try:
            checkpoint = note.open_checkpoint(text, note.NoteVerifier.from_vkey(self.trust.log_key))
        except RefusedError as refused:
            self.find("checkpoint", LOG, refused.fault, refused.detail)
            return None
        if checkpoint.size < self.trust.least_size:
            self.find(
                "checkpoint",
                LOG,
                "LOG_ROLLED_BACK",
                f"{checkpoint.size} entries, but {self.trust.least_size} were seen before",
            )
        return checkpoint

    def take(self, record: Record) -> None:
        """Steps 2 to 6 for one record, in the order of the log."""
        position = self.frontier.size
        self.frontier = self.frontier.append(merkle.leaf_hash(record.entry))
        self.roots.append(self.frontier.root())
        if self.replay.findings:
            return  # what follows an entry that should not be there has no meaning
        self.objects = {hashlib.sha256(item).digest(): item for item in record.objects}
        if position == 0:
            self._index_pack(record.objects)
        accepted = self.replay.feed(record.entry)
        if accepted is None:
            found = self.replay.findings[-1]
            self.find("replay", position, found.code, found.detail)
            return
        if position == 0:
            self._check_genesis(accepted)
        self._check_heads(accepted.entry)

    def close_tree(self, checkpoint: note.Checkpoint | None) -> None:
        """Steps 3 and 4, once the stream has ended; and step 2 for a log in which nothing was ever founded."""
        size = self.frontier.size
        if checkpoint is not None and not self.genesis and not self.findings:
            self.find("genesis", LOG, "NO_GENESIS", "nothing was founded: there is no log to verify")
        if checkpoint is not None and size < checkpoint.size:
            self.find("tree", LOG, "TRUNCATED", f"{size} entries came, the checkpoint covers {checkpoint.size}")
        elif checkpoint is not None and self.frontier.root() != checkpoint.root:
            self.find(
                "tree",
                LOG,
                "ROOT_MISMATCH",
                f"the entries give the root {self.frontier.root().hex()}, the checkpoint says {checkpoint.root.hex()}",
            )
        for seen_size, seen_root in self.trust.heads:
            if seen_size <= size and self.roots.at(seen_size) != seen_root:
                self.find(
                    "history",
                    LOG,
                    "LOG_FORKED",
                    f"the head of {seen_size} entries that was seen before is none of this log",
                )

    def report(self, checkpoint: note.Checkpoint | None) -> VerifyReport:
        """Put together what was found."""
        log = self.replay.state.log if self.replay.state.size else None
        return VerifyReport(
            entries=self.frontier.size,
            root=self.frontier.root(),
            development=log.development if log else False,
            genesis_digest=self.genesis,
            countersigned=log.countersigned if log else (),
            sign_offs=self.sign_offs,
            steps=self._steps(checkpoint),
            findings=tuple(self.findings),
        )

    def _index_pack(self, objects: Sequence[bytes]) -> None:
        """A pack is named by the digest of its files, not of the object that carries them."""
        for item in objects:
            try:
                self.objects[pack_digest(codec.decode_pack(item))] = item
            except codec.CodecError:
                continue

    def _resolve(self, digest: bytes) -> bytes:
        try:
            return self.objects[digest]
        except KeyError:
            raise LookupError(f"the object {digest.hex()} is not there, or has another digest") from None

    def _check_genesis(self, accepted: Accepted) -> None:
        """Step 2."""
        log = accepted.state.log
        self.genesis = log.genesis_digest
        if log.genesis_digest != self.trust.genesis_digest:
            self.find(
                "genesis",
                0,
                "GENESIS_DIFFERS",
                f"its digest is {log.genesis_digest.hex()}, pinned is {self.trust.genesis_digest.hex()}",
            )
        if log.log_id != self.trust.log_id:
            self.find("genesis", 0, "OTHER_LOG", f"it founds the log {log.log_id.hex()}")
        if log.log_key != note.NoteVerifier.from_vkey(self.trust.log_key).public_key:
            self.find("genesis", 0, "OTHER_LOG_KEY", "it names another log key than the pinned one")

    def _check_heads(self, entry: Entry) -> None:
        """Step 6: replay has checked the signature, not that the tree head which it names is one of this log."""
        if not isinstance(entry.command, c.SignOffChange | c.WithdrawSignOffOfChange):
            return
        for envelope in entry.facts.envelopes:
            try:
                statement = signoff.parse_statement(dsse.RawEnvelope.from_json(envelope).payload)
            except (RefusedError, signoff.StatementError) as error:
                self.find("sign-offs", entry.seq, "SIGN_OFF_FORMAT", str(error))
                continue
            self.sign_offs += 1
            if statement.checkpoint_size > entry.seq:
                self.find("sign-offs", entry.seq, "SIGN_OFF_CHECKPOINT", "it names a tree head of its own future")
            elif self.roots.at(statement.checkpoint_size).hex() != statement.checkpoint_root:
                self.find(
                    "sign-offs",
                    entry.seq,
                    "SIGN_OFF_CHECKPOINT",
                    f"{statement.signer} had seen another log: its head of {statement.checkpoint_size} entries differs",
                )

    def _steps(self, checkpoint: note.Checkpoint | None) -> tuple[Step, ...]:
        log = self.replay.state.log if self.replay.state.size else None
        key = self.trust.log_key.rpartition("+")[0]
        said = {
            "checkpoint": f"signed by {key}, {checkpoint.size} entries" if checkpoint else "",
            "genesis": f"{self.genesis.hex()}, countersigned by {len(log.countersigned) if log else 0}",
            "tree": f"{self.frontier.size} leaves give the root {self.frontier.root().hex()}",
            "history": f"{len(self.trust.heads)} heads seen before are in it",
            "replay": f"{self.replay.state.size} entries decided again, alike",
            "sign-offs": f"{self.sign_offs} statements name heads that this log had",
        }
        failed = {finding.step for finding in self.findings}
        return tuple(
            Step(number, name, name not in failed, said[name] if name not in failed else "")
            for number, name in enumerate(STEPS, start=1)
        )


class _Roots:
    """The root of every prefix of the log, 32 bytes each, in a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the verifier
        self._file.write(merkle.EMPTY_ROOT)

    def append(self, root: bytes) -> None:
        self._file.seek(0, 2)
        self._file.write(root)

    def at(self, size: int) -> bytes:
        self._file.seek(size * merkle.HASH_BYTES)
        return self._file.read(merkle.HASH_BYTES)

    def close(self) -> None:
        self._file.close()
