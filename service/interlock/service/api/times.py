"""Instants at the edge: google.protobuf.Timestamp to int64 Unix microseconds and back.

Ranges are those of Timestamp itself, years 1 to 9999; what is finer than a microsecond is cut.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from interlock.service.errors import Invalid

_MICROSECONDS: Final = 1_000_000
_NANOSECONDS: Final = 1_000_000_000
_FIRST_SECOND: Final = -62_135_596_800
_LAST_SECOND: Final = 253_402_300_799


def to_microseconds(timestamp: Timestamp, field: str) -> int:
    """Return Unix microseconds. Raises Invalid, naming ``field``, for what is no moment of years 1 to 9999."""
    seconds, nanos = timestamp.seconds, timestamp.nanos
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND or not 0 <= nanos < _NANOSECONDS:
        raise Invalid(field, "is no moment of the years 1 to 9999")
    return seconds * _MICROSECONDS + nanos // 1000


def to_positive_microseconds(timestamp: Timestamp, field: str) -> int:
    """Return Unix microseconds for a field where the log's 0 means "none". Raises Invalid before 1970 too."""
    moment = to_microseconds(timestamp, field)
    if moment <= 0:
        raise Invalid(field, "is not after 1970-01-01T00:00:00Z")
    return moment


def from_microseconds(moment: int) -> Timestamp:
    """Return the Timestamp of Unix microseconds; a moment past its range is its last one.

    Derived ends may lie there: an entry's time plus a policy's duration.
    """
    seconds, rest = divmod(moment, _MICROSECONDS)
    if seconds > _LAST_SECOND:
        return Timestamp(seconds=_LAST_SECOND, nanos=_NANOSECONDS - 1000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)
