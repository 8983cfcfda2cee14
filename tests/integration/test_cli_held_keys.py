"""Keys that are in an SSH agent or an HSM: registered, used to log in and to sign off, verified by whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line
from tests.support.held_keys import LABEL, PIN, forget_keys, softhsm, ssh_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.server import ServerThread


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server."""
    return command_line(server, capsys, tmp_path, monkeypatch)


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run an SSH agent with one key."""
    with ssh_agent(monkeypatch, tmp_path):
        yield


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URI of a P-256 key in a SoftHSM2 token: one for the module, which a process initialises once."""
    with pytest.MonkeyPatch.context() as environment:
        softhsm(environment, tmp_path_factory.mktemp("hsm"))
        yield f"hsm:2?label={LABEL}"


def prove(cli: Cli, who: str, *signers: str) -> tuple[str, str]:
    """Make a newcomer's keys, some of them held elsewhere; return the file that registers them, and their profile."""
    folder = cli.folder / who
    words = [word for signer in signers for word in ("--signer", signer)]
    passphrase = ("--passphrase-file", cli.file("pin", PIN + "\n"))
    cli.must("auditor", "keys", "create", who, "--folder", str(folder), *passphrase, *words)
    like = str(cli.server.home / "auditor" / "profile.json")
    printed = cli.must("auditor", "keys", "prove", who, "--folder", str(folder), "--like", like, *passphrase)
    return cli.file(f"{who}.yaml", printed.out), str(folder / "profile.json")


def bring_in(cli: Cli, who: str, keys: str, role: str = "reviewer") -> None:
    """Have the account made, with its keys and a role, by the quorum."""
    words = ("--person", f"persons/{who}", "--keys", keys, "--role", role)
    change = str(cli.must("evaluator", "principals", "add", who, *words, "--json").json["name"])
    cli.must("owner", "sign", change, "--yes")
    assert cli.must("reviewer", "sign", change, "--yes", "--json").json["state"] == "CHANGE_STATE_APPLIED"


def test_a_key_in_an_ssh_agent_logs_in(cli: Cli, agent: None) -> None:
    """No file holds it; everybody sees where it is; once the agent forgot it, there is no session."""
    keys, profile = prove(cli, "kim", "login=ssh-agent:kim@test")
    bring_in(cli, "kim", keys)

    me = cli.must(profile, "whoami", "--json").json

    assert me["principal"]["name"] == "principals/kim"
    [login] = [key for key in me["principal"]["credentials"] if key["use"] == "login"]
    assert (login["held_in"], login["name"].rpartition("/")[2]) == ("ssh-agent", me["credential"])
    assert "login key in ssh-agent" in cli.must("auditor", "keys", "list", "--principal", "kim").out
    cli.must(profile, "logout")
    forget_keys()
    assert cli(profile, "whoami", "--json").refusal["reason"] == "NO_KEY"


def test_a_key_in_an_ssh_agent_does_not_sign_off(cli: Cli, agent: None) -> None:
    """A policy that says nothing lets such keys log in only."""
    keys, _ = prove(cli, "kim", "signoff=ssh-agent:")

    refused = cli("evaluator", "principals", "add", "kim", "--person", "persons/kim", "--keys", keys, "--json")

    assert (refused.code, refused.codes) == (3, ["KEY_CUSTODY"])


@pytest.mark.parametrize("uri", ["ssh-agent:nobody@test", "hsm:x", "file2:open.pem", "gcpkms:projects/p", "no-uri"])
def test_a_key_that_is_nowhere(cli: Cli, agent: None, uri: str) -> None:
    """Nothing is written for a key that can't be found, lies open, or has no public half at hand."""
    folder = cli.folder / "kim"

    outcome = cli("auditor", "keys", "create", "kim", "--folder", str(folder), "--signer", f"login={uri}")

    assert outcome.code in {2, 3, 5}
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_p256_key_in_an_hsm_signs_off(cli: Cli, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It logs in and signs through PKCS #11, its sign-off counts, and the verifier finds it good."""
    keys, profile = prove(cli, "kim", f"signoff={token}")
    bring_in(cli, "kim", keys)
    change = cli.must("evaluator", "grants", "give", "kim", "requester", "--json").json["name"]
    cli.must("owner", "sign", change, "--yes")
    monkeypatch.setenv("INTERLOCK_PASSPHRASE_FILE", str(cli.folder / "pin"))

    signed = cli.must(profile, "sign", change, "--yes", "--json").json

    assert signed["state"] == "CHANGE_STATE_APPLIED"
    monkeypatch.delenv("INTERLOCK_PASSPHRASE_FILE")
    rows = cli.must("auditor", "keys", "list", "--principal", "kim", "--json").json["credentials"]
    assert {row["use"]: row.get("held_in", "") for row in rows} == {"login": "", "signoff": "signer"}
    assert cli.must("auditor", "audit", "verify", "--json").json["verified"] is True


def test_a_wrong_pin_signs_nothing(cli: Cli, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token's own word is told, and nothing is sent."""
    keys, profile = prove(cli, "kim", f"signoff={token}")
    bring_in(cli, "kim", keys)
    change = cli.must("evaluator", "grants", "give", "kim", "requester", "--json").json["name"]
    monkeypatch.setenv("INTERLOCK_PASSPHRASE_FILE", str(cli.folder / "pin"))
    cli.must(profile, "whoami")
    monkeypatch.setenv("INTERLOCK_PASSPHRASE_FILE", cli.file("wrong", "9999\n"))

    refused = cli(profile, "sign", change, "--yes", "--json")

    assert (refused.code, refused.refusal["reason"]) == (2, "NO_SIGNER")
    monkeypatch.delenv("INTERLOCK_PASSPHRASE_FILE")
    assert not cli.must("auditor", "changes", "show", change, "--json").json.get("sign_offs")
