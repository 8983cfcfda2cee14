"""Numbers and times on the command line that no server takes: usage, 2, never a failure that looks like the server's.

Every option that takes a number or a time is here, with what is not finite, negative, or past what the contract counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.cli_runner import Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread

PAST_INT64: Final = str(1 << 63)
CHECK: Final = ("gate", "check", "m", "--context", "internal")
NUMBERS: Final = ("-2", "nan", "1e400", "x", PAST_INT64, str(1 << 64), "9" * 5000)
TIMES: Final = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "10000-01-01",
    "tomorrow",
    "nan",
    "1e9",
    "12:00",
)
SECONDS: Final = ("inf", "-inf", "nan", "0", "-1", "1e300", "x", "1e-9", "31622401")
POSITIONS: Final = (PAST_INT64, "-1", "nan", "inf", "9" * 5000)

OF_NUMBERS: Final = (
    (*CHECK, "--min-position"),
    ("gate", "batch", "--file", "QUESTIONS", "--min-position"),
    ("models", "watch", "--after"),
    ("audit", "tail", "--after"),
    ("audit", "log", "--limit"),
    ("audit", "show"),
    ("audit", "prove"),
    ("audit", "prove", "1", "--size"),
    ("audit", "prove", "--from"),
    ("audit", "prove", "--from", "1", "--to"),
    ("login", "--no-browser", "--port"),
)
OF_TIMES: Final = (
    ("audit", "log", "--since"),
    ("audit", "log", "--until"),
    ("evidence", "upload", "DOCUMENT", "--kind", "evaluation_results", "--made"),
    ("evidence", "upload", "DOCUMENT", "--kind", "evaluation_results", "--valid-until"),
    ("grants", "give", "reviewer", "reviewer", "--until"),
    ("measures", "propose", "m", "--for", "x", "--context", "internal", "--title", "t", "--until"),
    ("changes", "propose", "--title", "t", "--not-before"),
    ("keys", "revoke", "0123456789", "--compromised-since"),
)
OF_MOMENTS: Final = (
    ("models", "show", "m", "--as-of"),
    ("gate", "explain", "m", "--context", "internal", "--as-of"),
    ("audit", "state", "--as-of"),
    ("deployments", "list", "--as-of"),
    ("audit", "why", "m", "--context", "internal", "--at"),
    ("audit", "diff", "--from"),
    ("audit", "diff", "--from", "1", "--to"),
)
OF_SECONDS: Final = ((*CHECK, "--timeout"), ("audit", "witness", "FOLDER", "--once", "--every"))
OF_LENGTHS: Final = ((*CHECK, "--wait"), ("login", "--no-browser", "--wait"), ("obligations", "list", "--due"))
LENGTHS: Final = ("inf", "nan", "-1s", "-1d", "1e3m", "9999999h", "10", "s", "d", "\u0663s", "\u0663d")
VALUES: Final = (
    *((option, NUMBERS) for option in OF_NUMBERS),
    *((option, TIMES) for option in OF_TIMES),
    *((option, (*TIMES[:4], *POSITIONS)) for option in OF_MOMENTS),
    *((option, SECONDS) for option in OF_SECONDS),
    *((option, LENGTHS) for option in OF_LENGTHS),
)


@pytest.fixture
def cli(
    shared_server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server."""
    line = command_line(shared_server, capsys, tmp_path, monkeypatch)
    line.file("DOCUMENT", "words")
    line.file("QUESTIONS", '{"model": "m", "context": "internal"}')
    monkeypatch.chdir(line.folder)
    return line


@pytest.mark.parametrize(("option", "values"), VALUES, ids=[" ".join(option) for option, _ in VALUES])
def test_what_no_server_takes_and_no_clock_counts_is_usage(
    cli: Cli, option: tuple[str, ...], values: tuple[str, ...]
) -> None:
    """2, and said as usage: the command line is wrong, not the server."""
    outcomes = {value[:40]: cli("admin", *option, value, "--json") for value in values}

    ends = {value: (outcome.code, outcome.out) for value, outcome in outcomes.items()}
    assert ends == dict.fromkeys(outcomes, (2, ""))
    assert {outcome.refusal["reason"] for outcome in outcomes.values()} == {"USAGE"}


@pytest.mark.parametrize("value", SECONDS)
def test_a_timeout_before_the_command_is_bounded_too(cli: Cli, value: str) -> None:
    """The common options may stand in front."""
    outcome = cli("admin", "--timeout", value, *CHECK, "--json")

    assert (outcome.code, outcome.out, outcome.refusal["reason"]) == (2, "", "USAGE")


def test_the_greatest_of_each_is_taken(cli: Cli) -> None:
    """A position that no log has yet is the server's to answer, and a year is a timeout."""
    position = cli("admin", *CHECK, "--min-position", str((1 << 63) - 1), "--json")
    timeout = cli("release-bot", *CHECK, "--timeout", str(366 * 24 * 3600))

    assert (position.code, position.refusal["reason"]) == (5, "POSITION_NOT_REACHED")
    assert timeout.code == 1


@pytest.mark.parametrize("value", ["18446744073709551616", "-1", ".nan", "1e400", "9999-12-31T23:59:59-14:00"])
def test_numbers_of_a_change_file_are_bounded(cli: Cli, value: str) -> None:
    """A change file that says what the contract can't hold is usage, named by line."""
    text = f"title: t\nnot_before: {value}\ntriggers:\n  - hold.lift: holds/1\n"
    outcome = cli("admin", "changes", "propose", "-f", cli.file("c.yaml", text), "--json")

    assert (outcome.code, outcome.out) == (2, "")
