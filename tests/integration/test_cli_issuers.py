"""OpenID providers on the command line: trusted and bound by a change, used by a pipeline, distrusted by one person."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line
from tests.support.oidc_provider import CLIENT, Provider, provider
from tests.support.server import ServerThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def oidc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Run a provider for the module."""
    with provider(tmp_path_factory.mktemp("oidc")) as running:
        yield running


@pytest.fixture
def cli(
    oidc: Provider, data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cli]:
    """Give a command line for everybody of a server that can reach the provider."""
    with ServerThread(data, oidc_ca=str(oidc.ca_file)) as server:
        yield command_line(server, capsys, tmp_path, monkeypatch)


def applied(cli: Cli, *words: str) -> None:
    """Propose by a short form, and have owner and reviewer sign."""
    change = str(cli.must("evaluator", *words, "--json").json["name"])
    cli.must("owner", "sign", change, "--yes")
    assert cli.must("reviewer", "sign", change, "--yes", "--json").json["state"] == "CHANGE_STATE_APPLIED"


def test_a_pipeline_needs_no_key(cli: Cli, oidc: Provider) -> None:
    """Its profile names the file that its platform writes tokens into; one administrator ends it."""
    applied(cli, "issuers", "trust", "ci", oidc.url, "--audience", CLIENT)
    applied(cli, "issuers", "bind", "ci", "release-bot", "--claim", "repository=acme/aurora")
    now = int(time.time())
    claims = {"iss": oidc.url, "aud": CLIENT, "sub": "repo:acme/aurora", "repository": "acme/aurora"}
    token = cli.file("token", oidc.sign(claims | {"iat": now, "exp": now + 300}) + "\n")
    like = json.loads((cli.server.home / "release-bot" / "profile.json").read_text())
    like |= {"login_key_file": "", "login_token_file": token}
    profile = cli.file("profile.json", json.dumps(like))

    me = cli.must(profile, "whoami", "--json").json

    assert me["principal"]["name"] == "principals/release-bot"
    assert cli(profile, "gate", "check", "wren-1", "--context", "api").code == 1  # a real answer: DENY
    [row] = cli.must("auditor", "issuers", "list", "--json").json["issuers"]
    assert (row["url"], row["audience"], row["state"]) == (oidc.url, CLIENT, "trusted")
    assert "subject of issuers/ci" in cli.must("auditor", "keys", "list", "--principal", "release-bot").out
    assert cli("owner", "issuers", "distrust", "ci").code == 4
    assert "distrusted" in cli.must("admin", "issuers", "distrust", "ci").out
    assert cli(profile, "whoami").code == 4
    assert cli.must("auditor", "audit", "verify", "--json").json["verified"] is True


def test_a_person_logs_in_by_a_token(cli: Cli, oidc: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """`login --token-file -` takes what another tool got; the session is kept as any."""
    applied(cli, "issuers", "trust", "sso", oidc.url, "--audience", CLIENT)
    applied(cli, "issuers", "bind", "sso", "auditor", "--subject", "2482")
    token = cli.file("token", oidc.log_in("2482"))

    assert (
        cli.must("auditor", "login", "--token-file", token, "--json").json["principal"]["name"] == "principals/auditor"
    )

    assert cli("auditor", "login", "--token-file", token).code == 4  # it opens one session
    assert cli("auditor", "login", "--token-file", str(cli.folder / "nothing")).code == 2
    assert cli("auditor", "login", "--token-file", cli.file("empty", "")).code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("trust", "ci", "http://id.example", "--audience", "x"),
        ("trust", "ci", "https://id.example", "--audience", "x", "--algorithm", "HS256"),
        ("trust", "ci", "https://id.example", "--audience", "x", "--algorithm", "none"),
        ("bind", "ci", "release-bot", "--subject", "kim@example.org"),
        ("bind", "nobody", "release-bot", "--subject", "kim"),
    ],
)
def test_what_is_no_issuer(cli: Cli, words: tuple[str, ...]) -> None:
    """Plain HTTP, algorithms with shared secrets or none, an address as a subject, an issuer nobody knows."""
    assert cli("evaluator", "issuers", *words).code in {2, 3}
