"""Somebody with a shell on the database, while the server runs and between two runs: who finds what they did.

Each test's name says the deed, its sentence who finds it. `docs/reference/tamper.md` is the table of these, with what
none of them can show. Start-up alone has more cases in `tests/unit/ledger/test_startup.py`, a bundle's reader has its
own tests.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from interlock.cli import main
from interlock.client.errors import RollbackError
from interlock.client.sdk import Interlock
from interlock.client.verify import verify_bundle, verify_log
from interlock.proofs.merkle import leaf_hash
from interlock.service.ledger.tree import Tree, tile_reader
from interlock.service.storage import Store, writes
from interlock.service.storage.schema import TILES
from interlock.v1 import audit_pb2, change_pb2, gate_pb2, hold_pb2, ledger_pb2, model_pb2, trigger_pb2
from tests.support.people import People, Subject, refused, trigger
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNHEALTHY: Final = "LEDGER"


@pytest.fixture
def told(data: Path) -> Iterator[tuple[ServerThread, People, Subject]]:
    """Give a running server with a model that is ruled out, assigned and held, and some entries after that."""
    with ServerThread(data) as server, People(server) as people:
        subject = people.new_model()
        people.enact(
            subject.rule_out(), subject.assign(), evidence=[people["evaluator"].upload("evaluation_results").name]
        )
        people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
        people.new_model()
        people.new_model()
        yield server, people, subject


def edit(data: Path, statement: str, *values: object) -> None:
    """Change the database as an operator with a shell would: no foreign keys, no questions."""
    with closing(sqlite3.connect(data / "interlock.db")) as database, database:
        assert database.execute(statement, values).rowcount, statement


def distrusted(people: People, subject: Subject) -> bool:
    """Say whether the server relies on its log no more: then the gate denies, nothing is written and nothing signed."""
    asked = gate_pb2.CheckReleaseRequest(model=subject.model, context="internal")
    codes = {row.code for row in people["owner"].gate.CheckRelease(asked).reasons}
    if UNHEALTHY not in codes:
        return False
    with refused(UNHEALTHY):
        people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
    with refused(UNHEALTHY):
        people["auditor"].audit.GetCheckpoint(audit_pb2.GetCheckpointRequest())
    return True


def restarted(data: Path) -> str:
    """Return what a server says of its log when it starts on this folder."""
    with ServerThread(data) as server:
        lines = [line for line in server.lines() if line["event"] == "ledger_unhealthy"]
    return f"{lines[0]['code']}: {lines[0]['detail']}" if lines else "ok"


def auditor_of(server: ServerThread) -> Interlock:
    """Return the auditor's client, with the memory of the auditor's profile."""
    return Interlock.from_profile(str(server.home / "auditor"))


# A snapshot ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE snapshots SET bytes = replace(bytes, 'placed', 'lifted') WHERE resource = 'holds/1'",
        "DELETE FROM snapshots WHERE resource = 'holds/1'",
        "INSERT INTO snapshots SELECT 'holds/7', seq, fold_version, bytes FROM snapshots WHERE resource = 'holds/1'",
    ],
)
def test_an_edited_snapshot_is_never_an_answer(
    data: Path, told: tuple[ServerThread, People, Subject], statement: str
) -> None:
    """Found by the running server: a question about that past gets no answer at all, and the gate denies from then on.

    The head itself is in memory, so nothing that is asked about now was ever wrong. The next start finds it too.
    """
    server, people, subject = told
    position = people["auditor"].checkpoint().size - 2
    asked = model_pb2.GetModelRequest(name=subject.model, position=position)
    assert people["auditor"].models.GetModel(asked).holds == ["holds/1"]

    edit(data, statement)
    asked.position -= 1  # an answer that was given already is kept: this one is not

    with refused(UNHEALTHY):
        people["auditor"].models.GetModel(asked)
    assert distrusted(people, subject)
    server.stop()
    assert restarted(data).startswith(UNHEALTHY)


# An entry --------------------------------------------------------------------------------------------------------


def by_listing(people: People) -> object:
    """Read the trail page by page."""
    return people["auditor"].audit.ListEntries(audit_pb2.ListEntriesRequest())


def by_tail(people: People) -> object:
    """Read the trail as a stream."""
    return list(people["auditor"].audit.TailEntries(audit_pb2.TailEntriesRequest(after_position=-1)))


def by_name(people: People) -> object:
    """Read one entry."""
    return people["auditor"].audit.GetEntry(audit_pb2.GetEntryRequest(name="entries/3"))


@pytest.mark.parametrize("read", [by_listing, by_tail, by_name])
def test_an_edited_entry_is_found_by_whoever_reads_it(
    data: Path, told: tuple[ServerThread, People, Subject], read: Callable[[People], object]
) -> None:
    """Found by the running server as it hands the bytes out, whichever way they are read; and by the next start.

    They are handed out all the same: whoever verifies has to see them. `audit verify` names the entry.
    """
    server, people, subject = told
    edit(data, "UPDATE entries SET bytes = bytes || x'00' WHERE seq = 3")

    read(people)

    assert distrusted(people, subject)
    server.stop()
    assert restarted(data).startswith(f"{UNHEALTHY}: entry 3")


def test_an_edited_last_entry_is_found_by_the_next_write(
    data: Path, told: tuple[ServerThread, People, Subject]
) -> None:
    """Found by the running server: nothing is appended behind an entry that it did not write."""
    _, people, subject = told
    edit(data, "UPDATE entries SET bytes = bytes || x'00' WHERE seq = (SELECT max(seq) FROM entries)")

    with refused(UNHEALTHY):
        people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))

    assert distrusted(people, subject)


def test_an_edited_entry_is_named_by_verify_live(data: Path, told: tuple[ServerThread, People, Subject]) -> None:
    """Found by `audit verify` against the running server, without its help: the entry does not give its leaf."""
    server, _, _ = told
    with auditor_of(server) as client:
        note = client.audit.checkpoint_note()
        edit(data, "UPDATE entries SET bytes = replace(bytes, 'owner', 'admin') WHERE seq = 5")
        report = verify_log(client.audit.tail(as_sent=True), note, client.trust())

    assert not report.verified
    assert {finding.position for finding in report.findings} >= {5}


@pytest.mark.parametrize("which", ["early", "last"])
def test_verify_names_an_edited_entry_of_a_server_that_knows(
    data: Path, told: tuple[ServerThread, People, Subject], which: str
) -> None:
    """Found by the running server, which signs nothing any more; `audit verify` still names the entry.

    It holds the entries against the newest checkpoint that was shown before.
    """
    server, people, subject = told
    with auditor_of(server) as client:
        position = client.audit.checkpoint().size - 1 if which == "last" else 3
        edit(data, "UPDATE entries SET bytes = bytes || x'00' WHERE seq = ?", position)
        by_listing(people)
        assert distrusted(people, subject)

        report = client.verify()

    assert not report.verified
    assert position in {finding.position for finding in report.findings}


def test_a_shown_entry_that_was_edited_is_not_proven(
    data: Path, told: tuple[ServerThread, People, Subject], capsys: pytest.CaptureFixture[str]
) -> None:
    """Found by the client: these bytes are not in the tree that was signed, whatever the server thinks."""
    server, _, _ = told
    edit(data, "UPDATE entries SET bytes = replace(bytes, 'owner', 'admin') WHERE seq = 5")

    code = main.run(["--profile", str(server.home / "auditor"), "audit", "show", "5"])

    assert code == 1
    assert "NOT PROVEN" in capsys.readouterr().out


# A tile ----------------------------------------------------------------------------------------------------------


def test_an_edited_tile_is_found_by_the_next_start(data: Path, told: tuple[ServerThread, People, Subject]) -> None:
    """Found by the start. The running server appends and signs from the tree in its memory, which no tile can move."""
    server, people, _ = told
    edit(data, "UPDATE tiles SET bytes = x'00' || substr(bytes, 2) WHERE level = 0 AND tile_index = 0")
    people.new_model()
    with auditor_of(server) as client:
        assert client.verify().verified
    server.stop()
    edit(data, "UPDATE tiles SET bytes = x'00' || substr(bytes, 2) WHERE level = 0 AND tile_index = 0")

    assert restarted(data).startswith(f"{UNHEALTHY}: tile/0/000")


# A sign-off and what was signed ----------------------------------------------------------------------------------


def test_edited_content_of_a_signed_change_is_found_by_whoever_reads_the_trail(
    data: Path, told: tuple[ServerThread, People, Subject]
) -> None:
    """Found by the running server as it hands the bytes out, by the start, and by every client that would show them."""
    server, people, subject = told
    edit(data, "UPDATE objects SET bytes = bytes || x'00' WHERE length(bytes) < 1000")

    by_listing(people)

    assert distrusted(people, subject)
    server.stop()
    assert restarted(data).startswith(UNHEALTHY)


def test_a_sign_off_moved_to_another_change_is_found(data: Path, told: tuple[ServerThread, People, Subject]) -> None:
    """Found by the running server: the envelope is part of its entry, and that of the leaf. The next start names it."""
    server, people, subject = told
    lift = trigger(hold_lift=trigger_pb2.HoldLift(hold="holds/1"))
    other = people["evaluator"].propose(lift)
    signed = next(entry for entry in entries_of(data) if entry.command.WhichOneof("kind") == "sign_off_change")
    signed.command.sign_off_change.change = other.name
    edit(data, "UPDATE entries SET bytes = ? WHERE seq = ?", signed.SerializeToString(), signed.seq)

    by_listing(people)

    assert distrusted(people, subject)
    server.stop()
    assert restarted(data).startswith(f"{UNHEALTHY}: entry {signed.seq}")


def entries_of(data: Path) -> list[ledger_pb2.LedgerEntry]:
    """Return every entry as it is stored."""
    with closing(sqlite3.connect(data / "interlock.db")) as database:
        rows = database.execute("SELECT bytes FROM entries ORDER BY seq").fetchall()
    return [ledger_pb2.LedgerEntry.FromString(row[0]) for row in rows]


def test_an_edited_entry_gives_no_envelope_of_a_change(data: Path, told: tuple[ServerThread, People, Subject]) -> None:
    """Found by the running server where it takes the envelope of a sign-off out of the entry that accepted it."""
    _, people, subject = told
    applied = people["auditor"].changes.GetChange(change_pb2.GetChangeRequest(name="changes/1")).applied_position
    edit(data, "UPDATE entries SET bytes = x'ffffff' WHERE seq = ?", applied)

    change = people["auditor"].changes.GetChange(change_pb2.GetChangeRequest(name="changes/1"))

    assert [bool(row.envelope) for row in change.sign_offs] == [True, False]
    assert distrusted(people, subject)


def test_an_edited_text_is_not_shown(data: Path, told: tuple[ServerThread, People, Subject]) -> None:
    """Found by the running server: a text without its digest is shown as little as one that was erased."""
    _, people, _ = told
    asked = change_pb2.GetChangeRequest(name="changes/1")
    assert [row.text for row in people["auditor"].changes.GetChange(asked).texts] == ["A change"]

    edit(data, "UPDATE texts SET text = 'Another change' WHERE text = 'A change'")

    assert not people["auditor"].changes.GetChange(asked).texts


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE texts SET text = NULL, salt = NULL WHERE text = 'A change'",
        "DELETE FROM texts WHERE text = 'A change'",
    ],
    ids=["as if erased", "deleted"],
)
def test_a_text_that_is_gone_without_an_entry_is_found(
    data: Path, tmp_path: Path, told: tuple[ServerThread, People, Subject], statement: str
) -> None:
    """Found by whoever verifies a bundle, which says that it holds every text: no entry erased this one.

    The server shows nothing in its place, and tells of no erasure.
    """
    server, people, _ = told
    (position,) = [row.seq for row in entries_of(data) if row.command.HasField("propose_change")]
    edit(data, statement)

    record = people["auditor"].audit.GetEntry(audit_pb2.GetEntryRequest(name=f"entries/{position}"))
    with auditor_of(server) as client:
        client.export(tmp_path / "q.ilbundle")
        with (tmp_path / "q.ilbundle").open("rb") as file:
            report = verify_bundle(file.read, client.trust())

    assert (list(record.texts), list(record.erased)) == ([], [])
    assert [(row.position, row.code) for row in report.findings] == [(position, "TEXT_MISSING")]


# The tail, and old copies ----------------------------------------------------------------------------------------


def test_a_tail_deleted_under_a_server_is_found_by_the_next_write(
    data: Path, told: tuple[ServerThread, People, Subject]
) -> None:
    """Found by the running server's next write, which looks where the log ends; and by the start, from the mark."""
    server, people, subject = told
    edit(data, "DELETE FROM entries WHERE seq >= (SELECT seq FROM entry_resources WHERE resource = 'holds/1')")

    with refused(UNHEALTHY):
        people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))

    assert distrusted(people, subject)
    server.stop()
    assert restarted(data).startswith("LOG_ROLLED_BACK")


def test_a_tail_deleted_under_a_server_is_found_by_the_next_read(
    data: Path, told: tuple[ServerThread, People, Subject]
) -> None:
    """Found by the running server when it is asked for an entry that it knows it has."""
    _, people, subject = told
    head = people["auditor"].checkpoint().size - 1
    edit(data, "DELETE FROM entries WHERE seq = ?", head)

    with refused("NOT_FOUND"):
        people["auditor"].audit.GetEntry(audit_pb2.GetEntryRequest(name=f"entries/{head}"))

    assert distrusted(people, subject)


def restore(backup: Path, data: Path) -> None:
    """Put an old copy of the database in place of the present one, as its own tools do."""
    with closing(sqlite3.connect(backup)) as old, closing(sqlite3.connect(data / "interlock.db")) as database:
        old.backup(database)


@pytest.fixture
def backup(data: Path, tmp_path: Path) -> Path:
    """Give a copy of the database as it was founded, from before the story."""
    return Path(shutil.copy(data / "interlock.db", tmp_path / "old.db"))


def test_an_old_copy_restored_under_a_server_is_found_by_the_next_write(
    data: Path, backup: Path, told: tuple[ServerThread, People, Subject]
) -> None:
    """Found by the running server's next write, and by the next start from the high-water mark."""
    server, people, subject = told
    restore(backup, data)

    with refused(UNHEALTHY):
        people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))

    assert distrusted(people, subject)
    server.stop()
    assert restarted(data).startswith("LOG_ROLLED_BACK")


def test_an_old_copy_with_its_old_mark_is_found_by_a_client_that_saw_more(
    data: Path, tmp_path: Path, told: tuple[ServerThread, People, Subject]
) -> None:
    """Found by a client: no start can know of it where the mark's place was set back as well."""
    server, people, subject = told
    server.stop()
    with ServerThread(copy_of(data, tmp_path / "old")) as unharmed, auditor_of(unharmed) as client:
        client.audit.checkpoint()
    with ServerThread(data) as later:
        with People(later) as everybody, auditor_of(later) as client:
            everybody["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
            client.audit.checkpoint()
        memory = later.home / "auditor" / "seen.json"
    assert restarted(tmp_path / "old") == "ok"

    with ServerThread(tmp_path / "old") as set_back:
        shutil.copy(memory, set_back.home / "auditor" / "seen.json")
        with auditor_of(set_back) as client, pytest.raises(RollbackError) as caught:
            client.models.get(subject.model)
        with auditor_of(set_back) as client:
            report = client.verify()

    assert caught.value.reason == "LOG_ROLLED_BACK"
    assert not report.verified
    del people


# Those who have the log's key as well ----------------------------------------------------------------------------


def test_a_rewritten_and_signed_history_is_found_by_who_kept_a_checkpoint(
    data: Path, tmp_path: Path, told: tuple[ServerThread, People, Subject]
) -> None:
    """Found by a client that saw the true one, longer though the false one is: every tile and signature of it is right.

    A server of the log's own key plays another history from an old state. Nothing within it is wrong; a kept checkpoint
    is no head of it. A witness keeps one as its trade.
    """
    server, people, subject = told
    server.stop()
    del people
    copy_of(data, tmp_path / "other")
    with ServerThread(data) as true, People(true) as everybody, auditor_of(true) as client:
        everybody["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
        seen = client.audit.checkpoint()
        memory = true.home / "auditor" / "seen.json"
    with ServerThread(tmp_path / "other") as false:
        with People(false) as everybody:
            for number in range(3):
                everybody["evaluator"].models.CreateModel(model_pb2.CreateModelRequest(model_id=f"other-{number}"))
            assert everybody["auditor"].checkpoint().size > seen.size
        shutil.copy(memory, false.home / "auditor" / "seen.json")
        with auditor_of(false) as client:
            report = client.verify()

    assert [finding.code for finding in report.findings] == ["LOG_FORKED"]
    assert restarted(tmp_path / "other") == "ok"


def test_a_history_rewritten_below_what_was_verified_is_found_without_reading_it(
    data: Path, tmp_path: Path, told: tuple[ServerThread, People, Subject]
) -> None:
    """Found by the next `audit verify`, which goes on from the last one: what follows does not lead to the new head.

    Nothing below is read again. The server can't show that one head extends the other; both, of one size and signed by
    one key, are kept as the proof. `seen.json` is not there: what was verified is enough.
    """
    server, people, subject = told
    server.stop()
    del people
    copy_of(data, tmp_path / "other")
    with ServerThread(data) as true, People(true) as everybody, auditor_of(true) as client:
        everybody["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
        assert client.verify().verified
        kept = true.home / "auditor" / "verified"
    with ServerThread(tmp_path / "other") as false:
        with People(false) as everybody:
            for number in range(3):
                everybody["evaluator"].models.CreateModel(model_pb2.CreateModelRequest(model_id=f"other-{number}"))
            everybody["auditor"].checkpoint()
        shutil.copytree(kept, false.home / "auditor" / "verified", dirs_exist_ok=True)
        with auditor_of(false) as client:
            report = client.verify()

    codes = {finding.code for finding in report.findings}
    assert report.before.entries
    assert {"ROOT_MISMATCH", "LOG_FORKED"} <= codes
    (proof,) = (false.home / "auditor").glob("fork-*.json")
    sizes = {note.split("\n")[1] for note in json.loads(proof.read_bytes())["notes"]}
    assert sizes == {str(report.before.entries)}


def test_an_entry_that_the_rules_refuse_is_found_though_its_tree_is_right(
    data: Path, told: tuple[ServerThread, People, Subject]
) -> None:
    """Found by the start, which decides every entry again: a hold lifted by one person, in a tree built as it should.

    `audit verify` and every bundle's reader decide as the start does.
    """
    server, _, _ = told
    server.stop()
    _insert_lone_lift(data)

    assert "NOT_DECIDABLE_SO" in restarted(data)


def _insert_lone_lift(data: Path) -> None:
    """Append an entry by which `owner` alone lifts the hold, with its row and its tiles."""
    entries = entries_of(data)
    forged = next(entry for entry in entries if entry.command.fire.WhichOneof("kind") == "hold_place")
    placed = forged.seq
    forged.seq, forged.time = len(entries), entries[-1].time + 1
    forged.facts.instant = forged.time
    forged.command.fire.hold_lift.hold = "holds/1"
    del forged.transitions[:], forged.prev[:]
    moved = forged.transitions.add(resource="holds/1", trigger="hold.lift", to="lifted")
    setattr(moved, "from", "placed")
    forged.prev.add(resource="holds/1", position=placed)
    data_of_entry = forged.SerializeToString()
    leaf = leaf_hash(data_of_entry)
    store = Store.open(f"sqlite:///{data / 'interlock.db'}")
    with store.transaction() as connection:
        tree = Tree.load(forged.seq, tile_reader(connection))
        _, tiles = tree.append([leaf], tree.frontier.append(leaf))
        rows = [{"level": at[0], "tile_index": at[1], "bytes": content} for at, content in tiles.items()]
        writes.replace(connection, TILES, rows)
    store.close()
    row = (forged.seq, forged.time, forged.actor.principal, data_of_entry)
    edit(data, "INSERT INTO entries (seq, time, actor, bytes) VALUES (?, ?, ?, ?)", *row)
