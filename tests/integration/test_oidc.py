"""Logging in by a token of a real OpenID provider: what opens a session, and everything that opens none."""

from __future__ import annotations

import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from interlock.proofs.login_nonce import SECRET_BYTES, login_nonce
from interlock.v1 import gate_pb2, gate_pb2_grpc, identity_pb2, identity_pb2_grpc, trigger_pb2
from tests.support.newcomers import give
from tests.support.oidc_provider import CLIENT, Provider, provider
from tests.support.people import People, trigger
from tests.support.server import CALL_SECONDS, ServerThread, answer_of, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Claims = dict[str, Any]

REPOSITORY = {"repository": "acme/aurora", "ref": "refs/heads/main"}


@pytest.fixture(scope="module")
def oidc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Run a provider for the module."""
    with provider(tmp_path_factory.mktemp("oidc")) as running:
        yield running


@pytest.fixture(scope="module")
def people(
    oidc: Provider, installations: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[People]:
    """Serve a log that trusts the provider: `kim` is a person of it, `ci` a pipeline known by its claims."""
    folder = copy_of(installations("minimal"), tmp_path_factory.mktemp("tokens") / "data")
    with ServerThread(folder, oidc_ca=str(oidc.ca_file)) as server, People(server) as everybody:
        everybody.enact(
            trigger(issuer_trust=trusted("sso", oidc.url)),
            trigger(issuer_trust=trusted("elsewhere", "https://127.0.0.1:9")),
            trigger(principal_create=account("kim", kind="human", person="persons/kim")),
            trigger(principal_create=account("ci", kind="service")),
            trigger(credential_bind=bound("kim", subject="248289761001")),
            trigger(credential_bind=bound("ci", claims=[f"{name}={text}" for name, text in REPOSITORY.items()])),
            give("kim", "reviewer"),
            give("ci", "release-tool"),
        )
        yield everybody


def trusted(name: str, url: str, audience: str = CLIENT) -> trigger_pb2.IssuerTrust:
    """Return what trusts an issuer."""
    return trigger_pb2.IssuerTrust(issuer=f"issuers/{name}", url=url, audience=audience, algorithm="RS256")


def account(who: str, **rest: str) -> trigger_pb2.PrincipalCreate:
    """Return what makes an account."""
    return trigger_pb2.PrincipalCreate(principal=f"principals/{who}", **rest)


def bound(
    who: str, issuer: str = "sso", subject: str = "", claims: list[str] | None = None
) -> trigger_pb2.CredentialBind:
    """Return what binds an account to an issuer."""
    return trigger_pb2.CredentialBind(
        principal=f"principals/{who}", issuer=f"issuers/{issuer}", subject=subject, claims=claims or ()
    )


def stub(people: People) -> identity_pb2_grpc.IdentityServiceStub:
    """Return the service as somebody without a session calls it."""
    return identity_pb2_grpc.IdentityServiceStub(people.channel)


def log_in(people: People, who: str, token: str) -> identity_pb2.LoginResponse:
    """Log in by a token."""
    request = identity_pb2.LoginWithTokenRequest(principal=f"principals/{who}", token=token)
    reply: identity_pb2.LoginResponse = stub(people).LoginWithToken(request, timeout=CALL_SECONDS)
    return reply


def refused(people: People, who: str, token: str) -> str:
    """Try to log in, and return the reason word."""
    with pytest.raises(grpc.RpcError) as caught:
        log_in(people, who, token)
    return answer_of(caught.value).reason


def good(oidc: Provider, **other: object) -> Claims:
    """Return claims by which kim logs in now; ``other`` ones in their place, None to leave one out."""
    now = int(time.time())
    claims: Claims = {"iss": oidc.url, "aud": CLIENT, "sub": "248289761001", "iat": now, "exp": now + 300}
    claims |= {"jti": str(time.perf_counter_ns())}
    return {name: value for name, value in (claims | other).items() if value is not None}


def whoami(people: People, reply: identity_pb2.LoginResponse) -> identity_pb2.WhoAmIResponse:
    """Ask who the session is."""
    metadata = (("authorization", f"Bearer {reply.token}"),)
    me: identity_pb2.WhoAmIResponse = stub(people).WhoAmI(
        identity_pb2.WhoAmIRequest(), metadata=metadata, timeout=CALL_SECONDS
    )
    return me


def test_a_person_logs_in(people: People, oidc: Provider) -> None:
    """The ID token of the code flow opens a session of the account that the subject is bound to."""
    me = whoami(people, log_in(people, "kim", oidc.log_in("248289761001")))

    assert me.principal.name == "principals/kim"
    [bound_to] = [key for key in me.principal.credentials if key.name.endswith(me.credential)]
    assert (bound_to.issuer, bound_to.subject, bound_to.public_key) == ("issuers/sso", "248289761001", b"")


def test_a_pipeline_logs_in_by_its_claims(people: People, oidc: Provider) -> None:
    """Every claim of the binding is there to the letter; what else the token says is not looked at."""
    token = oidc.sign(good(oidc, sub="repo:acme/aurora:ref:refs/heads/main", actor="somebody", **REPOSITORY))

    assert whoami(people, log_in(people, "ci", token)).principal.name == "principals/ci"


@pytest.mark.parametrize(
    "other",
    [
        {"ref": "refs/heads/evil"},
        {"repository": "acme/aurora-fork"},
        {"repository": None},
        {"ref": ["refs/heads/main"]},
        {"ref": "refs/heads/main\u0000"},
    ],
    ids=["ref", "repository", "left out", "a list", "longer"],
)
def test_a_pipeline_with_other_claims(people: People, oidc: Provider, other: Claims) -> None:
    """A fork, a branch, a claim that is missing or of another type: none is the pipeline."""
    assert refused(people, "ci", oidc.sign(good(oidc, **(REPOSITORY | other)))) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "other",
    [
        {"aud": "another-log"},
        {"aud": [CLIENT, "another-log"]},
        {"aud": None},
        {"iss": "https://127.0.0.1:1"},
        {"iss": "https://127.0.0.1:9"},
        {"iss": None},
        {"sub": "another"},
        {"sub": None},
        {"sub": ["248289761001"]},
        {"exp": None},
        {"exp": "never"},
        {"iat": None},
        {"exp": 1},
    ],
    ids=str,
)
def test_a_claim_that_is_wrong(people: People, oidc: Provider, other: Claims) -> None:
    """Issuer, audience, subject and times, each to the letter and each there."""
    assert refused(people, "kim", oidc.sign(good(oidc, **other))) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("iat", "lasts", "opens"),
    [(0, 300, True), (-290, 280, True), (20, 300, True), (-400, 300, False), (120, 300, False), (-3000, 7200, False)],
    ids=["now", "ended within the leeway", "a clock that is ahead", "expired", "not yet", "an old one"],
)
def test_when_a_token_counts(people: People, oidc: Provider, iat: int, lasts: int, opens: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Clocks may differ by half a minute; a token that lasts for hours opens a session for its first ten minutes."""
    now = int(time.time())
    token = oidc.sign(good(oidc, iat=now + iat, exp=now + iat + lasts))

    if opens:
        log_in(people, "kim", token)
    else:
        assert refused(people, "kim", token) == "UNAUTHENTICATED"
    later = oidc.sign(good(oidc, nbf=now + 120))
    assert refused(people, "kim", later) == "UNAUTHENTICATED"


def test_a_token_opens_one_session(people: People, oidc: Provider) -> None:
    """Read off somewhere, it opens nothing a second time."""
    token = oidc.sign(good(oidc))
    log_in(people, "kim", token)

    assert refused(people, "kim", token) == "UNAUTHENTICATED"


def test_a_token_for_one_login_at_one_server(people: People, oidc: Provider) -> None:
    """What our clients ask for: it takes the secret behind its nonce, and is worth nothing in another log.

    A server that was given it and its secret can't use them at another one that takes the same audience.
    """
    profile, secret = people.server.profile("auditor"), b"s" * SECRET_BYTES
    log_id = bytes.fromhex(profile.log_id)
    here = login_nonce(log_id, profile.server_name, secret)
    for nonce, brought, opens in (
        (here, secret, True),
        (here, b"", False),
        (here, b"t" * SECRET_BYTES, False),
        (login_nonce(bytes(16), profile.server_name, secret), secret, False),
        (login_nonce(log_id, "another", secret), secret, False),
        ("another-form", secret, False),
        (None, secret, False),
        ("another-form", b"", True),
    ):
        token = oidc.sign(good(oidc, nonce=nonce))
        request = identity_pb2.LoginWithTokenRequest(principal="principals/kim", token=token, nonce_secret=brought)
        if opens:
            stub(people).LoginWithToken(request, timeout=CALL_SECONDS)
            continue
        with pytest.raises(grpc.RpcError) as caught:
            stub(people).LoginWithToken(request, timeout=CALL_SECONDS)
        assert answer_of(caught.value).reason == "UNAUTHENTICATED"


def unsigned(claims: Claims, algorithm: str) -> str:
    """Return a token that says of itself that it needs no signature."""
    parts = ({"alg": algorithm, "typ": "JWT"}, claims)
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_a_token_without_a_signature(people: People, oidc: Provider, algorithm: str) -> None:
    """`alg: none`, in any spelling, is nobody's word (RFC 8725 §2.1)."""
    assert refused(people, "kim", unsigned(good(oidc), algorithm)) == "UNAUTHENTICATED"


def test_a_public_key_as_a_secret(people: People, oidc: Provider) -> None:
    """HS256 under the issuer's public key, which everybody has (RFC 8725 §2.1)."""
    parts = unsigned(good(oidc), "HS256").rstrip(".")
    mac = hmac.digest(oidc.public_pem().encode(), parts.encode(), "sha256")

    assert refused(people, "kim", f"{parts}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}") == "UNAUTHENTICATED"


def test_a_key_that_the_token_brings(people: People, oidc: Provider) -> None:
    """A key in the header, or where to fetch one, is never used (RFC 8725 §3.10)."""
    mine = rsa.generate_private_key(65537, 2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(mine.public_key(), as_dict=True)
    there = "https://127.0.0.1:1/jwks"
    for header in ({"jwk": jwk}, {"jku": there}, {"x5u": there}, {"crit": ["exp"]}):
        assert refused(people, "kim", jwt.encode(good(oidc), mine, "RS256", headers=header)) == "UNAUTHENTICATED"
    assert refused(people, "kim", oidc.sign(good(oidc), {"crit": ["exp"]})) == "UNAUTHENTICATED"


@pytest.mark.parametrize("kind", [["JWT"], {"JWT": 1}, 1, "JWS"], ids=str)
def test_regression_a_header_of_another_type(people: People, oidc: Provider, kind: object) -> None:
    """Read before any signature, so anybody can send it: it is refused, and is no fault of the server's."""
    assert refused(people, "kim", oidc.sign(good(oidc), {"typ": kind})) == "UNAUTHENTICATED"


def test_another_key_and_another_algorithm(people: People, oidc: Provider) -> None:
    """Signed by somebody else under the issuer's key id, or with an algorithm that is not the record's."""
    other = rsa.generate_private_key(65537, 2048)
    curve = ec.generate_private_key(ec.SECP256R1())
    kid = str(jwt.get_unverified_header(oidc.sign(good(oidc)))["kid"])
    ways = ((other, "RS256", kid), (curve, "ES256", kid), (other, "PS256", kid), (other, "RS256", "x"))
    for key, algorithm, name in ways:
        token = jwt.encode(good(oidc), key, algorithm, headers={"kid": name})
        assert refused(people, "kim", token) == "UNAUTHENTICATED"


@pytest.mark.parametrize("token", ["x", "a.b.c", "....", "é.é.é", "e30.e30.e30", "A" * 16384])
def test_what_is_no_token(people: People, token: str) -> None:
    """Whatever it is, the answer is the same."""
    assert refused(people, "kim", token) == "UNAUTHENTICATED"


def test_whose_account_it_is_not(people: People, oidc: Provider) -> None:
    """A good token opens no account but the one that it is bound to, known or unknown."""
    for who in ("owner", "ci", "recovery-1", "nobody"):
        assert refused(people, who, oidc.sign(good(oidc))) == "UNAUTHENTICATED"


def test_the_log_tells_why_and_never_the_token(people: People, oidc: Provider) -> None:
    """An operator reads the word; the token itself is in no line."""
    token = oidc.sign(good(oidc, aud="another-log"))
    refused(people, "kim", token)

    server = people.server
    assert isinstance(server, ServerThread)
    last = [line for line in server.lines() if line["event"] == "login_refused"][-1]
    assert last["token"] == "InvalidAudienceError"
    assert token.rpartition(".")[2] not in json.dumps(server.lines())


def test_claims_are_for_services_and_subjects_belong_to_one(people: People) -> None:
    """A person is bound by exact subject alone, nobody by nothing, and no subject to two accounts."""
    wrong = (
        (bound("owner", claims=["ref=x"]), "BINDING"),
        (bound("owner"), "BINDING"),
        (bound("ci"), "BINDING"),
        (bound("owner", subject="248289761001"), "KEY_TAKEN"),
        (bound("recovery-1", subject="1"), "RECOVERY_QUORUM"),
        (bound("owner", "unknown", subject="1"), "NOT_FOUND"),
        (bound("owner", subject="kim@example.org"), "MALFORMED"),
    )
    for binding, code in wrong:
        with pytest.raises(grpc.RpcError) as caught:
            people["evaluator"].propose(trigger(credential_bind=binding))
        answer = answer_of(caught.value)
        assert code in {*answer.unmet, answer.reason}, (binding, answer)


def test_keys_are_rotated_at_the_issuer(people: People, oidc: Provider) -> None:
    """The new key's tokens open; those of the old key, which is gone, open nothing. Runs after the others' tokens."""
    old = oidc.sign(good(oidc))
    oidc.rotate()

    fresh = oidc.sign(good(oidc))
    until = time.monotonic() + CALL_SECONDS
    while time.monotonic() < until:  # an issuer is asked at most once in ten seconds
        try:
            log_in(people, "kim", fresh)
            break
        except grpc.RpcError:
            threading.Event().wait(0.5)
    else:
        pytest.fail("the new key was never fetched")
    assert refused(people, "kim", old) == "UNAUTHENTICATED"


def test_distrusting_ends_sessions(people: People, oidc: Provider) -> None:
    """One administrator, at once: sessions and open streams end, and a token opens nothing. Comes last."""
    reply = log_in(people, "kim", oidc.sign(good(oidc)))
    whoami(people, reply)
    pipeline = log_in(people, "ci", oidc.sign(good(oidc, sub="repo:acme/aurora", **REPOSITORY)))
    watch = gate_pb2_grpc.GateServiceStub(people.channel).WatchRelease(
        gate_pb2.WatchReleaseRequest(model=people.new_model().model, context="api"),
        metadata=(("authorization", f"Bearer {pipeline.token}"),),
        timeout=CALL_SECONDS,
    )
    next(watch)

    request = identity_pb2.DistrustIssuerRequest(name="issuers/sso", reason="its key leaked")
    assert people["admin"].identity.DistrustIssuer(request).state == "distrusted"

    with pytest.raises(grpc.RpcError) as ended:
        list(watch)
    assert answer_of(ended.value).reason == "UNAUTHENTICATED"
    with pytest.raises(grpc.RpcError):
        whoami(people, reply)
    assert refused(people, "kim", oidc.sign(good(oidc))) == "UNAUTHENTICATED"
