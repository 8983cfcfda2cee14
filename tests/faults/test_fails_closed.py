"""Fails closed: whatever becomes of the store under a running server, the gate soon says no, and never an ALLOW later.

What is asked is a model that the gate allowed a moment ago, so a gate that answered from memory alone would go on.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from interlock.service.bootstrap import StartError
from interlock.v1 import gate_pb2, hold_pb2, identity_pb2, identity_pb2_grpc
from tests.integration.cli_runner import SHA256, Cli, command_line
from tests.support.people import People, refused
from tests.support.server import ServerThread, answer_of, copy_of
from tests.support.service import ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ASKED: Final = gate_pb2.CheckReleaseRequest(model="models/m", context="internal", artifact_digest=SHA256)
HOLD: Final = hold_pb2.PlaceHoldRequest(target="models/m", reason="in doubt")
MANY: Final = 100_000
"""Questions that are asked at most until the gate has noticed: some seconds' worth."""


@pytest.fixture
def clock() -> ShiftedClock:
    """Give the server's clock."""
    return ShiftedClock()


@pytest.fixture
def server(installations: Callable[[str], Path], tmp_path: Path, clock: ShiftedClock) -> Iterator[ServerThread]:
    """Serve a fresh log; no test here leaves it whole."""
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data"), clock=clock) as running:
        yield running


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server that allows `m`."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.release("m")
    return line


@pytest.fixture
def people(server: ServerThread, cli: Cli) -> Iterator[People]:
    """Give everybody of a server whose gate allows `m` now."""
    with People(server) as everybody:
        assert verdict(everybody) == gate_pb2.VERDICT_ALLOW, cli
        yield everybody


def verdict(people: People) -> int:
    """Ask the gate."""
    return int(people["release-bot"].gate.CheckRelease(ASKED).verdict)


def until(people: People, wanted: int) -> None:
    """Ask until the gate says so."""
    assert any(verdict(people) == wanted for _ in range(MANY))


def database(server: ServerThread) -> Path:
    """Return the database's file."""
    (found,) = server.data.rglob("*.db")
    return found


def meddle(server: ServerThread, statement: str) -> None:
    """Write to the database behind the server's back."""
    with sqlite3.connect(database(server)) as connection:
        connection.execute(statement)
    connection.close()


def append(server: ServerThread) -> None:
    """Append an entry that the server did not decide."""
    with sqlite3.connect(database(server)) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(entries)")]
    connection.close()
    columns = ", ".join(names)
    values = ", ".join(f"{name} + 1" if name in {"seq", "time"} else name for name in names)
    last = "FROM entries ORDER BY seq DESC LIMIT 1"
    meddle(server, f"INSERT INTO entries ({columns}) SELECT {values} {last}")


def overwrite(server: ServerThread) -> None:
    """Overwrite database and write-ahead log with nonsense."""
    for file in (database(server), database(server).with_name(database(server).name + "-wal")):
        file.write_bytes(b"nonsense" * (file.stat().st_size // 8))


def unlink(server: ServerThread) -> None:
    """Take the database's file away."""
    database(server).unlink()


def replace(server: ServerThread) -> None:
    """Put a copy in the place of the database's file, with the same entries to the byte."""
    copy = database(server).with_name("copy")
    shutil.copy(database(server), copy)
    copy.replace(database(server))


def cut(server: ServerThread) -> None:
    """Remove the last entry."""
    meddle(server, "DELETE FROM entries WHERE seq = (SELECT MAX(seq) FROM entries)")


def settle(people: People) -> None:
    """Write what moves the high-water mark at once: it is not about to be moved when the harm comes."""
    people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=people.new_model().model))


def journal(server: ServerThread) -> Path:
    """Return the file of the write-ahead log."""
    return database(server).with_name(f"{database(server).name}-wal")


def cut_journal(server: ServerThread) -> None:
    """Cut the end of the write-ahead log off: its last entries are gone for the next process."""
    with journal(server).open("r+b") as file:
        file.truncate(journal(server).stat().st_size // 2)


def empty_journal(server: ServerThread) -> None:
    """Leave nothing of the write-ahead log."""
    journal(server).write_bytes(b"")


def unlink_journal(server: ServerThread) -> None:
    """Take the write-ahead log's name away: what is written to it then, nobody finds again."""
    journal(server).unlink()


def replace_journal(server: ServerThread) -> None:
    """Put a copy in the place of the write-ahead log, the same to the byte."""
    copy = journal(server).with_name("copy")
    shutil.copy(journal(server), copy)
    copy.replace(journal(server))


def damage_mark(server: ServerThread) -> None:
    """Overwrite the high-water mark with nonsense."""
    (server.data / "highwater.json").write_text("nonsense")


def unlink_mark(server: ServerThread) -> None:
    """Take the high-water mark away."""
    (server.data / "highwater.json").unlink()


def set_back_mark(server: ServerThread) -> None:
    """Put a high-water mark of long ago in the place of the last one."""
    last = json.loads((server.data / "highwater.json").read_text())
    (server.data / "highwater.json").write_text(json.dumps(last | {"size": 1}))


HARMS: Final = (
    append,
    cut,
    overwrite,
    replace,
    unlink,
    cut_journal,
    empty_journal,
    unlink_journal,
    replace_journal,
    damage_mark,
    unlink_mark,
    set_back_mark,
)


@pytest.mark.parametrize("harm", HARMS)
def test_a_write_on_a_store_that_is_not_as_it_was_left_is_not_acknowledged(
    harm: Callable[[ServerThread], None], people: People, server: ServerThread
) -> None:
    """Not even the first one, before anybody has looked: a tightening that the next start would not find."""
    settle(people)
    harm(server)
    with pytest.raises(grpc.RpcError) as first:
        people["owner"].holds.PlaceHold(HOLD)

    until(people, gate_pb2.VERDICT_DENY)
    with pytest.raises(grpc.RpcError) as second:
        people["owner"].holds.PlaceHold(HOLD)

    assert {answer_of(first.value).code, answer_of(second.value).code} == {grpc.StatusCode.UNAVAILABLE}


@pytest.mark.parametrize("harm", HARMS)
def test_a_store_that_is_not_as_it_was_left_denies(
    harm: Callable[[ServerThread], None], people: People, cli: Cli
) -> None:
    """An entry too many or too few, a damaged file, another or none: LEDGER every time, exit 1, nothing signed."""
    settle(people)
    assert cli("release-bot", "gate", "check", "m", "--context", "internal").code == 0  # its session is kept
    harm(cli.server)

    until(people, gate_pb2.VERDICT_DENY)
    question = gate_pb2.ReleaseQuestion(model="models/m", context="internal", artifact_digest=SHA256)
    gate = people["release-bot"].gate
    answers = [
        gate.CheckRelease(ASKED),
        gate.CheckRelease(
            gate_pb2.CheckReleaseRequest(
                model="models/m", context="internal", artifact_digest=SHA256, want_decision=True
            )
        ),
        gate.ExplainRelease(gate_pb2.ExplainReleaseRequest(model="models/m", context="internal")).answer,
        *gate.BatchCheckRelease(gate_pb2.BatchCheckReleaseRequest(questions=[question])).answers,
    ]

    assert {answer.verdict for answer in answers} == {gate_pb2.VERDICT_DENY}
    assert {answer.reasons[0].code for answer in answers} == {"LEDGER"}
    assert not any(answer.decision for answer in answers)
    for words in (("check", "m"), ("explain", "m")):
        assert cli("release-bot", "gate", *words, "--context", "internal").code == 1


def test_a_locked_store_denies_until_it_is_free(people: People, server: ServerThread) -> None:
    """While somebody else holds the lock nobody can tighten anything, so nothing is allowed; and then it is again."""
    connection = sqlite3.connect(database(server), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")

    until(people, gate_pb2.VERDICT_DENY)
    connection.execute("ROLLBACK")
    connection.close()

    until(people, gate_pb2.VERDICT_ALLOW)


def test_a_session_that_ended_gets_no_verdict(people: People) -> None:
    """Who has signed out is asked to sign in, and learns nothing."""
    bot = people["release-bot"]
    bot.identity.Logout(identity_pb2.LogoutRequest())

    with refused("UNAUTHENTICATED"):
        bot.gate.CheckRelease(ASKED)


def test_a_session_that_ran_out_gets_no_verdict(people: People, clock: ShiftedClock) -> None:
    """A quarter of an hour without a call ends it: asked to sign in, not told what the gate says."""
    clock.move(16 * 60)

    with refused("UNAUTHENTICATED"):
        people["release-bot"].gate.CheckRelease(ASKED)


def test_a_clock_that_is_set_back_brings_no_session_back(people: People, clock: ShiftedClock) -> None:
    """A quarter of an hour that anybody was told of has passed for everyone, whatever the clock says afterwards."""
    other = people["evaluator"]
    clock.move(16 * 60)
    with refused("UNAUTHENTICATED"):
        other.gate.CheckRelease(ASKED)

    clock.move(-16 * 60)

    with refused("UNAUTHENTICATED"):
        people["release-bot"].gate.CheckRelease(ASKED)


def test_a_clock_behind_the_log_denies(people: People, cli: Cli, clock: ShiftedClock, tmp_path: Path) -> None:
    """An hour back: DENY with CLOCK, exit 1, nothing signed; and ALLOW again once the clock is right."""
    clock.move(-60 * 60)

    answer = people["release-bot"].gate.CheckRelease(ASKED)
    written = tmp_path / "out.decision"
    asked = ("check", "m", "--context", "internal", "--artifact", SHA256, "--decision", str(written))
    assert (answer.verdict, answer.reasons[0].code) == (gate_pb2.VERDICT_DENY, "CLOCK")
    assert cli("release-bot", "gate", *asked).code == 1
    assert not written.exists()

    clock.move(60 * 60)
    assert verdict(people) == gate_pb2.VERDICT_ALLOW


WITH_THE_CLOCK_BEHIND: Final = (
    (("gate", "check", "m", "--context", "internal"), 1),
    (("gate", "check", "m", "--context", "internal", "--wait", "1s"), 1),
    (("gate", "explain", "m", "--context", "internal"), 1),
    (("deployments", "record", "m", "--context", "internal", "--location", "here"), 5),
)


@pytest.mark.parametrize(("words", "code"), WITH_THE_CLOCK_BEHIND)
def test_a_clock_behind_the_log_is_named_to_who_logs_in_then(
    words: tuple[str, ...], code: int, cli: Cli, clock: ShiftedClock
) -> None:
    """Nobody is sent away as not logged in: verdicts are DENY, a write waits for the clock, and CLOCK says why."""
    cli("release-bot", "logout")
    clock.move(-60 * 60)

    said = cli("release-bot", *words)

    assert said.code == code
    assert "CLOCK" in said.out + said.err


def test_a_watch_opened_with_the_clock_behind_denies(server: ServerThread, cli: Cli, clock: ShiftedClock) -> None:
    """A session made then carries a stream, and its first word is DENY with CLOCK."""
    clock.move(-60 * 60)
    request = gate_pb2.WatchReleaseRequest(model="models/m", context="internal", artifact_digest=SHA256)

    with People(server) as late:
        first = next(iter(late["release-bot"].gate.WatchRelease(request)))

    assert (first.answer.verdict, first.answer.reasons[0].code) == (gate_pb2.VERDICT_DENY, "CLOCK"), cli


def test_a_session_of_a_clock_that_ran_ahead_ends_with_the_process(server: ServerThread, clock: ShiftedClock) -> None:
    """Its end is dated by that clock; the next process, whose clock is right, would let it live for the whole jump."""
    clock.move(24 * 60 * 60)
    with server.channel() as channel:
        session = server.login(channel, "release-bot")
        identity_pb2_grpc.IdentityServiceStub(channel).WhoAmI(identity_pb2.WhoAmIRequest(), metadata=session)
    server.stop()
    clock.move(-24 * 60 * 60)

    with (
        ServerThread(server.data, clock=clock) as again,
        again.channel() as channel,
        refused("UNAUTHENTICATED"),
    ):
        identity_pb2_grpc.IdentityServiceStub(channel).WhoAmI(identity_pb2.WhoAmIRequest(), metadata=session)


def test_a_policy_that_can_not_be_read_stops_the_start(people: People, server: ServerThread, cli: Cli) -> None:
    """One word of the stored pack is another: the server does not come back with an ALLOW, and the command exits 5."""
    assert verdict(people) == gate_pb2.VERDICT_ALLOW
    server.stop()
    meddle(server, "UPDATE objects SET bytes = replace(bytes, 'guarded', 'guarder')")

    with pytest.raises(StartError), ServerThread(server.data):
        pass
    assert cli("release-bot", "gate", "check", "m", "--context", "internal").code == 5


def test_a_clock_that_jumped_denies_until_it_is_accepted(
    people: People, cli: Cli, clock: ShiftedClock, tmp_path: Path
) -> None:
    """CLOCK from every question and no decision; holds go on; who accepts needs the right and a clock that agrees."""
    watch = people["release-bot"].gate.WatchRelease(gate_pb2.WatchReleaseRequest(model="models/m", context="internal"))
    assert next(watch).answer.verdict == gate_pb2.VERDICT_ALLOW
    clock.jump(5 * 3600)
    question = ("m", "--context", "internal", "--artifact", SHA256)
    there = (datetime.now(UTC) + timedelta(hours=5)).isoformat()

    denied = next(watch).answer
    checked = cli("release-bot", "gate", "check", *question, "--json")
    decided = cli("release-bot", "gate", "check", *question, "--decision", str(tmp_path / "d"))
    waited = cli("evaluator", "models", "create", "n", "--json")
    held = cli("owner", "hold", "place", "m")
    by_another = cli("owner", "audit", "accept-clock", "--now", there, "--json")
    by_this_machine = cli("admin", "audit", "accept-clock", "--json")
    accepted = cli("admin", "audit", "accept-clock", "--now", there)
    again = cli("admin", "audit", "accept-clock", "--now", there, "--json")

    assert (denied.verdict, denied.reasons[0].code) == (gate_pb2.VERDICT_DENY, "CLOCK")
    assert (checked.code, checked.json["reasons"][0]["code"]) == (1, "CLOCK")
    assert (decided.code, (tmp_path / "d").exists()) == (1, False)
    assert (waited.code, waited.refusal["reason"], held.code) == (5, "CLOCK", 0)
    assert (by_another.code, by_this_machine.code, by_this_machine.codes) == (4, 3, ["CLOCK"])
    assert (accepted.code, again.code, again.codes) == (0, 3, ["CLOCK"])
    assert cli("evaluator", "models", "create", "n").code == 0
    assert cli("auditor", "audit", "verify").code == 0


def test_a_start_after_a_long_rest_denies(cli: Cli, clock: ShiftedClock) -> None:
    """More than thirty days without an entry: nobody can say whether the clock jumped, so an admin has to."""
    cli.server.__exit__(None, None, None)
    clock.jump(31 * 24 * 3600)
    with ServerThread(cli.server.data, clock=clock):
        denied = cli("release-bot", "gate", "check", "m", "--context", "internal", "--json")
        there = (datetime.now(UTC) + timedelta(days=31)).isoformat()
        accepted = cli("admin", "audit", "accept-clock", "--now", there)
        allowed = cli("release-bot", "gate", "check", "m", "--context", "internal")
    with ServerThread(cli.server.data, clock=clock):
        after = cli("release-bot", "gate", "check", "m", "--context", "internal")

    assert (denied.code, [row["code"] for row in denied.json["reasons"]]) == (1, ["CLOCK"])
    assert (accepted.code, allowed.code, after.code) == (0, 0, 0)


def test_a_damaged_mark_can_be_put_back_from_the_log_of_the_server(people: People, server: ServerThread) -> None:
    """A restart alone says LOG_ROLLED_BACK; with what the server logged in its place the gate goes on as before."""
    settle(people)
    damage_mark(server)
    until(people, gate_pb2.VERDICT_DENY)
    (told,) = (line["detail"] for line in server.lines() if line["event"] == "ledger_unhealthy")
    server.__exit__(None, None, None)

    with ServerThread(server.data) as again, People(again) as everybody:
        reasons = everybody["release-bot"].gate.CheckRelease(ASKED).reasons
        assert [reason.code for reason in reasons] == ["LOG_ROLLED_BACK"]
    (server.data / "highwater.json").write_text(told[told.index("{") :])
    with ServerThread(server.data) as again, People(again) as everybody:
        assert verdict(everybody) == gate_pb2.VERDICT_ALLOW
