"""What has to happen before a file may be called kept: a seam of its own, so that a test can see the order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service import durable

if TYPE_CHECKING:
    from pathlib import Path


class Durability:
    """fsync. A directory is synced for the names in it, a file for its bytes; each failure is raised."""

    def sync_file(self, path: Path) -> None:
        """Have a file's bytes on the disk when this returns."""
        durable.sync_file(path)

    def sync_directory(self, path: Path) -> None:
        """Have a directory's names on the disk when this returns."""
        durable.sync_folder(path)
