"""Where a watcher of a release goes on: a compact token, opaque to clients, checked when it comes back.

It carries no authority, so it needs no secret: whoever makes one up deceives only himself. The check binds it to its
question, and the log's id to its log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.service.errors import Invalid

if TYPE_CHECKING:
    from interlock.service.api.answers import Question

_FIELD: Final = "resume_token"
_FORM: Final = struct.Struct(">B16sqq?")
_VERSION: Final = 1
_CHECK_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Told:
    """The last answer that a watcher was given: its position, its instant (microseconds), and whether it was ALLOW."""

    position: int
    instant: int
    allowed: bool


def write_token(log_id: bytes, question: Question, told: Told) -> str:
    """Return the token of a watcher who was told so."""
    data = _FORM.pack(_VERSION, log_id, told.position, told.instant, told.allowed)
    return base64.urlsafe_b64encode(_check(question, data) + data).rstrip(b"=").decode()


def read_token(log_id: bytes, question: Question, token: str) -> Told:
    """Return what a watcher was told last. Raises Invalid for a token of another question or log, or none."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, data = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        version, log, position, instant, allowed = _FORM.unpack(data)
    except (binascii.Error, ValueError, struct.error):
        raise Invalid(_FIELD, "was not given out") from None
    if version != _VERSION or check != _check(question, data) or position < 0:
        raise Invalid(_FIELD, "was not given out for this question")
    if log != log_id:
        raise Invalid(_FIELD, "was given out by another log")
    return Told(position, instant, allowed)


def _check(question: Question, data: bytes) -> bytes:
    return hashlib.sha256(b"interlock-watch-v1\0" + "\0".join(question).encode() + b"\0" + data).digest()[:_CHECK_BYTES]
