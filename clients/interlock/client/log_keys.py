"""Which keys of the log a profile knows: the one that it pins, and what a whole verification learned since.

A new key of the log is believed once `audit verify` has judged the entry that names it, from the founding that the
profile pins on: it is then kept in `log-keys.json` beside the profile, which is as good as the profile is. Until then a
checkpoint by it is refused. Lives here: keeping, and opening checkpoints. Not here: judging (`verify/`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from interlock.client import files
from interlock.client.errors import DataLossError, ProfileError
from interlock.proofs import note
from interlock.proofs.errors import RefusedError
from interlock.proofs.log_keys import LogKey, LogKeys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.client.profile import Profile

FILE: Final = "log-keys.json"


def known_keys(profile: Profile) -> LogKeys:
    """Return the keys of the profile's log that this machine knows.

    Raises DataLossError for a profile whose key is none, for nothing can be checked; ProfileError for a damaged file.
    """
    try:
        pinned = LogKeys.from_vkey(profile.log_key)
    except RefusedError as refused:
        what = f"the log key that the profile {profile.name} pins is none: {refused}"
        raise DataLossError(what, reason=refused.fault) from refused
    path = profile.folder / FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return pinned
    except OSError as error:
        raise ProfileError(f"{path} can't be read: {error.strerror}", reason="LOG_KEYS") from error
    try:
        kept = json.loads(data)
        rows = [(note.NoteVerifier.from_vkey(row["key"]), row["last_size"]) for row in kept["keys"]]
        learned = LogKeys(pinned.origin, tuple(LogKey(key.public_key, _size(last)) for key, last in rows))
        ours = kept["log_id"] == profile.log_id.hex() and all(key.name == pinned.origin for key, _ in rows)
    except (ValueError, KeyError, TypeError, RefusedError) as error:
        said = "run `interlock audit verify`, which writes it anew"
        raise ProfileError(f"{path} is damaged: remove it and {said}", reason="LOG_KEYS") from error
    return learned if ours and learned.has(pinned.keys[0].public_key) else pinned


def keep_keys(profile: Profile, log: Iterable[LogKey]) -> None:
    """Keep the keys that a whole verification without findings has shown; nothing where they are known already."""
    learned = LogKeys(LogKeys.from_vkey(profile.log_key).origin, tuple(log))
    if not learned.keys or learned == known_keys(profile):
        return
    rows = [{"key": note.vkey_of(learned.origin, key.public_key), "last_size": key.last_size} for key in learned.keys]
    text = json.dumps({"log_id": profile.log_id.hex(), "keys": rows}, indent=2)
    with files.unless_read_only():
        files.write_private(profile.folder / FILE, text.encode() + b"\n")


def _size(value: object) -> int | None:
    if value is None or (type(value) is int and value >= 0):
        return value
    msg = f"{value!r} is no size of a tree"
    raise ValueError(msg)
