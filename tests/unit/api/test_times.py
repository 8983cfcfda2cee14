"""Instants at the edge."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from interlock.service.api.times import from_microseconds, to_microseconds, to_positive_microseconds
from interlock.service.errors import Invalid

FIRST_US = -62_135_596_800_000_000
LAST_US = 253_402_300_799_999_999


@given(st.integers(FIRST_US, LAST_US))
def test_a_moment_survives_both_ways(moment: int) -> None:
    """Every microsecond of the years 1 to 9999 comes back as it was."""
    assert to_microseconds(from_microseconds(moment), "t") == moment


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_any_timestamp_is_a_moment_or_refused(seconds: int, nanos: int) -> None:
    """Whatever a caller sends is either in range or names its field."""
    in_range = FIRST_US <= seconds * 1_000_000 <= LAST_US and 0 <= nanos < 1_000_000_000
    timestamp = Timestamp(seconds=seconds, nanos=nanos)

    if in_range:
        assert FIRST_US <= to_microseconds(timestamp, "t") <= LAST_US
    else:
        with pytest.raises(Invalid):
            to_microseconds(timestamp, "t")


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(253_402_300_800, 0), (-62_135_596_801, 0), (0, 1_000_000_000), (0, -1)]
)
def test_the_first_moments_out_of_range_are_refused(seconds: int, nanos: int) -> None:
    """Years 0 and 10000, and nanoseconds that are no part of a second, are malformed."""
    with pytest.raises(Invalid):
        to_microseconds(Timestamp(seconds=seconds, nanos=nanos), "t")


def test_what_is_finer_than_a_microsecond_is_cut() -> None:
    """Nanoseconds are never rounded up: a moment does not come early."""
    assert to_microseconds(Timestamp(seconds=1, nanos=999_999_999), "t") == 1_999_999


@pytest.mark.parametrize("seconds", [0, -1])
def test_what_the_log_would_read_as_none_is_refused(seconds: int) -> None:
    """The log says 0 for "no end": a caller's 1970 must not become that."""
    with pytest.raises(Invalid):
        to_positive_microseconds(Timestamp(seconds=seconds), "t")


def test_an_end_past_the_calendar_is_its_last_moment() -> None:
    """A derived end that no Timestamp can say is the last one that it can."""
    assert to_microseconds(from_microseconds(2**63 - 1), "t") == LAST_US
