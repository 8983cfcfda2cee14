"""Where a watcher of deployments goes on: opaque to clients, checked when it comes back.

Several deployments can turn at one position and instant. So a token says where the watcher was before that (``base``),
where it is then, and how many of those in between it was told. It carries no authority, so it needs no secret; the
check binds it to its question, and the log's id to its log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import astuple, dataclass
from typing import Final

from interlock.service.errors import Invalid

_FIELD: Final = "resume_token"
_FORM: Final = struct.Struct(">B16sqqqqq")
_VERSION: Final = 1
_CHECK_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Told:
    """What a watcher was told last: the ``count``th of what turned between two places, each position and instant.

    ``base_position`` is -1 where the stream began there.
    """

    base_position: int
    base_instant: int
    position: int
    instant: int
    count: int


def write_token(log_id: bytes, model: str, told: Told) -> str:
    """Return the token of a watcher of a model's deployments (empty for all) who was told so."""
    data = _FORM.pack(_VERSION, log_id, *astuple(told))
    return base64.urlsafe_b64encode(_check(model, data) + data).rstrip(b"=").decode()


def read_token(log_id: bytes, model: str, token: str) -> Told:
    """Return what a watcher was told last. Raises Invalid for a token of another question or log, or none."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, data = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        version, log, *numbers = _FORM.unpack(data)
    except (binascii.Error, ValueError, struct.error):
        raise Invalid(_FIELD, "was not given out") from None
    told = Told(*numbers)
    ordered = -1 <= told.base_position <= told.position and 0 <= told.base_instant <= told.instant and told.count > 0
    if version != _VERSION or check != _check(model, data) or not ordered or told.position < 0:
        raise Invalid(_FIELD, "was not given out for this question")
    if log != log_id:
        raise Invalid(_FIELD, "was given out by another log")
    return told


def _check(model: str, data: bytes) -> bytes:
    return hashlib.sha256(b"interlock-deployments-v1\0" + model.encode() + b"\0" + data).digest()[:_CHECK_BYTES]
