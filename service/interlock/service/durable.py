"""Files that a power failure leaves whole: the old one or the new one, and no name without its bytes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_file(path: Path) -> None:
    """Have a file's bytes on the disk when this returns. Raises OSError."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Have a folder's names on the disk when this returns. Raises OSError."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def replace_file(path: Path, data: bytes) -> None:
    """Put ``data`` in a file's place, as a whole, and have it on the disk when this returns. Raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(data)
    sync_file(fresh)
    fresh.replace(path)
    sync_folder(path.parent)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
