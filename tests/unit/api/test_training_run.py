"""The figure that the log takes out of a training_run_record."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.service.errors import Invalid
from interlock.service.evidence.training_run import MAX_BYTES, effective_compute


@pytest.mark.parametrize(
    ("document", "figure"),
    [
        (b'{"effective_compute_flop": "120000000000000000000000000"}', "120000000000000000000000000"),
        (b'{"effective_compute_flop": "1.2e26"}', "120000000000000000000000000"),
        (b'{"effective_compute_flop": 1.2E+26, "model": "m"}', "120000000000000000000000000"),
        (b'{"effective_compute_flop": 7}', "7"),
        (b'{"effective_compute_flop": "2.50"}', "2.5"),
        (b'{"effective_compute_flop": 100}', "100"),
        (b' {"x": [1.5, {"y": null}], "effective_compute_flop": 1e60}\n', "1" + "0" * 60),
    ],
)
def test_a_figure_has_one_spelling(document: bytes, figure: str) -> None:
    """Number or decimal text, with exponent or without: the log gets plain digits."""
    assert effective_compute(document) == figure


@pytest.mark.parametrize(
    "document",
    [
        None,
        b"",
        b"null",
        b"[]",
        b"{}",
        b"not json",
        b"\xff\xfe",
        b'{"effective_compute_flop": null}',
        b'{"effective_compute_flop": true}',
        b'{"effective_compute_flop": -1}',
        b'{"effective_compute_flop": 0}',
        b'{"effective_compute_flop": 1e61}',
        b'{"effective_compute_flop": 1e999999999}',
        b'{"effective_compute_flop": NaN}',
        b'{"effective_compute_flop": "Infinity"}',
        b'{"effective_compute_flop": "1_000"}',
        b'{"effective_compute_flop": " 7"}',
        '{"effective_compute_flop": "٧"}'.encode(),
        b'{"effective_compute_flop": "1" , "effective_compute_flop": "2"}',
        b'{"effective_compute_flop": {"value": 1}}',
        b'{"other": 1' + b"1" * 100 + b', "effective_compute_flop": 7}',
        b"[" * 100_000,
        b'{"effective_compute_flop": "' + b"9" * 65 + b'"}',
    ],
)
def test_anything_else_is_refused(document: bytes | None) -> None:
    """A record without one honest figure is malformed."""
    with pytest.raises(Invalid):
        effective_compute(document)


@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_refused(document: bytes) -> None:
    """No document raises anything but a refusal."""
    with contextlib.suppress(Invalid):
        effective_compute(document)


def test_the_limit_is_the_contract_s() -> None:
    """A record may have up to 1 MiB."""
    assert MAX_BYTES == 1024 * 1024
