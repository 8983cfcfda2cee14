"""Reads a pack's files into memory. What they say is the loader's business (``statemachine/policy``)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interlock.statemachine.policy.files import MAX_FILE_BYTES, MAX_FILES
from interlock.statemachine.policy.shipped import shipped_pack_names

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

DEFAULT_PACK: Final = "minimal"


class PackNotFoundError(ValueError):
    """There is no such pack, or its folder holds what no pack may hold."""


def read_pack(name_or_path: str) -> dict[str, bytes]:
    """Return the files of a shipped pack by its id, or of a folder by its path. Raises PackNotFoundError."""
    if name_or_path in shipped_pack_names():
        return _files_of(_shipped() / name_or_path, "")
    folder = Path(name_or_path)
    if not folder.is_dir():
        raise PackNotFoundError(
            f"{name_or_path!r} is neither a folder nor one of the packs {', '.join(shipped_pack_names())}"
        )
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise PackNotFoundError(f"{path} is a symbolic link; a pack holds plain files only")
    return _files_of(folder, "")


def _shipped() -> Traversable:
    return resources.files("interlock.statemachine.policy") / "packs"


def _files_of(folder: Traversable, prefix: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            files |= _files_of(item, f"{prefix}{item.name}/")
            continue
        with item.open("rb") as file:
            files[f"{prefix}{item.name}"] = file.read(MAX_FILE_BYTES + 1)  # one more: the loader refuses it
        if len(files) > MAX_FILES:
            raise PackNotFoundError(f"{folder} holds more than {MAX_FILES} files")
    return files
