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
fold, and 32 bytes an entry. Lives here: the procedure. Not here: where records come from, printing. Not checked: that
the log is the only one (witnesses), and that the clock was right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, Self

from interlock.client.verify.consent import Consent
from interlock.client.verify.digests import Documents, Objects
from interlock.client.verify.fold import Fold
from interlock.client.verify.report import LOG, STEPS, Counts, Finding, Step, VerifyReport
from interlock.client.verify.roots import Roots
from interlock.client.verify.signing_keys import SigningKeys
from interlock.client.verify.texts import Texts
from interlock.proofs import cosignature, merkle, note
from interlock.proofs.errors import RefusedError
from interlock.statemachine import codec, log_keys, signoff, statements
from interlock.statemachine import commands as c
from interlock.statemachine.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from interlock.client.verify.report import Progress, Trust
    from interlock.client.verify.texts import Text
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.resources import Log, Restore
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

    trust: Trust
    visit: Visit | None = None
    findings: list[Finding] = field(default_factory=list)
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    head: note.Checkpoint | None = None
    witnessed: tuple[str, ...] = ()
    checkpoints: int = 0
    genesis: bytes = b""
    sign_offs: int = 0
    let_go: bool = False
    before: Counts = field(default_factory=Counts)
    objects: Objects = field(default_factory=Objects)
    consent: Consent = field(default_factory=Consent)
    fold: Fold = field(init=False)
    documents: Documents = field(init=False)
    texts: Texts = field(init=False)
    replay: Replay = field(init=False)
    roots: Roots = field(init=False)
    keys: SigningKeys = field(init=False)

    def __post_init__(self) -> None:
        self.keys = SigningKeys(note.NoteVerifier.from_vkey(self.trust.log_key), self.find)
        self.fold = Fold(in_memory=self.visit is not None)  # who visits may keep what was shown
        self.documents = Documents(self.fold)
        self.texts = Texts(self.fold)
        self.replay = Replay(self.objects.resolve, self.fold.begin())
        self.roots = Roots()

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

    @property
    def counts(self) -> Counts:
        """How much was judged, by this verification and by those that it goes on from."""
        return Counts(
            entries=self.frontier.size,
            sign_offs=self.sign_offs,
            signed=self.consent.signed,
            asserted=self.consent.asserted,
            objects=self.objects.used,
            texts_given=self.texts.given,
            texts_withheld=self.texts.withheld,
            documents=self.documents.recorded,
        )

    def find(self, step: str, position: int, code: str, detail: str) -> None:
        """Note a finding."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(step, position, code, detail[:MAX_DETAIL]))

    def open_head(self, text: str) -> None:
        """Step 1."""
        self.head = self.keys.open("checkpoint", text, None)
        if self.head is None:
            return
        self.witnessed = self._cosigners("checkpoint", text)
        if len(self.witnessed) < self.trust.least_witnesses:
            by = ", ".join(self.witnessed) or "none of them"
            needed = f"{self.trust.least_witnesses} of {len(self.trust.witnesses)} witnesses"
            self.find("checkpoint", LOG, "COSIGNATURES_MISSING", f"{needed} must have cosigned it; it is by {by}")

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
        self.checkpoints += 1
        seen = self.keys.open("history", text, self.log)
        if seen is None:
            return
        if (seen.size, seen.root) != (self.frontier.size, self.frontier.root()):
            self._find_fork(seen.size)
        self._cosigners("history", text)

    def begin_document(self, sha256: str, size: int) -> None:
        """Step 8, for the bytes of a document, which come by `documents.chunk`."""
        self.documents.begin(sha256, size, self._find_document)

    def close(self) -> None:
        """Steps 3, 4, 7 and 8, once everything has come; and step 2 for a log in which nothing was ever founded."""
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
        if head is not None and head.size < self.trust.least_size:
            detail = f"{head.size} entries, but {self.trust.least_size} were seen before"
            self._find_loss("checkpoint", self.trust.least_size, None, ("LOG_ROLLED_BACK", detail))
        for seen_size, seen_root in self.trust.heads:
            if seen_size <= size and self.roots.at(seen_size) != seen_root:
                detail = f"the head of {seen_size} entries that was signed before is none of this log"
                self._find_loss("history", seen_size, seen_root, ("LOG_FORKED", detail))
        for text in self.trust.notes:
            self._take_note(text)
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

    def _take_note(self, text: str) -> None:
        """Step 4, for a checkpoint that was given along: no smaller log, and this very tree."""
        lost = self.keys.lost(text, self.log)
        if lost is not None and self.roots.at(lost.size) != lost.root:
            self._say_lost("history", lost.size)
            return
        seen = self.keys.open("history", text, self.log)
        if seen is None:
            return
        if seen.size > self.frontier.size:
            detail = f"{self.frontier.size} entries, but {seen.size} were seen before"
            self.find("checkpoint", LOG, "LOG_ROLLED_BACK", detail)
        elif not (root := self.roots.at(seen.size)):
            detail = f"the tree of {seen.size} entries is not known: it ends in a gap"
            self.find("history", LOG, "NOT_DECIDABLE", detail)
        elif root != seen.root:
            self._find_fork(seen.size)

    def report(self, steps: Sequence[str]) -> VerifyReport:
        """Put together what was found."""
        log = self.log
        failed = {finding.step for finding in self.findings}
        said = self._said() | self._said_of_less()
        return VerifyReport(
            entries=self.frontier.size,
            root=self.frontier.root(),
            development=log.development if log else False,
            genesis_digest=self.genesis,
            genesis_pinned=bool(self.trust.genesis_digest),
            countersigned=log.countersigned if log else (),
            sign_offs=self.sign_offs,
            signed=self.consent.signed,
            asserted=self.consent.asserted,
            steps=tuple(
                Step(number, name, name not in failed, said[name] if name not in failed else "")
                for number, name in enumerate(steps, start=1)
            ),
            findings=tuple(self.findings),
            witnessed=self.witnessed,
            erased=self.texts.erased,
            keys=log_keys.history(log, self.keys.pinned.name).keys if log else (),
            retired=log.retired if log else (),
            restores=log.restores if log else (),
            let_go=self.let_go,
            before=self.before,
            now=self.counts.less(self.before),
        )

    def _said_of_less(self) -> dict[str, str]:
        """Return what the steps that follow replay have to say where it ended early: nothing after it was judged."""
        if not self.replay.findings:
            return {}
        last = f"nothing judged from entry {self.replay.findings[0].position} on"
        less = dict.fromkeys(("sign-offs", "consent", "digests"), last)
        return less if self.genesis else {"genesis": "nothing judged", **less}

    def _cosigners(self, step: str, text: str) -> tuple[str, ...]:
        """Return the trusted witnesses that cosigned a checkpoint, one name for each key."""
        try:
            found = cosignature.open_cosignatures(text, self.trust.witnesses)
        except RefusedError as refused:
            self.find(step, LOG, refused.fault, f"a witness's line: {refused.detail}")
            return ()
        return tuple({row.witness.public_key: row.witness.name for row in found}.values())

    def _find_digest(self, position: int, code: str, detail: str) -> None:
        self.find("digests", position, code, detail)

    def _find_document(self, position: int, code: str, detail: str) -> None:
        """Step 8; which documents were recorded is not known where not every entry was looked at."""
        if code != "EVIDENCE_UNKNOWN" or not self.replay.findings:
            self._find_digest(position, code, detail)

    def _find_fork(self, size: int) -> None:
        detail = f"the head of {size} entries that was signed before is none of this log"
        self.find("history", LOG, "LOG_FORKED", detail)

    def _find_loss(self, step: str, size: int, root: bytes | None, otherwise: tuple[str, str]) -> None:
        """Note that what was seen of ``size`` entries is not here: lost with a restore that was accepted, or for none.

        Of a position alone there is no root: then it is as the newest head that was seen. Such a head was lost where
        its key ended with the restore.
        """
        lost = [self.keys.lost(text, self.log) for text in self.trust.seen]
        if root is not None:
            accepted = any(head is not None and (head.size, head.root) == (size, root) for head in lost)
        else:
            accepted = self._restore_before(size) is not None and all(lost)
        if accepted:
            self._say_lost(step, size)
        else:
            self.find(step, LOG, *otherwise)

    def _restore_before(self, size: int) -> Restore | None:
        return next((row for row in self.log.restores if row.kept_size < size), None) if self.log else None

    def _say_lost(self, step: str, size: int) -> None:
        """Tell what was accepted as lost, unless whoever verifies has accepted it as well."""
        row = self._restore_before(size)
        self.let_go = self.let_go or self.trust.accept_restored
        if row is not None and not self.trust.accept_restored:
            most = max(size, row.lost_size)
            more = "" if size <= row.lost_size else f", more than the {row.lost_size} that the quorum knew of"
            kept = f"entry {row.accepted_by} accepts that the log was set back to {row.kept_size} of {most} entries"
            self.find(step, row.accepted_by, "LOG_RESTORED", f"{kept}: {size} were seen here{more}")

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

    def _signers(self) -> str:
        """Return who signed the head, and who cosigned it of those that are trusted."""
        log = self.trust.log_key.partition("+")[0]
        if not self.trust.witnesses:
            return log
        names = f" ({', '.join(self.witnessed)})" if self.witnessed else ""
        return f"{log} and {len(self.witnessed)} of {len(self.trust.witnesses)} witnesses{names}"

    def _history(self) -> str:
        """Say how many heads that were signed before are in it, and whether others were let go of."""
        trust = self.trust
        if not self.let_go:
            return f"{len(trust.heads) + len(trust.notes) + self.checkpoints} heads signed before are in it"
        here = sum(size <= self.frontier.size and self.roots.at(size) == root for size, root in trust.heads)
        return f"{here + self.checkpoints} heads signed before are in it; what was seen besides is let go of"

    def _said(self) -> dict[str, str]:
        """Return what each step has to say where it finds nothing wrong."""
        log = self.log
        pinned = "as pinned" if self.trust.genesis_digest else "not pinned"
        texts, documents = self.texts, self.documents
        given = f"{self.objects.used} contents and packs, {texts.given} texts, {documents.given} documents"
        gone = len(texts.erased)
        held = f"{texts.withheld - gone} texts and {documents.recorded - documents.given} documents by digest only"
        erased = f", {gone} texts erased" if gone else ""
        return {
            "checkpoint": f"signed by {self._signers()}, {self.size} entries",
            "genesis": f"{self.genesis.hex()}, {pinned}, countersigned by {len(log.countersigned) if log else 0}",
            "tree": f"{self.frontier.size} leaves give the root {self.frontier.root().hex()}",
            "history": self._history(),
            "replay": f"{self.replay.state.size} entries decided again, alike",
            "sign-offs": f"{self.sign_offs} statements name heads that this log had",
            "consent": f"{self.consent.signed} loosening steps signed, {self.consent.asserted} asserted by the server",
            "digests": f"{given}; {held}{erased}",
            "file": "whole, and its own digest holds",
        }
