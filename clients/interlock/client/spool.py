"""Entries of a bundle that is being verified, in a file of this process alone, until some of them are asked for.

So a bundle is read once: what was judged is what is shown, also of a file that somebody exchanges meanwhile, or a pipe.
"""

from __future__ import annotations

import tempfile
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Self

from interlock.v1 import ledger_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType


class Spool:
    """Entries by position, in the order of the log. Use it as a context manager."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the spool
        self._positions = array("q")
        self._ends = array("q", [0])

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the disk back."""
        self._file.close()

    def keep(self, position: int, data: bytes) -> None:
        """Keep an entry's stored bytes; ``position`` is behind all that were kept."""
        self._file.write(data)
        self._positions.append(position)
        self._ends.append(self._ends[-1] + len(data))

    def entries(self, positions: Iterable[int]) -> dict[int, ledger_pb2.LedgerEntry]:
        """Return those of the entries that were kept. They were verified: nothing is checked here."""
        return {at: ledger_pb2.LedgerEntry.FromString(data) for at in sorted(set(positions)) if (data := self._at(at))}

    def _at(self, position: int) -> bytes:
        index = bisect_left(self._positions, position)
        if index == len(self._positions) or self._positions[index] != position:
            return b""
        begin, end = self._ends[index : index + 2]
        self._file.seek(begin)
        return self._file.read(end - begin)
