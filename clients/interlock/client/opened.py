"""Which documents this profile has downloaded in full, by digest: what a sign-off may truthfully say was seen.

Lives here: `opened.json`. Not here: whether that counts; for restricted documents the server compares it with its own
entries of who opened what.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from interlock.client import files

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Final = "opened.json"
_LOCK: Final = "opened.lock"


class OpenedEvidence:
    """Digests of the documents opened with one profile."""

    def __init__(self, folder: Path) -> None:
        """Keep them in ``folder``."""
        self._file = folder / _FILE
        self._lock = folder / _LOCK

    def load(self) -> frozenset[str]:
        """Return the digests (hex); none where the file is missing or unreadable: then nothing counts as opened."""
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return frozenset()
        return frozenset(item for item in kept if isinstance(item, str)) if isinstance(kept, list) else frozenset()

    def add(self, sha256: str) -> None:
        """Record that a document was opened in full."""
        with files.unless_read_only(), files.locked(self._lock):
            kept = sorted(self.load() | {sha256})
            files.write_private(self._file, json.dumps(kept).encode() + b"\n")
