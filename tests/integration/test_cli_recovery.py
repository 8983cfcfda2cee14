"""Recovery on the command line: written and signed without a server, handed in without a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread

RESTORE = "title: bring the owner back\ntriggers: [principal.restore: principals/owner]\n"


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server."""
    return command_line(server, capsys, tmp_path, monkeypatch)


def test_an_account_is_brought_back(cli: Cli, server: ServerThread, tmp_path: Path) -> None:
    """Two sign, each where their key is; whoever hands it in has no session any more, and everything is held."""
    cli.must("admin", "principals", "suspend", "owner")
    file, document = tmp_path / "back.yaml", str(tmp_path / "recovery.bin")
    file.write_text(RESTORE)
    written = cli.must("owner", "recover", "write", "-f", str(file), "--out", document)
    assert "principal.restore principals/owner" in written.out
    assert "a hold on everything" in written.out
    signed = []
    for who in ("recovery-1", "recovery-2"):
        key, out = server.home / who / "recovery.key", tmp_path / f"{who}.json"
        passphrase = str(server.home / who / "passphrase")
        words = ("--as", who, "--key", str(key), "--out", str(out), "--yes", "--passphrase-file", passphrase)
        cli.must("owner", "recover", "sign", document, *words)
        signed.append(str(out))
    assert cli("owner", "recover", "send", document, signed[0]).code == 3

    done = cli.must("owner", "recover", "send", document, *signed)

    assert "holds/1 is on everything" in done.out
    assert cli.must("owner", "whoami", "--json").json["principal"]["state"] == "active"
    assert "everything" in cli.must("auditor", "hold", "list", "--placed").out
    assert cli.must("auditor", "audit", "verify").code == 0
    assert cli("owner", "recover", "send", document, *signed).code == 3


def test_a_document_that_is_none(cli: Cli, tmp_path: Path) -> None:
    """Other bytes are refused before anybody signs them."""
    odd = tmp_path / "odd.bin"
    odd.write_bytes(b"\xff\xff")

    assert cli("owner", "recover", "send", str(odd), str(odd)).code != 0
