"""Where a watcher of deployments goes on: opaque to clients, checked when it comes back.

Several deployments can turn at one position and instant. So a token says where the watcher was before that (``base``),
where it is then, and how many of those in between it was told. The seal binds it to its question and its log, and makes
sure that it was given out (`token_seal.py`).
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

from interlock.service.api.token_seal import FIELD
from interlock.service.errors import Invalid

if TYPE_CHECKING:
    from interlock.service.api.token_seal import TokenSeal

_FORM: Final = struct.Struct(">B16sqqqqq")
_VERSION: Final = 2


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


def write_token(seal: TokenSeal, model: str, told: Told) -> str:
    """Return the token of a watcher of a model's deployments (empty for all) who was told so."""
    data = _FORM.pack(_VERSION, seal.log_id, *astuple(told))
    return base64.urlsafe_b64encode(seal.close(scope_of(model), data)).rstrip(b"=").decode()


def read_token(seal: TokenSeal, model: str, token: str) -> Told:
    """Return what a watcher was told last. Raises Invalid for a token of another question or log, or none."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        version, log, *numbers = _FORM.unpack(seal.open(scope_of(model), raw))
    except (binascii.Error, ValueError, struct.error):
        raise Invalid(FIELD, "was not given out") from None
    told = Told(*numbers)
    ordered = -1 <= told.base_position <= told.position and 0 <= told.base_instant <= told.instant and told.count > 0
    if version != _VERSION or log != seal.log_id or not ordered or told.position < 0:
        raise Invalid(FIELD, "was not given out for this question, by this log")
    return told


def scope_of(model: str) -> bytes:
    """Return what a token of a watcher of this model is sealed with."""
    return b"interlock-deployments\0" + model.encode()
