"""Sessions and log-ins as a thief would try them: tokens in odd places, nonces used again, keys used for another use.

Whoever has no session leaves no entry: these are refused at the door, and a good token is let in after each.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from interlock.proofs import dsse, keys
from interlock.service.identity.challenges import signed_bytes
from interlock.statemachine import signoff
from interlock.v1 import change_pb2, identity_pb2, identity_pb2_grpc
from tests.scenarios.test_insiders import SIGN, attempts, hand_in, proposal
from tests.support.people import People, refused
from tests.support.server import CALL_SECONDS, ServerThread, answer_of, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Install

    Metadata = tuple[tuple[str, str | bytes], ...]

NAME: Final = "principals/owner"


@pytest.fixture(scope="module")
def people(installations: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Serve `minimal`."""
    data = copy_of(installations("minimal"), tmp_path_factory.mktemp("sessions") / "data")
    with ServerThread(data) as server, People(server) as crowd:
        yield crowd


def one(value: str | bytes, key: str = "authorization") -> Metadata:
    """Return metadata of one header."""
    return ((key, value),)


ODD: Final[dict[str, Callable[[str], Metadata]]] = {
    "none": lambda _: (),
    "two headers": lambda token: (*one(f"Bearer {token}"), *one(f"Bearer {token}")),
    "a good and an empty one": lambda token: (*one(f"Bearer {token}"), *one("")),
    "a bad and a good one": lambda token: (*one("Bearer x"), *one(f"Bearer {token}")),
    "lower case": lambda token: one(f"bearer {token}"),
    "upper case": lambda token: one(f"BEARER {token}"),
    "no scheme": one,
    "another scheme": lambda token: one(f"Basic {token}"),
    "two spaces": lambda token: one(f"Bearer  {token}"),
    "padded": lambda token: one(f"Bearer {token}="),
    "a space within": lambda token: one(f"Bearer {token[:8]} {token[8:]}"),
    "ten kilobytes": lambda token: one(f"Bearer {token}{'x' * 10_240}"),
    "the token twice": lambda token: one(f"Bearer {token},{token}"),
    "cut": lambda token: one(f"Bearer {token[:-1]}"),
    "in capitals": lambda token: one(f"Bearer {token.upper()}"),
    "no token": lambda _: one("Bearer "),
    "binary": lambda token: one(f"Bearer {token}".encode(), "authorization-bin"),
    "another header": lambda token: one(f"Bearer {token}", "x-authorization"),
    "its digest, as it is stored": lambda token: one(
        f"Bearer {base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b'=').decode()}"
    ),
    "its digest in hex": lambda token: one(f"Bearer {hashlib.sha256(token.encode()).hexdigest()}"),
}


def stub(people: People) -> identity_pb2_grpc.IdentityServiceStub:
    """Return the service, without a session."""
    return identity_pb2_grpc.IdentityServiceStub(people.channel)


def whoami(people: People, metadata: Metadata) -> str:
    """Return who a request is by, or the reason why it is nobody's."""
    try:
        said = stub(people).WhoAmI(identity_pb2.WhoAmIRequest(), metadata=metadata, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        return answer_of(error).reason
    return said.principal.name


@pytest.mark.parametrize("how", ODD)
def test_a_token_in_odd_metadata(how: str, people: People) -> None:
    """One header, one scheme, the whole token: anything else is nobody."""
    [(_, bearer)] = people["owner"].metadata
    token = bearer.removeprefix("Bearer ")

    assert whoami(people, ODD[how](token)) == "UNAUTHENTICATED"
    assert whoami(people, one(f"Bearer {token}")) == NAME


def request_of(
    people: People,
    nonce: bytes,
    *,
    use: str = "login",
    server_name: str = "",
    who: str = "owner",
    key_of: str = "owner",
) -> identity_pb2.LoginRequest:
    """Return a log-in over a nonce, signed with somebody's key of a use for a server of some name."""
    challenge = stub(people).Challenge(identity_pb2.ChallengeRequest(principal=NAME), timeout=CALL_SECONDS)
    key = people.server.key(key_of, use)
    return identity_pb2.LoginRequest(
        principal=f"principals/{who}",
        nonce=nonce,
        credential=keys.fingerprint(keys.public_bytes(key)),
        signature=key.sign(signed_bytes(challenge.log_id, server_name or challenge.server_name, nonce)),
    )


def nonce_for(people: People, who: str = "owner") -> bytes:
    """Ask for a nonce."""
    request = identity_pb2.ChallengeRequest(principal=f"principals/{who}")
    return bytes(stub(people).Challenge(request, timeout=CALL_SECONDS).nonce)


def log_in(people: People, request: identity_pb2.LoginRequest) -> str:
    """Log in; return the reason where it is refused, else nothing."""
    try:
        stub(people).Login(request, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        return answer_of(error).reason
    return ""


def test_a_nonce_is_used_once_by_many_at_once(people: People) -> None:
    """Of sixteen who send one signed nonce together, one is let in; nobody is after them."""
    request = request_of(people, nonce_for(people))
    said: list[str] = []
    crowd = [threading.Thread(target=lambda: said.append(log_in(people, request))) for _ in range(16)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()

    assert sorted(said) == ["", *["UNAUTHENTICATED"] * 15]
    assert log_in(people, request) == "UNAUTHENTICATED"


def test_a_nonce_is_not_used_after_a_restart(installations: Install, tmp_path: Path) -> None:
    """Neither one that was used, nor one that was not: what the next process does not know, it does not take."""
    data = copy_of(installations("minimal"), tmp_path / "data")
    with ServerThread(data) as server, People(server) as before:
        used, open_ = (request_of(before, nonce_for(before)) for _ in range(2))
        assert not log_in(before, used)
    with ServerThread(data) as server, People(server) as after:
        assert [log_in(after, used), log_in(after, open_)] == ["UNAUTHENTICATED"] * 2
        assert not log_in(after, request_of(after, nonce_for(after)))


def test_what_is_signed_for_something_else_logs_nobody_in(people: People) -> None:
    """Another server's name, the key for sign-offs, another's key, a nonce that another account was given."""
    wrong = (
        request_of(people, nonce_for(people), server_name="interlock.example"),
        request_of(people, nonce_for(people), use="signoff"),
        request_of(people, nonce_for(people), key_of="reviewer"),
        request_of(people, nonce_for(people), who="reviewer", key_of="reviewer"),
        request_of(people, bytes(32)),
    )

    assert [log_in(people, request) for request in wrong] == ["UNAUTHENTICATED"] * len(wrong)
    assert not log_in(people, request_of(people, nonce_for(people)))


def test_a_login_key_signs_nothing_off(people: People) -> None:
    """A key is for one use; the attempt leaves an entry."""
    change = proposal(people, people.new_model())
    payload = signoff.build_statement(people["owner"].statement(change, "owner"))
    forged = dsse.sign(dsse.IN_TOTO_TYPE, payload, people.server.key("owner", "login")).to_json()

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], change.name, forged)

    assert said.unmet == ("SIGN_OFF_SIGNATURE",)
    assert (SIGN, ("SIGN_OFF_SIGNATURE",)) in attempts(people, "owner")
    after = people["owner"].changes.GetChange(change_pb2.GetChangeRequest(name=change.name))
    assert not after.sign_offs


def test_a_session_that_was_closed_is_not_renewed(people: People) -> None:
    """Logging out ends it for the very next request, and using it goes on to be refused."""
    metadata = people.server.login(people.channel, "engineer")
    stub(people).Logout(identity_pb2.LogoutRequest(), metadata=metadata, timeout=CALL_SECONDS)

    assert [whoami(people, metadata) for _ in range(2)] == ["UNAUTHENTICATED"] * 2


@pytest.mark.parametrize(
    "how", ["another's name", "a row of one's own", "a later end", "no text", "bytes", "no digest"]
)
def test_a_session_that_was_written_into_the_database(how: str, installations: Install, tmp_path: Path) -> None:
    """Who can write to the database makes no session of it; those that are untouched go on after the restart."""
    data = copy_of(installations("minimal"), tmp_path / "data")
    with ServerThread(data) as server, People(server) as before:
        mine, good = before["auditor"].metadata, before["reviewer"].metadata
    digests = [hashlib.sha256(row[0][1].removeprefix("Bearer ").encode()).digest() for row in (mine, good)]
    with closing(sqlite3.connect(data / "interlock.db")) as database, database:
        admin = "principals/admin"
        key = keys.fingerprint(keys.public_bytes(before.server.key("admin")))
        if how == "another's name":
            database.execute(
                "UPDATE sessions SET principal = ?, credential = ? WHERE digest = ?", (admin, key, digests[0])
            )
        elif how in {"no text", "bytes"}:
            value = "x'ff'" if how == "bytes" else "CAST(x'ff' AS TEXT)"
            database.execute(f"UPDATE sessions SET credential = {value} WHERE digest = ?", (digests[0],))  # noqa: S608
        elif how == "no digest":
            database.execute(
                "INSERT INTO sessions SELECT 'text', principal, credential, expires_at FROM sessions LIMIT 1"
            )
        elif how == "a later end":
            database.execute("UPDATE sessions SET expires_at = expires_at - 1 WHERE digest = ?", (digests[0],))
        else:
            [end] = database.execute("SELECT expires_at FROM sessions WHERE digest = ?", (digests[0],)).fetchone()
            database.execute("DELETE FROM sessions WHERE digest = ?", (digests[0],))
            database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (digests[0], admin, key, end))

    with ServerThread(data) as server, People(server) as after:
        assert whoami(after, mine) == ("principals/auditor" if how == "no digest" else "UNAUTHENTICATED")
        assert whoami(after, good) == "principals/reviewer"
