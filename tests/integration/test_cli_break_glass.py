"""Break-glass on the command line: proposed with its reason, and standing out wherever one looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server."""
    return command_line(server, capsys, tmp_path, monkeypatch)


def test_it_stands_out_everywhere(cli: Cli) -> None:
    """Among changes, holds, on the status screen and in the gate's answers; and its review is owed."""
    cli.must("evaluator", "models", "create", "m")
    cli.must("owner", "hold", "place", "m")
    until = (datetime.now(UTC) + timedelta(hours=12)).isoformat()
    words = ("break-glass", "open", "holds/1", "--until", until, "--reason", "false alarm")

    change = str(cli.must("evaluator", *words, "--json").json["name"])
    assert "BREAK-GLASS" in cli.must("auditor", "changes", "list").out
    assert "BREAK-GLASS" in cli.must("auditor", "changes", "show", change).out
    cli.must("owner", "sign", change, "--yes")
    cli.must("reviewer", "sign", change, "--yes")

    assert "EXCEPTED until" in cli.must("auditor", "hold", "list").out
    assert "IN FORCE" in cli.must("auditor", "break-glass", "list").out
    assert "break-glass" in cli.must("auditor", "status").out
    assert "advisory  BREAK_GLASS  holds/1" in cli("release-bot", "gate", "check", "m", "--context", "internal").out
    assert "break-glass" in cli("auditor", "gate", "explain", "m", "--context", "internal").out
    assert "break-glass-review" in cli.must("auditor", "obligations", "list").out
    cli.must("reviewer", "hold", "place", "m")
    [use] = cli.must("auditor", "break-glass", "list", "--json").json["uses"]
    assert (use["in_force"], use["ender"], use["reviewed"]) == (False, "principals/reviewer", False)
    assert cli("evaluator", *words).code == 3


@pytest.mark.parametrize("words", [("holds/1", "--until", "2099-01-01T00:00:00Z"), ("holds/1", "--reason", "x")])
def test_without_a_reason_or_an_end(cli: Cli, words: tuple[str, ...]) -> None:
    """Both are asked for before anything is sent."""
    assert cli("evaluator", "break-glass", "open", *words).code == 2
