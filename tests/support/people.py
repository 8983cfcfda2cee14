"""People of a test who call a real server: a session each, stubs that carry it, and signing as a client signs.

    people = People(server)
    people["evaluator"].models.CreateModel(model_pb2.CreateModelRequest(model_id="m"))
    people["reviewer"].sign("changes/1", "reviewer")
    with refused("REQUIREMENTS_UNMET") as said: ...
    assert said.unmet == ("SIGN_OFF_MISSING",)

No client code is used, so what is tested is the server alone.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import grpc
import pytest

from interlock.proofs import dsse, note
from interlock.statemachine import codec, signoff
from interlock.statemachine.bound import documents_of
from interlock.v1 import (
    accountability_pb2_grpc,
    assessment_pb2_grpc,
    audit_pb2,
    audit_pb2_grpc,
    change_pb2,
    change_pb2_grpc,
    evidence_pb2,
    evidence_pb2_grpc,
    gate_pb2_grpc,
    hold_pb2_grpc,
    identity_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    policy_pb2_grpc,
    safeguard_pb2,
    safeguard_pb2_grpc,
    trigger_pb2,
)
from tests.support.server import CALL_SECONDS, Answer, answer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from tests.support.server import RunningServer

CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Subject:
    """A model of a test, and the names of what the pack ``minimal`` gives it."""

    model: str

    @property
    def determination(self) -> str:
        """Its only determination."""
        return f"{self.model}/determinations/misuse"

    @property
    def level(self) -> str:
        """Its level in the only standard."""
        return f"{self.model}/levels/deployment"

    @property
    def filter(self) -> str:
        """Its only safeguard."""
        return f"{self.model}/safeguards/input-filter"

    def rule_out(self) -> trigger_pb2.Trigger:
        """Return the trigger that rules its threshold out."""
        return trigger(determination_rule_out=trigger_pb2.DeterminationRuleOut(determination=self.determination))

    def assign(self, level: str = "basic") -> trigger_pb2.Trigger:
        """Return the trigger that assigns its first level."""
        return trigger(level_assign=trigger_pb2.LevelAssign(level=self.level, to=level))

    def activate(self) -> trigger_pb2.Trigger:
        """Return the trigger that activates its safeguard."""
        return trigger(safeguard_activate=trigger_pb2.SafeguardActivate(safeguard=self.filter))


class _Bound:
    """A stub whose calls carry somebody's session."""

    def __init__(self, stub: object, metadata: tuple[tuple[str, str], ...]) -> None:
        self._stub = stub
        self._metadata = metadata

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401  # a method of any service
        call = getattr(self._stub, method)

        def bound(request: object, timeout: float = CALL_SECONDS) -> Any:  # noqa: ANN401  # its reply
            return call(request, timeout=timeout, metadata=self._metadata)

        return bound


class Person:
    """Somebody with a session."""

    def __init__(self, server: RunningServer, channel: grpc.Channel, who: str) -> None:
        self.who = who
        self.name = f"principals/{who}"
        self._server = server
        self._nonce = 0
        self.metadata = server.login(channel, who)
        self.models = _Bound(model_pb2_grpc.ModelServiceStub(channel), self.metadata)
        self.changes = _Bound(change_pb2_grpc.ChangeServiceStub(channel), self.metadata)
        self.safeguards = _Bound(safeguard_pb2_grpc.SafeguardServiceStub(channel), self.metadata)
        self.holds = _Bound(hold_pb2_grpc.HoldServiceStub(channel), self.metadata)
        self.assessments = _Bound(assessment_pb2_grpc.AssessmentServiceStub(channel), self.metadata)
        self.evidence = _Bound(evidence_pb2_grpc.EvidenceServiceStub(channel), self.metadata)
        self.accountability = _Bound(accountability_pb2_grpc.AccountabilityServiceStub(channel), self.metadata)
        self.gate = _Bound(gate_pb2_grpc.GateServiceStub(channel), self.metadata)
        self.audit = _Bound(audit_pb2_grpc.AuditServiceStub(channel), self.metadata)
        self.policies = _Bound(policy_pb2_grpc.PolicyServiceStub(channel), self.metadata)
        self.identity = _Bound(identity_pb2_grpc.IdentityServiceStub(channel), self.metadata)

    def upload(self, kind: str, data: bytes = b"a document", **metadata: Any) -> evidence_pb2.Evidence:  # noqa: ANN401  # any field
        """Upload a document."""
        return self.upload_parts(metadata_of(kind, data, **metadata), chunks_of(data))

    def upload_parts(self, metadata: evidence_pb2.EvidenceMetadata, chunks: Iterable[bytes]) -> evidence_pb2.Evidence:
        """Upload these chunks under that metadata, whether they belong together or not."""

        def parts() -> Iterator[evidence_pb2.UploadEvidenceRequest]:
            yield evidence_pb2.UploadEvidenceRequest(metadata=metadata)
            for chunk in chunks:
                yield evidence_pb2.UploadEvidenceRequest(chunk=chunk)

        reply: evidence_pb2.Evidence = self.evidence.UploadEvidence(parts())
        return reply

    def download(self, name: str, offset: int = 0, limit: int = 0) -> bytes:
        """Download a document, or a range of it."""
        request = evidence_pb2.DownloadEvidenceRequest(name=name, offset_bytes=offset, limit_bytes=limit)
        return b"".join(part.chunk for part in self.evidence.DownloadEvidence(request))

    def propose(self, *triggers: trigger_pb2.Trigger, evidence: Iterable[str] = (), **rest: Any) -> change_pb2.Change:  # noqa: ANN401  # any field
        """Propose a change."""
        request = change_pb2.ProposeChangeRequest(
            **{"triggers": triggers, "evidence": evidence, "title": "A change", **rest}
        )
        reply: change_pb2.Change = self.changes.ProposeChange(request)
        return reply

    def statement(self, change: change_pb2.Change, *roles: str, **parts: Any) -> signoff.Statement:  # noqa: ANN401  # any field
        """Return what this person would sign about a change as it was read."""
        checkpoint = self.checkpoint()
        content = codec.decode_content(change.content)
        self._nonce += 1
        return signoff.Statement(
            **{
                "change": change.name,
                "content_sha256": hashlib.sha256(change.content).hexdigest(),
                "decision": "approve",
                "signer": self.name,
                "roles": tuple(sorted(roles)),
                "checkpoint_size": checkpoint.size,
                "checkpoint_root": checkpoint.root.hex(),
                "nonce": hashlib.sha256(f"{self.name} {change.name} {self._nonce}".encode()).hexdigest()[:32],
                "evidence": tuple(signoff.SeenEvidence(*row, "full") for row in documents_of(content)),
                **parts,
            }
        )

    def envelope(self, statement: signoff.Statement) -> bytes:
        """Return a statement signed with this person's sign-off key."""
        payload = signoff.build_statement(statement)
        return dsse.sign(dsse.IN_TOTO_TYPE, payload, self._server.key(self.who, "signoff")).to_json()

    def sign(self, name: str, *roles: str, comment: str = "", **parts: Any) -> change_pb2.Change:  # noqa: ANN401  # any field
        """Read a change, sign what it says now, and hand that in."""
        change = self.changes.GetChange(change_pb2.GetChangeRequest(name=name))
        salted = salted_comment(comment) if comment else None
        if salted is not None:
            parts["comment_digest"] = salted.digest.hex()
        envelope = self.envelope(self.statement(change, *roles, **parts))
        reply: change_pb2.Change
        if parts.get("decision") == "withdraw":
            reply = self.changes.WithdrawSignOff(change_pb2.WithdrawSignOffRequest(name=name, envelope=envelope))
        else:
            request = change_pb2.SignOffRequest(name=name, envelope=envelope)
            if salted is not None:
                request.comment.CopyFrom(salted)
            reply = self.changes.SignOff(request)
        return reply

    def checkpoint(self) -> note.Checkpoint:
        """Return the log's newest checkpoint, its signature checked."""
        signed = self.audit.GetCheckpoint(audit_pb2.GetCheckpointRequest()).note
        verifier = note.NoteVerifier.from_vkey(self._server.ready["log_key"])
        return note.open_checkpoint(signed, verifier)


class People:
    """Everybody of a server, logged in on first use over one channel."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.channel = server.channel()
        self._known: dict[str, Person] = {}
        self._models = 0

    def __getitem__(self, who: str) -> Person:
        if who not in self._known:
            self._known[who] = Person(self.server, self.channel, who)
        return self._known[who]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()

    def new_model(self, *artifacts: str) -> Subject:
        """Register a model that no other test knows."""
        self._models += 1
        request = model_pb2.CreateModelRequest(model_id=f"m{self._models}", artifacts=artifacts)
        return Subject(self["evaluator"].models.CreateModel(request).name)

    def verify_filter(self, subject: Subject) -> None:
        """Bring a model's safeguard to where it can be activated."""
        engineer = self["engineer"]
        engineer.safeguards.StartSafeguard(safeguard_pb2.StartSafeguardRequest(name=subject.filter))
        report = engineer.upload("red_team_report", subject.model.encode())
        engineer.safeguards.VerifySafeguard(
            safeguard_pb2.VerifySafeguardRequest(name=subject.filter, evidence=[report.name])
        )

    def enact(self, *triggers: trigger_pb2.Trigger, evidence: Iterable[str] = ()) -> change_pb2.Change:
        """Have a change proposed by the evaluator, signed by owner and reviewer, and applied (pack ``minimal``)."""
        change = self["evaluator"].propose(*triggers, evidence=evidence)
        self["owner"].sign(change.name, "owner")
        applied = self["reviewer"].sign(change.name, "reviewer")
        assert applied.state == change_pb2.CHANGE_STATE_APPLIED, applied
        return applied


class Said:
    """What a refused call told; filled in when the block ends."""

    def __init__(self) -> None:
        self.answer: Answer | None = None

    @property
    def code(self) -> grpc.StatusCode:
        """The status code."""
        assert self.answer is not None
        return self.answer.code

    @property
    def unmet(self) -> tuple[str, ...]:
        """Codes of what was unmet."""
        assert self.answer is not None
        return self.answer.unmet

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields that were wrong."""
        assert self.answer is not None
        return self.answer.fields


@contextmanager
def refused(reason: str) -> Iterator[Said]:
    """Expect the call in the block to be refused for this reason."""
    said = Said()
    with pytest.raises(grpc.RpcError) as caught:
        yield said
    said.answer = answer_of(caught.value)
    assert said.answer.reason == reason, (said.answer, caught.value)


def trigger(**arm: object) -> trigger_pb2.Trigger:
    """Return a trigger: ``trigger(level_assign=LevelAssign(…))``."""
    return trigger_pb2.Trigger(**arm)  # type: ignore[arg-type]  # one arm of the oneof


def metadata_of(kind: str, data: bytes, /, **rest: Any) -> evidence_pb2.EvidenceMetadata:  # noqa: ANN401  # any field
    """Return honest metadata for some bytes, but for what is said otherwise."""
    return evidence_pb2.EvidenceMetadata(
        **{
            "kind": kind,
            "title": "A document",
            "media_type": "application/octet-stream",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_bytes": len(data),
            "classification": evidence_pb2.CLASSIFICATION_INTERNAL,
            **rest,
        }
    )


def chunks_of(data: bytes, size: int = CHUNK) -> list[bytes]:
    """Cut bytes into chunks."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def salted_comment(text: str, salt: bytes = b"s" * 32) -> change_pb2.SaltedText:
    """Return a comment with its digest."""
    digest = hashlib.sha256(salt + text.encode()).digest()
    return change_pb2.SaltedText(field="comment", salt=salt, text=text, digest=digest)
