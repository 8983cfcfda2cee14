"""The root of every prefix of a log that is being read, on disk: 32 bytes an entry, none of them in memory."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING, BinaryIO

from interlock.proofs import merkle

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAITING = 1024


class Roots:
    """Roots by size, from 0. `close` it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the verifier
        self._file.write(merkle.EMPTY_ROOT)
        self._size = 1
        self._waiting: list[bytes] = []

    def append(self, root: bytes) -> None:
        """Keep the root of the next size."""
        self._waiting.append(root)
        if len(self._waiting) == _WAITING:
            self._flush()

    def at(self, size: int) -> bytes:
        """Return the root of a size that was appended; empty for one that was not."""
        if size >= self._size:
            at = size - self._size
            return self._waiting[at] if at < len(self._waiting) else b""
        self._file.seek(size * merkle.HASH_BYTES)
        return self._file.read(merkle.HASH_BYTES)

    def copy_to(self, file: BinaryIO) -> None:
        """Write all of them to a file, from size 0 on."""
        self._flush()
        self._file.seek(0)
        shutil.copyfileobj(self._file, file)

    def put_all(self, chunks: Iterator[bytes]) -> None:
        """Take all that `copy_to` wrote, in place of what is here."""
        self._file.seek(0)
        self._size = sum(map(self._file.write, chunks)) // merkle.HASH_BYTES
        self._waiting.clear()

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()

    def _flush(self) -> None:
        self._file.seek(0, 2)
        self._file.write(b"".join(self._waiting))
        self._size += len(self._waiting)
        self._waiting.clear()


class SparseRoots(Roots):
    """Roots of which some are not known: those of sizes that lie in a gap."""

    def skip(self, sizes: int) -> None:
        """Leave so many sizes out. No root is all zeros, so what is read there is known to be nothing."""
        self._flush()
        self._size += sizes
        self._file.truncate(self._size * merkle.HASH_BYTES)

    def at(self, size: int) -> bytes:
        """Return the root of a size; empty for one that is not known."""
        found = Roots.at(self, size)
        return found if any(found) else b""
