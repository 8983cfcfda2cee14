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
    entries = cli.must("auditor", "audit", "log", "--json").json["entries"]
    assert "compromised_since=2026-01-01T00:00:00Z" in cli.must("auditor", "audit", "show", str(len(entries) - 1)).out
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


# What a change gives ------------------------------------------------------------------------------------------------


def applied(cli: Cli, *words: str, who: str = "evaluator") -> str:
    """Propose by a short form, have owner and reviewer sign, and return the change's name."""
    change = str(cli.must(who, *words, "--json").json["name"])
    cli.must("owner", "sign", change, "--yes")
    done = cli.must("reviewer", "sign", change, "--yes", "--json").json
    assert done["state"] == "CHANGE_STATE_APPLIED", done
    return change


def new_keys(cli: Cli, who: str, folder: Path, *words: str) -> str:
    """Make keys as a newcomer does, with a colleague's profile at hand; return the file that registers them."""
    passphrase = ("--passphrase-file", cli.file("newcomer.pass", "correct horse\n"))
    like = str(cli.server.home / "auditor" / "profile.json")
    cli.must("auditor", "keys", "create", who, "--folder", str(folder), *passphrase)
    printed = cli.must("auditor", "keys", "prove", who, "--folder", str(folder), "--like", like, *passphrase, *words)
    return cli.file(f"{who}.yaml", printed.out)


def test_a_newcomer_is_brought_in(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys made and proven by themselves, one change, and then they act under their own profile."""
    folder = cli.folder / "kim"
    keys = new_keys(cli, "kim", folder, "--until", "2099-01-01")
    applied(cli, "principals", "add", "kim", "--person", "persons/kim", "--keys", keys, "--role", "reviewer")
    monkeypatch.setenv("INTERLOCK_PASSPHRASE_FILE", str(cli.folder / "newcomer.pass"))
    kim = str(folder / "profile.json")

    me = cli.must(kim, "whoami", "--json").json
    assert (me["principal"]["state"], [row["role"] for row in me["principal"]["grants"]]) == ("active", ["reviewer"])
    assert {row["expire_time"] for row in me["principal"]["credentials"]} == {"2099-01-01T00:00:00Z"}
    monkeypatch.delenv("INTERLOCK_PASSPHRASE_FILE")
    change = cli.must("evaluator", "grants", "give", "kim", "requester", "--json").json["name"]
    monkeypatch.setenv("INTERLOCK_PASSPHRASE_FILE", str(cli.folder / "newcomer.pass"))
    assert change in cli.must(kim, "inbox").out
    cli.must(kim, "sign", change, "--yes")
    monkeypatch.delenv("INTERLOCK_PASSPHRASE_FILE")
    assert cli.must("auditor", "audit", "verify", "--json").json["verified"] is True


def test_keys_are_rotated(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old keys sign for the new ones and are revoked with them; the new folder is the profile from then on."""
    folder = cli.folder / "owner-2"
    printed = cli.must("owner", "keys", "rotate", "--folder", str(folder)).out
    before = fingerprint(cli, "owner", "login")

    applied(cli, "keys", "register", cli.file("owner.yaml", printed))

    rows = cli.must("auditor", "keys", "list", "--principal", "owner", "--json").json["credentials"]
    assert [row["state"] for row in rows if row["name"].endswith(before)] == ["revoked"]
    assert cli("owner", "whoami").code == 4
    monkeypatch.setenv("INTERLOCK_PASSPHRASE_FILE", str(cli.server.home / "owner" / "passphrase"))
    assert cli.must(str(folder / "profile.json"), "whoami", "--json").json["principal"]["name"] == "principals/owner"


def test_one_key_is_rotated(cli: Cli) -> None:
    """The other keys stay as they are, and a use that the profile has no key for is told."""
    folder = cli.folder / "owner-2"
    printed = cli.must("owner", "keys", "rotate", "--use", "signoff", "--folder", str(folder))
    applied(cli, "keys", "register", cli.file("owner.yaml", printed.out))

    rows = cli.must("owner", "keys", "list", "--principal", "owner", "--json").json["credentials"]
    assert [(row["use"], row["state"]) for row in rows] == [
        ("login", "active"),
        ("signoff", "revoked"),
        ("signoff", "active"),
    ]
    assert [path.name for path in folder.iterdir()] == ["signoff.key"]
    assert cli("release-bot", "keys", "rotate", "--use", "recovery", "--folder", str(cli.folder / "x")).code == 2


def test_a_role_is_given_until_then(cli: Cli) -> None:
    """The grant is there with its scope and its end."""
    applied(cli, "grants", "give", "auditor", "reviewer", "--scope", "m-*", "--until", "2099-01-01")

    rows = cli.must("auditor", "grants", "list", "--principal", "auditor", "--json").json["grants"]
    assert [(row["role"], row["scope"], row.get("expire_time")) for row in rows] == [
        ("reviewer", "m-*", "2099-01-01T00:00:00Z"),
        ("auditor", "*", None),
    ]


def test_whoami_says_what_one_may_and_until_when(cli: Cli) -> None:
    """Roles with scope and end, whole fingerprints, and who counts in sign-offs."""
    applied(cli, "grants", "give", "auditor", "reviewer", "--scope", "m-*", "--until", "2099-01-01")

    shown = cli.must("auditor", "whoami").out
    assert "reviewer on m-*, until 2099-01-01T00:00:00Z" in shown
    assert f"login {fingerprint(cli, 'auditor', 'login')} active" in shown
    assert cli.must("auditor", "whoami", "--json").json["principal"]["person"] in shown


def test_an_account_comes_back(cli: Cli) -> None:
    """A suspended account is restored by a change, with the keys and roles of before."""
    cli.must("admin", "principals", "suspend", "engineer")
    applied(cli, "principals", "restore", "engineer")

    cli.must("engineer", "whoami")


def test_an_admin_is_no_approver(cli: Cli) -> None:
    """No quorum makes one person both."""
    assert cli("evaluator", "grants", "give", "admin", "owner", "--json").codes == ["ADMIN_CONFLICT"]
    assert cli("evaluator", "grants", "give", "owner", "admin", "--json").codes == ["ADMIN_CONFLICT"]


def test_who_may_not_propose_gives_nothing(cli: Cli) -> None:
    """An administrator can't bring in an approver: exit code 4."""
    assert cli("admin", "grants", "give", "auditor", "owner").code == 4


def test_a_file_that_does_more_than_register(cli: Cli) -> None:
    """`keys register` proposes registrations only: anything else must be seen as what it is."""
    file = cli.file("more.yaml", "title: t\ntriggers: [hold.lift: holds/1]\n")

    assert cli("evaluator", "keys", "register", file).code == 2
