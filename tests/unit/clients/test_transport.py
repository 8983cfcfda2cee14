"""Calls over the wire: retried where that may help, with the same request id, within the deadline; one new login."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from google.rpc import code_pb2, error_details_pb2

from interlock.client.errors import (
    DataLossError,
    NotAllowedError,
    RefusedError,
    RollbackError,
    UnauthenticatedError,
    UnavailableError,
)
from interlock.client.past import live_entries
from interlock.client.transport import Retry
from interlock.service.tls import certificate_pem, make_authority
from interlock.v1 import audit_pb2, gate_pb2, identity_pb2, model_pb2, requirement_pb2
from tests.unit.clients.scripted import UNAUTHENTICATED, UNAVAILABLE, ScriptedServer, failing, numbered

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

MODEL = model_pb2.Model(name="models/m", log_position=5)


def test_an_unavailable_server_is_asked_again_with_the_same_request_id(tmp_path: Path) -> None:
    """Every attempt at a mutation carries the id of the one logical call, so that it happens once."""
    with ScriptedServer(tmp_path, [UNAVAILABLE, UNAVAILABLE, MODEL]) as server:
        made = server.client().models.create("m")

    assert made == MODEL
    assert len({request.request_id for request in server.requests}) == 1
    assert len(server.requests) == 3
    assert server.requests[0].request_id


def test_two_calls_have_two_request_ids(tmp_path: Path) -> None:
    """Another call is another mutation, even with the same arguments."""
    with ScriptedServer(tmp_path, [MODEL, MODEL]) as server:
        client = server.client()
        client.models.create("m")
        client.models.create("m")

    assert len({request.request_id for request in server.requests}) == 2


def test_a_callers_own_request_id_is_used(tmp_path: Path) -> None:
    """A program that repeats a call of its own says so by the id."""
    own = "0f0e0d0c-0b0a-4908-8706-050403020100"
    with ScriptedServer(tmp_path, [MODEL]) as server:
        server.client().models.create("m", request_id=own)

    assert server.requests[0].request_id == own


def test_pauses_grow_and_attempts_end(tmp_path: Path) -> None:
    """After the last attempt the caller learns that the server is unavailable."""
    retry = Retry(attempts=4, first_pause_seconds=0.1)
    with ScriptedServer(tmp_path, [UNAVAILABLE] * 4) as server, pytest.raises(UnavailableError):
        server.client(retry=retry).models.get("m")

    assert server.hand.pauses == pytest.approx([0.1, 0.2, 0.4])
    assert server.script == []


def test_the_server_may_ask_for_a_longer_pause(tmp_path: Path) -> None:
    """RetryInfo is a lower bound of the pause."""
    wish = error_details_pb2.RetryInfo()
    wish.retry_delay.FromSeconds(3)
    with ScriptedServer(tmp_path, [failing(UNAVAILABLE, wish), MODEL]) as server:
        server.client().models.get("m")

    assert server.hand.pauses == pytest.approx([3.0])


def test_no_pause_outlasts_the_deadline(tmp_path: Path) -> None:
    """Where the next attempt could only come too late, the call fails at once."""
    with ScriptedServer(tmp_path, [UNAVAILABLE, MODEL]) as server, pytest.raises(UnavailableError):
        server.client(timeout_seconds=5.0, retry=Retry(first_pause_seconds=9, longest_pause_seconds=9)).models.get("m")

    assert server.hand.pauses == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.FAILED_PRECONDITION, RefusedError),
        (code_pb2.PERMISSION_DENIED, NotAllowedError),
        (code_pb2.DATA_LOSS, DataLossError),
    ],
)
def test_an_answer_is_not_asked_for_again(tmp_path: Path, code: int, kind: type[Exception]) -> None:
    """A no stays a no."""
    with ScriptedServer(tmp_path, [code, MODEL]) as server, pytest.raises(kind):
        server.client().models.get("m")

    assert len(server.requests) == 1


def test_a_ledger_at_odds_with_itself_is_not_asked_again(tmp_path: Path) -> None:
    """A server that will accept nothing until somebody mends it is not worth waiting for."""
    info = error_details_pb2.ErrorInfo(reason="LEDGER", domain="interlock")
    with ScriptedServer(tmp_path, [failing(UNAVAILABLE, info), MODEL]) as server, pytest.raises(UnavailableError):
        server.client().models.get("m")

    assert len(server.requests) == 1


def test_a_session_that_ended_is_opened_anew_once(tmp_path: Path) -> None:
    """UNAUTHENTICATED costs one login, and the call goes through with the new token."""
    with ScriptedServer(tmp_path, [MODEL, UNAUTHENTICATED, MODEL]) as server:
        client = server.client()
        client.models.get("m")
        client.models.get("m")

    assert server.logins == 2
    assert server.tokens == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_a_login_that_does_not_help_is_not_repeated(tmp_path: Path) -> None:
    """A revoked credential leads to one more login, then to the error."""
    with ScriptedServer(tmp_path, [UNAUTHENTICATED, UNAUTHENTICATED, MODEL]) as server:
        with pytest.raises(UnauthenticatedError):
            server.client().models.get("m")

        assert (server.logins, len(server.requests)) == (2, 2)


def test_the_next_process_uses_the_kept_session(tmp_path: Path) -> None:
    """A second client of the same profile does not log in again."""
    with ScriptedServer(tmp_path, [MODEL, MODEL]) as server:
        server.client().models.get("m")
        server.client().models.get("m")

    assert server.logins == 1


def test_this_machines_clock_ends_no_session(tmp_path: Path) -> None:
    """It may be hours from the server's, so the server is asked with the token that is there."""
    with ScriptedServer(tmp_path, [MODEL, MODEL]) as server:
        server.client().models.get("m")
        server.hand.now = 20_000.0
        server.client().models.get("m")

    assert server.tokens == ["Bearer token-1", "Bearer token-1"]


def test_a_server_with_another_authority_is_not_talked_to(tmp_path: Path) -> None:
    """The certificate has to chain to the profile's own CA; no token and no request leaves before that."""
    other = certificate_pem(make_authority(dt.datetime.now(dt.UTC)).certificate)
    with ScriptedServer(tmp_path, [MODEL]) as server:
        client = server.client(profile=server.profile(ca_certificate=other))
        with pytest.raises(UnavailableError) as refused:
            client.models.get("m")

    assert refused.value.reason == "OTHER_CERTIFICATE"
    assert (server.logins, server.requests) == (0, [])
    assert server.hand.pauses == []  # it was not asked again


def test_an_answer_from_a_shorter_log_is_refused(tmp_path: Path) -> None:
    """A server that was rolled back is found by the first answer, by any process of the profile."""
    older = model_pb2.Model(name="models/m", log_position=4)
    with ScriptedServer(tmp_path, [MODEL, older]) as server:
        server.client().models.get("m")
        with pytest.raises(RollbackError) as caught:
            server.client().models.get("m")

    assert caught.value.reason == "LOG_ROLLED_BACK"


def test_an_answer_about_the_past_is_no_rollback(tmp_path: Path) -> None:
    """`as_of` asks for an earlier position; its answer says nothing about the head."""
    older = model_pb2.Model(name="models/m", log_position=2)
    with ScriptedServer(tmp_path, [MODEL, older]) as server:
        client = server.client()
        client.models.get("m")

        assert client.models.get("m", as_of=2).log_position == 2


def test_a_remembered_answer_is_no_rollback(tmp_path: Path) -> None:
    """A repeated call may get the answer of then; only ids that the caller brought are let off."""
    older = model_pb2.Model(name="models/m", log_position=2)
    with ScriptedServer(tmp_path, [MODEL, older]) as server:
        client = server.client()
        client.models.get("m")
        repeated = client.models.create("m", request_id="0f0e0d0c-0b0a-4908-8706-050403020100")

    assert repeated.log_position == 2


def test_the_gate_is_asked_to_include_what_was_seen(tmp_path: Path) -> None:
    """A check asks for the highest position seen, so that no lagging replica answers it."""
    allow = gate_pb2.CheckReleaseResponse(verdict=gate_pb2.VERDICT_ALLOW, log_position=6)
    with ScriptedServer(tmp_path, [MODEL, allow, allow]) as server:
        client = server.client()
        client.models.get("m")
        client.gate.check("m", "api")
        client.gate.check("m", "api", min_position=9)

    assert [request.min_position for request in server.requests[1:]] == [5, 9]


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (gate_pb2.CheckReleaseResponse(verdict=gate_pb2.VERDICT_ALLOW), True),
        (gate_pb2.CheckReleaseResponse(verdict=gate_pb2.VERDICT_DENY), False),
        (gate_pb2.CheckReleaseResponse(), False),
        (
            gate_pb2.CheckReleaseResponse(
                verdict=gate_pb2.VERDICT_ALLOW, reasons=[requirement_pb2.UnmetRequirement(code="HOLD_PLACED")]
            ),
            False,
        ),
        (gate_pb2.CheckReleaseResponse.FromString(b"\x08\x63"), False),
    ],
    ids=["allow", "deny", "unspecified", "allow with reasons", "a verdict of the future"],
)
def test_only_a_plain_allow_allows(
    tmp_path: Path,
    answer: gate_pb2.CheckReleaseResponse,
    allowed: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Whatever is not ALLOW without reasons is a no."""
    with ScriptedServer(tmp_path, [answer]) as server:
        assert server.client().gate.allows("m", "api") is allowed


def test_a_stream_that_does_not_start_is_tried_again(tmp_path: Path) -> None:
    """Before the first answer a stream is like any call."""
    rows = [numbered(0), numbered(1)]
    with ScriptedServer(tmp_path, [[UNAVAILABLE], rows]) as server:
        assert list(server.client().audit.tail()) == rows


def test_a_tail_that_breaks_off_is_taken_up_behind_what_came(tmp_path: Path) -> None:
    """The stream is asked for again from the last entry on: each comes once, and the caller is told of the break."""
    one, two, three = map(numbered, (5, 6, 7))
    told: list[str] = []
    with ScriptedServer(tmp_path, [[one, two, UNAVAILABLE], [UNAVAILABLE], [three]]) as server:
        heard = list(server.client().audit.tail(4, on_break=lambda error: told.append(error.reason)))

    assert heard == [one, two, three]
    assert told == ["UNAVAILABLE"]
    assert [request.after_position for request in server.requests] == [4, 6, 6]


def test_a_tail_that_does_not_follow_gives_up_in_the_end(tmp_path: Path) -> None:
    """A server that never gets any further is no endless wait."""
    rows: list[Message | int] = [numbered(0), UNAVAILABLE]
    dead: list[Message | int] = [UNAVAILABLE]
    heard: list[audit_pb2.EntryRecord] = []
    with ScriptedServer(tmp_path, [rows, *[dead] * 100]) as server, pytest.raises(UnavailableError):
        heard.extend(server.client().audit.tail())

    assert heard == [numbered(0)]


def test_a_tail_that_follows_waits_for_as_long_as_it_takes(tmp_path: Path) -> None:
    """Far more failures than a call would stand, and the tail goes on."""
    rows: list[Message | int] = [numbered(0), UNAVAILABLE]
    dead: list[Message | int] = [UNAVAILABLE]
    last: list[Message | int] = [numbered(1)]
    with ScriptedServer(tmp_path, [rows, *[dead] * 100, last]) as server:
        heard = list(server.client().audit.tail(follow=True))

    assert heard == [numbered(0), numbered(1)]


def test_a_session_that_ends_under_a_tail_is_renewed(tmp_path: Path) -> None:
    """The tail logs in again and goes on where it was."""
    rows: list[Message | int] = [numbered(0), UNAUTHENTICATED]
    last: list[Message | int] = [numbered(1)]
    with ScriptedServer(tmp_path, [rows, [UNAUTHENTICATED], last]) as server:
        heard = list(server.client().audit.tail())

    assert heard == [numbered(0), numbered(1)]
    assert server.logins == 2


def test_a_server_that_comes_back_shorter_was_rolled_back(tmp_path: Path) -> None:
    """What the tail has read must still be there."""
    ahead = failing(UNAVAILABLE, error_details_pb2.ErrorInfo(domain="interlock", reason="POSITION_NOT_REACHED"))
    rows: list[Message | int] = [numbered(0), UNAVAILABLE]
    with ScriptedServer(tmp_path, [rows, *[[ahead]] * 6]) as server, pytest.raises(RollbackError) as caught:
        list(server.client().audit.tail(follow=True))

    assert caught.value.reason == "LOG_ROLLED_BACK"


@pytest.mark.parametrize(
    "second", [numbered(0), numbered(2), audit_pb2.EntryRecord(entry=b"\xff")], ids=["twice", "left out", "none"]
)
def test_a_tail_takes_the_next_entry_alone(tmp_path: Path, second: audit_pb2.EntryRecord) -> None:
    """One twice, one left out, what is no entry: an error, and no more was seen of the log than came in order."""
    heard: list[audit_pb2.EntryRecord] = []
    with ScriptedServer(tmp_path, [[numbered(0), second, numbered(1)]]) as server:
        client = server.client()
        with pytest.raises(DataLossError) as caught:
            heard.extend(client.audit.tail())

        assert json.loads((tmp_path / "seen.json").read_text())["position"] == 0
    assert heard == [numbered(0)]
    assert type(caught.value) is DataLossError


@pytest.mark.parametrize(("first", "second", "descending"), [(3, 3, False), (3, 2, False), (3, 3, True), (3, 4, True)])
def test_a_listing_that_gives_an_entry_again_is_an_error(
    tmp_path: Path,
    first: int,
    second: int,
    descending: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Over two pages as within one: nothing comes twice, also from a server that goes round for ever."""
    pages = [
        audit_pb2.ListEntriesResponse(entries=[numbered(row)], next_page_token=token)
        for row, token in ((first, "a"), (second, "b"))
    ]
    with ScriptedServer(tmp_path, pages) as server:
        listed = server.client().audit.list(descending=descending)

        assert next(listed) == numbered(first)
        with pytest.raises(DataLossError):
            next(listed)


@pytest.mark.parametrize(("position", "name"), [(8, "holds/2"), (7, "holds/1"), (7, "grants/1")])
def test_pages_of_states_are_of_one_position_and_order(tmp_path: Path, position: int, name: str) -> None:
    """A second page of a later position, or with what came before: two moments are never shown as one."""
    pages = [
        audit_pb2.GetStateAtResponse(
            resources=[audit_pb2.ResourceState(name=row, position=1)], position=at, next_page_token=token
        )
        for row, at, token in (("holds/1", 7, "more"), (name, position, ""))
    ]
    with ScriptedServer(tmp_path, pages) as server, pytest.raises(DataLossError):
        server.client().audit.state_at()


@pytest.mark.parametrize("given", [numbered(6), audit_pb2.EntryRecord(entry=b"\xff")], ids=["another", "none"])
def test_an_entry_that_is_another_gives_no_verdict_its_signers(tmp_path: Path, given: audit_pb2.EntryRecord) -> None:
    """`audit why` names entries by position: one that is another, or none, is an error."""
    with ScriptedServer(tmp_path, [given]) as server, pytest.raises(DataLossError):
        live_entries(server.client(), (5,))


def test_an_unsigned_checkpoint_is_refused(tmp_path: Path) -> None:
    """Nothing is believed that the pinned log key did not sign."""
    with ScriptedServer(tmp_path, [audit_pb2.Checkpoint(note="log\n0\n\n")]) as server, pytest.raises(DataLossError):
        server.client().audit.checkpoint()


def test_logging_out_forgets_the_session(tmp_path: Path) -> None:
    """After a logout the next call logs in anew."""
    with ScriptedServer(tmp_path, [identity_pb2.WhoAmIResponse(), identity_pb2.WhoAmIResponse()]) as server:
        client = server.client()
        client.identity.whoami()
        client.identity.logout()
        client.identity.whoami()

    assert server.tokens == ["Bearer token-1", "Bearer token-2"]


def test_the_pause_has_a_tenth_of_chance() -> None:
    """Clients that failed together do not come back together."""
    retry = Retry(first_pause_seconds=1.0, longest_pause_seconds=4.0)

    assert [retry.pause_seconds(n, None, 0.5) for n in range(4)] == pytest.approx([1.0, 2.0, 4.0, 4.0])
    assert retry.pause_seconds(0, None, 0.0) == pytest.approx(0.9)
    assert retry.pause_seconds(0, None, 1.0) == pytest.approx(1.1)
