"""Usage errors end in 2, whatever is wrong with the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from interlock.cli import main
from interlock.cli.exits import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    monkeypatch.delenv("INTERLOCK_PROFILE", raising=False)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["no-such-command"],
        ["models"],
        ["models", "show"],
        ["models", "show", "m", "--no-such-option"],
        ["models", "show", "m", "--as-of", "yesterday"],
        ["gate", "check", "m"],
        ["gate", "check", "m", "--context", "api", "--timeout", "0"],
        ["assessments", "report", "m", "t", "maybe"],
        ["evidence", "upload", "/no/such/file", "--kind", "x"],
        ["changes", "propose", "-f", "/no/such/file"],
        ["changes", "list", "--state", "fine"],
        ["safeguards", "start", "only-one-word"],
        ["reject", "1"],
        ["gate", "check", "m", "--context", "api"],
        ["gate", "check", "m", "--context", "api", "--profile", "nobody"],
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_a_wrong_command_line_ends_in_2(words: list[str]) -> None:
    """A word too many, too few or of the wrong form is usage, and so is a profile that is not there."""
    assert main.run(words) == ExitCode.USAGE


def test_the_version_is_told() -> None:
    """`--version` ends well."""
    assert main.run(["--version"]) == ExitCode.DONE


def test_with_json_errors_are_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Stdout stays empty; stderr holds one document that names the reason."""
    code = main.run(["gate", "check", "m", "--context", "api", "--json"])
    printed = capsys.readouterr()

    assert code == ExitCode.USAGE
    assert printed.out == ""
    assert json.loads(printed.err)["error"]["reason"] == "NO_PROFILE"


def test_a_fault_of_this_program_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody foresaw ends in 5: neither allowed nor denied."""

    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(main, "build", broken)

    assert main.run(["gate", "check", "m", "--context", "api"]) == ExitCode.UNAVAILABLE


def test_an_interrupt_ends_in_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is told apart from every answer."""

    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("interlock.cli.run.Run.client", interrupted)

    assert main.run(["gate", "check", "m", "--context", "api"]) == ExitCode.INTERRUPTED


@pytest.mark.parametrize("words", [[], ["gate"], ["--help"], ["gate", "--help"]], ids=" ".join)
def test_help_in_a_pipe_has_no_styles(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """Regression: bare `interlock` and bare groups wrote bold headings to whatever read them."""
    main.run(words)

    printed = capsys.readouterr()
    assert "Commands" in printed.out + printed.err
    assert "\x1b" not in printed.out + printed.err
