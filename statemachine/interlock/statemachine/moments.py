"""Instants in words: Unix microseconds UTC to RFC 3339 text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def to_text(microseconds: int) -> str:
    """Return an instant such as ``2026-05-22T10:00:00Z``; out of the calendar's range, the number itself."""
    if not 0 <= microseconds <= _LAST:
        return f"{microseconds} µs"
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="seconds" if not moment.microsecond else "microseconds").replace("+00:00", "Z")
