"""Ranges and selections on the command line: exported from a real server, judged and asked without one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from interlock.client import Interlock, verify_bundle
from interlock.v1 import audit_pb2, hold_pb2, ledger_pb2
from tests.integration.cli_runner import Cli, command_line
from tests.support.people import People
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable

WEIGHTS_OF_N: Final = "b" * 64


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server on which m and n are released; a digest is stated; m is held."""
    cli = command_line(server, capsys, tmp_path, monkeypatch)
    cli.release("m")
    _export(cli, "first", "--model", "m")
    cli.release("n", WEIGHTS_OF_N)
    cli.must("owner", "hold", "place", "m", "--reason", "Until we know")
    cli.file("log.pub", cli.must("auditor", "audit", "key").out)
    return cli


def _export(cli: Cli, name: str, *words: str) -> str:
    out = str(cli.folder / f"{name}.ilbundle")
    cli.must("auditor", "audit", "export", "--out", out, *words)
    return out


def _head(cli: Cli) -> int:
    return int(cli.must("auditor", "audit", "checkpoint", "--json").json["size"]) - 1


def _key(cli: Cli) -> tuple[str, str]:
    return ("--key", str(cli.folder / "log.pub"))


def test_a_range_is_verified_without_the_server(cli: Cli) -> None:
    """It begins with the digest that the log stated last, and says so; fewer entries than the log has are in it."""
    head = _head(cli)
    bundle = _export(cli, "range", "--from", str(head - 1))
    cli.server.stop()

    report = cli.must("nobody", "audit", "verify", bundle, *_key(cli), "--json").json
    told = cli.must("nobody", "audit", "verify", bundle, *_key(cli)).out.splitlines()

    assert report["verified"]
    assert report["part"]["begin"] > 2
    assert report["part"]["given"] < report["entries"] == head + 1
    assert report["asserted"] == 0
    assert report["signed"] == 4
    assert told[-1].startswith(f"verified: entries {report['part']['begin']} to {head} of {head + 1}, from the state")


def test_a_range_that_ends_before_the_head_says_nothing_of_later(cli: Cli) -> None:
    """A moment past its end is not answered; one inside is, from the bundle alone."""
    head = _head(cli)
    bundle = _export(cli, "range", "--from", str(head - 2), "--to", str(head - 1))
    why = ("audit", "why", "m", "--context", "internal", "--bundle", bundle, *_key(cli))

    inside = cli("nobody", *why, "--at", str(head - 1), "--json")
    later = cli("nobody", *why, "--at", str(head))
    before = cli("nobody", *why, "--at", "3")

    assert (inside.code, inside.json["verdict"]) == (0, "ALLOW")
    assert all(row["signers"] for row in _leaves(inside.json["tree"]) if row["evidence"])
    assert (later.code, before.code) == (2, 2)


def test_a_range_from_the_first_entries_begins_with_the_founding(cli: Cli) -> None:
    """Where the log had stated no digest yet."""
    bundle = _export(cli, "range", "--from", "3", "--to", "9")

    told = cli.must("nobody", "audit", "verify", bundle, *_key(cli)).out.splitlines()

    assert told[-1].startswith("verified: entries 0 to 9 of ")


def test_a_selection_needs_partial_ok_and_covers_its_model(cli: Cli) -> None:
    """Exit 1 without it, with the same last line; never `verified:`. Asked about another model it says so."""
    bundle = _export(cli, "m", "--model", "m")
    cli.server.stop()
    verify = ("audit", "verify", bundle, *_key(cli))
    why = ("audit", "why", "--context", "internal", "--bundle", bundle, *_key(cli), "--partial-ok")

    alone, taken = cli("nobody", *verify), cli("nobody", *verify, "--partial-ok")
    of_m, of_n = cli("nobody", *why, "m", "--json"), cli("nobody", *why, "n")

    assert (alone.code, taken.code) == (1, 0)
    for told in (alone, taken):
        assert told.out.splitlines()[-1].startswith("PARTIAL: covers models/m up to entry ")
    assert (of_m.code, of_m.json["verdict"]) == (1, "DENY")
    assert of_n.code == 2
    assert WEIGHTS_OF_N.encode() not in Path(bundle).read_bytes()


def test_a_diff_out_of_a_selection_is_of_its_models(cli: Cli) -> None:
    """What moved for m, from its release on; n is not in it."""
    head = _head(cli)
    bundle = _export(cli, "m", "--model", "m")
    cli.server.stop()

    done = cli.must(
        "nobody",
        "audit",
        "diff",
        "--from",
        "3",
        "--to",
        str(head),
        "--bundle",
        bundle,
        *_key(cli),
        "--partial-ok",
        "--json",
    ).json

    subjects = {row["subject"] for row in done["differences"]}
    of_m = next(row for row in done["differences"] if row["subject"] == "models/m")
    assert "models/n" not in subjects
    assert {"hold", "determination", "level"} <= {row["kind"] for row in of_m["moved"]}


@pytest.mark.parametrize(
    "words",
    [("--model", "m", "--from", "3"), ("--from", "9", "--to", "3"), ("--model", "never"), ("--from", "100000")],
)
def test_parts_that_there_are_not_are_refused(cli: Cli, words: tuple[str, ...]) -> None:
    """A mixture, a range that ends before it begins, a model and a position that nobody knows; no file is left."""
    out = cli.folder / "none.ilbundle"

    done = cli("auditor", "audit", "export", "--out", str(out), *words)

    assert done.code in {2, 3}
    assert not out.exists()


def test_two_selections_with_nothing_in_between_state_one_digest(cli: Cli) -> None:
    """Exporting again writes nothing."""
    _export(cli, "m", "--model", "m")
    before = _head(cli)
    _export(cli, "again", "--model", "m", "--model", "n")

    assert _head(cli) == before


def _leaves(tree: dict[str, object]) -> list[dict[str, object]]:
    children = tree["children"]
    assert isinstance(children, list)
    return [leaf for child in children for leaf in _leaves(child)] if children else [tree]


def test_a_server_states_digests_by_itself(installations: Callable[[str], Path], tmp_path: Path) -> None:
    """After as many entries as there are resources, as its configuration says; a range begins with the last of them."""
    data = copy_of(installations("minimal"), tmp_path / "data")
    (data / "interlock.toml").write_text("state_digest_entries = 1\n")
    with ServerThread(data) as server, People(server) as people:
        for _ in range(120):
            people["admin"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-"))
        request = audit_pb2.TailEntriesRequest(after_position=1, follow=True)
        tail = people["auditor"].audit.TailEntries(request)
        entries = (ledger_pb2.LedgerEntry.FromString(record.entry) for record in tail)
        stated = next(entry for entry in entries if entry.command.HasField("state_digest"))
        tail.cancel()
        with Interlock.from_profile(str(server.home / "auditor")) as client:
            client.export(tmp_path / "range.ilbundle", start=stated.seq + 3)
            trust = client.trust()

    with (tmp_path / "range.ilbundle").open("rb") as file:
        report = verify_bundle(file.read, trust)

    assert (stated.actor.principal, stated.actor.credential) == ("principals/system", "")
    assert report.findings == ()
    assert report.part is not None
    assert report.part.begin >= stated.seq
