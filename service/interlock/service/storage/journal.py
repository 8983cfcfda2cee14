"""SQLite's write-ahead log, watched from outside: that what was committed is still there for the next process.

The connections of this process share an index of the log in memory. They go on, and COMMIT goes on succeeding, when the
file is cut, replaced or has no name any more; the next process would read it from its first frame and stop where one is
missing. So after each commit the end of the log is remembered, file and last frame, and looked for before and after the
next one, and whenever the store is looked at.

Format: SQLite's "WAL file format", a header of 32 bytes, then frames of 24 bytes and a page; the last frame of a
transaction says how large the database is after it, the others 0. A frame counts if its salts are the header's; one
that another process left, if its sums are right too.
Not looked at later: what stands in earlier frames, which SQLite's own checksums tell at the next start.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from sqlalchemy import URL

_HEADER_BYTES: Final = 32
_FRAME_BYTES: Final = 24
_PAGE_SIZE: Final = slice(8, 12)
_SALTS: Final = slice(16, 24)
_HEADER_SUMS: Final = slice(24, 32)
_FRAME_SALTS: Final = slice(8, 16)
_FRAME_SUMS: Final = slice(16, 24)
_FRAME_DATABASE_PAGES: Final = slice(4, 8)
_MORE_TO_COME: Final = bytes(4)
_WORD: Final = 0xFFFF_FFFF


class JournalDamagedError(SQLAlchemyError):
    """What was committed is not in the write-ahead log any more."""


@dataclass(frozen=True, slots=True)
class _End:
    """Where the last commit ended: the file, its header, how far it went, and its last frame's own header."""

    file: tuple[int, int]
    header: bytes
    size: int
    last: bytes


class Journal:
    """The write-ahead log of one database. For the writer's thread; of a database without one nothing is asked."""

    def __init__(self, url: URL) -> None:
        """Remember where the log of a database that is open ends now. Raises JournalDamagedError."""
        self._path = _path_of(url)
        self._end: _End | None = None
        self._failed = False
        self._left_over = True  # nobody knows what an earlier process left behind the end
        self.committed()

    def check(self) -> None:
        """Look for the end that was remembered. Raises JournalDamagedError where it is not there."""
        if self._path is not None and self._end is not None:
            descriptor = _open(self._path)
            try:
                header = os.pread(descriptor, _HEADER_BYTES, 0)
                begun_anew = self._failed and len(header) == _HEADER_BYTES and header != self._end.header
                _find(self._end, descriptor, header, begun_anew=begun_anew)
            finally:
                os.close(descriptor)

    def committed(self) -> None:
        """Remember where the log ends after a commit, on from where it ended before. Raises JournalDamagedError."""
        if self._path is None:
            return
        descriptor = _open(self._path)
        try:
            header = os.pread(descriptor, _HEADER_BYTES, 0)
            before = self._end
            # It is begun anew, with other salts, once all of it is in the database; then it is cut to what is in it.
            begun_anew = before is not None and before.header[_SALTS] != header[_SALTS]
            if before is not None:
                _find(before, descriptor, header, begun_anew=begun_anew)
            if begun_anew:
                before, self._left_over = None, False
            # What a failed transaction wrote stands behind the end until it is written over.
            self._end = _walked(descriptor, header, before) if self._left_over else _last(descriptor, header)
        finally:
            os.close(descriptor)
        self._failed = False

    def failed(self) -> None:
        """Note that a transaction failed: what it wrote counts for nothing, but it may have begun the log anew."""
        self._failed = self._left_over = True


def _open(path: Path) -> int:
    """Open the log. SQLite keeps no lock on this file that closing it could lose."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise JournalDamagedError(f"the write-ahead log can't be opened: {error.strerror}") from error


def _find(end: _End, descriptor: int, header: bytes, *, begun_anew: bool) -> None:
    """Raise JournalDamagedError unless the log reaches to ``end``; one that was begun anew need only be the file."""
    found = os.fstat(descriptor)
    if end.file != (found.st_dev, found.st_ino):
        raise JournalDamagedError("the write-ahead log was replaced by another file")
    if begun_anew:
        return
    if header != end.header:
        raise JournalDamagedError("the write-ahead log begins otherwise than it did")
    if end.last and os.pread(descriptor, _FRAME_BYTES, end.size - _frame_size(header)) != end.last:
        raise JournalDamagedError(f"the write-ahead log has lost its end at {end.size}")
    if found.st_size < end.size:
        raise JournalDamagedError(f"the write-ahead log is shorter than the {end.size} that were committed")


def _last(descriptor: int, header: bytes) -> _End:
    """Return the end of a log that holds nothing behind it: the file's own."""
    found = os.fstat(descriptor)
    file, size = (found.st_dev, found.st_ino), found.st_size
    if len(header) < _HEADER_BYTES or size < _HEADER_BYTES + _frame_size(header):
        return _End(file, header, size, b"")
    return _End(file, header, size, os.pread(descriptor, _FRAME_BYTES, size - _frame_size(header)))


def _walked(descriptor: int, header: bytes, before: _End | None) -> _End:
    """Return where the transaction after ``before`` ends; without it, where the last one of all ends.

    What another process left is read as SQLite does when it opens the log: a frame that a kill cut off, or whose page
    did not come down whole, counts for nothing, although its head may say that it ends a transaction.
    """
    found = os.fstat(descriptor)
    file = found.st_dev, found.st_ino
    if len(header) < _HEADER_BYTES:
        return _End(file, header, 0, b"")
    end = _End(file, header, _HEADER_BYTES, b"") if before is None or not before.size else before
    offset, length = end.size, _frame_size(header)
    sums = struct.unpack(">2I", header[_HEADER_SUMS])
    while True:
        frame = os.pread(descriptor, length, offset)
        if len(frame) < length or frame[_FRAME_SALTS] != header[_SALTS]:
            return end
        if before is None:
            sums = _sums(header, frame[:8] + frame[_FRAME_BYTES:], sums)
            if sums != struct.unpack(">2I", frame[_FRAME_SUMS]):
                return end
        offset += length
        if frame[_FRAME_DATABASE_PAGES] != _MORE_TO_COME:
            end = _End(file, header, offset, frame[:_FRAME_BYTES])
            if before is not None:
                return end


def _sums(header: bytes, data: bytes, sums: tuple[int, ...]) -> tuple[int, ...]:
    """Go on with the two sums of SQLite's "Checksum Algorithm"; the log's first word says the order of bytes."""
    order = ">" if header[3] & 1 else "<"
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second


def _frame_size(header: bytes) -> int:
    return _FRAME_BYTES + int.from_bytes(header[_PAGE_SIZE], "big")


def _path_of(url: URL) -> Path | None:
    """Return the log's path; None where the database has none."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    path = Path(f"{url.database}-wal")
    return path if path.is_file() else None
