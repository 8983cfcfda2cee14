"""An OpenID provider that has gone wrong, as a login meets it: each time an error of ours, soon, and no token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from interlock.client.errors import InterlockError, ProfileError, UnauthenticatedError, UnavailableError
from interlock.client.oidc import Invitation, Wish, login, token_by_device
from interlock.client.oidc.idtoken import check_id_token
from interlock.client.oidc.provider import LogServer, NotYetError, Provider
from interlock.client.oidc.wire import MAX_BYTES, Wire, https_url
from interlock.proofs.login_nonce import login_nonce
from tests.support.hostile_issuer import CONFIGURATION, OTHER_NAME, HostileIssuer, hostile_issuer, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Says = Callable[[str], Iterable[bytes]]

pytestmark = pytest.mark.timeout(30)  # an answer that never ends is what some tests are about
CLIENT: Final = "interlock-log"
SERVER: Final = LogServer(b"l" * 16, "interlock")
BACK: Final = "http://127.0.0.1:1/callback"
WAIT_SECONDS: Final = 0.5


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileIssuer]:
    """Run a provider for the module."""
    with hostile_issuer(tmp_path_factory.mktemp("issuer")) as started:
        yield started


@pytest.fixture
def issuer(running: HostileIssuer, monkeypatch: pytest.MonkeyPatch) -> HostileIssuer:
    """Give a provider that is trusted as any of the machine's authorities, and says what a good one says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(running.ca_file))
    running.says = configured(running)
    running.asked.clear()
    return running


def configured(issuer: HostileIssuer, /, *token: bytes, **other: object) -> Says:
    """Return what says a good configuration, with ``other`` parts, and ``token`` at every other endpoint."""
    said = {
        "issuer": issuer.url,
        "authorization_endpoint": f"{issuer.url}/authorize",
        "token_endpoint": f"{issuer.url}/token",
        "device_authorization_endpoint": f"{issuer.url}/device",
    }
    body = json.dumps({name: one for name, one in (said | other).items() if one is not None}).encode()
    return lambda path: [http(body)] if path == CONFIGURATION else token


def of(issuer: HostileIssuer) -> Provider:
    """Return the provider as a login sees it."""
    return Provider(issuer.url, CLIENT, SERVER, Wire(WAIT_SECONDS))


def answered(**fields: object) -> bytes:
    """Return an answer of an endpoint."""
    return http(json.dumps(fields).encode())


def refused(**fields: object) -> bytes:
    """Return a refusal of an endpoint."""
    return http(json.dumps(fields).encode(), "400 Bad Request")


def token(claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    """Return a token with a signature that nobody here looks at."""
    parts = ({"alg": "RS256"} if header is None else header, claims)
    return ".".join(
        [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts] + ["AA"]
    )


def good(issuer: str, **other: object) -> dict[str, Any]:
    """Return claims that answer a login with the nonce `n`, with ``other`` ones, None for one left out."""
    now = int(time.time())
    claims = {"iss": issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300, "nonce": "n"} | other
    return {name: one for name, one in claims.items() if one is not None}


WRONG: dict[str, tuple[bytes, ...]] = {
    "nothing": (),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n",),
    "a header without end": (b"HTTP/1.1 200 OK\r\nX: ", b"x" * (1 << 17)),
    "less than it says": (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",),
    "not there": (http(b"", "404 Not Found"),),
    "out of order": (http(b'{"error": "x"}', "500 Internal Server Error"),),
    "a redirect": (http(b"{}", "302 Found", "Location: https://127.0.0.1:1/"),),
    "a redirect that is kept": (http(b"{}", "308 Permanent Redirect", "Location: https://127.0.0.1:1/"),),
    "too much": (http(b'{"id_token": "a.b.c"}' + b" " * MAX_BYTES),),
    "no JSON": (http(b"{"),),
    "deep JSON": (http(b"[" * 100_000),),
    "no UTF-8": (http(b'"\xff"'),),
    "a list": (http(b"[]"),),
    "nothing in it": (http(b"{}"),),
    "a name twice": (http(b'{"id_token": "a", "id_token": "b", "issuer": "x"}'),),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_provider_that_configures_nothing(wrong: str, issuer: HostileIssuer) -> None:
    """Whatever its configuration says, the login ends there."""
    issuer.says = lambda _path: WRONG[wrong]

    with pytest.raises(UnavailableError) as caught:
        of(issuer)
    assert caught.value.reason == "PROVIDER"
    assert issuer.asked == [CONFIGURATION]


@pytest.mark.parametrize("wrong", [*WRONG])
def test_a_provider_that_gives_nothing(wrong: str, issuer: HostileIssuer) -> None:
    """Whatever its other endpoints say, it is no token and no device."""
    issuer.says = configured(issuer, *WRONG[wrong])
    provider = of(issuer)
    question = provider.ask(BACK)

    for work in (lambda: provider.redeem(question, {"code": "c"}), provider.ask_device):
        with pytest.raises(UnavailableError) as caught:
            work()
        assert caught.value.reason == "PROVIDER"


@pytest.mark.parametrize("where", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b""])
def test_a_provider_that_drips(where: bytes, issuer: HostileIssuer) -> None:
    """All that it says has to be there in time, not each byte of it."""

    def drip(_path: str) -> Iterator[bytes]:
        yield where
        yield from issuer.drip()

    issuer.says = drip

    with pytest.raises(UnavailableError):
        of(issuer)


def test_a_provider_that_asks_for_patience_for_ever(issuer: HostileIssuer) -> None:
    """Interim answers (RFC 9110 §15.2) come before the answer; there is an end to them."""

    def patience(_path: str) -> Iterator[bytes]:
        while not issuer.over.wait(0.01):
            yield b"HTTP/1.1 100 Continue\r\n\r\n"

    issuer.says = patience

    with pytest.raises(UnavailableError):
        of(issuer)


def test_by_way_of_a_proxy(issuer: HostileIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of the environment is used, with its password; what goes through it is TLS with the provider."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=tunnel, args=(listener, issuer, asked), daemon=True).start()
        monkeypatch.setenv("https_proxy", f"http://kim:p%40ss@127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        issuer.says = configured(issuer, issuer=f"https://{OTHER_NAME}")

        Provider(f"https://{OTHER_NAME}", CLIENT, SERVER, Wire())

    head = asked[0].split(b"\r\n")
    assert head[0].startswith(f"CONNECT {OTHER_NAME}:443 HTTP/1.".encode())
    assert b"Proxy-Authorization: Basic a2ltOnBAc3M=" in head
    assert issuer.asked == [CONFIGURATION]


def tunnel(listener: socket.socket, issuer: HostileIssuer, asked: list[bytes]) -> None:
    """Be a proxy for one connection, which leads to the provider whatever name is asked for."""
    here, _ = listener.accept()
    with here, socket.create_connection(("127.0.0.1", urlsplit(issuer.url).port or 0)) as there:
        asked.append(here.recv(1 << 16))
        here.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=pump, args=(there, here), daemon=True).start()
        pump(here, there)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes, until one of the two is gone."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_who_gives_up_leaves_no_request(issuer: HostileIssuer) -> None:
    """A login that is interrupted cuts what is under way, long before its time is over, and asks nothing more."""
    issuer.says = lambda _path: issuer.drip()
    wire, ended = Wire(wait_seconds=600), threading.Event()

    def ask() -> None:
        with pytest.raises(UnavailableError):
            Provider(issuer.url, CLIENT, SERVER, wire)
        ended.set()

    threading.Thread(target=ask, daemon=True).start()
    while not issuer.asked:
        ended.wait(0.01)
    wire.cut()

    assert ended.wait(10)
    with pytest.raises(UnavailableError):
        wire.get(issuer.url + CONFIGURATION)


def test_a_login_that_is_cancelled_leaves_no_request(issuer: HostileIssuer) -> None:
    """What was under way is cut, long before its ten seconds are over."""
    gone = threading.Event()

    def drip(_path: str) -> Iterator[bytes]:
        try:
            yield from issuer.drip()
        finally:
            gone.set()

    async def run() -> None:
        work = login.token_by_browser_async(Wish(issuer.url, CLIENT, SERVER), lambda _told: None)
        task = asyncio.create_task(work)
        while not issuer.asked:
            await asyncio.to_thread(gone.wait, 0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await asyncio.to_thread(gone.wait, 8)

    issuer.says = drip
    asyncio.run(run())


@pytest.mark.parametrize(
    "other",
    [
        {"issuer": None},
        {"issuer": "https://127.0.0.1:1"},
        {"issuer": ["x"]},
    ],
    ids=str,
)
def test_another_issuer(other: dict[str, object], issuer: HostileIssuer) -> None:
    """The configuration is that of the issuer that was meant, to the letter (Discovery §4.3)."""
    issuer.says = configured(issuer, **other)

    with pytest.raises(UnavailableError):
        of(issuer)


@pytest.mark.parametrize(
    "url",
    [
        None,
        1,
        "",
        "http://127.0.0.1/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://[::1",
        "https://id.example:0/",
        "https://id.example:99999/",
        "https://kim@id.example/",
        "https://id.example/#f",
        "https://id.example/ -x",
        "https://id.example/\nX",
        "https://id.example\\@evil.example/",
        "https://ïd.example/",
        "--help",
        "https://id.example/" + "x" * 2048,
    ],
)
def test_an_endpoint_that_is_no_place_to_go(url: object, issuer: HostileIssuer) -> None:
    """It is neither opened in a browser nor asked."""
    issuer.says = configured(issuer, authorization_endpoint=url, token_endpoint=url, device_authorization_endpoint=url)
    provider = of(issuer)

    with pytest.raises(ValueError, match=r".*"):
        https_url(url)
    for work in (lambda: provider.ask(BACK), provider.ask_device):
        with pytest.raises(UnavailableError):
            work()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "", "id.example", "https://kim:x@id.example", "https://id.example/?x"]
)
def test_an_issuer_that_is_none(url: str) -> None:
    """Said of the profile before anything is sent: in the clear, or with a password in it."""
    with pytest.raises(ProfileError) as caught:
        Provider(url, CLIENT, SERVER, Wire(WAIT_SECONDS))
    assert caught.value.reason == "BAD_ISSUER"


def test_a_certificate_of_nobody_that_this_machine_trusts(
    issuer: HostileIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way out is named: which variable names an authority of one's own."""
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(UnavailableError, match="SSL_CERT_FILE") as caught:
        Wire().get(f"{issuer.url}/.well-known/openid-configuration")

    assert caught.value.reason == "PROVIDER"


def test_a_provider_without_pkce(issuer: HostileIssuer) -> None:
    """One that says which methods it has, and has not S256, is not asked by another."""
    for methods in (["plain"], [], "S256", {"S256": 1}):
        issuer.says = configured(issuer, code_challenge_methods_supported=methods)
        with pytest.raises(UnavailableError):
            of(issuer).ask(BACK)


def test_what_the_browser_is_sent_with(issuer: HostileIssuer) -> None:
    """Code flow, S256 over the verifier (RFC 7636 §4.2), no scope but openid, and nothing twice the same."""
    issuer.says = configured(issuer, authorization_endpoint=f"{issuer.url}/authorize?tenant=a")
    one, other = of(issuer).ask(BACK), of(issuer).ask(BACK)

    fields = {name: text for name, [text] in parse_qs(urlsplit(one.url).query).items()}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(one.verifier.encode()).digest()).rstrip(b"=").decode()
    assert one.nonce == login_nonce(SERVER.log_id, SERVER.name, one.nonce_secret)
    assert fields == {
        "tenant": "a",
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "scope": "openid",
        "state": one.state,
        "nonce": one.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    assert one.verifier not in one.url
    assert len({one.state, one.nonce, one.verifier, other.state, other.nonce, other.verifier}) == 6
    assert not {one.state, one.nonce, one.verifier} & {*repr(one).split("'")}


@pytest.mark.parametrize(
    ("says", "given", "stands"),
    [
        (True, "own", True),
        (True, None, False),
        (True, "https://another.example", False),
        (None, None, True),
        (None, "own", True),
        (None, "https://another.example", False),
        (None, "", False),
        ("true", None, True),
    ],
)
def test_the_issuer_in_the_answer(says: object, given: str | None, *, stands: bool, issuer: HostileIssuer) -> None:
    """RFC 9207: another's answer never counts, and none without it where the provider says that it is there."""
    issuer.says = configured(
        issuer, refused(error="invalid_grant"), authorization_response_iss_parameter_supported=says
    )
    provider = of(issuer)
    answer = {"code": "c"} | ({} if given is None else {"iss": issuer.url if given == "own" else given})

    with pytest.raises(UnauthenticatedError) as caught:
        provider.redeem(provider.ask(BACK), answer)
    assert caught.value.reason == ("PROVIDER_REFUSED" if stands else "OTHER_ISSUER")
    assert ("/token" in issuer.asked) is stands


@pytest.mark.parametrize("answer", [{}, {"code": ""}, {"code": "c" * 5000}], ids=["none", "empty", "long"])
def test_an_answer_without_a_code(answer: dict[str, str], issuer: HostileIssuer) -> None:
    """Nothing is asked with it."""
    provider = of(issuer)
    with pytest.raises(UnavailableError):
        provider.redeem(provider.ask(BACK), answer)
    assert issuer.asked == [CONFIGURATION]


def test_a_refusal_says_no_secret_and_moves_no_cursor(issuer: HostileIssuer) -> None:
    """What a provider says of an error is shown as a line of ASCII, and not at all where it quotes the code."""
    provider = of(issuer)
    question = provider.ask(BACK)
    for description, shown in (
        ("no\x1b[2J such\u202e code", "no[2J such code"),
        ("the code SECRET-1 is used", None),
        (f"verifier {question.verifier}", None),
        (["x"], None),
        ("x" * 5000, "x" * 200),
    ):
        issuer.says = configured(issuer, refused(error="invalid_grant", error_description=description))
        with pytest.raises(UnauthenticatedError) as caught:
            provider.redeem(question, {"code": "SECRET-1"})
        told = caught.value.message
        assert told.endswith(f"invalid_grant: {shown}" if shown else "refuses: invalid_grant")
        assert caught.value.__suppress_context__  # no traceback quotes it either


def test_a_person_who_refuses(issuer: HostileIssuer) -> None:
    """`access_denied`, from the page or the endpoint, is a no of somebody and not a failure."""
    provider = of(issuer)
    with pytest.raises(UnauthenticatedError) as caught:
        provider.redeem(provider.ask(BACK), {"error": "access_denied"})
    assert caught.value.reason == "ACCESS_DENIED"


@pytest.mark.parametrize(
    "said",
    [
        {"access_token": "a"},
        {"id_token": ""},
        {"id_token": 1},
        {"id_token": ["a.b.c"]},
        {"id_token": "a" * 20000},
        {"id_token": "é.é.é"},
    ],
    ids=["none", "empty", "a number", "a list", "long", "no ASCII"],
)
def test_what_is_no_id_token(said: dict[str, object], issuer: HostileIssuer) -> None:
    """It is not sent to the server."""
    issuer.says = configured(issuer, answered(token_type="Bearer", **said))
    provider = of(issuer)
    with pytest.raises(UnavailableError):
        provider.redeem(provider.ask(BACK), {"code": "c"})


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "https://another.example"},
        {"iss": None},
        {"iss": ["https://id.example"]},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": CLIENT},
        {"aud": None},
        {"aud": {CLIENT: 1}},
        {"azp": "another"},
        {"nonce": "m"},
        {"nonce": None},
        {"nonce": ["n"]},
        {"sub": None},
        {"sub": 1},
        {"exp": None},
        {"exp": "never"},
        {"exp": 1},
        {"iat": None},
        {"iat": []},
        {"nbf": {}},
    ],
    ids=str,
)
def test_a_token_that_answers_another_login(other: dict[str, object]) -> None:
    """Issuer, audience and nonce to the letter, and the forms that they have to have."""
    check_id_token(token(good("https://id.example")), "https://id.example", CLIENT, "n")
    check_id_token(token(good("https://id.example", aud=[CLIENT])), "https://id.example", CLIENT, "n")

    with pytest.raises(UnauthenticatedError) as caught:
        check_id_token(token(good("https://id.example", **other)), "https://id.example", CLIENT, "n")
    assert caught.value.reason == "OTHER_TOKEN"


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "NONE"}, {"alg": ""}, {"alg": None}, {}, {"typ": "JWT"}])
def test_a_token_without_a_signature(header: dict[str, object]) -> None:
    """Not even the provider itself is believed without one: the server would not."""
    with pytest.raises(UnauthenticatedError):
        check_id_token(token(good("https://id.example"), header), "https://id.example", CLIENT, "n")


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a.b.c",
        "....",
        "e30.e30.e30",
        "W10.W10.AA",
        "bnVsbA.bnVsbA.AA",
        token({}),
        "." + token({}),
        token({})[:-3],
        f"eyJhbGciOiJSUzI1NiJ9.{base64.urlsafe_b64encode(b'[' * 9000).rstrip(b'=').decode()}.AA",
    ],
)
def test_what_is_no_token(text: str) -> None:
    """Whatever it is, it is refused, and is no fault of ours."""
    with pytest.raises(UnauthenticatedError):
        check_id_token(text, "https://id.example", CLIENT, "n")


DEVICE: Final = {
    "device_code": "SECRET-2",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://id.example/device",
    "expires_in": 60,
}


@pytest.mark.parametrize(
    "other",
    [
        {"device_code": None},
        {"device_code": 1},
        {"user_code": ""},
        {"user_code": "AB\x1b[2JCD"},
        {"user_code": "A" * 100},
        {"verification_uri": "http://id.example/device"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": None},
        {"expires_in": None},
        {"expires_in": 0},
        {"expires_in": True},
        {"expires_in": float("nan")},
        {"expires_in": float("inf")},
        {"expires_in": "60"},
        {"interval": "5"},
        {"interval": -1},
        {"interval": 1e300},
    ],
    ids=str,
)
def test_a_device_that_is_none(other: dict[str, object], issuer: HostileIssuer) -> None:
    """Nobody is sent to a page in the clear, or told a code that acts on the screen, or asked to wait for ever."""
    issuer.says = configured(issuer, answered(**(DEVICE | other)))

    with pytest.raises(UnavailableError):
        of(issuer).ask_device()


@pytest.mark.parametrize(("interval", "pause"), [(None, 5), (0, 1), (1, 1), (7.5, 7.5), (3600, 60)])
def test_how_often_a_provider_is_asked(interval: float | None, pause: float, issuer: HostileIssuer) -> None:
    """At most once a second, at least once a minute, whatever it says (RFC 8628 §3.2)."""
    said = DEVICE | ({} if interval is None else {"interval": interval})
    issuer.says = configured(issuer, answered(**said))

    device = of(issuer).ask_device()

    assert device.pause_seconds == pause
    assert "SECRET-2" not in repr(device)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("authorization_pending", None),
        ("slow_down", None),
        ("access_denied", "ACCESS_DENIED"),
        ("expired_token", "PROVIDER_REFUSED"),
        ("invalid_client", "PROVIDER_REFUSED"),
    ],
)
def test_what_a_device_is_told(error: str, reason: str | None, issuer: HostileIssuer) -> None:
    """Two words ask for patience; every other one ends it (RFC 8628 §3.5)."""
    issuer.says = configured(issuer, answered(**DEVICE))
    provider = of(issuer)
    device = provider.ask_device()
    issuer.says = configured(issuer, refused(error=error, error_description="SECRET-2"))

    with pytest.raises((NotYetError, InterlockError)) as caught:
        provider.redeem_device(device)
    told = caught.value
    assert "SECRET-2" not in str(told)
    assert (told.reason if isinstance(told, InterlockError) else None) == reason
    assert getattr(told, "slower", False) is (error == "slow_down")


def test_a_provider_that_is_asked_too_fast(issuer: HostileIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again, more slowly, until somebody has typed the code (RFC 8628 §3.5)."""
    monkeypatch.setattr(login, "DEFAULT_PAUSE", 0)
    answers = [refused(error="slow_down"), answered(id_token=token(good(issuer.url, nonce=None)), token_type="Bearer")]
    configuration = configured(issuer, answered(**(DEVICE | {"interval": 0})))
    issuer.says = lambda path: [answers.pop(0)] if path == "/token" else configuration(path)
    told: list[Invitation] = []

    given = token_by_device(Wish(issuer.url, CLIENT, SERVER), told.append)

    assert (given.nonce_secret, answers) == (b"", [])
    assert told == [Invitation("https://id.example/device", "ABCD-EFGH")]
    assert given.text not in repr(given)


def test_a_device_of_somebody_elses_browser_gets_no_code_of_it(issuer: HostileIssuer) -> None:
    """Words of patience mean nothing where a code is redeemed: they are a refusal there."""
    issuer.says = configured(issuer, refused(error="authorization_pending"))
    provider = of(issuer)
    with pytest.raises(UnauthenticatedError):
        provider.redeem(provider.ask(BACK), {"code": "c"})
