"""One process a data directory: an advisory lock that dies with its holder (overview, "Embedded mode").

The folder itself is locked, not a file in it: whoever takes away ``<folder>/lock`` lets no second server in. That file
only says who holds the lock. Not guaranteed on network file systems that ignore ``flock``; the embedded database needs
a local disk anyway.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

HOLDER: Final = "lock"
"""The file that says who holds the lock."""


class DataDirectoryInUseError(RuntimeError):
    """Another process serves this data directory."""


class DataLock:
    """Holds a data directory while it is entered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock. Raises DataDirectoryInUseError at once when another process holds it."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._name_holder()
        except BlockingIOError:
            os.close(descriptor)
            raise DataDirectoryInUseError(f"{self._folder} is served by process {self._holder()}") from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the lock."""
        os.close(self._descriptor)
        self._descriptor = -1

    def _name_holder(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._folder / HOLDER, flags, 0o600)
        try:
            os.write(descriptor, b"%d\n" % os.getpid())
        finally:
            os.close(descriptor)

    def _holder(self) -> str:
        try:
            with (self._folder / HOLDER).open("rb") as file:
                return file.read(32).decode("ascii", "replace").strip() or "unknown"
        except OSError:
            return "unknown"
