"""Reads the one figure that the log takes out of a document: the effective compute of a training run.

It is read from the evidence itself, so nobody types it into a request (domain design, "Evidence").
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, Never

from interlock.service.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

KIND: Final = "training_run_record"
MAX_BYTES: Final = 1024 * 1024
FIELD: Final = "effective_compute_flop"

_MOST: Final = Decimal("1e60")
_LEAST: Final = Decimal(1)
_MAX_DIGITS: Final = 64


def effective_compute(document: bytes | None) -> str:
    """Return the figure of a training_run_record as plain decimal digits, such as ``120000000000000``.

    ``document`` is a JSON object of at most 1 MiB (None: it is larger) with ``effective_compute_flop``, a number or a
    decimal text, from 1 to 1e60. Raises Invalid for anything else.
    """
    if document is None:
        raise _no(f"is larger than {MAX_BYTES} bytes")
    try:
        record: Any = json.loads(
            document.decode(),
            parse_float=_number,
            parse_int=_number,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
    # A RecursionError: nested so deeply that no honest record is.
    except (ValueError, RecursionError) as error:
        raise _no("is not one JSON object in UTF-8, without repeated keys") from error
    if not isinstance(record, dict) or FIELD not in record:
        raise _no(f"has no {FIELD}")
    figure = record[FIELD]
    if isinstance(figure, str):
        figure = _parsed(figure)
    if not isinstance(figure, Decimal) or not _LEAST <= figure <= _MOST:
        raise _no(f"{FIELD} must be a number from 1 to 1e60")
    return _plain(figure)


def _plain(figure: Decimal) -> str:
    """Return the one spelling of a figure: no exponent, no zeros at the end of a fraction."""
    text = f"{figure:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _parsed(text: str) -> Decimal | None:
    # Decimal takes underscores, spaces and other scripts' digits as well.
    if len(text) > _MAX_DIGITS or not text.isascii() or not set(text) <= set("0123456789.eE+-"):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _number(text: str) -> Decimal:
    parsed = _parsed(text)
    if parsed is None:
        _refuse(text)
    return parsed


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            _refuse(key)
        found[key] = value
    return found


def _refuse(text: str) -> Never:
    raise ValueError(text)


def _no(message: str) -> Invalid:
    return Invalid("chunk", f"the {KIND} {message}")
