"""The trail on the command line: read, followed, verified here from its first byte."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from interlock.client.profile import load_profile
from interlock.client.verify import STEPS
from interlock.proofs import note
from tests.integration.cli_runner import Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server on which m is released and held."""
    cli = command_line(server, capsys, tmp_path, monkeypatch)
    cli.release("m")
    cli.must("owner", "hold", "place", "m")
    return cli


def test_the_whole_log_is_verified(cli: Cli) -> None:
    """Numbered steps, the development founding first, and the last line as scripts expect it."""
    told = cli.must("auditor", "audit", "verify").out.splitlines()
    head = cli.must("auditor", "audit", "checkpoint", "--json").json

    assert told[0].startswith("development")
    assert [line.split()[:3] for line in told[1:9]] == [
        [f"{number}.", name, "ok"] for number, name in enumerate(STEPS, start=1)
    ]
    assert told[-1] == f"verified: {head['size']} entries, root {head['root']}"


def test_a_verification_in_json_has_every_step(cli: Cli) -> None:
    """The same, for programs."""
    report = cli.must("auditor", "audit", "verify", "--json").json

    assert report["verified"]
    assert report["findings"] == []
    assert report["development"]
    assert report["sign_offs"] == 2
    assert [row["name"] for row in report["steps"]] == list(STEPS)


def test_no_entry_is_said(cli: Cli) -> None:
    """A listing that is empty says so, beside what other programs read."""
    done = cli.must("auditor", "audit", "log", "--since", "2999-01-01")

    assert (done.out, done.err) == ("", "no entry\n")


def test_a_listing_that_is_cut_off_says_so(cli: Cli) -> None:
    """What is not shown is not taken for what is not there; the time printed last is where to go on from."""
    every = cli.must("auditor", "audit", "log", "--json").json
    size = len(every["entries"])

    whole = cli.must("auditor", "audit", "log", "--limit", str(size))
    cut = cli.must("auditor", "audit", "log", "--limit", str(size - 1))
    last = re.findall(r"^ *\d+  (\S+Z)  ", cut.out, re.MULTILINE)[-1]
    rest = cli.must("auditor", "audit", "log", "--json", "--since", last).json
    newest = cli.must("auditor", "audit", "log", "--order", "newest", "--limit", "1", "--json").json

    assert (every["more"], whole.err, newest["more"]) == (False, "", True)
    assert "--since" in cut.err
    assert [row["entry"]["seq"] for row in rest["entries"]] == [str(size - 2), str(size - 1)]


def test_a_verification_goes_on_from_the_last_one(cli: Cli) -> None:
    """Both parts are counted; `--full` judges everything again, and a bundle always is."""
    cli.must("auditor", "audit", "verify")
    cli.must("owner", "hold", "place", "m", "--reason", "Until we know")

    told = cli.must("auditor", "audit", "verify").out.splitlines()
    report = cli.must("auditor", "audit", "verify", "--json").json
    full = cli.must("auditor", "audit", "verify", "--full", "--json").json
    bundled = cli("auditor", "audit", "verify", "some.ilbundle", "--full")

    before = report["entries"] - 1
    assert next(line for line in told if line.startswith("judged before:")).split()[2:4] == [str(before), "entries,"]
    assert next(line for line in told if line.startswith("judged now:")).split()[2:4] == ["1", "entries,"]
    assert (report["before"]["entries"], report["now"]["entries"]) == (before + 1, 0)
    assert (full["before"]["entries"], full["now"]["entries"]) == (0, before + 1)
    assert {**report, "before": 0, "now": 0} == {**full, "before": 0, "now": 0}
    assert bundled.code == 2


def test_a_head_that_this_log_never_had_is_a_finding(cli: Cli) -> None:
    """What this profile saw before must be in the log: exit 1, and the last line does not say verified."""
    cli.must("auditor", "audit", "checkpoint")
    seen = cli.server.home / "auditor" / "seen.json"
    value = json.loads(seen.read_text())
    seen.write_text(json.dumps({**value, "size": 3, "root": "00" * 32}))

    told = cli("auditor", "audit", "verify")

    assert told.code == 1
    assert "LOG_FORKED" in told.out
    assert told.out.splitlines()[-1].startswith("NOT VERIFIED")


def test_a_log_shorter_than_what_was_seen_is_a_finding(cli: Cli) -> None:
    """A rollback is found by whoever saw more."""
    cli.must("auditor", "audit", "checkpoint")
    seen = cli.server.home / "auditor" / "seen.json"
    value = json.loads(seen.read_text())
    seen.write_text(json.dumps({**value, "position": 1000}))

    told = cli("auditor", "audit", "verify", "--json")

    assert told.code == 1
    assert "LOG_ROLLED_BACK" in [row["code"] for row in told.json["findings"]]


def test_another_founding_than_the_pinned_one_is_a_finding(cli: Cli) -> None:
    """The genesis digest of the profile is what the log is held to."""
    file = cli.server.home / "auditor" / "profile.json"
    profile = json.loads(file.read_text())
    file.write_text(json.dumps({**profile, "genesis_digest": "00" * 32}))

    told = cli("auditor", "audit", "verify", "--json")

    assert told.code == 1
    assert [row["code"] for row in told.json["findings"]] == ["GENESIS_DIFFERS"]


def test_entries_of_a_model_are_listed_with_actor_and_documents(cli: Cli) -> None:
    """Who did what at which position, and the digests of what they relied on."""
    told = cli.must("auditor", "audit", "log", "--model", "m").out
    rows = cli.must("auditor", "audit", "log", "--model", "m", "--json").json["entries"]
    report = cli.must("auditor", "evidence", "show", "1", "--json").json["sha256"]

    assert "evaluator" in told
    assert "determination.rule_out" in told
    assert "unassigned → " in told
    assert report in cli.must("auditor", "audit", "log").out
    assert [int(row["entry"]["seq"]) for row in rows] == sorted(int(row["entry"]["seq"]) for row in rows)
    assert rows[0]["entry"]["command"]["fire"]["model_register"]["model"] == "models/m"


@pytest.mark.parametrize(
    ("words", "triggers"),
    [
        (("--trigger", "hold.*"), {"hold.place"}),
        (("--trigger", "level.assign"), {"change.sign", "determination.rule_out", "level.assign", "change.apply"}),
        (("--actor", "reviewer"), {"change.sign", "determination.rule_out", "level.assign", "change.apply"}),
        (("--resource", "holds/1"), {"hold.place"}),
        (("--since", "2100-01-01"), set()),
        (("--until", "2000-01-01"), set()),
    ],
    ids=["a group", "one trigger", "actor", "resource", "since", "until"],
)
def test_the_log_is_filtered(cli: Cli, words: tuple[str, ...], triggers: set[str]) -> None:
    """Each filter keeps what it names, whole entries at a time."""
    rows = cli.must("auditor", "audit", "log", *words, "--json").json["entries"]

    assert {move["trigger"] for row in rows for move in row["entry"]["transitions"]} == triggers


def test_the_newest_come_first_where_asked_for(cli: Cli) -> None:
    """`--order newest --limit` gives the last steps."""
    rows = cli.must("auditor", "audit", "log", "--order", "newest", "-n", "2", "--json").json["entries"]
    size = cli.must("auditor", "audit", "checkpoint", "--json").json["size"]

    assert [int(row["entry"]["seq"]) for row in rows] == [size - 1, size - 2]


def test_one_entry_is_shown_whole(cli: Cli) -> None:
    """Actor with key, policy, rules, request id, and the chain of what it wrote."""
    told = cli.must("auditor", "audit", "show", "2").out
    stored = cli.must("auditor", "audit", "show", "2", "--json").json["stored"]

    for word in ("principals/evaluator", "policies/minimal", "request id", "first entry", "model.register"):
        assert word in told
    assert stored["entry"]


def test_the_log_is_followed_from_a_position(cli: Cli) -> None:
    """Everything after a position, one JSON document a line."""
    size = cli.must("auditor", "audit", "checkpoint", "--json").json["size"]

    rows = [
        json.loads(line) for line in cli.must("auditor", "audit", "tail", "--after", "1", "--json").out.splitlines()
    ]

    assert [int(row["entry"]["seq"]) for row in rows] == list(range(2, size))


def test_a_checkpoint_is_printed_as_it_was_signed(cli: Cli) -> None:
    """The note that comes out is the note, verifiable by the log's key with any tool."""
    text = cli.must("auditor", "audit", "checkpoint").out
    profile = load_profile(cli.server.home / "auditor" / "profile.json")

    checkpoint = note.open_checkpoint(text, note.NoteVerifier.from_vkey(profile.log_key))

    assert checkpoint.size == cli.must("auditor", "audit", "checkpoint", "--json").json["size"]


def test_an_entry_that_was_changed_in_the_store_is_found(cli: Cli) -> None:
    """A database operator who rewrites an entry is found: by the root, and by every sign-off made after it."""
    with closing(sqlite3.connect(cli.server.data / "interlock.db")) as database, database:
        [(stored,)] = database.execute("select bytes from entries where seq = 3")
        changed = stored.replace(b"text/markdown", b"text/markdowN")
        assert changed != stored
        database.execute("update entries set bytes = ? where seq = 3", (changed,))

    told = cli("auditor", "audit", "verify", "--json")

    assert told.code == 1
    assert {row["code"] for row in told.json["findings"]} == {"ROOT_MISMATCH", "SIGN_OFF_CHECKPOINT"}
