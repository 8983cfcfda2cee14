"""What the verifications of a range and of a selection have in common: entries that are not here, and a state digest.

A gap says enough of the tree to go on behind it, so that root, earlier heads and the heads that signers named are held
to the log as in a full bundle, wherever the tree is known at their size. What a gap hides can't be judged: each kind
says when that matters (`NOT_DECIDABLE`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final

from interlock.client.verify.procedure import Procedure
from interlock.client.verify.roots import SparseRoots
from interlock.client.verify.rows import Rows
from interlock.proofs.errors import ProofError, RefusedError
from interlock.statemachine import codec, replay, signoff, statements
from interlock.statemachine import commands as c
from interlock.v1 import bundle_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock.client.verify.report import Part, VerifyReport
    from interlock.client.verify.roots import Roots
    from interlock.statemachine.entry import Entry

PARTIAL_STEP: Final = "state"
"""The step that a bundle of a part of the log has besides: what it has of the state is what an entry states."""


@dataclass(slots=True)
class PartialProcedure(Procedure, ABC):
    """A verification of a part. ``header`` says which; nobody signed it, and every word of it is checked."""

    ROOTS: ClassVar[type[Roots]] = SparseRoots

    header: bundle_pb2.BundleHeader = field(default_factory=bundle_pb2.BundleHeader)
    rows: Rows = field(default_factory=Rows)
    given: int = 0
    hidden: int = 0

    def __post_init__(self) -> None:
        Procedure.__post_init__(self)  # no `super()`: a dataclass with slots is made anew
        self.texts.whole = False

    def undecidable(self, position: int, detail: str) -> None:
        """Note that something is not here which it takes to judge what is."""
        self.find(PARTIAL_STEP, position, "NOT_DECIDABLE", detail)

    def stop(self, position: int, code: str, detail: str) -> None:
        """Note what makes it useless to judge any entry after it."""
        if not self.replay.findings:
            self.find(PARTIAL_STEP, position, code, detail)
            self.replay.findings.append(replay.Finding(position, code, detail))

    def take_resource(self, row: bundle_pb2.BundleResource) -> None:
        """Take a leaf of the state digest."""
        self.rows.take(row.name, row.position, row.form, row.sha256)

    def skip_resources(self, size: int, hashes: Sequence[bytes]) -> None:
        """Go over leaves of the state digest."""
        self.rows.skip(size, hashes)

    def skip(self, size: int, hashes: Sequence[bytes]) -> None:
        """Go over entries that are not here."""
        begin = self.frontier.size
        if self.findings and self.findings[-1].code == "GAP":
            return
        if size > max(self.size - begin, 0):
            self.find("tree", begin, "GAP", f"{size} entries are left out where the head has {self.size} in all")
            return
        try:
            self.frontier = self.frontier.skip(size, hashes)
        except ProofError as error:
            self.find("tree", begin, "GAP", f"{size} entries are left out: {error.detail}")
            return
        self.hidden += size
        if isinstance(self.roots, SparseRoots):
            self.roots.skip(size - 1)
        self.roots.append(self.frontier.root())
        self.left_out(begin, begin + size)

    @abstractmethod
    def left_out(self, begin: int, end: int) -> None:
        """Judge that the entries [begin, end) are not here."""

    @abstractmethod
    def part(self) -> Part:
        """Return which part of the log was judged."""

    def report(self, steps: Sequence[str]) -> VerifyReport:
        """Put together what was found."""
        return replace(Procedure.report(self, (*steps, PARTIAL_STEP)), part=self.part())

    def _find_digest(self, position: int, code: str, detail: str) -> None:
        """Step 8; which text an erasure was of may be named by an entry that is not here."""
        if code != "ERASED_UNKNOWN":
            Procedure._find_digest(self, position, code, detail)  # noqa: SLF001  # its own

    def _check_heads(self, entry: Entry) -> None:
        """Step 6; a head that a signer named must be one of those that are known here."""
        if isinstance(entry.command, c.Recover):
            self._check_last_known(entry, entry.command)
            return
        for envelope in entry.facts.envelopes:
            try:
                size = signoff.claimed_statement(envelope).checkpoint_size
            except (RefusedError, statements.StatementError):
                continue  # said by the whole check
            if size <= entry.seq and not self.roots.at(size):
                self.undecidable(entry.seq, f"it was signed at the head of {size} entries, which lies in a gap")
                return
        Procedure._check_heads(self, entry)  # noqa: SLF001  # its own

    def _check_last_known(self, entry: Entry, command: c.Recover) -> None:
        """Step 6, for a new log key."""
        named = codec.decode_recovery(command.document).log_key
        if named is not None and not self.roots.at(named.last.size):
            detail = f"the last head of the old log key, of {named.last.size} entries, lies in a gap"
            self.undecidable(entry.seq, detail)
            return
        Procedure._check_heads(self, entry)  # noqa: SLF001  # its own

    def said(self) -> dict[str, str]:
        """Of a part there is less to say of tree and replay, and more of the state."""
        part, size = self.part(), self.frontier.size
        tree = f"{part.given} leaves and {self.hidden} in gaps give the root {self.frontier.root().hex()}"
        again = f"{part.given} of {size} entries are here, judged up to {part.last}"
        state = (
            f"{part.resources} resources are as entry {self.header.digest} states" if part.resources else "none given"
        )
        return Procedure.said(self) | {"tree": tree, "replay": again, PARTIAL_STEP: state}

    def unjudged(self) -> dict[str, int]:
        """Also the state, where the entry that states its digest was not reached."""
        found = Procedure.unjudged(self)
        return found if self.state_judged else {**found, PARTIAL_STEP: 0}

    @property
    @abstractmethod
    def state_judged(self) -> bool:
        """Whether the state was held to the entry that states its digest."""
