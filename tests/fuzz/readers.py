"""Readers of the fuzz targets that need a world around them: OpenID tokens, parts of a log, documents of identity.

Lives here: how each is read, and good inputs to begin with. Not here: the list of targets (`targets.py`).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from jwt import PyJWK

from interlock.client.oidc import wire
from interlock.client.oidc.idtoken import check_id_token
from interlock.client.oidc.listener import read_answer
from interlock.service.identity.jwks import KeySets
from interlock.service.identity.tokens import TokenGate
from interlock.statemachine import codec, delegating, recovery
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from tests.support.bundles import judged, trust_in
from tests.support.parted import a_range, a_selection, story
from tests.support.service import HandClock, view_of
from tests.support.stories import every_command
from tests.support.world import LOG_ID, START_US, World, key_of, public_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.client.verify import Trust
    from interlock.service.ledger.view import View

DIGEST_BYTES: Final = 32
PARTS: Final = (a_range, a_selection)
_URL: Final = "https://sso.example"
_NOW: Final = START_US // 1_000_000
_CLOCK: Final = HandClock(START_US)
_CLAIMS: Final = {"iss": _URL, "aud": "interlock", "sub": "4711", "iat": _NOW, "exp": _NOW + 300}


class _Published(KeySets):
    """The keys of one issuer, which are there without being asked for."""

    def _fetch(self, _url: str) -> dict[str, PyJWK]:
        x = base64.urlsafe_b64encode(public_of("log", "log")).rstrip(b"=").decode()
        return {"k": PyJWK({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": x})}


@lru_cache(maxsize=1)
def _door() -> tuple[asyncio.AbstractEventLoop, KeySets, View]:
    """Return a loop, an issuer's keys, and a log in which an engineer is bound to it."""
    world = World.found()
    world.enact(f.IssuerTrust("issuers/sso", _URL, "interlock", "EdDSA"))
    world.enact(f.CredentialBind("principals/engineer", "issuers/sso", "4711"))
    return asyncio.new_event_loop(), _Published(_CLOCK.ticks_us), view_of(world)


def _judge(token: str) -> None:
    """Judge a token at a door that has seen none. Raises TokenError."""
    loop, keys, view = _door()
    credential = loop.run_until_complete(TokenGate(keys, _CLOCK).judge(view, "principals/engineer", token))
    if credential.subject != "4711":
        raise AssertionError(token)


def signed_token(header: bytes, claims: bytes) -> str:
    """Return a token of these very bytes, signed by the issuer."""
    said = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, claims))
    made = base64.urlsafe_b64encode(key_of("log", "log").sign(said)).rstrip(b"=")
    return (said + b"." + made).decode()


def read_token(data: bytes) -> None:
    """The first byte chooses: the text of a token, or header and claims of one that its issuer signed. TokenError."""
    if not data:
        return
    if data[0] % 2:
        _judge(data[1:].decode("utf-8", "replace"))
    header, _, claims = data[1:].partition(b"\0")
    _judge(signed_token(header, claims))


def token_seeds() -> list[bytes]:
    """Return good ones of both kinds."""
    header, claims = (json.dumps(part).encode() for part in ({"alg": "EdDSA", "kid": "k"}, _CLAIMS))
    return [b"\0" + header + b"\0" + claims, b"\1" + signed_token(header, claims).encode()]


def read_document(data: bytes) -> None:
    """Read a delegation, a consent to a recovery, or a recovery document; the first byte chooses."""
    if not data:
        return
    match data[0] % 3:
        case 0:
            delegating.parse_delegation(data[1:])
        case 1:
            recovery.parse_consent(data[1:], b"document")
        case _:
            document = codec.decode_recovery(data[1:])
            if codec.encode_recovery(document) != data[1:]:
                raise AssertionError(data)


def document_seeds() -> list[bytes]:
    """Return a good one of each."""
    statement = delegating.DelegationStatement("0" * 64, "principals/a", "principals/b", "owner", 0, START_US, "0" * 32)
    document = e.RecoveryDocument(LOG_ID, (f.PrincipalRestore("principals/engineer"),), START_US, b"seed")
    recovered = [row.command.document for row in every_command().entries if isinstance(row.command, c.Recover)]
    return [
        b"\0" + delegating.build_delegation(statement),
        b"\1" + recovery.build_consent(b"document", "principals/recovery-1"),
        *(b"\2" + found for found in (codec.encode_recovery(document), *recovered)),
    ]


@lru_cache(maxsize=1)
def _trust() -> Trust:
    return replace(trust_in(story()[0]), partial_ok=True)


@lru_cache(maxsize=2)
def _part(which: int) -> bytes:
    data: bytes = PARTS[which]().data
    return data


def judge_part(data: bytes) -> None:
    """Judge a good range or selection with some bytes altered (two of place, one of mask) and a digest that fits."""
    if not data:
        return
    good = _part(data[0] % len(PARTS))
    if len(data) == 1 and not judged(good, _trust()).verified:
        raise AssertionError(data)
    whole = bytearray(good[:-DIGEST_BYTES])
    for start in range(1, len(data) - 2, 3):
        whole[int.from_bytes(data[start : start + 2]) % len(whole)] ^= data[start + 2]
    altered = bytes(whole) + hashlib.sha256(whole).digest()
    if judged(altered, _trust()).verified and altered != good:
        raise AssertionError(data)


def part_seeds() -> list[bytes]:
    """Return one change of each, and none: the parts themselves verify."""
    return [bytes([which]) + change for which in range(len(PARTS)) for change in (b"", b"\0\x64\x01")]


def read_login(data: bytes) -> None:
    """Read what comes back to somebody who logs in at a provider; the first byte chooses.

    A browser's request; an answer of JSON; claims of an ID token, under a header that is good.
    """
    forms: tuple[Callable[[bytes], object], ...] = (
        lambda rest: read_answer(rest, "127.0.0.1:1", "s-1"),
        lambda rest: wire._object(rest, _URL, 200),  # noqa: SLF001  # what it reads every answer by
        lambda rest: check_id_token(_unsigned(rest), _URL, "interlock", "n"),
        lambda rest: check_id_token(rest.decode("ascii", "replace"), _URL, "interlock", "n"),
    )
    if data:
        forms[data[0] % len(forms)](data[1:])


def _unsigned(claims: bytes) -> str:
    return f"eyJhbGciOiJSUzI1NiJ9.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.AA"


def login_seeds() -> list[bytes]:
    """Return an answer that counts, a configuration, and a token."""
    claims = json.dumps({**_CLAIMS, "nonce": "n"}).encode()
    return [
        b"\2" + claims,
        b"\0GET /callback?code=c&state=s-1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n",
        b'\1{"issuer": "https://sso.example", "token_endpoint": "https://sso.example/token"}',
        b"\3" + _unsigned(claims).encode(),
    ]
