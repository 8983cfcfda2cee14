"""Tokens that nobody honest makes: each is refused by a word, and none is a fault of the server's."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.service.identity.jwks import KeySets
from interlock.service.identity.tokens import TokenError, TokenGate
from interlock.statemachine import firings as f
from tests.support.hostile_issuer import HostileIssuer, hostile_issuer, jwk_of
from tests.support.service import HandClock, view_of
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.service.ledger.view import View

AUDIENCE = "interlock-log"
SECOND = "interlock-app"
SUBJECT = "248289761001"
NOW = 1_800_000_000
GOOD = {"alg": "RS256", "kid": "k", "typ": "JWT"}


@lru_cache(maxsize=1)
def key() -> rsa.RSAPrivateKey:
    """Return the issuer's key."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileIssuer]:
    """Run a provider that publishes its key as it should; what it signs is another matter."""
    with hostile_issuer(tmp_path_factory.mktemp("issuer")) as running:
        running.says = running.good({"keys": [jwk_of(key().public_key())]})
        yield running


@pytest.fixture(scope="module")
def door(issuer: HostileIssuer) -> tuple[TokenGate, View]:
    """Give a server's door for tokens, and a log in which an engineer is bound to the provider."""
    clock = HandClock(NOW * 1_000_000)
    world = World.found()
    world.now = clock.now
    world.enact(f.IssuerTrust("issuers/sso", issuer.url, AUDIENCE, "RS256"))
    world.enact(f.CredentialBind("principals/engineer", "issuers/sso", SUBJECT))
    world.enact(f.IssuerTrust("issuers/sso-app", issuer.url, SECOND, "RS256"))
    world.enact(f.CredentialBind("principals/engineer", "issuers/sso-app", SUBJECT))
    return TokenGate(KeySets(clock.ticks_us, issuer.ca_file), clock), view_of(world)


def claims_of(issuer: HostileIssuer, **other: object) -> dict[str, Any]:
    """Return claims by which the engineer logs in; other ones in their place."""
    good = {"iss": issuer.url, "aud": AUDIENCE, "sub": SUBJECT, "iat": NOW, "exp": NOW + 300}
    return good | {"jti": json.dumps(other, default=repr)} | other


def token(header: object, claims: object) -> str:
    """Return a token that says this, in JSON as Python writes it, signed by the issuer."""
    return signed(json.dumps(header).encode(), json.dumps(claims).encode())


def signed(header: bytes, claims: bytes) -> str:
    """Return a token of these very bytes, signed by the issuer."""
    said = ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, claims))
    made = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(said.encode(), key())
    return f"{said}.{urlsafe_b64encode(made).rstrip(b'=').decode()}"


def word(door: tuple[TokenGate, View], said: str, nonce: str = "") -> str:
    """Return why a token is refused; empty for one that is taken."""
    gate, view = door
    try:
        asyncio.run(gate.judge(view, "principals/engineer", said, nonce))
    except TokenError as error:
        return error.word
    return ""


def test_a_good_token(door: tuple[TokenGate, View], issuer: HostileIssuer) -> None:
    """Else what follows would be refused for another reason."""
    assert not word(door, token(GOOD, claims_of(issuer)))


@pytest.mark.parametrize("audience", [SECOND, [SECOND]])
def test_regression_an_account_of_two_records_of_one_provider(
    audience: object, door: tuple[TokenGate, View], issuer: HostileIssuer
) -> None:
    """By a token for either audience, and for both at once by none."""
    assert not word(door, token(GOOD, claims_of(issuer, aud=audience)))
    assert word(door, token(GOOD, claims_of(issuer, aud=[AUDIENCE, SECOND])))
    assert word(door, token(GOOD, claims_of(issuer, aud=[SECOND, AUDIENCE])))


@pytest.mark.parametrize(
    "other",
    [
        {"typ": ["JWT"]}, {"typ": {}}, {"typ": 1}, {"typ": "JWS"}, {"kid": ["k"]}, {"kid": {}},
        {"kid": 7}, {"kid": None},
        {"kid": "K"}, {"kid": "k\u0000"}, {"alg": ["RS256"]}, {"alg": None}, {"alg": "rs256"}, {"alg": "PS256"},
        {"zip": "DEF"}, {"b64": False}, {"x5c": []}, {"cty": "JWT"},
    ],
    ids=str,
)  # fmt: skip
def test_regression_a_header_of_any_type(
    other: dict[str, object], door: tuple[TokenGate, View], issuer: HostileIssuer
) -> None:
    """What nobody signed yet is read before anything else, by whoever sends it: it is refused, and breaks nothing."""
    assert word(door, token(GOOD | other, claims_of(issuer, header=other)))


@pytest.mark.parametrize(
    "other",
    [
        {"exp": float("inf")}, {"exp": float("nan")}, {"iat": float("nan")}, {"iat": -float("inf")},
        {"nbf": float("nan")},
        {"exp": True}, {"exp": "1e9"}, {"exp": None}, {"exp": []}, {"nbf": NOW + 31}, {"nbf": "x"}, {"iat": NOW + 31},
        {"aud": []}, {"aud": {}}, {"aud": [AUDIENCE, AUDIENCE]}, {"aud": [[AUDIENCE]]}, {"aud": 1},
        {"aud": AUDIENCE + " "},
        {"sub": ""}, {"sub": None}, {"sub": [SUBJECT]}, {"sub": int(SUBJECT)}, {"sub": SUBJECT + "\u200b"},
        {"iss": []}, {"iss": {}}, {"jti": 1}, {"jti": []}, {"jti": {}},
    ],
    ids=str,
)  # fmt: skip
def test_regression_claims_of_any_type(
    other: dict[str, object], door: tuple[TokenGate, View], issuer: HostileIssuer
) -> None:
    """An issuer that signs nonsense lets nobody in, and breaks nothing: no number without end, no list for a word."""
    assert word(door, token(GOOD, claims_of(issuer, **other)))


@pytest.mark.parametrize(
    ("says", "expected", "opens"),
    [
        ("interlock-1.a", "interlock-1.a", True),
        ("interlock-1.a", "interlock-1.b", False),
        ("interlock-1.a", "", False),
        ("interlock-1.", "", False),
        ("another-form", "", True),
        ("another-form", "interlock-1.a", False),
        (["interlock-1.a"], "interlock-1.a", False),
        (["interlock-1.a"], "", True),
        (None, "interlock-1.a", False),
    ],
)
def test_a_token_that_is_bound_to_a_login(
    says: object, expected: str, *, opens: bool, door: tuple[TokenGate, View], issuer: HostileIssuer
) -> None:
    """It opens that login's session alone; one that says nothing of it is bound to none."""
    said = token(GOOD, claims_of(issuer, nonce=says, jti=f"{says} {expected}"))

    assert word(door, said, expected) == ("" if opens else "nonce")


def test_an_end_that_is_far(door: tuple[TokenGate, View], issuer: HostileIssuer) -> None:
    """A token that hardly ends opens one session like any other, within ten minutes of its issue."""
    said = token(GOOD, claims_of(issuer, exp=10**400))

    assert [word(door, said), word(door, said)] == ["", "used before"]


@pytest.mark.parametrize("where", ["header", "claims"])
def test_a_name_twice(where: str, door: tuple[TokenGate, View], issuer: HostileIssuer) -> None:
    """What two readers would read in two ways is read by none."""
    header, claims = (json.dumps(part).encode() for part in (GOOD, claims_of(issuer, twice=where)))
    if where == "header":
        header = header.replace(b'{"alg"', b'{"kid": "other", "alg"')
    else:
        claims = claims.replace(b'{"iss"', b'{"sub": "other", "iss"')

    assert word(door, signed(header, claims)) == "form"


def test_what_is_not_a_table(door: tuple[TokenGate, View]) -> None:
    """Header and claims are objects."""
    tables: tuple[object, ...] = ([], "x", 1, None, [[]], True)
    for wrong in tables:
        assert word(door, token(wrong, {}))
        assert word(door, token(GOOD, wrong))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(["alg", "kid", "typ", "crit", "iss", "aud", "sub", "iat", "exp", "nbf", "jti"])


@settings(max_examples=60)
@given(header=st.dictionaries(FIELDS, JSON, max_size=3), claims=st.dictionaries(FIELDS, JSON, max_size=3))
def test_random_parts_are_refused_by_a_word(
    header: dict[str, object], claims: dict[str, object], door: tuple[TokenGate, View], issuer: HostileIssuer
) -> None:
    """Whatever stands where: a word, or a token that says all that is asked for, once."""
    said = claims_of(issuer, **claims)
    refused = word(door, token(GOOD | header, said))

    assert refused or all(said[name] == claims_of(issuer)[name] for name in ("iss", "sub"))
