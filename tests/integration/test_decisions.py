"""Signed decisions through the real server; the same bytes read by tools that know nothing of us."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from interlock.service.bootstrap import StartError
from interlock.statemachine.decision import Expected, check_decision
from interlock.v1 import audit_pb2, gate_pb2, hold_pb2, ledger_pb2
from tests.docs.pages import ROOT, blocks
from tests.support.people import People, Subject, refused
from tests.support.server import ServerThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOREIGN = "02" * 32


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give everybody of one server."""
    with People(shared_server) as everybody:
        yield everybody


@pytest.fixture
def artifact(request: pytest.FixtureRequest) -> str:
    """Give the digest of some weights of one's own."""
    return hashlib.sha256(request.node.name.encode()).hexdigest()


@pytest.fixture
def m(people: People, artifact: str) -> Subject:
    """Give a new model with these weights that the gate allows."""
    subject = people.new_model(artifact)
    report = people["evaluator"].upload("evaluation_results", subject.model.encode())
    people.enact(subject.rule_out(), subject.assign(), evidence=[report.name])
    return subject


def decide(people: People, model: str, artifact: str, context: str = "api") -> gate_pb2.CheckReleaseResponse:
    """Ask for a signed decision."""
    request = gate_pb2.CheckReleaseRequest(model=model, context=context, artifact_digest=artifact, want_decision=True)
    reply: gate_pb2.CheckReleaseResponse = people["release-bot"].gate.CheckRelease(request)
    return reply


def expected(server: ServerThread, artifact: str) -> Expected:
    """Return what a reader expects who has a profile."""
    profile = server.profile("release-bot")
    return Expected(bytes.fromhex(profile.decision_key), profile.log_id, "api", artifact)


def test_an_allow_in_writing(shared_server: ServerThread, people: People, m: Subject, artifact: str) -> None:
    """The decision says what the answer says, verifies with the profile alone, and is in the log by its digest."""
    answer = decide(people, m.model, artifact)
    instant = answer.instant.ToMicroseconds()
    checked = check_decision(answer.decision, expected(shared_server, artifact), instant)

    assert answer.verdict == gate_pb2.VERDICT_ALLOW
    assert checked.allowed
    assert checked.decision is not None
    assert (checked.decision.position, checked.decision.instant) == (answer.log_position, instant)
    record = people["auditor"].audit.GetEntry(audit_pb2.GetEntryRequest(name=f"entries/{checked.decision.entry}"))
    command = ledger_pb2.LedgerEntry.FromString(record.entry).command.record_decision
    payload = Envelope.from_dict(json.loads(answer.decision)).payload
    assert command.statement_digest == hashlib.sha256(payload).digest()


def test_a_denial_in_writing(shared_server: ServerThread, people: People, m: Subject, artifact: str) -> None:
    """A DENY is signed and recorded as well, and never allows."""
    people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=m.model))

    answer = decide(people, m.model, artifact)

    assert answer.verdict == gate_pb2.VERDICT_DENY
    checked = check_decision(answer.decision, expected(shared_server, artifact), answer.instant.ToMicroseconds())
    assert [fault.code for fault in checked.faults] == ["DECISION_FAILED"]


def test_a_decision_needs_its_subject(people: People, m: Subject) -> None:
    """Without an artifact there is nothing that a decision could be about."""
    with refused("INVALID_FIELD") as said:
        decide(people, m.model, "")

    assert said.fields == ("artifact_digest",)


def test_a_plain_check_writes_nothing(people: People, m: Subject, artifact: str) -> None:
    """Only what is wanted in writing makes an entry."""
    before = people["auditor"].checkpoint().size
    request = gate_pb2.CheckReleaseRequest(model=m.model, context="api", artifact_digest=artifact)
    plain = people["release-bot"].gate.CheckRelease(request)

    assert plain.decision == b""
    assert people["auditor"].checkpoint().size == before


def test_tools_that_do_not_know_us_verify_the_same_bytes(
    shared_server: ServerThread, people: People, m: Subject, artifact: str
) -> None:
    """Securesystemslib checks the signature, in-toto-attestation reads the statement: nothing of ours is used."""
    data = decide(people, m.model, artifact).decision
    profile = shared_server.profile("release-bot")

    envelope = Envelope.from_dict(json.loads(data))
    keyid = next(iter(envelope.signatures))
    envelope.verify([SSlibKey(keyid, "ed25519", "ed25519", {"public": profile.decision_key})], 1)
    statement = json_format.Parse(envelope.payload, statement_pb2.Statement())  # type: ignore[attr-defined]  # built at import
    Statement.copy_from_pb(statement).validate()

    assert statement.subject[0].digest["sha256"] == artifact
    assert statement.predicate_type == "https://slsa.dev/verification_summary/v1"
    assert statement.predicate["verificationResult"] == "PASSED"


@pytest.mark.parametrize("flags", [(), ("-O",)], ids=["plain", "optimised"])
@pytest.mark.parametrize(
    "wrong", ["", "bytes", "key", "log", "context", "artifact"], ids=lambda word: word or "nothing wrong"
)
def test_the_page_s_script_needs_nothing_of_ours(
    shared_server: ServerThread,
    people: People,
    m: Subject,
    artifact: str,
    tmp_path: Path,
    wrong: str,
    flags: tuple[str, ...],
) -> None:
    """docs/how-to/gate.md as it stands, where no module of Interlock can be imported: yes to one decision alone.

    Regression: it checked by `assert`, so with `python -O` a decision about something else passed.
    """
    page = ROOT / "docs" / "how-to" / "gate.md"
    (script,) = (block.text for block in blocks(page) if block.info == "elsewhere.py")
    (tmp_path / "elsewhere.py").write_text(f"import sys\nsys.modules['interlock'] = None\n{script}")
    data = decide(people, m.model, artifact).decision
    (tmp_path / "d").write_bytes(data.replace(b'"sig":"', b'"sig":"AA') if wrong == "bytes" else data)
    profile = shared_server.profile("release-bot")
    question = {"key": profile.decision_key, "log": profile.log_id, "context": "api", "artifact": artifact}
    question = {word: "0" * len(value) if word == wrong else value for word, value in question.items()}

    done = subprocess.run(
        [sys.executable, *flags, "elsewhere.py", "d", *question.values()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) == (not wrong), done.stderr
    assert done.stdout == ("" if wrong else f"PASSED interlock:{m.model}?context=api\n")


def test_those_tools_refuse_other_bytes(shared_server: ServerThread, people: People, m: Subject, artifact: str) -> None:
    """The same tools refuse a payload that was changed."""
    value = json.loads(decide(people, m.model, artifact).decision)
    envelope = Envelope.from_dict(value)
    envelope.payload = envelope.payload.replace(b"PASSED", b"passed")
    public = shared_server.profile("release-bot").decision_key

    with pytest.raises(VerificationError):
        envelope.verify([SSlibKey(next(iter(envelope.signatures)), "ed25519", "ed25519", {"public": public})], 1)


def test_a_server_starts_with_its_own_decision_key_only(data: Path) -> None:
    """A key that the log was not founded with signs nothing: the server does not start."""
    key = data / "keys" / "decision.key"
    key.write_bytes((data / "keys" / "log.key").read_bytes())

    with pytest.raises(StartError, match=r"decision\.key"):
        ServerThread(data).start()
