"""`interlock policy diagram` and `models diagram`, of packs without a server and of a model on one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from interlock.client.diagrams import MACHINES
from tests.integration.cli_runner import Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server on which m is released."""
    cli = command_line(server, capsys, tmp_path, monkeypatch)
    cli.release("m")
    return cli


def test_a_model_is_drawn_with_its_states_lit(cli: Cli) -> None:
    """Of the policy in force; the same by either command, as data, Mermaid, SVG and PNG."""
    data = cli.must("auditor", "models", "diagram", "m", "--json").json
    same = cli.must("auditor", "policy", "diagram", "--model", "m", "--json").json
    out = cli.folder / "m.png"
    cli.must("auditor", "models", "diagram", "m", "--png", "--out", str(out))

    lit = {machine["machine"]: machine["lit"] for machine in data["machines"]}
    assert data == same
    assert lit["determination"] == {"ruled_out/confirmed": ["misuse"]}
    assert lit["level"] == {"confirmed": ["deployment basic"]}
    assert lit["safeguard"] == {"planned": ["input-filter"]}
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "deployment basic" in cli.must("auditor", "models", "diagram", "m", "--svg").out
    assert "class confirmed lit" in cli.must("auditor", "models", "diagram", "m", "--machine", "level").out


def test_a_pack_is_drawn_without_a_server(cli: Cli) -> None:
    """Every machine, with who signs by that pack."""
    cli.server.stop()

    data = cli.must("nobody", "policy", "diagram", "rsp-2.2", "--json").json

    assert [machine["machine"] for machine in data["machines"]] == list(MACHINES)
    assert "rso, ceo" in json.dumps(data)


@pytest.mark.parametrize(
    "words",
    [
        ("policy", "diagram", "minimal", "--png"),
        ("policy", "diagram", "minimal", "--svg", "--mermaid"),
        ("policy", "diagram", "minimal", "--machine", "engine"),
        ("policy", "diagram", "no-such-pack"),
    ],
)
def test_what_cannot_be_drawn_is_a_usage_error(cli: Cli, words: tuple[str, ...]) -> None:
    """Exit 2."""
    assert cli("nobody", *words).code == 2


def test_a_model_that_is_none_is_refused(cli: Cli) -> None:
    """Exit 3, as everywhere."""
    assert cli("auditor", "models", "diagram", "no-such-model").code == 3
