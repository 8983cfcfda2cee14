"""Which documents this profile has downloaded in full, by name and digest: what a sign-off may truthfully say was seen.

Lives here: `opened.json`. Not here: whether that counts; for restricted documents the server compares it with its own
entries of who opened what. By name too, for these are about documents: who has read a public copy has not opened the
restricted one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.client import files

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Final = "opened.json"
_LOCK: Final = "opened.lock"
_ROW: Final = 3


@dataclass(frozen=True, slots=True)
class Opened:
    """Documents that were downloaded, as (name, digest in hex), and the originals of redacted versions, by name."""

    full: frozenset[tuple[str, str]] = frozenset()
    redacted: frozenset[str] = frozenset()

    def seen(self, name: str, sha256: str) -> str:
        """Return what a statement may say was seen of a document."""
        if (name, sha256) in self.full:
            return "full"
        return "redacted" if name in self.redacted else "not_opened"


class OpenedEvidence:
    """The documents opened with one profile."""

    def __init__(self, folder: Path) -> None:
        """Keep them in ``folder``."""
        self._file = folder / _FILE
        self._lock = folder / _LOCK

    def load(self) -> Opened:
        """Return them; none where the file is missing or unreadable: then nothing counts as opened."""
        rows = self._rows()
        return Opened(
            frozenset((name, sha256) for name, sha256, _ in rows), frozenset(row[2] for row in rows if row[2])
        )

    def add(self, name: str, sha256: str, redacts: str = "") -> None:
        """Record that a document was opened in full; ``redacts`` is the original, of a redacted version."""
        with files.unless_read_only(), files.locked(self._lock):
            kept = sorted(self._rows() | {(name, sha256, redacts)})
            files.write_private(self._file, json.dumps(kept).encode() + b"\n")

    def _rows(self) -> set[tuple[str, str, str]]:
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return set()
        rows = kept if isinstance(kept, list) else []
        whole = (row for row in rows if isinstance(row, list) and len(row) == _ROW)
        return {(row[0], row[1], row[2]) for row in whole if all(isinstance(part, str) for part in row)}
