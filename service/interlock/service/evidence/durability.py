"""What has to happen before a file may be called kept: a seam of its own, so that a test can see the order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Durability:
    """fsync. A directory is synced for the names in it, a file for its bytes; each failure is raised."""

    def sync_file(self, path: Path) -> None:
        """Have a file's bytes on the disk when this returns."""
        self._sync(path, os.O_RDONLY)

    def sync_directory(self, path: Path) -> None:
        """Have a directory's names on the disk when this returns."""
        self._sync(path, os.O_RDONLY | os.O_DIRECTORY)

    def _sync(self, path: Path, flags: int) -> None:
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
