"""A trigger in one line, with every argument: what is signed has to be shown whole."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import TYPE_CHECKING

from interlock.statemachine.firings import CredentialRegister, LogRotateKey
from interlock.statemachine.moments import to_text

if TYPE_CHECKING:
    from interlock.statemachine.firings import Firing


def trigger_line(firing: Firing) -> str:
    """Return a trigger with all its arguments, the resource first: `level.assign models/a/levels/d to=asl-2`."""
    resource, *rest = fields(firing)
    words = [firing.trigger.value, _word(getattr(firing, resource.name))]
    for item in rest:
        value = getattr(firing, item.name)
        if value:
            words.append(f"{item.name}={_word(value)}")
    if isinstance(firing, CredentialRegister | LogRotateKey):  # by which people compare keys
        words.append(f"fingerprint={hashlib.sha256(firing.public_key).hexdigest()}")
    return " ".join(words)


def _word(value: object) -> str:
    if isinstance(value, int):  # every number of a trigger is an instant
        return to_text(value)
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return value.hex() if isinstance(value, bytes) else str(value)
