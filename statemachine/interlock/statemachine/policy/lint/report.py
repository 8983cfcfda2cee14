"""What a lint has found, before it has a place: which rule or name, what, and the calls that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine.policy.findings import Code, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.statemachine.policy.yamltree import Path, Tree


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing to say about a pack that loads; ``path`` leads to the keys that say it."""

    severity: Severity
    path: Path
    code: Code
    message: str
    fix: str
    calls: tuple[str, ...]
    at_key: bool = False


def error(path: Path, code: Code, message: str, fix: str, calls: Iterable[str]) -> Claim:
    """Return what makes a pack unsafe or of no use."""
    return Claim(Severity.ERROR, path, code, message, fix, tuple(calls))


def warning(path: Path, code: Code, message: str, fix: str, calls: Iterable[str]) -> Claim:
    """Return what is most likely not meant."""
    return Claim(Severity.WARNING, path, code, message, fix, tuple(calls))


def note(path: Path, code: Code, message: str, fix: str, calls: Iterable[str]) -> Claim:
    """Return what is legal and worth a look."""
    return Claim(Severity.NOTE, path, code, message, fix, tuple(calls))


def placed(tree: Tree, claim: Claim) -> Finding:
    """Return the finding, at its place in the file."""
    line, column = tree.place(claim.path, key=claim.at_key)
    return Finding(
        claim.severity, tree.file, line, column, claim.code, claim.message, claim.fix, claim.calls, claim.path
    )


def rule_path(rule_id: str) -> Path:
    """Return where a rule stands in the pack, from its id such as ``rules/0``."""
    name, _, index = rule_id.partition("/")
    return (name, int(index)) if index else (name,)
