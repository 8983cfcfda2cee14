"""Commands of other parts join by entry point, and are imported only when called."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING

import pytest

from interlock.cli import joined, main

if TYPE_CHECKING:
    from pathlib import Path


def _join(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    found = EntryPoints(EntryPoint(name, value, joined.GROUP) for name, value in points)
    monkeypatch.setattr("importlib.metadata.entry_points", found.select)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a module that says when it is imported and joins one command."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "joining_part.py").write_text(
        "import typer\n"
        "print('imported')\n"
        "app = typer.Typer()\n"
        "@app.command()\n"
        "def hello(name: str, loud: bool = False) -> int:\n"
        "    print('HELLO' if loud else 'hello', name)\n"
        "    return 3\n"
    )
    return tmp_path


@pytest.mark.usefixtures("module")
def test_a_joined_command_runs_with_its_own_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Arguments, options and exit code are those of the joined command."""
    _join(monkeypatch, ("greet", "joining_part:app"))

    assert main.run(["greet", "you", "--loud"]) == 3
    assert capsys.readouterr().out == "imported\nHELLO you\n"


@pytest.mark.usefixtures("module")
def test_help_lists_a_joined_command_without_importing_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list names it; the import waits for the call."""
    _join(monkeypatch, ("greet", "joining_part:app"))

    assert main.run(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "greet" in printed
    assert "imported" not in printed


@pytest.mark.usefixtures("module")
def test_a_joined_command_has_its_own_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` after it is its help, not a stand-in's."""
    _join(monkeypatch, ("greet", "joining_part:app"))

    assert main.run(["greet", "--help"]) == 0
    assert "--loud" in capsys.readouterr().out


def test_a_command_whose_extra_is_missing_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An install without the server's packages names the extra that brings them."""
    _join(monkeypatch, ("serve", "no_such_package.at_all:app"))

    assert main.run(["serve"]) == 2
    assert "pip install '.[server]'" in capsys.readouterr().err.replace("\n", "")


@pytest.mark.parametrize("name", joined.SUMMARIES)
def test_a_server_command_that_nobody_joined_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Even without any entry point the server's commands are known by name."""
    _join(monkeypatch)

    assert main.run([name]) == 2
    assert "pip install '.[server]'" in capsys.readouterr().err.replace("\n", "")
