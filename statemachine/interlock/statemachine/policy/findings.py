"""What the loader has to say about a pack: findings with a place, a stable code and what to write instead."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(StrEnum):
    """How much a finding weighs: a pack with an error does not load, a clean one has no warning either."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(StrEnum):
    """Every kind of finding; the value is stable, the prose is not."""

    # The files and their text
    BAD_PATH = "BAD_PATH"
    TOO_MANY_FILES = "TOO_MANY_FILES"
    MISSING_FILE = "MISSING_FILE"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    BYTE_ORDER_MARK = "BYTE_ORDER_MARK"
    NOT_UTF8 = "NOT_UTF8"
    NOT_LF = "NOT_LF"
    NOT_NFC = "NOT_NFC"
    HIDDEN_CHARACTER = "HIDDEN_CHARACTER"
    # YAML
    YAML_SYNTAX = "YAML_SYNTAX"
    EMPTY_FILE = "EMPTY_FILE"
    EMPTY_VALUE = "EMPTY_VALUE"
    SEVERAL_DOCUMENTS = "SEVERAL_DOCUMENTS"
    DIRECTIVE = "DIRECTIVE"
    ANCHOR = "ANCHOR"
    ALIAS = "ALIAS"
    TAG = "TAG"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    KEY_NOT_TEXT = "KEY_NOT_TEXT"
    NUMBER_FORM = "NUMBER_FORM"
    TOO_DEEP = "TOO_DEEP"
    TOO_MANY_NODES = "TOO_MANY_NODES"
    # The shape of a pack
    UNKNOWN_KEY = "UNKNOWN_KEY"
    MISSING_KEY = "MISSING_KEY"
    WRONG_TYPE = "WRONG_TYPE"
    NOT_ONE_OF = "NOT_ONE_OF"
    BAD_ID = "BAD_ID"
    BAD_VERSION = "BAD_VERSION"
    BAD_TEXT = "BAD_TEXT"
    BAD_NUMBER = "BAD_NUMBER"
    BAD_DURATION = "BAD_DURATION"
    BAD_LENGTH = "BAD_LENGTH"
    # Names
    DUPLICATE_ID = "DUPLICATE_ID"
    UNKNOWN_LEVEL = "UNKNOWN_LEVEL"
    UNKNOWN_STANDARD = "UNKNOWN_STANDARD"
    UNKNOWN_CONTEXT = "UNKNOWN_CONTEXT"
    UNKNOWN_THRESHOLD = "UNKNOWN_THRESHOLD"
    UNKNOWN_SAFEGUARD = "UNKNOWN_SAFEGUARD"
    UNKNOWN_ROLE = "UNKNOWN_ROLE"
    UNKNOWN_RIGHT = "UNKNOWN_RIGHT"
    UNKNOWN_TRIGGER = "UNKNOWN_TRIGGER"
    UNKNOWN_EVIDENCE_KIND = "UNKNOWN_EVIDENCE_KIND"
    UNKNOWN_SEVERITY = "UNKNOWN_SEVERITY"
    UNKNOWN_CATEGORY = "UNKNOWN_CATEGORY"
    # Levels, thresholds, safeguards
    STUB_BASELINE = "STUB_BASELINE"
    LEVEL_WITHOUT_COMMITMENT = "LEVEL_WITHOUT_COMMITMENT"
    LEVEL_ADDS_NOTHING = "LEVEL_ADDS_NOTHING"
    CONTEXT_UNGUARDED = "CONTEXT_UNGUARDED"
    CONTEXT_GUARDED_AFTER_ALL = "CONTEXT_GUARDED_AFTER_ALL"
    THRESHOLD_TRACKED = "THRESHOLD_TRACKED"
    THRESHOLD_ASKS_NOTHING = "THRESHOLD_ASKS_NOTHING"
    SAFEGUARD_AT_STUB = "SAFEGUARD_AT_STUB"
    GUARDS_OUTSIDE_STANDARD = "GUARDS_OUTSIDE_STANDARD"
    REPLACES_NOT_LOWER = "REPLACES_NOT_LOWER"
    REPLACES_WEAKENS = "REPLACES_WEAKENS"
    # Roles, rules, obligations
    BUILT_IN_ROLE = "BUILT_IN_ROLE"
    RIGHT_LOOSENS = "RIGHT_LOOSENS"
    RIGHT_NEEDS_APPROVING = "RIGHT_NEEDS_APPROVING"
    RIGHT_ADMINISTERS = "RIGHT_ADMINISTERS"
    ROLE_DOES_NOT_APPROVE = "ROLE_DOES_NOT_APPROVE"
    TRIGGER_TIGHTENS = "TRIGGER_TIGHTENS"
    TRIGGER_HAS_NO_STANDARD = "TRIGGER_HAS_NO_STANDARD"
    TRIGGER_NOT_EXCEPTABLE = "TRIGGER_NOT_EXCEPTABLE"
    RULES_OVERLAP = "RULES_OVERLAP"
    TOO_FEW_PEOPLE = "TOO_FEW_PEOPLE"
    SEVERITY_ORDER = "SEVERITY_ORDER"
    OBLIGATION_CLOCK = "OBLIGATION_CLOCK"
    WEAKER_THAN_A_GRANT = "WEAKER_THAN_A_GRANT"
    # Notes: legal, and worth a look
    OPEN_TO_REQUESTER = "OPEN_TO_REQUESTER"
    LOGIN_ASSURANCE = "LOGIN_ASSURANCE"
    BREAK_GLASS = "BREAK_GLASS"
    # What a lint proves of a pack that loads (``lint/``)
    EDGE_TOO_EASY = "EDGE_TOO_EASY"
    EDGE_SLOWED = "EDGE_SLOWED"
    NO_ONE_MAY_FIRE = "NO_ONE_MAY_FIRE"
    NO_ONE_CAN_STOP = "NO_ONE_CAN_STOP"
    INVARIANT_BROKEN = "INVARIANT_BROKEN"
    NOT_PROVEN = "NOT_PROVEN"
    SIDE_DOOR = "SIDE_DOOR"
    EASIER_FOR_A_WHILE = "EASIER_FOR_A_WHILE"
    QUORUM_OUT_OF_REACH = "QUORUM_OUT_OF_REACH"
    NOBODY_HOLDS = "NOBODY_HOLDS"
    LEVEL_NEVER_ASKED = "LEVEL_NEVER_ASKED"
    THRESHOLD_NEVER_NEEDED = "THRESHOLD_NEVER_NEEDED"
    EXPOSED_IS_EASIER = "EXPOSED_IS_EASIER"
    STUB_STOPS = "STUB_STOPS"
    ROLE_MAY_NOTHING = "ROLE_MAY_NOTHING"
    ROLE_SIGNS_NOTHING = "ROLE_SIGNS_NOTHING"
    EVIDENCE_KIND_UNUSED = "EVIDENCE_KIND_UNUSED"
    JURISDICTION_UNUSED = "JURISDICTION_UNUSED"
    # The report itself
    MORE_FINDINGS = "MORE_FINDINGS"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about one place of a pack. Lines and columns count from 1, columns in characters."""

    severity: Severity
    file: str
    line: int
    column: int
    code: Code
    message: str
    fix: str  # what to write instead
    calls: tuple[str, ...] = ()  # the shortest sequence of calls that shows it; a lint fills it in
    path: tuple[str | int, ...] = field(default=(), compare=False, repr=False)  # the keys and indexes that lead there

    def __str__(self) -> str:
        """One line, in the form that editors jump to."""
        place = f"{self.file}:{self.line}:{self.column}"
        lead = "Hint" if self.severity is Severity.NOTE else "Fix"
        return f"{place}: {self.severity} {self.code}: {self.message} {lead}: {self.fix}"


class PackError(Exception):
    """The pack does not load; ``findings`` says every reason that could be found, in order of place."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Keep all findings, warnings and notes as well, so that one round of edits can meet them all."""
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


MAX_FINDINGS: Final = 100


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort by place, drop repeats, and cap the list: garbage must not answer with megabytes."""
    unique = sorted(set(findings), key=lambda f: (f.file, f.line, f.column, f.code, f.message))
    if len(unique) <= MAX_FINDINGS:
        return tuple(unique)
    # Errors first in what is kept: a cap may hide advice, never the reason of a refusal.
    unique.sort(key=lambda f: f.severity is not Severity.ERROR)
    last = unique[MAX_FINDINGS - 1]
    rest = len(unique) - MAX_FINDINGS
    more = Finding(
        last.severity, last.file, last.line, last.column, Code.MORE_FINDINGS,
        f"{rest} more findings are not listed.", "mend these first",
    )  # fmt: skip
    return (*unique[:MAX_FINDINGS], more)


_SUGGESTABLE = 64
_LISTABLE = 12


def suggest(word: str, known: Iterable[str]) -> str:
    """Say what to write instead of an unknown word: the nearest known one, or those that there are."""
    names = sorted(known)
    near = difflib.get_close_matches(word[:_SUGGESTABLE], names, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    if not names:
        return "leave it out; there is none to name"
    listing = ", ".join(f"`{name}`" for name in names[:_LISTABLE])
    return f"one of {listing}{', …' if len(names) > _LISTABLE else ''}"


_SHOWN = 80


def shown(value: object) -> str:
    """Quote a piece of the pack for a message: short, and with nothing that a terminal would obey."""
    text = value if isinstance(value, str) else str(value)
    cut = text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")
    return f"`{cut.encode('unicode_escape').decode('ascii') if not cut.isprintable() else cut}`"
