"""The procedure, step by step; the same for a live log and for a bundle.

 1. checkpoint   the tree head is signed by the pinned log key, or by the one that the log has in its place by now,
                 cosigned by as many trusted witnesses as are asked for, and no smaller than what was seen before
 2. genesis      the founding document is the pinned one, of the pinned log; the pinned key is one that this log has had
 3. tree         leaf hashes of the stored bytes give the checkpoint's root, in size and value
 4. history      every checkpoint seen before, or given along, is a head of this same tree, by a key that had not ended
 5. replay       each entry is decided again by these rules: transitions, sign-offs, keys, rights, quorums
 6. sign-offs    each statement names a tree head that this log really had before it, and so does each new log key
 7. consent      each loosening step was signed for, and rests not on the server's word
 8. digests      contents, packs, texts and documents that are given are what entries name, and nothing else is given
 9. file         of a bundle alone: it is whole, and undamaged

Bytes come as a stream and are dropped as they are judged; what grows with the log is on disk, in temporary files: the
fold, and 32 bytes an entry. Lives here: the procedure. Not here: where records come from, what is said in the end
(`summary.py`), printing. Not checked: that the log is the only one (witnesses), and that the clock was right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, Self

from interlock.client.verify import summary
from interlock.client.verify.consent import Consent
from interlock.client.verify.digests import Documents, Objects
from interlock.client.verify.fold import Fold
from interlock.client.verify.history import History
from interlock.client.verify.report import LOG, STEPS, Counts, Finding
from interlock.client.verify.roots import Roots
from interlock.client.verify.signing_keys import SigningKeys
from interlock.client.verify.texts import Texts
from interlock.client.verify.witnesses import Witnesses
from interlock.proofs import merkle, note
from interlock.proofs.errors import RefusedError
from interlock.statemachine import codec, signoff, statements
from interlock.statemachine import commands as c
from interlock.statemachine.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from interlock.client.verify.report import Progress, Trust, VerifyReport
    from interlock.client.verify.texts import Text
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.resources import Log
    from interlock.statemachine.state import State

    Visit = Callable[[Entry, State, Policy | None], None]

MAX_FINDINGS: Final = 1000
"""How many findings are kept: what is wrong is plain long before."""

MAX_DETAIL: Final = 1000
"""Characters of each: what it quotes may be as long as somebody else wanted."""


class Record(Protocol):
    """An entry's stored bytes, and the objects that it names (`interlock.v1.EntryRecord`)."""

    @property
    def entry(self) -> bytes:
        """The stored bytes."""

    @property
    def objects(self) -> Sequence[bytes]:
        """The objects' bytes."""


def verify_log(
    records: Iterable[Record], checkpoint_note: str, trust: Trust, progress: Progress | None = None
) -> VerifyReport:
    """Verify a log from its records in order and its signed checkpoint. Bad data gives findings, never an exception.

    Records past the checkpoint are not looked at: nothing vouches for them yet.
    """
    with Procedure(trust) as procedure:
        procedure.open_head(checkpoint_note)
        return procedure.judge(records, progress)


@dataclass(slots=True)
class Procedure:
    """One verification: `open_head`, `take` each entry, `close`, `report`. Use it as a context manager."""

    ROOTS: ClassVar[type[Roots]] = Roots

    trust: Trust
    visit: Visit | None = None
    findings: list[Finding] = field(default_factory=list)
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    head: note.Checkpoint | None = None
    genesis: bytes = b""
    sign_offs: int = 0
    before: Counts = field(default_factory=Counts)
    objects: Objects = field(default_factory=Objects)
    consent: Consent = field(default_factory=Consent)
    fold: Fold = field(init=False)
    documents: Documents = field(init=False)
    texts: Texts = field(init=False)
    replay: Replay = field(init=False)
    roots: Roots = field(init=False)
    keys: SigningKeys = field(init=False)
    history: History = field(init=False)
    witnesses: Witnesses = field(init=False)

    def __post_init__(self) -> None:
        self.keys = SigningKeys(note.NoteVerifier.from_vkey(self.trust.log_key), self.find)
        self.fold = Fold(in_memory=self.visit is not None)  # who visits may keep what was shown
        self.documents = Documents(self.fold)
        self.texts = Texts(self.fold)
        self.replay = Replay(self.objects.resolve, self.fold.begin())
        self.roots = self.ROOTS()
        self.history = History(self.trust, self.keys, self.roots, self.find)
        self.witnesses = Witnesses(self.trust, self.find)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Give the temporary files back."""
        self.roots.close()
        self.fold.close()

    @property
    def size(self) -> int:
        """How many entries the checkpoint covers; 0 where there is none to believe."""
        return self.head.size if self.head is not None else 0

    def find(self, step: str, position: int, code: str, detail: str) -> None:
        """Note a finding."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(step, position, code, detail[:MAX_DETAIL]))

    def open_head(self, text: str) -> None:
        """Step 1."""
        self.head = self.keys.open("checkpoint", text, None)
        if self.head is not None:
            self.witnesses.take_head(text)

    def go_on(self, before: Counts, frontier: merkle.Frontier, state: State, policy: Policy) -> None:
        """Stand where a verification without findings ended; fold and roots are there already. After `open_head`."""
        self.before, self.frontier = before, frontier
        self.replay.state, self.replay.policy = state, policy
        self.sign_offs = before.sign_offs
        self.consent.signed, self.consent.asserted = before.signed, before.asserted
        self.objects.used = before.objects
        self.texts.given, self.texts.withheld = before.texts_given, before.texts_withheld
        self.documents.recorded = before.documents
        self.keys.vouched = True
        self._check_genesis(state.log)  # the pins may be others than they were

    def judge(self, records: Iterable[Record], progress: Progress | None) -> VerifyReport:
        """Take the entries of a stream, up to the head, and close."""
        for record in records:
            if self.frontier.size >= self.size:
                break
            self.take(record.entry, record.objects)
            if progress is not None:
                progress(self.frontier.size, self.size)
        self.close()
        return self.report(STEPS)

    def take(self, data: bytes, objects: Sequence[bytes], texts: Sequence[Text] = ()) -> None:
        """Steps 2 to 8 for one entry, in the order of the log."""
        position = self.frontier.size
        self.frontier = self.frontier.append(merkle.leaf_hash(data))
        self.roots.append(self.frontier.root())
        if self.replay.findings:
            return  # what follows an entry that should not be there has no meaning
        self.objects.load(objects)
        accepted = self.replay.feed(data)
        if accepted is None:
            found = self.replay.findings[-1]
            self.find("replay", position, found.code, found.detail)
            return
        if position == 0:
            self._check_genesis(accepted.state.log)
        self._check_heads(accepted.entry)
        self.consent.take(accepted)
        if not self.objects.settle():
            self._find_digest(
                position, "OBJECT_UNNAMED", "an object comes with it that it does not name, or comes twice"
            )
        self.texts.take(accepted.entry, texts, self._find_digest)
        self.documents.count(accepted.entry)
        self.replay.state = self.fold.settle(self.replay.state)
        if self.visit is not None:
            self.visit(accepted.entry, accepted.state, self.replay.policy)

    def take_checkpoint(self, text: str) -> None:
        """Step 4, for a checkpoint that was signed when the log had as many entries as were taken by now."""
        if self.history.take(text, self.frontier.size, self.log):
            self.witnesses.open("history", text)

    def begin_document(self, sha256: str, size: int) -> None:
        """Step 8, for the bytes of a document, which come by `documents.chunk`."""
        self.documents.begin(sha256, size, self._find_document)

    def close(self) -> None:
        """What can be said only once everything has come; also of a log in which nothing was ever founded."""
        size, head = self.frontier.size, self.head
        self.documents.end(self._find_document)
        if not self.replay.findings:  # else not every entry was looked at
            self.texts.end(self._find_digest)
        if head is not None and not self.genesis and not self.findings:
            self.find("genesis", LOG, "NO_GENESIS", "nothing was founded: there is no log to verify")
        if head is not None and size < head.size:
            self.find("tree", LOG, "TRUNCATED", f"{size} entries came, the checkpoint covers {head.size}")
        elif head is not None and size > head.size:
            self.find("tree", LOG, "SURPLUS", f"{size} entries came, the checkpoint covers {head.size}")
        elif head is not None and self.frontier.root() != head.root:
            gives = f"the entries give the root {self.frontier.root().hex()}"
            self.find("tree", LOG, "ROOT_MISMATCH", f"{gives}, the checkpoint says {head.root.hex()}")
        self.history.end(head, size, self.log)
        self.witnesses.end(self.replay.state.time)
        if head is not None:
            self.keys.judge(self.log, pinned_genesis=bool(self.trust.genesis_digest))
        if self.consent.asserted and not self.trust.accept_asserted:
            detail = (
                f"{self.consent.asserted} loosening steps, this the first, rest on the server's word: nobody signed"
            )
            self.find("consent", self.consent.first_asserted, "ASSERTED", detail)

    @property
    def log(self) -> Log | None:
        """The log's own resource, as far as it is known."""
        return self.replay.state.log if self.replay.state.size else None

    def report(self, steps: Sequence[str]) -> VerifyReport:
        """Put together what was found."""
        return summary.report_of(self, steps)

    def said(self) -> dict[str, str]:
        """Return what each step has to say where it finds nothing wrong."""
        return summary.said(self)

    def unjudged(self) -> dict[str, int]:
        """Return the steps that did not look at everything, each with the first entry that it has not judged."""
        return summary.unjudged(self)

    def _find_digest(self, position: int, code: str, detail: str) -> None:
        self.find("digests", position, code, detail)

    def _find_document(self, position: int, code: str, detail: str) -> None:
        """Step 8; which documents were recorded is not known where not every entry was looked at."""
        if code != "EVIDENCE_UNKNOWN" or not self.replay.findings:
            self._find_digest(position, code, detail)

    def _check_genesis(self, log: Log) -> None:
        """Step 2."""
        trust = self.trust
        self.genesis = log.genesis_digest
        if trust.genesis_digest not in {b"", log.genesis_digest}:
            detail = f"its digest is {log.genesis_digest.hex()}, pinned is {trust.genesis_digest.hex()}"
            self.find("genesis", 0, "GENESIS_DIFFERS", detail)
        if trust.log_id not in {b"", log.log_id}:
            self.find("genesis", 0, "OTHER_LOG", f"it founds the log {log.log_id.hex()}")

    def _check_heads(self, entry: Entry) -> None:
        """Step 6: replay has checked the signature, not that the tree head which it names is one of this log."""
        if isinstance(entry.command, c.Recover):
            self._check_last_head(entry, entry.command)
            return
        if not isinstance(entry.command, c.SignOffChange | c.WithdrawSignOffOfChange):
            return
        for envelope in entry.facts.envelopes:
            try:
                statement = signoff.claimed_statement(envelope)
            except (RefusedError, statements.StatementError) as error:
                self.find("sign-offs", entry.seq, "SIGN_OFF_FORMAT", str(error))
                continue
            self.sign_offs += 1
            if statement.checkpoint_size > entry.seq:
                self.find("sign-offs", entry.seq, "SIGN_OFF_CHECKPOINT", "it names a tree head of its own future")
            elif self.roots.at(statement.checkpoint_size).hex() != statement.checkpoint_root:
                said = f"{statement.signer} had seen another log"
                detail = f"{said}: its head of {statement.checkpoint_size} entries differs"
                self.find("sign-offs", entry.seq, "SIGN_OFF_CHECKPOINT", detail)

    def _check_last_head(self, entry: Entry, command: c.Recover) -> None:
        """Step 6, for a new log key: the head that is said to be the last one of the old key."""
        named = codec.decode_recovery(command.document).log_key
        if named is not None and self.roots.at(named.last.size) != named.last.root:
            detail = f"the last head of the old log key, of {named.last.size} entries, is none of this log"
            self.find("sign-offs", entry.seq, "LOG_HEAD", detail)
