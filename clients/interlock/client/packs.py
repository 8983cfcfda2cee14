"""Policy packs on this machine: shipped ones and folders. What their files say is the statemachine's business."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from interlock.client.errors import InvalidRequestError
from interlock.statemachine.policy.files import MAX_FILE_BYTES, MAX_FILES
from interlock.statemachine.policy.shipped import shipped_pack_names


def shipped_pack(name: str) -> dict[str, bytes]:
    """Return the files of a pack that ships, by path. Raises InvalidRequestError for a name that is none of theirs."""
    if name not in shipped_pack_names():
        raise InvalidRequestError(
            f"no pack is called {name!r}; there are {', '.join(shipped_pack_names())}", reason="NO_PACK"
        )
    folder = resources.files("interlock.statemachine.policy") / "packs" / name
    return {item.name: item.read_bytes() for item in folder.iterdir()}


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by path inside it, as far as a pack may go: the loader says what is too much.

    Raises InvalidRequestError for a folder that is none, and for what is no plain file in it: nobody would review what
    a symbolic link leads to, and a pipe never ends.
    """
    if not folder.is_dir():
        raise InvalidRequestError(f"{folder} is no folder", reason="NO_PACK")
    files: dict[str, bytes] = {}
    for place, folders, names in os.walk(folder):
        for name in sorted((*names, *folders)):
            path = Path(place) / name
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                what = "a symbolic link" if path.is_symlink() else "no file"
                raise InvalidRequestError(f"{path} is {what}; a pack holds plain files only", reason="BAD_PACK")
            if path.is_dir():
                continue
            with path.open("rb") as file:
                files[path.relative_to(folder).as_posix()] = file.read(MAX_FILE_BYTES + 1)
            if len(files) > MAX_FILES:
                raise InvalidRequestError(f"{folder} holds more than {MAX_FILES} files", reason="BAD_PACK")
    return files


def read_pack(name_or_folder: str) -> dict[str, bytes]:
    """Return a shipped pack by its id, else the pack in that folder. Raises InvalidRequestError."""
    if name_or_folder in shipped_pack_names():
        return shipped_pack(name_or_folder)
    return read_folder(Path(name_or_folder))
