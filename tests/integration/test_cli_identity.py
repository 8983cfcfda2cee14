"""Accounts, keys and roles on the command line: listed, and taken by an administrator."""

from __future__ import annotations

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


def fingerprint(cli: Cli, who: str, use: str) -> str:
    """Return the fingerprint of somebody's key."""
    rows = cli.must("auditor", "keys", "list", "--principal", who, "--json").json["credentials"]
    return next(str(row["name"]).rpartition("/")[2] for row in rows if row["use"] == use)


def test_a_lost_key_is_revoked_by_its_beginning(cli: Cli) -> None:
    """Eight characters name a key; whoever has it is out with the next command."""
    cli.must("owner", "whoami")
    key = fingerprint(cli, "owner", "login")

    revoked = cli.must("admin", "keys", "revoke", key[:8], "--compromised-since", "2026-01-01", "--json").json

    assert (revoked["state"], revoked["compromised_since"]) == ("revoked", "2026-01-01T00:00:00Z")
    assert "compromised since" in cli.must("auditor", "keys", "list").out
    assert cli("owner", "whoami").code == 4


@pytest.mark.parametrize(("words", "code"), [(("keys", "revoke", "0000000"), 2), (("keys", "revoke", "0" * 64), 3)])
def test_a_key_that_nobody_has(cli: Cli, words: tuple[str, ...], code: int) -> None:
    """Too little of a fingerprint is a mistake, an unknown one is refused."""
    assert cli("admin", *words).code == code


@pytest.mark.parametrize(("verb", "state"), [("suspend", "suspended"), ("remove", "removed")])
def test_an_account_is_taken(cli: Cli, verb: str, state: str) -> None:
    """Suspended or removed, it can't be used, and everybody sees it."""
    cli.must("admin", "principals", verb, "owner", "--reason", "left")

    assert cli("owner", "hold", "place", "-").code == 4
    assert cli.must("auditor", "principals", "show", "owner", "--json").json["state"] == state


def test_a_role_ends(cli: Cli) -> None:
    """The grant is in the listing no more, and in `--all` with its end; the right is gone."""
    [grant] = cli.must("auditor", "grants", "list", "--principal", "owner", "--json").json["grants"]

    cli.must("admin", "grants", "end", grant["name"])

    assert cli.must("auditor", "grants", "list", "--principal", "owner").out == ""
    assert "ended" in cli.must("auditor", "grants", "list", "--principal", "owner", "--all").out
    assert cli("owner", "hold", "place", "-").code == 4


def test_who_is_no_admin_takes_nothing(cli: Cli) -> None:
    """Everybody else is not allowed to: exit code 4."""
    assert cli("owner", "principals", "suspend", "reviewer").code == 4
    assert cli("reviewer", "keys", "revoke", fingerprint(cli, "owner", "login")).code == 4


def test_the_recovery_quorum_is_refused(cli: Cli) -> None:
    """Its accounts stay: exit code 3, with the code of what is unmet."""
    accounts = cli.must("auditor", "principals", "list", "--json").json["principals"]
    name = next(row["name"] for row in accounts if row["recovery"])

    assert cli("admin", "principals", "remove", name, "--json").codes == ["RECOVERY_QUORUM"]
