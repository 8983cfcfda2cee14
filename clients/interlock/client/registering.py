"""New keys of an account, shown to be there: the triggers that a change registers them by.

Lives here: what the keys sign, as messages, and a newcomer's profile. Not here: making keys (`keymaking.py`), proposing
the change, or what the server makes of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from interlock.client import files, names
from interlock.client.errors import ProfileError
from interlock.client.keymaking import key_file
from interlock.client.profile import PROFILE_FILE
from interlock.proofs import signature_keys
from interlock.statemachine import possession
from interlock.v1 import trigger_pb2

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from interlock.client.signers import SigningKey

USES: Final = ("login", "signoff")


def registration(
    log_id: bytes,
    principal: str,
    use: str,
    key: SigningKey,
    replaces: SigningKey | None = None,
    *,
    until: datetime | None = None,
) -> trigger_pb2.Trigger:
    """Return the trigger that registers a key for an account of this log, and for nothing else.

    ``replaces`` is the key of the same use whose place it takes: that one signs for it, and is revoked with it.
    """
    account, public = names.principal(principal), key.public
    fingerprint = signature_keys.fingerprint(public)
    message = trigger_pb2.CredentialRegister(
        principal=account,
        use=use,
        public_key=public,
        proof=key.sign(possession.registration_bytes(log_id, account, use, fingerprint)),
        held_in=key.held_in,
    )
    if until is not None:
        message.until = int(until.timestamp()) * 1_000_000
    if replaces is not None:
        message.replaces = signature_keys.fingerprint(replaces.public)
        message.replaces_proof = replaces.sign(possession.rotation_bytes(log_id, account, use, fingerprint))
    return trigger_pb2.Trigger(credential_register=message)


def write_profile(like: Path, folder: Path, principal: str) -> Path:
    """Write a newcomer's profile beside their keys: a colleague's, but for the account. It holds no secret.

    Raises ProfileError where the folder has a profile already.
    """
    path = folder / PROFILE_FILE
    if path.exists():
        raise ProfileError(f"{path} is there already; nothing was written", reason="PROFILE_EXISTS")
    profile = json.loads(like.read_text("utf-8"))
    profile["principal"] = names.principal(principal)
    for use in USES:
        path_of_use = key_file(folder, use)
        profile[f"{use}_key_file"] = path_of_use.name if path_of_use is not None else ""
    profile.pop("passphrase_file", None)
    files.write_private(path, json.dumps(profile, indent=2).encode() + b"\n")
    return path
