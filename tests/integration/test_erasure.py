"""A text is erased: by an administrator, for good, and the log verifies as before, from any bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.v1 import audit_pb2, hold_pb2
from tests.integration.cli_runner import Cli, command_line
from tests.support.people import People, refused
from tests.support.server import ServerThread

if TYPE_CHECKING:
    from pathlib import Path

SAID = "Petra Muster told us on the phone"


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server on which m is held for a reason that names a person."""
    cli = command_line(server, capsys, tmp_path, monkeypatch)
    cli.must("evaluator", "models", "create", "m")
    cli.must("owner", "hold", "place", "m", "--reason", SAID)
    return cli


def held(cli: Cli) -> str:
    """Return the position of the hold's entry."""
    (row,) = cli.must("auditor", "audit", "log", "--trigger", "hold.place", "--json").json["entries"]
    return str(row["entry"]["seq"])


def bundled(cli: Cli, name: str) -> str:
    """Export the log; return the file."""
    out = str(cli.folder / name)
    cli.must("auditor", "audit", "export", "--out", out)
    return out


def test_an_erased_text_is_nowhere_and_the_log_says_who_erased_it(cli: Cli) -> None:
    """Not shown, not exported, not in the database's file; `audit show` and the verifier say by which entry."""
    position = held(cli)
    key = cli.file("log.pub", cli.must("auditor", "audit", "key").out)
    before = bundled(cli, "before.ilbundle")

    told = cli.must("admin", "audit", "erase", position, "--yes", "--json").json
    after = bundled(cli, "after.ilbundle")
    shown = cli.must("auditor", "audit", "show", position).out
    as_json = cli.must("auditor", "audit", "show", position, "--json").json["texts"]
    hold = cli.must("owner", "hold", "show", "1", "--json").json
    reports = [cli.must("nobody", "audit", "verify", bundle, "--key", key, "--json").json for bundle in (before, after)]
    in_words = cli.must("nobody", "audit", "verify", after, "--key", key).out

    assert (told["eraser"], told["position"]) == ("principals/admin", str(int(position) + 1))
    assert f"erased by admin, {told['erase_time'][:10]}" in shown
    assert [(row["text"], row["erased"]["position"]) for row in as_json] == [(None, told["position"])]
    assert hold["reason"] == ""
    assert [report["erased"] for report in reports] == [
        [],
        [{"position": int(position), "field": "reason", "by": int(position) + 1}],
    ]
    assert f"entry {position}: its reason was erased by entry {told['position']}" in in_words
    assert SAID.encode() in (cli.folder / "before.ilbundle").read_bytes()
    assert SAID.encode() not in (cli.folder / "after.ilbundle").read_bytes()
    assert cli.must("auditor", "audit", "verify", "--json").json["erased"] == reports[1]["erased"]

    cli.server.stop()
    assert not any(SAID.encode() in file.read_bytes() for file in cli.server.data.glob("interlock.db*"))


def test_a_server_starts_on_a_log_with_an_erased_text(data: Path) -> None:
    """What was forgotten is missed by nobody: the start decides every entry again, and writing goes on."""
    with ServerThread(data) as server, People(server) as people:
        hold = people["admin"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-", reason=SAID))
        digest = whole(people, hold.position).texts[0].digest
        people["admin"].audit.EraseText(audit_pb2.EraseTextRequest(digest=digest))

    with ServerThread(data) as server, People(server) as people:
        record = whole(people, hold.position)
        assert (list(record.texts), [row.eraser for row in record.erased]) == ([], ["principals/admin"])
        assert people["owner"].holds.GetHold(hold_pb2.GetHoldRequest(name=hold.name)).reason == ""
        people["admin"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-"))


def whole(people: People, position: int) -> audit_pb2.EntryRecord:
    """Return an entry with its texts."""
    found: audit_pb2.EntryRecord = people["auditor"].audit.GetEntry(
        audit_pb2.GetEntryRequest(name=f"entries/{position}")
    )
    return found


def test_a_text_is_erased_once_and_only_one_that_an_entry_names(data: Path) -> None:
    """A second time is refused with the entry that did it; an unknown digest is not found; a retry answers alike."""
    with ServerThread(data) as server, People(server) as people:
        hold = people["admin"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-", reason=SAID))
        digest = whole(people, hold.position).texts[0].digest
        asked = audit_pb2.EraseTextRequest(digest=digest, request_id="5b2c3a5e-6c1f-4b43-a3a8-0a4b6a2f1f00")

        first = people["admin"].audit.EraseText(asked)
        again = people["admin"].audit.EraseText(asked)
        with refused("REQUIREMENTS_UNMET") as said:
            people["admin"].audit.EraseText(audit_pb2.EraseTextRequest(digest=digest))
        with refused("NOT_FOUND"):
            people["admin"].audit.EraseText(audit_pb2.EraseTextRequest(digest=bytes(32)))

    assert first == again
    assert said.unmet == ("NO_SUCH_EDGE",)


@pytest.mark.parametrize("who", ["owner", "reviewer", "evaluator", "auditor"])
def test_nobody_but_an_administrator_erases(data: Path, who: str) -> None:
    """The attempt is recorded; the text is still there."""
    with ServerThread(data) as server, People(server) as people:
        hold = people["admin"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-", reason=SAID))
        digest = whole(people, hold.position).texts[0].digest

        with refused("NOT_ALLOWED"):
            people[who].audit.EraseText(audit_pb2.EraseTextRequest(digest=digest))

        assert whole(people, hold.position).texts[0].text == SAID


def test_which_text_must_be_said_where_there_are_several(cli: Cli) -> None:
    """A change has a title and a summary; an entry without a text has none to erase; and nobody erases unasked."""
    words = "title: Some title\nsummary: Some summary\ntriggers:\n  - determination.rule_out: {}\n"
    file = cli.file("c.yaml", words.format("models/m/determinations/misuse"))
    cli.must("evaluator", "changes", "propose", "--file", file, "--json")
    (row,) = cli.must("auditor", "audit", "log", "--resource", "changes/*", "--json").json["entries"]
    position = str(row["entry"]["seq"])

    assert cli("admin", "audit", "erase", position, "--yes").code == 2
    assert cli("admin", "audit", "erase", "0", "--yes").code == 2
    assert cli("admin", "audit", "erase", position, "--text", "comment", "--yes").code == 2
    assert cli("admin", "audit", "erase", position, "--text", "summary").code != 0
    told = cli.must("admin", "audit", "erase", position, "--text", "summary", "--yes").out
    assert told.startswith(f"the summary of entry {position} was erased by admin")
    assert "summary: erased by admin" in cli.must("owner", "changes", "show", "1").out
    left = cli.must("auditor", "audit", "show", position, "--json").json["texts"]
    assert {row["field"]: row["text"] for row in left} == {"title": "Some title", "summary": None}
