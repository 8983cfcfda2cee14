"""Puts the servicers together and registers them; all but identity, whose sessions are the server's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.accountability import AccountabilityService
from interlock.service.api.assessment import AssessmentService
from interlock.service.api.audit import AuditService
from interlock.service.api.calls import Writer
from interlock.service.api.change import ChangeService
from interlock.service.api.decisions import Decisions
from interlock.service.api.deployment_watch import DeploymentWatches
from interlock.service.api.deployments import Deployments
from interlock.service.api.evidence import EvidenceService
from interlock.service.api.excerpts import Excerpts
from interlock.service.api.export import Exporter
from interlock.service.api.findings import Findings
from interlock.service.api.gate import GateService
from interlock.service.api.hold import HoldService
from interlock.service.api.incidents import Incidents
from interlock.service.api.measures import Measures
from interlock.service.api.model import ModelService
from interlock.service.api.model_watch import ModelWatches
from interlock.service.api.policy import PolicyService
from interlock.service.api.questions import Questions
from interlock.service.api.reads import Reader
from interlock.service.api.release_watch import ReleaseWatches
from interlock.service.api.safeguard import SafeguardService
from interlock.service.api.texts import Texts
from interlock.service.ledger.cosigning import Cosigning
from interlock.service.ledger.proving import Prover
from interlock.v1 import (
    accountability_pb2_grpc,
    assessment_pb2_grpc,
    audit_pb2_grpc,
    change_pb2_grpc,
    evidence_pb2_grpc,
    gate_pb2_grpc,
    hold_pb2_grpc,
    model_pb2_grpc,
    policy_pb2_grpc,
    safeguard_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from interlock.proofs.cosignature import WitnessKey
    from interlock.service.api.streams import Streams
    from interlock.service.clock import GuardedClock
    from interlock.service.evidence import Blobs
    from interlock.service.ledger.checkpoints import CheckpointSigner
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.digests import Digests
    from interlock.service.storage import Store


def register(  # each by name at its one call
    server: Any,  # noqa: ANN401  # a grpc.aio server, or what stands in for one while handlers are gathered
    committer: Committer,
    digests: Digests,
    store: Store,
    blobs: Blobs,
    clock: GuardedClock,
    rng: Callable[[int], bytes],
    max_evidence_bytes: int,
    decision_key: Ed25519PrivateKey,
    streams: Streams,
    signer: CheckpointSigner,
    witnesses: tuple[WitnessKey, ...],
) -> None:
    """Register every servicer of this package with a server."""
    reader, writer, texts = Reader(committer, clock), Writer(committer, rng), Texts(store, committer.examine)
    evidence = EvidenceService(reader, writer, texts, blobs, max_bytes=max_evidence_bytes)
    deployments = Deployments(reader, writer, DeploymentWatches(streams))
    questions = Questions(committer, clock, reader)
    watches = ReleaseWatches(streams)
    measures = Measures(reader, writer, texts)
    gate = GateService(committer, clock, Decisions(writer, decision_key), deployments, questions, watches, measures)
    model = ModelService(reader, writer, texts, ModelWatches(streams, store, texts))
    change = ChangeService(reader, writer, texts, committer, store)
    prover = Prover(committer, store)
    cosigning = Cosigning(committer, store, prover, signer, witnesses, clock)
    exporter = Exporter(committer, store, reader, writer, blobs, cosigning, Excerpts(committer, store, digests))
    accountability = AccountabilityService(
        reader, writer, Incidents(reader, writer, texts), Findings(reader, writer, texts)
    )
    audit = AuditService(reader, committer, store, exporter, prover, cosigning, writer)
    accountability_pb2_grpc.add_AccountabilityServiceServicer_to_server(accountability, server)
    assessment_pb2_grpc.add_AssessmentServiceServicer_to_server(AssessmentService(reader, writer, texts), server)
    audit_pb2_grpc.add_AuditServiceServicer_to_server(audit, server)
    change_pb2_grpc.add_ChangeServiceServicer_to_server(change, server)
    evidence_pb2_grpc.add_EvidenceServiceServicer_to_server(evidence, server)
    gate_pb2_grpc.add_GateServiceServicer_to_server(gate, server)
    hold_pb2_grpc.add_HoldServiceServicer_to_server(HoldService(reader, writer, texts), server)
    model_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
    policy_pb2_grpc.add_PolicyServiceServicer_to_server(PolicyService(reader, store), server)
    safeguard_pb2_grpc.add_SafeguardServiceServicer_to_server(SafeguardService(reader, writer, texts), server)
