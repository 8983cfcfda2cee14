"""Where a watcher of a release goes on: a compact token, opaque to clients, checked when it comes back.

The seal binds it to its question and its log, and makes sure that it was given out (`token_seal.py`).
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.service.api.token_seal import FIELD
from interlock.service.errors import Invalid

if TYPE_CHECKING:
    from interlock.service.api.answers import Question
    from interlock.service.api.token_seal import TokenSeal

_FORM: Final = struct.Struct(">B16sqq?")
_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Told:
    """The last answer that a watcher was given: its position, its instant (microseconds), and whether it was ALLOW."""

    position: int
    instant: int
    allowed: bool


def write_token(seal: TokenSeal, question: Question, told: Told) -> str:
    """Return the token of a watcher who was told so."""
    data = _FORM.pack(_VERSION, seal.log_id, told.position, told.instant, told.allowed)
    return base64.urlsafe_b64encode(seal.close(scope_of(question), data)).rstrip(b"=").decode()


def read_token(seal: TokenSeal, question: Question, token: str) -> Told:
    """Return what a watcher was told last. Raises Invalid for a token of another question or log, or none."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        version, log, position, instant, allowed = _FORM.unpack(seal.open(scope_of(question), raw))
    except (binascii.Error, ValueError, struct.error):
        raise Invalid(FIELD, "was not given out") from None
    if version != _VERSION or log != seal.log_id or position < 0:
        raise Invalid(FIELD, "was not given out for this question, by this log")
    return Told(position, instant, allowed)


def scope_of(question: Question) -> bytes:
    """Return what a token of this question is sealed with."""
    return b"interlock-watch\0" + "\0".join(question).encode()
