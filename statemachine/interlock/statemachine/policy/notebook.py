"""Where the checks of one pack write their findings, with the places looked up from the tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock.statemachine.policy.findings import MAX_FINDINGS, Code, Finding, Severity, shown, suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from interlock.statemachine.policy.yamltree import Path, Tree


@dataclass(frozen=True, slots=True)
class Notebook:
    """Findings so far about one file."""

    tree: Tree
    findings: list[Finding] = field(default_factory=list)

    def error(self, path: Path, code: Code, message: str, fix: str, *, key: bool = False) -> None:
        """Note that the pack can't load; ``key`` points at the key of ``path`` instead of its value."""
        self._add(Severity.ERROR, path, (code, message, fix), key=key)

    def warning(self, path: Path, code: Code, message: str, fix: str, *, key: bool = False) -> None:
        """Note what loads and is most likely not meant."""
        self._add(Severity.WARNING, path, (code, message, fix), key=key)

    def note(self, path: Path, code: Code, message: str, fix: str) -> None:
        """Note what is legal and worth a look."""
        self._add(Severity.NOTE, path, (code, message, fix), key=False)

    def known(self, path: Path, word: str, names: Collection[str], code: Code, what: str) -> bool:
        """Say whether ``word`` is one of ``names``; note an error where it is not."""
        if word in names:
            return True
        self.error(path, code, f"There is no {what} {shown(word)}.", self.suggest(word, names))
        return False

    def suggest(self, word: str, names: Iterable[str]) -> str:
        """Say what to write instead of ``word``: costly, so only while the list is short enough to be shown."""
        return suggest(word, names) if len(self.findings) < MAX_FINDINGS else "write a name that is known here"

    def once(self, path: Path, words: Sequence[str]) -> None:
        """Note an error for each word of the list at ``path`` that stood there before."""
        seen: set[str] = set()
        for index, word in enumerate(words):
            if word in seen:
                self.duplicate((*path, index), word)
            seen.add(word)

    def duplicate(self, path: Path, word: str) -> None:
        """Note that a name is there already."""
        self.error(path, Code.DUPLICATE_ID, f"{shown(word)} is there already.", "keep one of the two")

    def line(self, path: Path) -> int:
        """Return the line where ``path`` stands."""
        return self.tree.place(path)[0]

    @property
    def failed(self) -> bool:
        """Whether any error was noted."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def _add(self, severity: Severity, path: Path, words: tuple[Code, str, str], *, key: bool) -> None:
        line, column = self.tree.place(path, key=key)
        self.findings.append(Finding(severity, self.tree.file, line, column, *words, path=path))
