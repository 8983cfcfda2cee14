"""What the verifier is told beforehand, and what it says in the end: values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from interlock.proofs import cosignature, note

if TYPE_CHECKING:
    from interlock.proofs.log_keys import LogKey
    from interlock.statemachine.resources import Restore, RetiredKey

LOG: Final = -1
"""Position of a finding that is about the log as a whole."""

STEPS: Final = ("checkpoint", "genesis", "tree", "history", "replay", "sign-offs", "consent", "digests")
"""The steps of every verification, in order."""

BUNDLE_STEPS: Final = (*STEPS, "file")
"""The steps of a bundle's."""

Progress: TypeAlias = Callable[[int, int], None]
"""Hears of (entries done, entries in all)."""

Find: TypeAlias = Callable[[str, int, str, str], None]
"""Takes a finding: step, position, code, detail."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verifier believes beforehand.

    ``log_key`` is a verifier key that the log has, or had. Without ``genesis_digest`` and ``log_id`` (empty) any
    founding by this key is taken, and the report says that it was not pinned. ``heads`` are tree heads seen earlier, as
    (size, root), ``seen`` their notes as far as they are known; ``notes`` are signed heads that are given along, whose
    signatures are held to the log's keys.
    ``accept_asserted`` takes the server's word where nobody signed, ``partial_ok`` a bundle of some models alone;
    ``accept_restored`` lets go of heads that were seen and are lost since, where the recovery quorum accepted a loss.
    ``witnesses`` are those that this reader relies on, and ``least_witnesses`` how many of them must have cosigned the
    head, between ``cosigned_since`` and ``cosigned_until`` (POSIX seconds; the latter by the reader's own clock).
    """

    log_key: str
    log_id: bytes = b""
    genesis_digest: bytes = b""
    heads: tuple[tuple[int, bytes], ...] = ()
    seen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    least_size: int = 0
    accept_asserted: bool = False
    partial_ok: bool = False
    accept_restored: bool = False
    witnesses: tuple[cosignature.WitnessKey, ...] = ()
    least_witnesses: int = 0
    cosigned_since: int = 0
    cosigned_until: int = cosignature.MAX_TIMESTAMP

    def __post_init__(self) -> None:
        """Refuse a key that is none: raises `NoteError`; and more witnesses than there are: ValueError."""
        note.NoteVerifier.from_vkey(self.log_key)
        known = len({witness.public_key for witness in self.witnesses})
        if self.least_witnesses > known:
            msg = f"{self.least_witnesses} witnesses are asked for, and {known} are known"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and where: ``position`` is that of an entry, or -1 for the log as a whole."""

    step: str
    position: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Erased:
    """That a text which the entry at ``position`` names was erased by the entry ``by``; ``field`` is what it was."""

    position: int
    field: str
    by: int


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step of the procedure, and what it found good.

    ``passed``: everything was judged, and nothing is wrong. A step that judged less has neither passed nor a finding:
    ``unjudged_from`` is the first entry that it did not look at, and ``detail`` is about what comes before that.
    """

    number: int
    name: str
    passed: bool
    detail: str
    unjudged_from: int | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was judged: entries, statements signed, loosening steps, and what entries name by digest."""

    entries: int = 0
    sign_offs: int = 0
    signed: int = 0
    asserted: int = 0
    objects: int = 0
    texts_given: int = 0
    texts_withheld: int = 0
    documents: int = 0

    def less(self, before: Counts) -> Counts:
        """Return what came after ``before``."""
        return Counts(*(getattr(self, item.name) - getattr(before, item.name) for item in fields(self)))


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a log was judged: up to entry ``last``, out of ``given`` entries and so many resources.

    ``models`` are those that a selection covers; none for a range, which has every entry from ``begin`` on.
    """

    begin: int
    last: int
    given: int
    resources: int
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome. ``root`` is the recomputed one over ``entries``; only without findings is the log verified.

    ``signed`` and ``asserted`` count the loosening transitions: those whose sign-offs were verified against keys of a
    countersigned founding, and those that rest on the server's word. ``witnessed`` names the trusted witnesses that
    cosigned the head. ``keys`` are those that the log has had, ``retired`` where each but the last ended, ``restores``
    what was accepted as lost; ``let_go``: something that was seen is lost, and whoever verified accepts it. ``before``
    is what an earlier verification of this log judged here, ``now`` what this one did; ``anew`` says why one that was
    kept was of no use, ``not_kept`` why this one could not be kept for the next.
    """

    entries: int
    root: bytes
    development: bool
    genesis_digest: bytes
    genesis_pinned: bool
    countersigned: tuple[str, ...]
    sign_offs: int
    signed: int
    asserted: int
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    witnessed: tuple[str, ...] = ()
    erased: tuple[Erased, ...] = ()
    keys: tuple[LogKey, ...] = ()
    retired: tuple[RetiredKey, ...] = ()
    restores: tuple[Restore, ...] = ()
    before: Counts = Counts()
    now: Counts = Counts()
    part: Part | None = None
    let_go: bool = False
    anew: str = ""
    not_kept: str = ""

    def also(self, finding: Finding) -> VerifyReport:
        """Return the report with one finding more."""
        failed = (Step(row.number, row.name, passed=False, detail="") for row in self.steps)
        steps = (wrong if row.name == finding.step else row for row, wrong in zip(self.steps, failed, strict=True))
        return replace(self, findings=(*self.findings, finding), steps=tuple(steps))

    @property
    def verified(self) -> bool:
        """Whether everything holds."""
        return not self.findings

    @property
    def last_line(self) -> str:
        """The line that scripts look for; it begins with `verified:` only where everything holds.

        What covers some models alone never does: that line begins with `PARTIAL:`, also where that was not accepted.
        """
        part, verdict = self.part, "verified" if self.verified else "NOT VERIFIED"
        if part is None:
            return f"{verdict}: {self.entries} entries, root {self.root.hex()}"
        if not part.models:
            from_ = f", from the state that entry {part.begin} states" if part.begin else ""
            return f"{verdict}: entries {part.begin} to {part.last} of {self.entries}{from_}, root {self.root.hex()}"
        if {row.code for row in self.findings} <= {"PARTIAL"}:
            verdict = "PARTIAL"
        covers = f"covers {', '.join(part.models)} up to entry {part.last}"
        return f"{verdict}: {covers} with {part.given} of {self.entries} entries, root {self.root.hex()}"
