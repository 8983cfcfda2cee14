"""The root of every prefix of a log that is being read, on disk: 32 bytes an entry, none of them in memory."""

from __future__ import annotations

import tempfile

from interlock.proofs import merkle

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

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()

    def _flush(self) -> None:
        self._file.seek(0, 2)
        self._file.write(b"".join(self._waiting))
        self._size += len(self._waiting)
        self._waiting.clear()
