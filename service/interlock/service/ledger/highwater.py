"""The high-water mark: the greatest tree that this process has seen, kept in a second place (ledger design).

A file beside the log's key, best on another volume than the database: a database that is set back then no longer agrees
with it. The file is replaced as a whole and is on the disk, name and content, before ``advance`` returns. What was lost
after the last mark, only clients and witnesses can show.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from interlock.proofs.errors import RefusedError
from interlock.proofs.json_text import strict_json
from interlock.service.durable import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_ROOT_BYTES: Final = 32


class MarkError(ValueError):
    """The file is no high-water mark, or not the one that was written."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A tree head: how many entries, and their root."""

    size: int
    root: bytes


class HighWaterMark:
    """The mark in its file. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: Mark | None = None

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return self._path

    def load(self) -> Mark | None:
        """Read the mark; None where there is no file. Raises MarkError for a file that is none, and OSError."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        self._last = _parse(data)
        return self._last

    def check(self) -> None:
        """Look for what was written last. Raises MarkError where that is gone or another, and OSError."""
        if self._last is None:
            return
        try:
            found = _parse(self._path.read_bytes())
        except (FileNotFoundError, MarkError):
            found = None
        if found != self._last:
            raise MarkError(f"{self._path} is not what was written last: {_text_of(self._last).decode().strip()}")

    def has_reached(self, size: int) -> bool:
        """Say whether a tree of ``size`` entries is behind the mark, or at it."""
        return self._last is not None and self._last.size >= size

    def advance(self, mark: Mark) -> None:
        """Move the mark up, durably; one that is not further than the last does nothing.

        Raises OSError, and MarkError where somebody changed the file: that is not to be covered up.
        """
        if not self.has_reached(mark.size):
            self._put(mark)

    def lower(self, mark: Mark) -> None:
        """Put the mark below where it was: what lay between was accepted as lost, by an entry. Raises as `advance`."""
        self._put(mark)

    def _put(self, mark: Mark) -> None:
        self.check()
        replace_file(self._path, _text_of(mark))
        self._last = mark


def _text_of(mark: Mark) -> bytes:
    return json.dumps({"root": mark.root.hex(), "size": mark.size}).encode() + b"\n"


def _parse(data: bytes) -> Mark:
    try:
        value: Any = strict_json(data)
        mark = Mark(value["size"], bytes.fromhex(value["root"]))
    except (RefusedError, ValueError, LookupError, TypeError) as error:
        raise MarkError(f"not a high-water mark: {error}") from error
    if type(mark.size) is not int or mark.size < 0 or len(mark.root) != _ROOT_BYTES:
        raise MarkError("not a high-water mark: no size and root")
    return mark
