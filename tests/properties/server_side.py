"""A real server beside everything that is known of it: its log replayed, and the oracle fed from the same entries.

What is asked of the server goes through gRPC with sessions and signatures of its own people; what comes back is
compared with the entries it wrote, never with what the test meant to do.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import grpc

from interlock.proofs import merkle
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.policy.loader import load_pack
from interlock.statemachine.replay import Replay
from interlock.statemachine.unmet import Code
from interlock.v1 import (
    accountability_pb2,
    assessment_pb2,
    audit_pb2,
    change_pb2,
    gate_pb2,
    hold_pb2,
    identity_pb2,
    model_pb2,
    safeguard_pb2,
    trigger_pb2,
)
from tests.properties.watched import ARTIFACTS, MODELS
from tests.support.naive_quorum import may_be_applied
from tests.support.oracle import Oracle
from tests.support.people import People
from tests.support.server import answer_of
from tests.support.world import Member, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.statemachine.entry import Entry
    from tests.support.server import RunningServer

DEV_CAST: Final = (
    *(Member(who, ((who, "*"),)) for who in ("owner", "reviewer", "evaluator", "engineer", "requester")),
    *(Member(who, ((who, "*"),)) for who in ("auditor", "admin")),
    Member("monitor-bot", (("monitor", "*"),), kind="service"),
    Member("release-bot", (("release-tool", "*"),), kind="service"),
)
"""Whom `init --dev --pack minimal` makes, the recovery keys aside."""
REFUSALS: Final = {
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
}
"""How a call may be refused here: never INTERNAL, never UNKNOWN."""


class ServerSide:
    """A running server of the ``minimal`` pack, its people, and what its log says."""

    def __init__(self, server: RunningServer) -> None:
        self.people = People(server)
        pack = (resources.files("interlock.statemachine.policy") / "packs" / "minimal" / "policy.yaml").read_bytes()
        self.oracle = Oracle.of(pack)
        self.objects: dict[bytes, bytes] = {}
        self.replay = Replay(lambda digest: self.objects[digest])
        self.frontier = merkle.Frontier()
        policy = load_pack({"policy.yaml": pack})
        self.world = World(policy, {member.id: member for member in DEV_CAST})
        self.read()
        for member in DEV_CAST:  # while they still can
            _ = self.people[member.id].name

    def attempt(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401  # any reply; None for a refusal
        """Make a call; check that a refusal is a typed one and wrote nothing but that it was tried."""
        reply, refused = None, False
        try:
            reply = call()
        except grpc.RpcError as error:
            answer, refused = answer_of(error), True
            assert answer.code in REFUSALS, answer
            if answer.code is grpc.StatusCode.UNAUTHENTICATED:
                assert self.fallen()
                assert self.read() == []
                return None
            assert answer.code is not grpc.StatusCode.FAILED_PRECONDITION or answer.unmet, answer
            assert set(answer.unmet) <= {code.value for code in Code}
        for entry in self.read():
            assert isinstance(entry.command, c.AttemptRefused) is refused, entry
        self.check_gate()
        self.check_changes()
        return reply

    def fallen(self) -> bool:
        """Say whether anybody's account or key was taken: their sessions are over."""
        accounts = list(self.replay.state.all_of(r.Principal))
        return any(a.state != "active" or any(key.state != "active" for key in a.credentials) for a in accounts)

    def read(self) -> list[Entry]:
        """Read what the log has got since, and replay it."""
        request = audit_pb2.TailEntriesRequest(after_position=self.replay.state.head)
        new = []
        for record in self.people["auditor"].audit.TailEntries(request):
            self.objects |= {hashlib.sha256(item).digest(): item for item in record.objects}
            if not self.replay.state.size:
                self.objects[self.world.policy.digest] = record.objects[0]
            accepted = self.replay.feed(record.entry)
            assert accepted is not None, self.replay.findings
            self.frontier = self.frontier.append(merkle.leaf_hash(record.entry))
            self.oracle.feed(accepted.entry)
            new.append(accepted.entry)
        assert self.oracle.differences == []
        self.world.state = self.replay.state
        self.world.now = max(self.world.now, self.world.state.time)
        return new

    def check_gate(self) -> None:
        """Ask the gate everything, and compare each verdict and its reasons with the oracle's at the same instant."""
        gate = self.people["release-bot"].gate
        for model in (*MODELS, "models/never"):
            for context in ("internal", "api", "nowhere"):
                for artifact in ("", ARTIFACTS[0]):
                    said = gate.CheckRelease(
                        gate_pb2.CheckReleaseRequest(model=model, context=context, artifact_digest=artifact)
                    )
                    at = said.instant.seconds * 1_000_000 + said.instant.nanos // 1000
                    reasons = {(reason.rule, reason.resource) for reason in said.reasons}
                    assert reasons == self.oracle.failures(model, context, artifact, at)
                    assert said.verdict == (gate_pb2.VERDICT_DENY if reasons else gate_pb2.VERDICT_ALLOW)
                    assert said.log_position == self.replay.state.head

    def check_decision(self, model: str, context: str, artifact: str) -> None:
        """Have a signed decision made, and compare what its statement says, read by hand, with the oracle's answer."""
        request = gate_pb2.CheckReleaseRequest(
            model=model, context=context, artifact_digest=artifact, want_decision=True
        )
        said = self.attempt(lambda: self.people["release-bot"].gate.CheckRelease(request))
        statement = json.loads(base64.b64decode(json.loads(said.decision)["payload"]))
        at = said.instant.seconds * 1_000_000 + said.instant.nanos // 1000
        allowed = self.oracle.allows(model, context, artifact, at)
        assert (said.verdict == gate_pb2.VERDICT_ALLOW) is allowed
        assert statement["predicate"]["verificationResult"] == ("PASSED" if allowed else "FAILED")
        assert statement["subject"][0]["digest"] == {"sha256": artifact}

    def check_changes(self) -> None:
        """Compare what the server calls approved with the naive reading of sign-offs, base and age."""
        changes = self.people["auditor"].changes
        for change in self.replay.state.all_of(r.Change):
            if change.state == "in_review":
                said = changes.GetChange(change_pb2.GetChangeRequest(name=change.name))
                right = may_be_applied(self.oracle.pack, self.world, change)
                assert right if said.approved else not right or said.unmet

    def check_root(self) -> None:
        """Check that the newest checkpoint is over exactly the entries that were read."""
        checkpoint = self.people["auditor"].checkpoint()
        assert checkpoint.size == self.frontier.size
        assert checkpoint.root == self.frontier.root()

    # Calls --------------------------------------------------------------------------------------------------------

    def fire(self, who: str, firing: f.Firing) -> Any:  # noqa: ANN401  # any reply; None for a refusal
        """Have somebody fire a trigger by the call that there is for it; what loosens has none and is proposed."""
        message = codec.trigger_message(firing)
        arm = message.WhichOneof("kind")
        assert arm is not None
        if arm not in CALLS:
            return self.propose(who, (firing,), ())
        service, method, make = CALLS[arm]
        call = getattr(getattr(self.people[who], service), method)
        return self.attempt(lambda: call(make(getattr(message, arm))))

    def propose(self, who: str, firings: tuple[f.Firing, ...], evidence: tuple[str, ...], **rest: bool) -> Any:  # noqa: ANN401  # as above
        """Have somebody propose a change."""
        triggers = [codec.trigger_message(firing) for firing in firings]
        return self.attempt(lambda: self.people[who].propose(*triggers, evidence=evidence, **rest))

    def sign(self, who: str, name: str, decision: str) -> Any:  # noqa: ANN401  # as above
        """Have somebody sign a change as what they are."""
        return self.attempt(lambda: self.people[who].sign(name, who, decision=decision))


def _model(trigger: trigger_pb2.ModelRegister) -> model_pb2.CreateModelRequest:
    return model_pb2.CreateModelRequest(model_id=trigger.model.removeprefix("models/"), artifacts=trigger.artifacts)


def _report(trigger: trigger_pb2.DeterminationReport) -> assessment_pb2.ReportDeterminationRequest:
    return assessment_pb2.ReportDeterminationRequest(
        name=trigger.determination,
        conclusion=trigger.conclusion,
        assessment=trigger.assessment,
        evidence=trigger.evidence,
    )


def _revoke(trigger: trigger_pb2.CredentialRevoke) -> identity_pb2.RevokeCredentialRequest:
    request = identity_pb2.RevokeCredentialRequest(name=trigger.credential, reason="Stolen.")
    if trigger.compromised_since:
        request.compromised_since.FromMicroseconds(trigger.compromised_since)
    return request


CALLS: Final[dict[str, tuple[str, str, Callable[[Any], object]]]] = {
    "model_register": ("models", "CreateModel", _model),
    "model_retire": ("models", "RetireModel", lambda t: model_pb2.RetireModelRequest(name=t.model, reason="Done.")),
    "model_record_run": (
        "models",
        "RecordRun",
        lambda t: model_pb2.RecordRunRequest(name=t.model, evidence=t.evidence),
    ),
    "level_confirm": ("models", "ConfirmLevel", lambda t: model_pb2.ConfirmLevelRequest(name=t.level)),
    "determination_report": ("assessments", "ReportDetermination", _report),
    "assessment_open": (
        "assessments",
        "OpenAssessment",
        lambda t: assessment_pb2.OpenAssessmentRequest(model=t.model, thresholds=t.thresholds, reason="Due."),
    ),
    "assessment_conclude": (
        "assessments",
        "ConcludeAssessment",
        lambda t: assessment_pb2.ConcludeAssessmentRequest(name=t.assessment, reports=t.reports),
    ),
    "assessment_abandon": (
        "assessments",
        "AbandonAssessment",
        lambda t: assessment_pb2.AbandonAssessmentRequest(name=t.assessment, reason="Not now."),
    ),
    "safeguard_start": (
        "safeguards",
        "StartSafeguard",
        lambda t: safeguard_pb2.StartSafeguardRequest(name=t.safeguard),
    ),
    "safeguard_verify": (
        "safeguards",
        "VerifySafeguard",
        lambda t: safeguard_pb2.VerifySafeguardRequest(name=t.safeguard, evidence=t.evidence),
    ),
    "safeguard_replan": (
        "safeguards",
        "ReplanSafeguard",
        lambda t: safeguard_pb2.ReplanSafeguardRequest(name=t.safeguard, reason="Again."),
    ),
    "safeguard_degrade": (
        "safeguards",
        "DegradeSafeguard",
        lambda t: safeguard_pb2.DegradeSafeguardRequest(name=t.safeguard, reason="It misses some."),
    ),
    "safeguard_suspend": (
        "safeguards",
        "SuspendSafeguard",
        lambda t: safeguard_pb2.SuspendSafeguardRequest(name=t.safeguard, reason="Maintenance."),
    ),
    "safeguard_retire": (
        "safeguards",
        "RetireSafeguard",
        lambda t: safeguard_pb2.RetireSafeguardRequest(name=t.safeguard, reason="Not needed."),
    ),
    "deployment_record": (
        "gate",
        "RecordDeployment",
        lambda t: gate_pb2.RecordDeploymentRequest(
            model=t.model, context=t.context, artifact_digest=t.artifact, location=t.location, decision=t.decision
        ),
    ),
    "deployment_end": ("gate", "EndDeployment", lambda t: gate_pb2.EndDeploymentRequest(name=t.deployment)),
    "hold_place": ("holds", "PlaceHold", lambda t: hold_pb2.PlaceHoldRequest(target=t.target, reason="To be safe.")),
    "interim_measure_end": (
        "gate",
        "EndInterimMeasure",
        lambda t: gate_pb2.EndInterimMeasureRequest(name=t.interim_measure, reason="It lets things through."),
    ),
    "obligation_fulfil": (
        "accountability",
        "FulfilObligation",
        lambda t: accountability_pb2.FulfilObligationRequest(name=t.period, evidence=t.evidence),
    ),
    "incident_report": (
        "accountability",
        "ReportIncident",
        lambda t: accountability_pb2.ReportIncidentRequest(
            target=t.target, category=t.category, severity=t.severity, title="It went wrong."
        ),
    ),
    "incident_triage": (
        "accountability",
        "TriageIncident",
        lambda t: accountability_pb2.TriageIncidentRequest(
            name=t.incident, severity=t.severity, category=t.category, reason="Seen."
        ),
    ),
    "incident_mitigate": (
        "accountability",
        "MitigateIncident",
        lambda t: accountability_pb2.MitigateIncidentRequest(name=t.incident, reason="Off."),
    ),
    "incident_close": (
        "accountability",
        "CloseIncident",
        lambda t: accountability_pb2.CloseIncidentRequest(name=t.incident, reason="Over."),
    ),
    "finding_raise": (
        "accountability",
        "RaiseFinding",
        lambda t: accountability_pb2.RaiseFindingRequest(
            target=t.target, severity=t.severity, evidence=t.evidence, title="Copies at night."
        ),
    ),
    "finding_confirm": (
        "accountability",
        "ConfirmFinding",
        lambda t: accountability_pb2.ConfirmFindingRequest(name=t.finding, reason="So."),
    ),
    "finding_dismiss": (
        "accountability",
        "DismissFinding",
        lambda t: accountability_pb2.DismissFindingRequest(name=t.finding, reason="Not so."),
    ),
    "principal_suspend": (
        "identity",
        "SuspendPrincipal",
        lambda t: identity_pb2.SuspendPrincipalRequest(name=t.principal, reason="Lost."),
    ),
    "principal_link": (
        "identity",
        "LinkPrincipal",
        lambda t: identity_pb2.LinkPrincipalRequest(name=t.principal, other=t.other, reason="One person."),
    ),
    "principal_remove": (
        "identity",
        "RemovePrincipal",
        lambda t: identity_pb2.RemovePrincipalRequest(name=t.principal, reason="Left."),
    ),
    "credential_revoke": ("identity", "RevokeCredential", _revoke),
    "issuer_distrust": (
        "identity",
        "DistrustIssuer",
        lambda t: identity_pb2.DistrustIssuerRequest(name=t.issuer, reason="Moved."),
    ),
    "delegation_give": (
        "identity",
        "GiveDelegation",
        lambda t: identity_pb2.GiveDelegationRequest(envelope=t.envelope),
    ),
    "delegation_end": (
        "identity",
        "EndDelegation",
        lambda t: identity_pb2.EndDelegationRequest(name=t.delegation, reason="Back."),
    ),
    "grant_end": ("identity", "EndGrant", lambda t: identity_pb2.EndGrantRequest(name=t.grant, reason="Moved.")),
}
"""Service, method and request for each trigger that one person can fire."""
