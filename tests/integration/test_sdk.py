"""The SDK against a real server: what a program sees, and what it must never believe."""

from __future__ import annotations

import os
import shutil
import uuid
from typing import TYPE_CHECKING

import grpc
import pytest

from interlock.client import (
    DataLossError,
    Interlock,
    InterlockError,
    InvalidRequestError,
    NotAllowedError,
    RefusedError,
    RollbackError,
    StaleError,
    UnavailableError,
)
from interlock.proofs import dsse
from interlock.statemachine import signoff
from interlock.v1 import change_pb2, gate_pb2, trigger_pb2
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from interlock.v1.trigger_pb2 import Trigger

    Connect = Callable[[str], Interlock]


@pytest.fixture
def connect(server: ServerThread) -> Iterator[Connect]:
    """Give clients for the people of a fresh server; all are closed afterwards."""
    made: list[Interlock] = []

    def client(who: str) -> Interlock:
        made.append(Interlock.from_profile(str(server.home / who), timeout_seconds=20, environment={}))
        return made[-1]

    yield client
    for one in made:
        one.close()


def _rule_out(model: str) -> list[Trigger]:
    return [
        trigger_pb2.Trigger(
            determination_rule_out=trigger_pb2.DeterminationRuleOut(
                determination=f"models/{model}/determinations/misuse"
            )
        ),
        trigger_pb2.Trigger(
            level_assign=trigger_pb2.LevelAssign(level=f"models/{model}/levels/deployment", to="basic")
        ),
    ]


def _proposed(connect: Connect, folder: Path, model: str = "m") -> str:
    """Register a model and propose the change that releases it internally; return the change's name."""
    evaluator = connect("evaluator")
    evaluator.models.create(model)
    report = folder / "report.md"
    report.write_text(f"# {model}")
    document = evaluator.evidence.upload(report, kind="evaluation_results")
    change = evaluator.changes.propose(_rule_out(model), title="Release", summary="why", evidence=[document.name])
    return change.name


def _sign(connect: Connect, who: str, change: str) -> change_pb2.Change:
    client = connect(who)
    return client.sign(client.review(change))


def test_a_program_brings_a_model_through_the_gate(connect: Connect, tmp_path: Path) -> None:
    """Propose, review, sign by two people, ask the gate, verify the log."""
    change = _proposed(connect, tmp_path)

    assert not connect("release-bot").gate.allows("m", "internal")
    _sign(connect, "owner", change)
    applied = _sign(connect, "reviewer", change)

    assert applied.state == change_pb2.CHANGE_STATE_APPLIED
    assert connect("release-bot").gate.allows("m", "internal")
    report = connect("auditor").verify()
    assert report.verified
    assert report.entries == applied.applied_position + 1


def test_a_refusal_lists_everything_that_is_unmet(connect: Connect) -> None:
    """Codes, requirement, what is there, resource and trigger, for all of it at once."""
    evaluator = connect("evaluator")
    evaluator.models.create("m")
    change = evaluator.changes.propose(_rule_out("m"), title="Too early")

    with pytest.raises(RefusedError) as caught:
        _sign(connect, "owner", change.name)

    missing = next(row for row in caught.value.unmet if row.code == "EVIDENCE_MISSING")
    assert missing.trigger == "determination.rule_out"
    assert missing.resource == "models/m/determinations/misuse"
    assert caught.value.codes.count("SIGN_OFF_MISSING") == 4


def test_errors_are_told_apart(connect: Connect) -> None:
    """Not allowed, malformed, refused: each has its class."""
    with pytest.raises(NotAllowedError):
        connect("release-bot").models.create("m")
    with pytest.raises(InvalidRequestError) as caught:
        connect("evaluator").models.create("Not An Id")
    assert [row.field for row in caught.value.fields] == ["model_id"]
    with pytest.raises(RefusedError):
        connect("evaluator").models.get("nothing")


def test_a_call_repeated_with_its_id_happens_once(connect: Connect) -> None:
    """The same request id gives the same reply; with another body it is refused."""
    evaluator = connect("evaluator")
    own = str(uuid.uuid4())

    first = evaluator.models.create("m", request_id=own)
    second = evaluator.models.create("m", request_id=own)

    assert first == second
    with pytest.raises(InvalidRequestError) as caught:
        evaluator.models.create("other", request_id=own)
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_what_was_shown_is_what_is_signed(connect: Connect, tmp_path: Path) -> None:
    """A change that is amended between review and signature is not signed by accident."""
    change = _proposed(connect, tmp_path)
    owner = connect("owner")
    reviewed = owner.review(change)
    connect("evaluator").changes.amend(change, summary="quite another thing")

    with pytest.raises(RefusedError) as caught:
        owner.sign(reviewed)

    assert "SIGN_OFF_SUBJECT" in caught.value.codes


def test_a_stale_change_says_what_moved(connect: Connect, tmp_path: Path) -> None:
    """ABORTED is a class of its own, with the resources that moved."""
    change = _proposed(connect, tmp_path)
    connect("evaluator").assessments.report("m", "misuse", "ruled_out")

    with pytest.raises(StaleError) as caught:
        _sign(connect, "owner", change)

    assert "models/m/determinations/misuse" in [row.resource for row in caught.value.unmet]


def test_listings_go_through_every_page(connect: Connect) -> None:
    """An iterator hides the pages."""
    evaluator = connect("evaluator")
    for number in range(5):
        evaluator.models.create(f"m{number}")

    found = [model.name for model in evaluator.models.list()]

    assert found == [f"models/m{number}" for number in range(5)]


def test_a_document_that_changes_while_it_goes_up_is_refused(connect: Connect, tmp_path: Path) -> None:
    """The digest was taken first; other bytes under it are never recorded."""
    evaluator = connect("evaluator")
    file = tmp_path / "report.bin"
    file.write_bytes(os.urandom(3 << 20))

    def meddle(_done: int, _total: int) -> None:
        with file.open("r+b") as opened:
            opened.seek(-10, os.SEEK_END)
            opened.write(b"0123456789")

    with pytest.raises(InterlockError) as caught:
        evaluator.evidence.upload(file, kind="evaluation_results", progress=meddle)

    assert caught.value.reason == "DIGEST_MISMATCH"
    assert list(evaluator.evidence.list()) == []


def test_a_document_that_changed_in_the_store_does_not_come_back(
    connect: Connect, server: ServerThread, tmp_path: Path
) -> None:
    """A flipped bit in the blob is found before a file appears."""
    evaluator = connect("evaluator")
    report = tmp_path / "report.md"
    report.write_bytes(b"the very bytes" * 1000)
    record = evaluator.evidence.upload(report, kind="evaluation_results")
    [blob] = [path for path in (server.data / "evidence").rglob("*") if path.is_file()]
    blob.chmod(0o600)
    blob.write_bytes(b"The" + blob.read_bytes()[3:])

    with pytest.raises(DataLossError):
        evaluator.evidence.download(record.name, tmp_path / "back.md")

    assert not (tmp_path / "back.md").exists()
    assert list(tmp_path.glob(".back.md.*")) == []


def test_progress_is_told_in_bytes(connect: Connect, tmp_path: Path) -> None:
    """Both ways, up to the whole size."""
    evaluator = connect("evaluator")
    file = tmp_path / "report.bin"
    file.write_bytes(os.urandom((1 << 20) + 7))
    up: list[tuple[int, int]] = []
    down: list[tuple[int, int]] = []

    record = evaluator.evidence.upload(
        file, kind="evaluation_results", progress=lambda done, total: up.append((done, total))
    )
    evaluator.evidence.download(record.name, tmp_path / "back", progress=lambda done, total: down.append((done, total)))

    assert up == [(1 << 20, (1 << 20) + 7), ((1 << 20) + 7, (1 << 20) + 7)]
    assert down[-1] == ((1 << 20) + 7, (1 << 20) + 7)


def test_an_opened_document_is_signed_as_seen(connect: Connect, tmp_path: Path) -> None:
    """A sign-off says of each document whether this profile had downloaded it."""
    change = _proposed(connect, tmp_path)
    owner = connect("owner")
    owner.evidence.download("evidence/1", tmp_path / "copy.md")

    signed = owner.sign(owner.review(change))

    statement = signoff.parse_statement(dsse.RawEnvelope.from_json(signed.sign_offs[0].envelope).payload)
    assert [row.seen for row in statement.evidence] == ["full"]


def test_a_restarted_server_is_the_same_to_its_clients(data: Path) -> None:
    """Sessions and what was seen go on; the client notices nothing but a new connection."""
    with ServerThread(data) as server:
        address = server.address
        with Interlock.from_profile(str(server.home / "evaluator"), environment={}) as client:
            client.models.create("m")
    with (
        ServerThread(data, listen=address) as server,
        Interlock.from_profile(str(server.home / "evaluator"), environment={}) as client,
    ):
        assert client.models.get("m").name == "models/m"


def test_a_server_restored_from_an_older_copy_is_not_believed(data: Path, tmp_path: Path) -> None:
    """A backup under the same address has fewer entries than this profile has seen: every answer of it is refused."""
    older = copy_of(data, tmp_path / "older")
    with ServerThread(data) as server:
        address = server.address
        with Interlock.from_profile(str(server.home / "evaluator"), environment={}) as client:
            client.models.create("m")
            client.models.create("n")
    shutil.copy(data / "principals" / "evaluator" / "seen.json", older / "principals" / "evaluator" / "seen.json")
    with (
        ServerThread(older, listen=address) as server,
        Interlock.from_profile(str(server.home / "evaluator"), environment={}) as client,
    ):
        with pytest.raises(RollbackError):
            client.models.create("k")
        with pytest.raises(RollbackError):
            client.audit.checkpoint()
        assert not client.verify().verified


def test_a_socket_of_the_file_system_is_a_way_in(data: Path, tmp_path: Path) -> None:
    """A profile with a `unix:` address talks without TLS to a server that listens there so."""
    with (
        ServerThread(data, listen=f"unix:{tmp_path / 'socket'}", insecure=True) as server,
        Interlock.from_profile(str(server.home / "owner"), environment={}) as client,
    ):
        assert client.identity.whoami().principal.name == "principals/owner"


def test_a_server_that_is_gone_is_unavailable(connect: Connect, server: ServerThread) -> None:
    """No answer is an error, never a verdict."""
    client = connect("release-bot")
    client.identity.whoami()
    server.stop()

    with pytest.raises(UnavailableError):
        client.gate.allows("m", "internal")


def test_the_contract_messages_come_out_as_they_are(connect: Connect) -> None:
    """The SDK answers with the messages of the contract, nothing wrapped."""
    answer = connect("release-bot").gate.check("m", "internal")

    assert isinstance(answer, gate_pb2.CheckReleaseResponse)
    assert answer.verdict == gate_pb2.VERDICT_DENY


def test_closing_ends_the_connection(connect: Connect) -> None:
    """A closed client makes no more calls."""
    client = connect("owner")
    client.identity.whoami()
    client.close()

    with pytest.raises((ValueError, InterlockError, grpc.RpcError)):
        client.identity.whoami()
