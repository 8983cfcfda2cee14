"""The permissions table through a real server: every method of the contract, every role, let in or not.

What is expected is written here, role by role, and not read from the table. A method that is missing here fails. The
right is judged before the request is read, so each call carries bytes that are no message: who is let in is told so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from interlock.v1 import gate_pb2, gate_pb2_grpc, identity_pb2
from tests.support.newcomers import bring_in
from tests.support.people import People
from tests.support.server import CALL_SECONDS, answer_of
from tests.support.service import contract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import ServerThread

GARBAGE = b"\xff\xff"
PEOPLE = {"owner", "reviewer", "evaluator", "engineer", "requester", "admin", "auditor"}
SERVICES = {"monitor-bot", "release-bot"}
ROLES = PEOPLE | SERVICES
EVERYBODY = ROLES | {"nobody"}
"""The accounts of ``minimal``, one a role, and one without any."""

APPROVERS = {"owner", "reviewer"}
PROPOSERS = {"evaluator", "engineer", "requester"}
UPLOADERS = APPROVERS | PROPOSERS
ASSESSORS = {"evaluator", "requester"}
READ = PEOPLE
ASK_THE_GATE = PEOPLE | SERVICES

EXPECTED: dict[str, dict[str, set[str]]] = {
    "AccountabilityService": {
        "FulfilObligation": APPROVERS,
        "GetObligation": READ,
        "ListObligations": READ,
        "ReportIncident": APPROVERS | {"monitor-bot"},
        "ReportIncidentAnonymously": EVERYBODY,
        "TriageIncident": APPROVERS,
        "MitigateIncident": APPROVERS,
        "CloseIncident": APPROVERS,
        "GetIncident": READ,
        "ListIncidents": READ,
        "RaiseFinding": APPROVERS | {"monitor-bot"},
        "ConfirmFinding": APPROVERS,
        "DismissFinding": APPROVERS,
        "GetFinding": READ,
        "ListFindings": READ,
    },
    "AssessmentService": {
        "OpenAssessment": ASSESSORS,
        "ConcludeAssessment": ASSESSORS,
        "AbandonAssessment": ASSESSORS,
        "GetAssessment": READ,
        "ListAssessments": READ,
        "ReportDetermination": APPROVERS | {"evaluator"},
        "GetDetermination": READ,
        "ListDeterminations": READ,
    },
    "AuditService": dict.fromkeys(
        (
            "ListEntries", "GetEntry", "TailEntries", "GetCheckpoint", "ListCheckpoints", "GetInclusionProof",
            "GetConsistencyProof", "AddCosignature", "GetStateAt", "ExportBundle",
        ),
        READ,
    )
    | {"EraseText": {"admin"}, "AcceptClock": {"admin"}},
    "ChangeService": {
        "ProposeChange": PROPOSERS,
        "SubmitChange": PROPOSERS,
        "RebaseChange": PROPOSERS,
        "AmendChange": PROPOSERS,
        "AttachEvidence": PROPOSERS,
        "DetachEvidence": PROPOSERS,
        "PreviewChange": READ,
        "GetChange": READ,
        "ListChanges": READ,
        "SignOff": READ,
        "WithdrawSignOff": READ,
        "ApplyChange": READ,
        "WithdrawChange": READ,
    },
    "EvidenceService": {
        "UploadEvidence": UPLOADERS,
        "DownloadEvidence": READ,
        "GetEvidence": READ,
        "ListEvidence": READ,
        "GrantAccess": READ,
    },
    "GateService": {
        "CheckRelease": ASK_THE_GATE,
        "BatchCheckRelease": ASK_THE_GATE,
        "ExplainRelease": ASK_THE_GATE,
        "WatchRelease": ASK_THE_GATE,
        "RecordDeployment": {"release-bot"},
        "EndDeployment": {"release-bot"},
        "GetDeployment": ASK_THE_GATE,
        "ListDeployments": ASK_THE_GATE,
        "WatchDeployments": ASK_THE_GATE,
        # Ending one only tightens: whoever approves may. Looking at them is for whoever may look.
        "EndInterimMeasure": APPROVERS,
        "GetInterimMeasure": READ,
        "ListInterimMeasures": READ,
        "ListBreakGlass": READ,
    },
    "HoldService": {"PlaceHold": APPROVERS | {"admin"}, "GetHold": READ, "ListHolds": READ},
    "IdentityService": {
        "Challenge": EVERYBODY,
        "Login": EVERYBODY,
        "LoginWithToken": EVERYBODY,
        "Recover": EVERYBODY,
        "Logout": EVERYBODY,
        "WhoAmI": EVERYBODY,
        "GetPrincipal": READ,
        "ListPrincipals": READ,
        "ListGrants": READ,
        "SuspendPrincipal": {"admin"},
        "LinkPrincipal": {"admin"},
        "RemovePrincipal": {"admin"},
        "RevokeCredential": {"admin"},
        "EndGrant": {"admin"},
        "ListIssuers": READ,
        "DistrustIssuer": {"admin"},
        "GiveDelegation": APPROVERS,
        # Who gave one may end it; of others' only an administrator, which `decide` judges.
        "EndDelegation": APPROVERS | {"admin"},
        "ListDelegations": READ,
    },
    "ModelService": {
        "CreateModel": ASSESSORS,
        "GetModel": READ,
        "ListModels": READ,
        "WatchModels": READ,
        "ConfirmLevel": APPROVERS,
        "RetireModel": APPROVERS,
        "RecordRun": APPROVERS,
    },
    "PolicyService": {
        "GetPolicy": READ,
        "ListPolicies": READ,
        "LintPolicy": READ,
        "DiffPolicies": READ,
        "SimulatePolicy": READ,
    },
    "SafeguardService": {
        "ListSafeguards": READ,
        "GetSafeguard": READ,
        "StartSafeguard": {"engineer", "requester"},
        "VerifySafeguard": {"engineer", "requester"},
        "ReplanSafeguard": {"admin"},
        "DegradeSafeguard": APPROVERS | {"monitor-bot"},
        "SuspendSafeguard": APPROVERS | {"monitor-bot"},
        "RetireSafeguard": APPROVERS,
    },
}  # fmt: skip
OPEN_TO_ALL = {"Challenge", "Login", "LoginWithToken", "ReportIncidentAnonymously", "Recover"}
METHODS = {f"interlock.v1.{service}/{name}": who for service, row in EXPECTED.items() for name, who in row.items()}


@pytest.fixture(scope="module")
def people(shared_server: ServerThread) -> Iterator[People]:
    """Give an account for each role, and one that has none."""
    with People(shared_server) as crowd:
        bring_in(crowd, "nobody")
        yield crowd


def test_every_method_of_the_contract_is_expected() -> None:
    """A new method has to say here who may call it."""
    assert set(METHODS) == set(contract())


def answer(people: People, name: str, metadata: tuple[tuple[str, str], ...]) -> tuple[grpc.StatusCode, str]:
    """Send bytes that are no message to a method, and return how that was refused."""
    method, path = contract()[name], f"/{name}"
    channel: Any = people.channel
    try:
        if method.client_streaming:
            channel.stream_unary(path)(iter([GARBAGE]), timeout=CALL_SECONDS, metadata=metadata)
        elif method.server_streaming:
            list(channel.unary_stream(path)(GARBAGE, timeout=CALL_SECONDS, metadata=metadata))
        else:
            channel.unary_unary(path)(GARBAGE, timeout=CALL_SECONDS, metadata=metadata)
    except grpc.RpcError as error:
        said = answer_of(error)
        return said.code, said.reason
    raise AssertionError(f"{name} took bytes that are no message")


PAST: dict[str, Any] = {
    "ExplainRelease": gate_pb2.ExplainReleaseRequest(model="models/m", context="api", position=0),
    "GetDeployment": gate_pb2.GetDeploymentRequest(name="deployments/1", position=0),
    "ListDeployments": gate_pb2.ListDeploymentsRequest(position=0),
}
"""A question about the past for each method that answers about now for others than readers."""


def test_every_method_that_answers_about_the_past_is_for_readers() -> None:
    """By its row, or else it is among those that the next test asks."""
    asked = {name for name, method in contract().items() if "as_of" in method.input_type.oneofs_by_name}

    assert {name.partition("/")[2] for name in asked if METHODS[name] != READ} == set(PAST)


@pytest.mark.parametrize("name", sorted(PAST))
def test_who_may_not_read_is_told_nothing_of_the_past(people: People, name: str) -> None:
    """Who asks the gate sees why it says no now; that it said so once, or what ran, is for readers."""
    stub: Any = gate_pb2_grpc.GateServiceStub(people.channel)
    refused = set()
    for who in sorted(ROLES):
        try:
            getattr(stub, name)(PAST[name], timeout=CALL_SECONDS, metadata=people[who].metadata)
        except grpc.RpcError as error:
            refused |= {who} if answer_of(error).reason == "NOT_ALLOWED" else set()

    assert refused == ROLES - READ == SERVICES


@pytest.mark.parametrize("name", sorted(METHODS))
def test_who_is_let_in(people: People, name: str) -> None:
    """Exactly the roles that are expected get as far as their request being read."""
    answers = {who: answer(people, name, people[who].metadata) for who in sorted(EVERYBODY)}
    let_in = {who for who, (code, _) in answers.items() if code is grpc.StatusCode.INVALID_ARGUMENT}
    kept_out = {who for who, said in answers.items() if said == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ALLOWED")}

    assert let_in == METHODS[name]
    assert kept_out == EVERYBODY - METHODS[name]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_who_is_not_logged_in_gets_nowhere(people: People, name: str) -> None:
    """Without a session nothing reads a request but the login itself, an anonymous report, and a recovery."""
    open_to_all = name.rpartition("/")[2] in OPEN_TO_ALL
    wanted = grpc.StatusCode.INVALID_ARGUMENT if open_to_all else grpc.StatusCode.UNAUTHENTICATED

    assert answer(people, name, ())[0] is wanted


def test_every_role_of_the_pack_has_an_account_here(people: People) -> None:
    """No role is left out of the table above."""
    held = {
        grant.role
        for who in EVERYBODY
        for grant in people[who].identity.WhoAmI(identity_pb2.WhoAmIRequest()).principal.grants
    }

    assert held == {*PEOPLE, "monitor", "release-tool"}
