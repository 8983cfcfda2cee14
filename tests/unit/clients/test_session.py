"""Logging in: the login key signs this log, this server and this nonce, and nothing for anybody else."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from interlock.client.errors import UnauthenticatedError
from interlock.client.profile import Profile
from interlock.client.session import Sessions, Token, login_message
from interlock.proofs import keys
from interlock.service.identity.challenges import signed_bytes
from interlock.v1 import identity_pb2

if TYPE_CHECKING:
    from pathlib import Path

LOG = bytes(range(16))
NONCE = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))
GIVEN = identity_pb2.ChallengeResponse(nonce=NONCE, log_id=LOG, server_name="interlock")


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """Give a profile whose login key is `KEY`."""
    (tmp_path / "login.key").write_bytes(PEM)
    return Profile(
        tmp_path, "principals/rso", "a:1", "interlock", b"", LOG, "", bytes(32), tmp_path / "login.key", None, None
    )


def _login(profile: Profile, given: identity_pb2.ChallengeResponse = GIVEN) -> tuple[Token, identity_pb2.LoginRequest]:
    sent: list[identity_pb2.LoginRequest] = []

    def answer(request: identity_pb2.LoginRequest) -> identity_pb2.LoginResponse:
        sent.append(request)
        reply = identity_pb2.LoginResponse(token="secret")
        reply.expire_time.FromSeconds(1000)
        return reply

    token = Sessions(profile, lambda _path: b"pass").login(lambda _request: given, answer)
    return token, sent[0]


def test_the_signature_is_over_log_server_and_nonce(profile: Profile) -> None:
    """What is signed is byte for byte what the server checks, by the key that the request names."""
    _, sent = _login(profile)

    assert login_message(LOG, "interlock", NONCE) == signed_bytes(LOG, "interlock", NONCE)
    assert sent.credential == keys.fingerprint(keys.public_bytes(KEY))
    keys.verify(keys.public_bytes(KEY), signed_bytes(LOG, "interlock", NONCE), sent.signature)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("log_id", bytes(16), "OTHER_SERVER"),
        ("server_name", "mallory", "OTHER_SERVER"),
        ("nonce", b"", "BAD_CHALLENGE"),
    ],
)
def test_nothing_is_signed_for_another_server(profile: Profile, field: str, value: object, reason: str) -> None:
    """A challenge that names another log or server, or is malformed, ends the login before any signature."""
    given = identity_pb2.ChallengeResponse()
    given.CopyFrom(GIVEN)
    setattr(given, field, value)

    with pytest.raises(UnauthenticatedError) as caught:
        _login(profile, given)

    assert caught.value.reason == reason


def test_the_session_is_kept_for_its_owner_alone(profile: Profile) -> None:
    """The token is in the profile folder, mode 0600, and the next process finds it."""
    token, _ = _login(profile)

    kept = Sessions(profile, lambda _path: b"pass")

    assert kept.load() == token == Token("secret")
    assert stat.S_IMODE(kept.file.stat().st_mode) == 0o600
    assert list(profile.folder.glob(".session.json.*")) == []


@pytest.mark.parametrize("other", [{"address": "b:2"}, {"log_id": bytes(16)}, {"principal": "principals/ceo"}], ids=str)
def test_a_token_is_sent_only_where_it_came_from(profile: Profile, other: dict[str, str]) -> None:
    """A profile that now names another server, log or principal has no session."""
    _login(profile)

    assert Sessions(replace(profile, **other), lambda _path: b"pass").load() is None  # type: ignore[arg-type]  # by field


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"token": 1}', "\x00"])
def test_a_damaged_session_is_no_session(profile: Profile, content: str) -> None:
    """The file is a cache: whatever is wrong with it, a login mends it."""
    (profile.folder / "session.json").write_text(content)

    assert Sessions(profile, lambda _path: b"pass").load() is None


def test_a_forgotten_session_is_gone(profile: Profile) -> None:
    """Forgetting removes the file, also when there is none."""
    _login(profile)
    sessions = Sessions(profile, lambda _path: b"pass")

    sessions.forget()
    sessions.forget()

    assert sessions.load() is None


def test_a_token_does_not_show_in_its_repr() -> None:
    """A token that ends in a traceback or a log does not give itself away."""
    assert "secret" not in repr(Token("secret"))
