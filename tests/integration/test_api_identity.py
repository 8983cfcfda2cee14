"""What an administrator takes at once, through a real server: the very next request, and streams that are open."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from interlock.proofs import keys
from interlock.v1 import (
    audit_pb2,
    change_pb2,
    gate_pb2,
    hold_pb2,
    identity_pb2,
    identity_pb2_grpc,
    ledger_pb2,
    trigger_pb2,
)
from tests.support.newcomers import give, registrations
from tests.support.people import People, refused, trigger
from tests.support.server import CALL_SECONDS, ServerThread, answer_of, copy_of
from tests.support.service import ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Install

OPEN = (("interlock-stream", "open"),)


@pytest.fixture
def people(server: ServerThread) -> Iterator[People]:
    """Serve `minimal` for one test: who is taken stays taken."""
    with People(server) as crowd:
        yield crowd


def key_name(people: People, who: str, use: str = "login") -> str:
    """Return the name of somebody's key."""
    return f"principals/{who}/credentials/{keys.fingerprint(keys.public_bytes(people.server.key(who, use)))}"


def grant_of(people: People, who: str) -> str:
    """Return the name of somebody's only grant."""
    request = identity_pb2.GetPrincipalRequest(name=f"principals/{who}")
    [grant] = people["auditor"].identity.GetPrincipal(request).grants
    return str(grant.name)


def take(people: People, who: str, how: str) -> None:
    """Have the admin take somebody's account, key or role."""
    admin = people["admin"].identity
    name = f"principals/{who}"
    match how:
        case "suspend":
            admin.SuspendPrincipal(identity_pb2.SuspendPrincipalRequest(name=name))
        case "remove":
            admin.RemovePrincipal(identity_pb2.RemovePrincipalRequest(name=name))
        case "revoke":
            admin.RevokeCredential(identity_pb2.RevokeCredentialRequest(name=key_name(people, who)))
        case _:
            admin.EndGrant(identity_pb2.EndGrantRequest(name=grant_of(people, who)))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("suspend", "UNAUTHENTICATED"),
        ("remove", "UNAUTHENTICATED"),
        ("revoke", "UNAUTHENTICATED"),
        ("end", "NOT_ALLOWED"),
    ],
)
def test_the_very_next_request_is_refused(people: People, how: str, reason: str) -> None:
    """A session that is open ends with the entry, and so does a right."""
    owner = people["owner"]
    owner.holds.ListHolds(hold_pb2.ListHoldsRequest())
    take(people, "owner", how)

    with refused(reason):
        owner.holds.PlaceHold(hold_pb2.PlaceHoldRequest(target="-"))


@pytest.mark.parametrize("how", ["suspend", "remove", "revoke"])
def test_nobody_logs_in_with_what_was_taken(people: People, how: str) -> None:
    """Neither the account nor the key opens a new session."""
    take(people, "owner", how)

    with refused("UNAUTHENTICATED"):
        people.server.login(people.channel, "owner")


class Stream:
    """A stream that is read to its end in a thread of its own."""

    def __init__(self, call: Any) -> None:  # noqa: ANN401  # a streaming call
        self._call = call
        self._ended = threading.Event()
        self._error: grpc.RpcError | None = None
        assert call.initial_metadata() == OPEN
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for _ in self._call:
                pass
        except grpc.RpcError as error:
            self._error = error
        self._ended.set()

    def reason(self) -> str:
        """Wait for its end, and return why the server ended it."""
        assert self._ended.wait(CALL_SECONDS)
        assert self._error is not None
        return answer_of(self._error).reason


STREAMS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "gate watch": (
        "release-bot",
        lambda who, model: who.gate.WatchRelease(gate_pb2.WatchReleaseRequest(model=model, context="api")),
    ),
    "audit tail": (
        "auditor",
        lambda who, _model: who.audit.TailEntries(audit_pb2.TailEntriesRequest(after_position=-1, follow=True)),
    ),
}


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("how", ["suspend", "revoke", "end"])
def test_an_open_stream_ends_with_what_was_taken(people: People, stream: str, how: str) -> None:
    """A watch of the gate and a tail of the log end at once, while nothing else happens on them."""
    who, watch = STREAMS[stream]
    opened = Stream(watch(people[who], people.new_model().model))
    grant, name = (grant_of(people, who), key_name(people, who))
    admin = people["admin"].identity
    if how == "end":
        admin.EndGrant(identity_pb2.EndGrantRequest(name=grant))
    elif how == "revoke":
        admin.RevokeCredential(identity_pb2.RevokeCredentialRequest(name=name))
    else:
        admin.SuspendPrincipal(identity_pb2.SuspendPrincipalRequest(name=f"principals/{who}"))

    assert opened.reason() == ("NOT_ALLOWED" if how == "end" else "UNAUTHENTICATED")


def test_sessions_of_others_go_on(people: People) -> None:
    """Taking one account ends nobody else's session."""
    reviewer = people["reviewer"]
    take(people, "owner", "remove")

    assert list(reviewer.holds.ListHolds(hold_pb2.ListHoldsRequest()).holds) == []


def test_what_was_taken_stays_taken_after_a_restart(installations: Install, tmp_path: Path) -> None:
    """A session that was stored before the entry is none for the next process."""
    data = copy_of(installations("minimal"), tmp_path / "data")
    with ServerThread(data) as server, People(server) as people:
        metadata = people["owner"].metadata
        take(people, "owner", "suspend")
    with ServerThread(data) as server, People(server) as people:
        stub = identity_pb2_grpc.IdentityServiceStub(people.channel)

        with refused("UNAUTHENTICATED"):
            stub.WhoAmI(identity_pb2.WhoAmIRequest(), metadata=metadata)


def test_an_account_that_comes_back_brings_no_session_along(people: People) -> None:
    """Sessions of before a suspension are over for good, although the quarter of an hour is not."""
    engineer = people["engineer"]
    take(people, "engineer", "suspend")
    people.enact(trigger(principal_restore=trigger_pb2.PrincipalRestore(principal="principals/engineer")))

    with refused("UNAUTHENTICATED"):
        engineer.holds.ListHolds(hold_pb2.ListHoldsRequest())
    people.server.login(people.channel, "engineer")


def test_only_an_admin_takes(people: People) -> None:
    """An approver may stop every release, and nobody's account; the attempt leaves an entry."""
    with refused("NOT_ALLOWED") as said:
        people["owner"].identity.SuspendPrincipal(
            identity_pb2.SuspendPrincipalRequest(name="principals/reviewer", reason="in my way")
        )

    assert said.code is grpc.StatusCode.PERMISSION_DENIED
    rows = people["auditor"].audit.ListEntries(audit_pb2.ListEntriesRequest(actor="principals/owner"))
    [entry] = [ledger_pb2.LedgerEntry.FromString(row.entry) for row in rows.entries]
    assert entry.command.attempt_refused.method == "interlock.v1.IdentityService/SuspendPrincipal"
    assert list(entry.command.attempt_refused.codes) == ["NOT_ALLOWED"]


def test_the_recovery_quorum_is_left_alone(people: People) -> None:
    """Nobody takes a recovery account alone, an admin neither."""
    name = next(
        account.name
        for account in people["auditor"].identity.ListPrincipals(identity_pb2.ListPrincipalsRequest()).principals
        if account.recovery
    )

    with refused("REQUIREMENTS_UNMET") as said:
        people["admin"].identity.SuspendPrincipal(identity_pb2.SuspendPrincipalRequest(name=name))

    assert said.unmet == ("RECOVERY_QUORUM",)


def test_what_a_lost_key_signed_is_void_and_says_why(people: People) -> None:
    """A change shows the approval of a key that was compromised before, and counts it no more."""
    subject = people.new_model()
    report = people["evaluator"].upload("evaluation_results")
    change = people["evaluator"].propose(subject.rule_out(), evidence=[report.name])
    signed = people["owner"].sign(change.name, "owner")
    request = identity_pb2.RevokeCredentialRequest(name=key_name(people, "owner", "signoff"), reason="lost on a train")
    request.compromised_since.CopyFrom(signed.sign_offs[0].create_time)

    gone = people["admin"].identity.RevokeCredential(request)

    assert (gone.state, gone.compromised_since) == ("revoked", signed.sign_offs[0].create_time)
    shown = people["auditor"].changes.GetChange(change_pb2.GetChangeRequest(name=change.name))
    assert [row.void_reason for row in shown.sign_offs] == ["CREDENTIAL_COMPROMISED"]
    with refused("SIGN_OFF_INVALID") as said:
        people["owner"].sign(change.name, "owner")
    assert said.unmet == ("SIGN_OFF_KEY",)


def test_a_moment_to_come_is_refused(people: People) -> None:
    """A key was not lost tomorrow."""
    request = identity_pb2.RevokeCredentialRequest(name=key_name(people, "owner"))
    request.compromised_since.FromSeconds(4_000_000_000)

    with refused("INVALID_FIELD") as said:
        people["admin"].identity.RevokeCredential(request)
    assert said.code is grpc.StatusCode.INVALID_ARGUMENT


def test_grants_are_listed_with_their_ends(people: People) -> None:
    """What ended is left out where only what holds is asked for."""
    name = grant_of(people, "owner")
    take(people, "owner", "end")
    everything = identity_pb2.ListGrantsRequest(principal="principals/owner")
    holding = identity_pb2.ListGrantsRequest(principal="principals/owner", active_only=True)

    [grant] = people["auditor"].identity.ListGrants(everything).grants
    assert (grant.name, grant.state, grant.HasField("end_time")) == (name, "ended", True)
    assert list(people["auditor"].identity.ListGrants(holding).grants) == []


def test_pages_of_grants(people: People) -> None:
    """Page by page the same grants come, newest first."""
    identity = people["auditor"].identity
    whole = [row.name for row in identity.ListGrants(identity_pb2.ListGrantsRequest()).grants]
    found: list[str] = []
    token = ""
    while True:
        page = identity.ListGrants(identity_pb2.ListGrantsRequest(page_size=2, page_token=token))
        found += [row.name for row in page.grants]
        token = page.next_page_token
        if not token:
            break

    assert found == whole
    assert whole[0] == f"grants/{len(whole)}"


def test_a_key_that_ends_takes_its_session_and_streams_along(installations: Install, tmp_path: Path) -> None:
    """At its end a login key is out: no request, no open stream, no new login."""
    clock = ShiftedClock()
    data = copy_of(installations("minimal"), tmp_path / "data")
    with ServerThread(data, clock=clock) as server, People(server) as people:
        ends = clock.now_us() + 600 * 1_000_000
        proofs = registrations(people, "guest")
        for proof in proofs:
            proof.credential_register.until = ends
        account = trigger_pb2.PrincipalCreate(principal="principals/guest", kind="human", person="guest")
        people.enact(trigger(principal_create=account), *proofs, give("guest", "auditor"))
        guest = people["guest"]
        opened = Stream(guest.audit.TailEntries(audit_pb2.TailEntriesRequest(after_position=-1, follow=True)))
        guest.holds.ListHolds(hold_pb2.ListHoldsRequest())
        clock.move(601)

        assert opened.reason() == "UNAUTHENTICATED"
        with refused("UNAUTHENTICATED"):
            guest.holds.ListHolds(hold_pb2.ListHoldsRequest())
        with refused("UNAUTHENTICATED"):
            server.login(people.channel, "guest")
        assert people["auditor"].holds.ListHolds(hold_pb2.ListHoldsRequest()) is not None
