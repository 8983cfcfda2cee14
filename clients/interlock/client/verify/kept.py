"""What a verified log leaves on this machine, so that the next verification of it goes on where this one ended.

Three files in a private folder: the fold on disk, the root of every prefix, and a text with all else, which names the
two with length and SHA-256 and begins with its own. It is as good as the profile that it lies beside: whoever can write
there can pin another key as well. It is bound to the log's key, id and founding, to this version and its rules. What
does not fit, or is damaged, is not used. Lives here: keeping and taking up again. Not here: when (`live.py`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from interlock.client import files
from interlock.client.verify import kept_state
from interlock.client.verify.report import Counts
from interlock.client.verify.summary import counts_of
from interlock.proofs import merkle
from interlock.proofs.errors import Fault, RefusedError
from interlock.proofs.log_keys import LogKey, LogKeys
from interlock.statemachine import codec, log_keys, packs, rules, snapshot
from interlock.statemachine import resources as r
from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.policy.findings import PackError
from interlock.statemachine.policy.loader import load_pack
from interlock.statemachine.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from interlock.client.verify.procedure import Procedure
    from interlock.client.verify.report import Trust
    from interlock.statemachine.policy.model import Policy

_FORMAT: Final = 1
_TEXT: Final = "verified.json"
_PIECE_BYTES: Final = 1 << 20
_NOT_OURS: Final = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading JSON of another shape raises: whoever edits the file can make its digest fit."""


class KeptError(ValueError):
    """What was kept can't be gone on from; the message says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read, its files not yet: ``text`` is the whole, ``note`` the head up to which all was good."""

    folder: Path
    text: dict[str, Any]
    note: str
    size: int

    def knows(self, text: str) -> bool:
        """Say whether a key that the log had by then signed a checkpoint; of a note that is none, others say so."""
        try:
            _keys_of(self.text).open(text)
        except RefusedError as refused:
            return refused.fault is not Fault.NOTE_NOT_SIGNED
        return True


def open_kept(folder: Path, trust: Trust) -> Kept | None:
    """Return what was kept of the log that is trusted; None where nothing was. Raises KeptError."""
    try:
        data = (folder / _TEXT).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeptError(f"{folder / _TEXT} can't be read: {error.strerror}") from error
    digest, _, body = data.partition(b"\n")
    if digest != hashlib.sha256(body).hexdigest().encode():
        raise KeptError(f"{folder / _TEXT} is damaged")
    try:
        return _bound(folder, json.loads(body), trust)
    except KeptError:
        raise
    except RefusedError as error:
        raise KeptError(f"its checkpoint is refused: {error}") from error
    except _NOT_OURS as error:
        raise KeptError(f"{folder / _TEXT} is none that this program wrote: {error}") from error


def _bound(folder: Path, text: dict[str, Any], trust: Trust) -> Kept:
    """Return it where it is of this program and of the log that is trusted. Raises whatever JSON of any shape does."""
    if text.get("made_by") != _made_by():
        raise KeptError("another version of this program made it, or other rules")
    bound = (trust.log_key, trust.log_id.hex() or text["log_id"], trust.genesis_digest.hex() or text["genesis"])
    if bound != (text["log_key"], text["log_id"], text["genesis"]):
        raise KeptError("it is of another log, key or founding")
    head, _ = _keys_of(text).open(text["note"])
    return Kept(folder, text, text["note"], head.size)


def take_up(kept: Kept, procedure: Procedure) -> None:
    """Put a procedure where the kept one ended. Raises KeptError; then the procedure is of no use any more."""
    text, fold = kept.text, procedure.fold
    try:
        frontier = merkle.Frontier(kept.size, tuple(map(bytes.fromhex, text["frontier"])))
        others = kept_state.from_json(text["state"], fold.on_disk)
        warm = kept_state.read_resources(text["warm"])
        policy = _policy_of(b64decode(text["policy"]), bytes.fromhex(text["policy_digest"]))
        procedure.roots.put_all(_checked(kept.folder, text["roots"]))
        for _ in _checked(kept.folder, text["fold"]):
            pass
        state = fold.resume(kept.folder / text["fold"]["file"], warm, others)
        procedure.consent.first_asserted = int(text["first_asserted"])
        procedure.objects.packs[policy.digest] = b64decode(text["policy"])
        procedure.go_on(Counts(**text["counts"]), frontier, state, policy)
    except (OSError, sqlite3.Error, PackError, *_NOT_OURS) as error:
        raise KeptError(f"what was kept in {kept.folder} can't be read: {error}") from error
    if (frontier.root(), procedure.roots.at(kept.size)) != (_root_of(kept),) * 2:
        raise KeptError(f"what was kept in {kept.folder} disagrees with itself")


def keep(folder: Path, procedure: Procedure, checkpoint_note: str) -> None:
    """Keep a verification without findings, in place of one that was kept before. Raises OSError, sqlite3.Error."""
    folder.mkdir(mode=0o700, exist_ok=True)
    word, replay = secrets.token_hex(4), procedure.replay
    fold, roots = (folder / f"{word}.{kind}" for kind in ("fold", "roots"))
    fold.touch(mode=0o600, exist_ok=False)
    replay.state, warm = procedure.fold.keep(replay.state, fold)
    with files.replacing(roots) as file:
        procedure.roots.copy_to(file)
    assert replay.policy is not None  # noqa: S101  # a founding was judged
    log = replay.state.log
    known = log_keys.history(log, procedure.keys.pinned.name)
    text = {
        "made_by": _made_by(),
        "log_key": procedure.trust.log_key,
        "origin": procedure.keys.pinned.name,
        "keys": [[row.public_key.hex(), row.last_size] for row in known.keys],
        "log_id": log.log_id.hex(),
        "genesis": log.genesis_digest.hex(),
        "note": checkpoint_note,
        "frontier": [item.hex() for item in procedure.frontier.hashes],
        "policy": b64encode(_pack_of(procedure, replay.policy)).decode(),
        "policy_digest": replay.policy.digest.hex(),
        "state": kept_state.to_json(replay.state, procedure.fold.on_disk),
        "warm": kept_state.write_resources(warm),
        "counts": asdict(counts_of(procedure)),
        "first_asserted": procedure.consent.first_asserted,
        "fold": _named(fold),
        "roots": _named(roots),
    }
    body = json.dumps(text, separators=(",", ":")).encode()
    files.write_durably(folder / _TEXT, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    for old in folder.iterdir():
        if old.suffix in {".fold", ".roots"} and not old.name.startswith(word):
            old.unlink(missing_ok=True)


def _made_by() -> list[object]:
    """Return what must be the same for a fold to be gone on from: this program, its rules, the shape of its state."""
    try:
        program = version("interlock")
    except PackageNotFoundError:
        program = ""
    shape = [f"{item.name}:{item.type}" for item in fields(State)]
    return [_FORMAT, program, rules.current().digest.hex(), snapshot.FOLD_VERSION, shape]


def _pack_of(procedure: Procedure, policy: Policy) -> bytes:
    """Return the pack of the policy in force: the founding's, or one that a change brought, which the fold has."""
    brought = procedure.replay.state.find(packs.pack_name(policy.name, policy.digest), r.Pack)
    return brought.data if brought is not None else procedure.objects.packs[policy.digest]


def _policy_of(pack: bytes, digest: bytes) -> Policy:
    found = codec.decode_pack(pack)
    if pack_digest(found) != digest:
        msg = "the policy's pack has another digest"
        raise KeptError(msg)
    return load_pack(found)


def _root_of(kept: Kept) -> bytes:
    return _keys_of(kept.text).open(kept.note)[0].root


def _keys_of(text: dict[str, Any]) -> LogKeys:
    """Return the keys that the log had when it was verified. Raises ValueError, KeyError and TypeError for none."""
    return LogKeys(text["origin"], tuple(LogKey(bytes.fromhex(key), last) for key, last in text["keys"]))


def _named(path: Path) -> dict[str, object]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_PIECE_BYTES):
            digest.update(data)
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _checked(folder: Path, named: dict[str, Any]) -> Iterator[bytes]:
    """Yield a file's bytes. Raises KeptError at its end where it is not what was written."""
    digest, size = hashlib.sha256(), 0
    with (folder / named["file"]).open("rb") as file:
        while data := file.read(_PIECE_BYTES):
            digest.update(data)
            size += len(data)
            yield data
    if (size, digest.hexdigest()) != (named["bytes"], named["sha256"]):
        msg = f"{named['file']} is damaged"
        raise KeptError(msg)
