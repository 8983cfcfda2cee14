"""Keys of an OpenID provider that has gone wrong: each time an error of ours, soon, and nobody logs in by it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from interlock.service.identity.jwks import MAX_BYTES, JwksError, KeySets
from tests.support.hostile_issuer import CONFIGURATION, KEYS, HostileIssuer, hostile_issuer, http, jwk_of
from tests.support.service import HandClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Says = Callable[[str], Iterable[bytes]]
    Wrong = Callable[[HostileIssuer], Says]

pytestmark = pytest.mark.timeout(30)  # an answer that never ends is what some tests are about
SECOND = 1_000_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileIssuer]:
    """Run a provider for the module."""
    with hostile_issuer(tmp_path_factory.mktemp("issuer")) as started:
        yield started


@pytest.fixture
def issuer(running: HostileIssuer) -> HostileIssuer:
    """Give a provider whose answers a test gives, and that nobody has asked for anything."""
    running.says = running.good({"keys": []})
    running.asked.clear()
    return running


@pytest.fixture
def clock() -> HandClock:
    """Give a clock that stands."""
    return HandClock()


@pytest.fixture
def keys(issuer: HostileIssuer, clock: HandClock) -> KeySets:
    """Give a server's keys of issuers, which waits half a second for an answer instead of five."""
    return KeySets(clock.ticks_us, issuer.ca_file, wait_seconds=0.5)


def find(keys: KeySets, issuer: HostileIssuer, key_id: str = "k") -> Any:  # noqa: ANN401  # a key of PyJWT
    """Ask for a key."""
    return asyncio.run(keys.find(issuer.url, key_id))


def always(*parts: bytes) -> Wrong:
    """Return what answers every path alike."""
    return lambda _issuer: lambda _path: parts


def keys_are(body: bytes) -> Wrong:
    """Return what says its configuration, and these bytes as its keys."""

    def wrong(issuer: HostileIssuer) -> Says:
        good = issuer.good({})
        return lambda path: [http(body)] if path == KEYS else good(path)

    return wrong


WRONG: dict[str, Wrong] = {
    "nothing": always(),
    "no HTTP": always(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "a status that is no number": always(b"HTTP/1.1 fine\r\n\r\n"),
    "a header without end": always(b"HTTP/1.1 200 OK\r\nX: ", b"x" * (1 << 17)),
    "headers without end": always(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n" * 500, b"\r\n{}"),
    "less than it says": always(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"),
    "chunks of no length": always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "not there": always(http(b"", "404 Not Found")),
    "out of order": always(http(b"", "500 Internal Server Error")),
    "a redirect": always(http(b"", "302 Found", "Location: https://127.0.0.1:1/")),
    "too much": always(http(b" " * (MAX_BYTES + 1))),
    "no JSON": always(http(b"{")),
    "deep JSON": always(http(b"[" * 100_000)),
    "no UTF-8": always(http(b'"\xff"')),
    "a list": always(http(b"[]")),
    "another issuer": lambda issuer: issuer.good({"keys": []}, issuer=issuer.url + "/"),
    "keys nowhere": lambda issuer: issuer.good({"keys": []}, jwks_uri=None),
    "keys in the clear": lambda issuer: issuer.good({"keys": []}, jwks_uri="http://127.0.0.1:1/keys"),
    "keys in a file": lambda issuer: issuer.good({"keys": []}, jwks_uri="file:///etc/passwd"),
    "keys at no place": lambda issuer: issuer.good({"keys": []}, jwks_uri="https://[::1"),
    "keys at a strange place": lambda issuer: issuer.good({"keys": []}, jwks_uri="https://127.0.0.1:1/a b\r\nX: y"),
    "keys: a list": keys_are(b"[]"),
    "keys: none": keys_are(b'{"keys": []}'),
    "keys: no list": keys_are(b'{"keys": {"kid": "k"}}'),
    "keys: numbers": keys_are(b'{"keys": [1, null]}'),
    "keys: of no kind": keys_are(b'{"keys": [{"kid": "k"}]}'),
    "keys: broken": keys_are(b'{"keys": [{"kid": "k", "kty": "RSA", "n": "AQ", "e": []}]}'),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_issuer_that_answers_wrongly(wrong: str, issuer: HostileIssuer, keys: KeySets) -> None:
    """An error of ours, whatever its endpoint says: an unknown caller can't make the server fail at it."""
    issuer.says = WRONG[wrong](issuer)

    with pytest.raises(JwksError):
        find(keys, issuer)


@pytest.mark.parametrize("where", ["its headers", "its body", "its first line"])
def test_regression_an_issuer_that_drips(where: str, issuer: HostileIssuer, keys: KeySets) -> None:
    """All that it says has to be there in time, not each byte of it: else its thread would stay for days."""
    heads = {
        "its headers": b"HTTP/1.1 200 OK\r\nX: ",
        "its body": b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n",
        "its first line": b"",
    }

    def drip(_path: str) -> Iterator[bytes]:
        yield heads[where]
        yield from issuer.drip()

    issuer.says = drip

    with pytest.raises(JwksError):
        find(keys, issuer)


def test_an_issuer_that_is_down(keys: KeySets) -> None:
    """Nobody listens."""
    with pytest.raises(JwksError):
        asyncio.run(keys.find("https://127.0.0.1:1", "k"))


def test_keys_outlive_an_issuer_for_an_hour(issuer: HostileIssuer, keys: KeySets, clock: HandClock) -> None:
    """What was fetched counts on while the issuer answers nonsense, and no longer than an hour."""
    issuer.says = issuer.good({"keys": [jwk_of(rsa.generate_private_key(65537, 2048).public_key())]})
    assert find(keys, issuer) is not None
    issuer.says = lambda _path: [b"nonsense"]

    clock.ticks += 3599 * SECOND
    assert find(keys, issuer) is not None
    clock.ticks += 11 * SECOND

    with pytest.raises(JwksError):
        find(keys, issuer)


def test_an_issuer_is_asked_at_most_once_in_ten_seconds(issuer: HostileIssuer, keys: KeySets, clock: HandClock) -> None:
    """Whoever makes up key ids does not make the server ask for each."""
    issuer.says = issuer.good({"keys": [jwk_of(rsa.generate_private_key(65537, 2048).public_key())]})

    for number in range(50):
        assert find(keys, issuer, f"made-up-{number}") is None
    assert issuer.asked == [CONFIGURATION, KEYS]

    clock.ticks += 10 * SECOND
    find(keys, issuer, "made-up")
    assert issuer.asked == [CONFIGURATION, KEYS] * 2


def test_a_key_for_encryption_signs_nothing(issuer: HostileIssuer, keys: KeySets) -> None:
    """A key that says that it is for something else is none of the set."""
    public = rsa.generate_private_key(65537, 2048).public_key()
    issuer.says = issuer.good({"keys": [jwk_of(public, use="enc"), jwk_of(public, kid="other")]})

    assert find(keys, issuer) is None


def test_who_waits_for_an_issuer_does_not_stop_the_others(issuer: HostileIssuer, keys: KeySets) -> None:
    """While one issuer is silent, the keys of another are found."""
    issuer.says = lambda _path: issuer.drip()

    async def both() -> tuple[object, ...]:
        slow = asyncio.create_task(keys.find(issuer.url, "k"))
        quick = asyncio.create_task(keys.find("https://127.0.0.1:1", "k"))
        first, _ = await asyncio.wait([slow, quick], return_when=asyncio.FIRST_COMPLETED)
        [done] = first
        assert done is quick
        return await asyncio.gather(slow, quick, return_exceptions=True)

    assert [type(error) for error in asyncio.run(both())] == [JwksError, JwksError]
    assert issuer.asked == [CONFIGURATION]
