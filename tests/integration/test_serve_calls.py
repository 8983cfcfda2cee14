"""The way into every method, over a real port: sessions, rights, malformed requests, limits, faults, attempts."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import threading
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from interlock.service.api.policy import PolicyService
from interlock.service.identity.permissions import METHODS, Entrance
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    evidence_pb2,
    evidence_pb2_grpc,
    gate_pb2,
    gate_pb2_grpc,
    hold_pb2,
    hold_pb2_grpc,
    identity_pb2,
    identity_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    policy_pb2,
    policy_pb2_grpc,
)
from tests.support.server import CALL_SECONDS, Answer, ServerThread, answer_of
from tests.support.service import contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Metadata = tuple[tuple[str, str], ...]

GUARDED = sorted(method for method, row in METHODS.items() if row.entrance is not Entrance.ANYONE)
RIGHTS = sorted(method for method, row in METHODS.items() if row.entrance is Entrance.RIGHT)
RELEASE_TOOL = ("gate.check", "deployment.record", "deployment.end")
METADATA = evidence_pb2.EvidenceMetadata(
    kind="risk_report", title="t", media_type="text/plain", sha256="0" * 64, size_bytes=1 << 20
)
NO_MESSAGE = b"\x0a\xff\xff\xff\xff\x0f"


@pytest.fixture(scope="module")
def channel(shared_server: ServerThread) -> Iterator[grpc.Channel]:
    """Give one connection to the shared server."""
    with shared_server.channel() as opened:
        yield opened


@pytest.fixture(scope="module")
def session(shared_server: ServerThread, channel: grpc.Channel) -> Callable[[str], Metadata]:
    """Return a function from a principal to the metadata of their session."""
    sessions: dict[str, Metadata] = {}

    def metadata(who: str) -> Metadata:
        if who not in sessions:
            sessions[who] = shared_server.login(channel, who)
        return sessions[who]

    return metadata


def refusal(channel: grpc.Channel, method: str, data: bytes, metadata: Metadata = ()) -> Answer:
    """Send raw bytes to any method, and return how they are refused."""
    described, raw = contract().get(method), cast("Any", channel)
    path = f"/{method}"

    def send() -> None:
        if described is not None and described.client_streaming:
            raw.stream_unary(path)(iter([data]), metadata=metadata, timeout=CALL_SECONDS)
        elif described is not None and described.server_streaming:
            list(raw.unary_stream(path)(data, metadata=metadata, timeout=CALL_SECONDS))
        else:
            raw.unary_unary(path)(data, metadata=metadata, timeout=CALL_SECONDS)

    with pytest.raises(grpc.RpcError) as refused:
        send()
    return answer_of(refused.value)


def limit_in(stream: Iterator[object]) -> str:
    """Return why a stream does not begin; empty when it does."""
    try:
        next(stream)
    except grpc.RpcError as error:
        return answer_of(error).reason
    return ""


def entries(channel: grpc.Channel, metadata: Metadata) -> list[c.Command]:
    """Return the command of every entry of the log."""
    tail = audit_pb2_grpc.AuditServiceStub(channel).TailEntries(
        audit_pb2.TailEntriesRequest(after_position=-1), metadata=metadata, timeout=CALL_SECONDS
    )
    return [codec.decode_entry(record.entry, lambda _digest: b"").command for record in tail]


def attempts_of(channel: grpc.Channel, metadata: Metadata, method: str) -> list[c.AttemptRefused]:
    """Return the refused attempts at a method that the log holds."""
    return [
        command
        for command in entries(channel, metadata)
        if isinstance(command, c.AttemptRefused) and command.method == method
    ]


@pytest.mark.parametrize("method", GUARDED)
def test_nobody_gets_in_without_a_session(channel: grpc.Channel, method: str) -> None:
    """No token: UNAUTHENTICATED, before the request is even read."""
    answer = refusal(channel, method, NO_MESSAGE)

    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "metadata",
    [
        (("authorization", "Bearer nonsense"),),
        (("authorization", "Basic nonsense"),),
        (("authorization", "Bearer "),),
    ],
)
def test_a_made_up_token_is_no_session(channel: grpc.Channel, metadata: Metadata) -> None:
    """Whatever the header holds, only a token that was given out counts."""
    assert refusal(channel, GUARDED[0], b"", metadata).code is grpc.StatusCode.UNAUTHENTICATED


def test_two_tokens_are_none(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """A request speaks for one session."""
    twice = session("owner") + session("owner")

    assert refusal(channel, GUARDED[0], b"", twice).code is grpc.StatusCode.UNAUTHENTICATED


def test_the_token_of_another_server_is_worth_nothing(channel: grpc.Channel, data: Path) -> None:
    """Also where the other one serves a copy of the same log."""
    with ServerThread(data) as other, other.channel() as there:
        foreign = other.login(there, "owner")

    assert refusal(channel, GUARDED[0], b"", foreign).code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("method", RIGHTS)
def test_bytes_that_are_no_message_are_invalid(
    channel: grpc.Channel, session: Callable[[str], Metadata], method: str
) -> None:
    """Random bytes get a typed error from whoever may call, never UNKNOWN or INTERNAL."""
    callers = ("owner", "requester", "evaluator", "engineer", "admin", "release-bot")
    answers = [refusal(channel, method, NO_MESSAGE, session(who)) for who in callers]

    assert {answer.code for answer in answers} <= {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.PERMISSION_DENIED,
    }
    assert grpc.StatusCode.INVALID_ARGUMENT in {answer.code for answer in answers}


@pytest.mark.parametrize("method", [m for m in RIGHTS if METHODS[m].right not in RELEASE_TOOL])
def test_a_release_tool_may_ask_the_gate_and_say_what_runs_and_nothing_else(
    channel: grpc.Channel, session: Callable[[str], Metadata], method: str
) -> None:
    """A stolen token of a release tool opens the gate's methods and those of deployments."""
    answer = refusal(channel, method, b"", session("release-bot"))

    assert (answer.code, answer.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ALLOWED")


def test_broken_fields_are_named(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """INVALID_ARGUMENT lists each field."""
    request = hold_pb2.PlaceHoldRequest(target="models/UPPER", reason="\x1b[2J", request_id="1")
    answer = refusal(channel, "interlock.v1.HoldService/PlaceHold", request.SerializeToString(), session("owner"))

    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert {"target", "request_id"} <= set(answer.fields)


def test_control_characters_are_refused(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """A reason can't move anybody's cursor."""
    request = hold_pb2.PlaceHoldRequest(target="-", reason="\x1b[2J")
    answer = refusal(channel, "interlock.v1.HoldService/PlaceHold", request.SerializeToString(), session("owner"))

    assert (answer.code, answer.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("reason",))


def test_a_method_that_is_not_there_is_unimplemented(channel: grpc.Channel) -> None:
    """Nothing is guessed from a name."""
    for method in ("interlock.v1.GateService/Nothing", "interlock.v2.GateService/CheckRelease"):
        assert refusal(channel, method, b"").code is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_past_the_limit_is_refused(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """4 MiB and no more, whatever is in it."""
    answer = refusal(channel, "interlock.v1.HoldService/PlaceHold", bytes((4 << 20) + 1), session("owner"))

    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_refused_attempt_leaves_one_entry(server: ServerThread) -> None:
    """Who was refused at a method that mutates is in the log, once in five minutes for the same reason."""
    method = "interlock.v1.SafeguardService/RetireSafeguard"
    first, second = b"\x0a\x01a", b"\x0a\x01b"
    with server.channel() as channel:
        metadata = server.login(channel, "engineer")

        for data in (first, second, first):
            refusal(channel, method, data, metadata)

        recorded = attempts_of(channel, server.login(channel, "auditor"), method)
    assert [attempt.request_digest for attempt in recorded] == [hashlib.sha256(first).digest()]
    assert recorded[0].codes


def test_another_person_is_another_attempt(server: ServerThread) -> None:
    """Coalescing is by principal, method and reason."""
    method = "interlock.v1.ModelService/ConfirmLevel"
    with server.channel() as channel:
        for who in ("engineer", "requester", "engineer"):
            refusal(channel, method, b"", server.login(channel, who))

        assert len(attempts_of(channel, server.login(channel, "auditor"), method)) == 2


def test_what_decide_refuses_is_an_attempt_too(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """Not the first wall alone: a refusal for unmet requirements names its codes in the entry."""
    method = "interlock.v1.HoldService/PlaceHold"
    request = hold_pb2.PlaceHoldRequest(target="-", reason="all of it")

    answer = refusal(channel, method, request.SerializeToString(), session("monitor-bot"))

    recorded = attempts_of(channel, session("auditor"), method)
    assert answer.code is grpc.StatusCode.PERMISSION_DENIED
    assert recorded


@pytest.mark.parametrize("data", [NO_MESSAGE, b""])
def test_malformed_requests_and_gate_checks_leave_no_entry(
    channel: grpc.Channel, session: Callable[[str], Metadata], data: bytes
) -> None:
    """Neither a bad field nor a question makes the log grow."""
    before = len(entries(channel, session("auditor")))

    refusal(channel, "interlock.v1.HoldService/PlaceHold", data, session("owner"))
    gate_pb2_grpc.GateServiceStub(channel).CheckRelease(
        gate_pb2.CheckReleaseRequest(model="models/nothing", context="api"),
        metadata=session("release-bot"),
        timeout=CALL_SECONDS,
    )

    assert len(entries(channel, session("auditor"))) == before


def test_who_am_i_tells_rights_and_log(
    shared_server: ServerThread, channel: grpc.Channel, session: Callable[[str], Metadata]
) -> None:
    """Also to a service that may only ask the gate and say what runs."""
    reply = identity_pb2_grpc.IdentityServiceStub(channel).WhoAmI(
        identity_pb2.WhoAmIRequest(), metadata=session("release-bot"), timeout=CALL_SECONDS
    )

    assert reply.principal.name == "principals/release-bot"
    assert list(reply.rights) == sorted({*RELEASE_TOOL, "whoami"})
    assert reply.log_id == shared_server.profile("release-bot").log_id
    assert reply.development


def test_logout_ends_the_session(shared_server: ServerThread, channel: grpc.Channel) -> None:
    """The token is worth nothing from then on."""
    stub = identity_pb2_grpc.IdentityServiceStub(channel)
    metadata = shared_server.login(channel, "owner")

    stub.Logout(identity_pb2.LogoutRequest(), metadata=metadata, timeout=CALL_SECONDS)

    answer = refusal(channel, "interlock.v1.IdentityService/WhoAmI", b"", metadata)
    assert answer.code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("who", ["recovery-1", "nobody"])
def test_who_has_no_login_key_gets_a_nonce_and_no_session(
    shared_server: ServerThread, channel: grpc.Channel, who: str
) -> None:
    """The challenge tells nobody who exists; the login refuses all alike."""
    stub = identity_pb2_grpc.IdentityServiceStub(channel)
    challenge = stub.Challenge(identity_pb2.ChallengeRequest(principal=f"principals/{who}"), timeout=CALL_SECONDS)
    request = identity_pb2.LoginRequest(
        principal=f"principals/{who}", nonce=challenge.nonce, credential="0" * 64, signature=bytes(64)
    )

    answer = refusal(channel, "interlock.v1.IdentityService/Login", request.SerializeToString())

    assert answer.code is grpc.StatusCode.UNAUTHENTICATED


def test_principals_are_listed_in_pages(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """Every account once, by name, whatever the size of a page."""
    stub = identity_pb2_grpc.IdentityServiceStub(channel)
    seen: list[str] = []
    token = ""
    for _ in itertools.count():
        page = stub.ListPrincipals(
            identity_pb2.ListPrincipalsRequest(page_size=4, page_token=token),
            metadata=session("auditor"),
            timeout=CALL_SECONDS,
        )
        seen += [principal.name for principal in page.principals]
        token = page.next_page_token
        if not token:
            break

    assert seen == sorted(set(seen))
    assert len(seen) == 11


def test_a_page_token_that_was_not_given_is_refused(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """INVALID_ARGUMENT names the field."""
    request = identity_pb2.ListPrincipalsRequest(page_token="!!")
    answer = refusal(
        channel, "interlock.v1.IdentityService/ListPrincipals", request.SerializeToString(), session("auditor")
    )

    assert answer.fields == ("page_token",)


def test_a_principal_shows_keys_and_roles(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """Public keys by fingerprint, roles with their scope, and which of them approve."""
    stub = identity_pb2_grpc.IdentityServiceStub(channel)
    owner = stub.GetPrincipal(
        identity_pb2.GetPrincipalRequest(name="principals/owner"), metadata=session("auditor"), timeout=CALL_SECONDS
    )

    assert [key.use for key in owner.credentials] == ["login", "signoff"]
    assert [(grant.role, grant.scope, grant.approves) for grant in owner.grants] == [("owner", "*", True)]


def test_an_unknown_principal_is_not_found(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """NOT_FOUND, for who may look."""
    request = identity_pb2.GetPrincipalRequest(name="principals/nobody")
    answer = refusal(
        channel, "interlock.v1.IdentityService/GetPrincipal", request.SerializeToString(), session("auditor")
    )

    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def test_a_principal_has_so_many_streams_at_most(data: Path) -> None:
    """One more is refused; when one ends there is room again."""
    with ServerThread(data, streams_per_principal=2) as server, server.channel() as channel:
        metadata = server.login(channel, "auditor")
        stub = audit_pb2_grpc.AuditServiceStub(channel)
        request = audit_pb2.TailEntriesRequest(after_position=-1, follow=True)
        streams = [stub.TailEntries(request, metadata=metadata, timeout=CALL_SECONDS) for _ in range(2)]
        for stream in streams:
            next(stream)

        answer = refusal(channel, "interlock.v1.AuditService/TailEntries", request.SerializeToString(), metadata)
        others = server.login(channel, "owner")
        assert next(stub.TailEntries(request, metadata=others, timeout=CALL_SECONDS)).entry
        streams[0].cancel()

        # The server hears of the cancellation a moment later: ask until it has.
        tries = (limit_in(stub.TailEntries(request, metadata=metadata, timeout=CALL_SECONDS)) for _ in range(1000))
        refusals = list(itertools.takewhile(bool, tries))
        assert set(refusals) <= {"LIMIT_EXCEEDED"}
        assert len(refusals) < 1000

    assert (answer.code, answer.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")


def test_an_upload_that_stalls_is_ended(data: Path) -> None:
    """Nothing for as long as the limit says: refused, and the stream is given back."""
    with ServerThread(data, upload_idle_seconds=0.2) as server, server.channel() as channel:
        metadata = server.login(channel, "requester")
        stub = evidence_pb2_grpc.EvidenceServiceStub(channel)
        done = threading.Event()

        def stalls() -> Iterator[evidence_pb2.UploadEvidenceRequest]:
            yield evidence_pb2.UploadEvidenceRequest(metadata=METADATA)
            yield evidence_pb2.UploadEvidenceRequest(chunk=b"a")
            done.wait(CALL_SECONDS)

        with pytest.raises(grpc.RpcError) as refused:
            stub.UploadEvidence(stalls(), metadata=metadata, timeout=CALL_SECONDS)
        done.set()

    assert answer_of(refused.value).reason == "LIMIT_EXCEEDED"


def test_a_fault_of_the_server_tells_nothing_and_is_counted(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INTERNAL without detail; the log has the whole of it."""

    async def broken(*_: object) -> policy_pb2.Policy:
        raise RuntimeError("the inside of the server")

    monkeypatch.setattr(PolicyService, "GetPolicy", broken)
    with ServerThread(data, may_fail=True) as server, server.channel() as channel:
        metadata = server.login(channel, "auditor")
        with pytest.raises(grpc.RpcError) as refused:
            policy_pb2_grpc.PolicyServiceStub(channel).GetPolicy(
                policy_pb2.GetPolicyRequest(name="policies/minimal/versions/1.0"),
                metadata=metadata,
                timeout=CALL_SECONDS,
            )
    answer = answer_of(refused.value)

    assert (answer.code, answer.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "inside" not in str(refused.value)
    assert [line["event"] for line in server.lines()].count("internal_error") == 1


def test_a_call_without_a_deadline_gets_one(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller who would wait for ever does not hold the server for ever."""

    async def slow(*_: object) -> policy_pb2.Policy:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(PolicyService, "GetPolicy", slow)
    with ServerThread(data, deadline_seconds=0.2) as server, server.channel() as channel:
        metadata = server.login(channel, "auditor")
        with pytest.raises(grpc.RpcError) as refused:
            policy_pb2_grpc.PolicyServiceStub(channel).GetPolicy(
                policy_pb2.GetPolicyRequest(name="policies/minimal/versions/1.0"), metadata=metadata
            )

    assert answer_of(refused.value).reason == "LIMIT_EXCEEDED"


def test_reads_go_on_while_a_hold_is_placed(channel: grpc.Channel, session: Callable[[str], Metadata]) -> None:
    """A write by one and a read by another, through the same port, one after the other."""
    model_pb2_grpc.ModelServiceStub(channel).CreateModel(
        model_pb2.CreateModelRequest(model_id="held"), metadata=session("evaluator"), timeout=CALL_SECONDS
    )
    hold = hold_pb2_grpc.HoldServiceStub(channel).PlaceHold(
        hold_pb2.PlaceHoldRequest(target="models/held", reason="wait"), metadata=session("owner"), timeout=CALL_SECONDS
    )
    reply = gate_pb2_grpc.GateServiceStub(channel).CheckRelease(
        gate_pb2.CheckReleaseRequest(model="models/held", context="api"),
        metadata=session("release-bot"),
        timeout=CALL_SECONDS,
    )

    assert hold.name in {reason.resource for reason in reply.reasons}
