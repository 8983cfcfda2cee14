"""Recovery on the command line: written and signed without a server, handed in without a session."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.proofs import keys
from interlock.service.clock import SystemClock
from interlock.service.commands import found
from interlock.service.genesis.data_directory import make_data_directory
from interlock.service.genesis.plan import PlannedPrincipal
from tests.integration.cli_runner import Cli, command_line
from tests.support.server import ServerThread

if TYPE_CHECKING:
    from pathlib import Path

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


def test_what_no_recovery_may_do_is_said_before_anybody_signs(cli: Cli, tmp_path: Path) -> None:
    """All at once, by the codes that the server would give once it was signed; no document is written."""
    file, document = tmp_path / "back.yaml", tmp_path / "recovery.bin"
    lines = ["principal.restore: principals/owner", "hold.lift: holds/1", "level.assign: {level: nonsense, to: basic}"]
    key = f"public_key: '{'01' * 32}', proof: '{'02' * 64}'"
    lines.append(f"credential.register: {{principal: principals/owner, use: signoff, {key}}}")
    file.write_text("title: t\ntriggers:\n" + "".join(f"  - {row}\n" for row in lines))

    no = cli("owner", "recover", "write", "-f", str(file), "--out", str(document), "--json")

    assert (no.code, no.refusal["reason"]) == (3, "REQUIREMENTS_UNMET")
    assert no.codes == ["MALFORMED", "POSSESSION", "RECOVERY_ONLY", "RECOVERY_ONLY"]
    assert not document.exists()


def test_a_document_that_is_none(cli: Cli, tmp_path: Path) -> None:
    """Other bytes are refused before anybody signs them."""
    odd = tmp_path / "odd.bin"
    odd.write_bytes(b"\xff\xff")

    assert cli("owner", "recover", "send", str(odd), str(odd)).code != 0


def with_a_third(target: Path) -> Path:
    """Found a log whose recovery takes two people of three."""
    order = found.order_of(found.Wish(target=target, pack="minimal"))
    key = Ed25519PrivateKey.generate()
    public = (("recovery", keys.public_bytes(key)),)
    third = PlannedPrincipal("recovery-3", "human", "recovery-3", keys=public, recovery=True)
    plan = replace(order.plan, principals=(*order.plan.principals, third))
    secrets = {**order.secrets, "recovery-3": {"recovery": key}}
    asyncio.run(make_data_directory(replace(order, plan=plan, secrets=secrets), SystemClock(), os.urandom))
    return target


def test_a_member_is_suspended_by_a_change_and_not_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator can't; the policy's people can, as long as enough are left; then that signature is none."""
    with ServerThread(with_a_third(tmp_path / "data")) as server:
        cli = command_line(server, capsys, tmp_path, monkeypatch)
        no = cli("admin", "principals", "suspend", "recovery-3", "--json")
        assert no.codes == ["RECOVERY_QUORUM"]
        change = cli.must("requester", "recover", "suspend", "recovery-3", "--json").json["name"]
        cli.must("owner", "sign", change, "--yes")
        assert cli.must("auditor", "principals", "show", "recovery-3", "--json").json["state"] == "active"
        cli.must("reviewer", "sign", change, "--yes")
        assert cli.must("auditor", "principals", "show", "recovery-3", "--json").json["state"] == "suspended"
        no = cli("requester", "recover", "suspend", "recovery-1", "--json")
        assert no.codes == ["RECOVERY_QUORUM"]

        cli.must("admin", "principals", "suspend", "owner")
        file, document = tmp_path / "back.yaml", str(tmp_path / "recovery.bin")
        file.write_text(RESTORE)
        cli.must("requester", "recover", "write", "-f", str(file), "--out", document)
        signed = []
        for who in ("recovery-1", "recovery-3", "recovery-2"):
            monkeypatch.setenv("INTERLOCK_PASSPHRASE_FILE", str(server.home / who / "passphrase"))
            out = str(tmp_path / f"{who}.json")
            words = ("--as", who, "--key", str(server.home / who / "recovery.key"), "--out", out, "--yes")
            cli.must("requester", "recover", "sign", document, *words)
            monkeypatch.delenv("INTERLOCK_PASSPHRASE_FILE")
            signed.append(out)
        assert cli("requester", "recover", "send", document, *signed[:2]).code != 0
        cli.must("requester", "recover", "send", document, signed[0], signed[2])
        assert cli.must("auditor", "audit", "verify").code == 0
