"""Times, positions and names as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from interlock.cli.arguments import moment, moment_or_position, safeguard_names


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-05-22", datetime(2026, 5, 22, tzinfo=UTC)),
        ("2026-05-22T10:00:00Z", datetime(2026, 5, 22, 10, tzinfo=UTC)),
        ("2026-05-22T12:00:00+02:00", datetime(2026, 5, 22, 10, tzinfo=UTC)),
        ("2026-05-22T10:00:00.123456Z", datetime(2026, 5, 22, 10, 0, 0, 123456, tzinfo=UTC)),
    ],
    ids=range(4),
)
def test_a_time_has_its_zone_and_a_date_is_its_first_moment(text: str, value: datetime) -> None:
    """Every time becomes one in UTC."""
    assert moment(text) == value
    assert moment_or_position(text) == value


@pytest.mark.parametrize("text", ["yesterday", "2026-05-22T10:00:00", "2026-13-01", "10:00", ""])
def test_a_time_that_leaves_anything_open_is_refused(text: str) -> None:
    """A local time means another moment at another desk."""
    with pytest.raises(typer.BadParameter):
        moment(text)


def test_digits_alone_are_a_position() -> None:
    """`--as-of 17` is the entry, and nothing given is nothing."""
    assert moment_or_position("17") == 17
    assert moment_or_position("0") == 0
    assert moment_or_position(None) is None


def test_a_position_past_any_log_is_a_usage_error() -> None:
    """Digits that no int64 holds are refused where they are read."""
    with pytest.raises(typer.BadParameter):
        moment_or_position("9" * 20)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["m", "a"], ("models/m/safeguards/a",)),
        (["models/m", "a", "b"], ("models/m/safeguards/a", "models/m/safeguards/b")),
        (["m", "safeguards/shared", "a"], ("safeguards/shared", "models/m/safeguards/a")),
        (["models/m/safeguards/a"], ("models/m/safeguards/a",)),
        (["safeguards/s", "models/m/safeguards/a"], ("safeguards/s", "models/m/safeguards/a")),
    ],
    ids=range(5),
)
def test_safeguards_are_named_by_model_and_ids_or_in_full(words: list[str], names: tuple[str, ...]) -> None:
    """A model first, then short ids; or resource names alone."""
    assert safeguard_names(words) == names


@pytest.mark.parametrize("words", [["a"], ["models/m/safeguards/a", "b"]], ids=" ".join)
def test_a_safeguard_without_its_model_is_refused(words: list[str]) -> None:
    """Which model's safeguard it is must not be guessed."""
    with pytest.raises(typer.BadParameter):
        safeguard_names(words)
