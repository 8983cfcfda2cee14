"""The door on loopback that a provider's answer comes back to: one answer comes in by it, and nothing else does."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from interlock.client.errors import InvalidRequestError
from interlock.client.oidc import listener as listening
from interlock.client.oidc.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STATE: Final = "s-1"
WAIT_SECONDS: Final = 20


def in_one(body: Callable[[Listener], Awaitable[None]]) -> None:
    """Run a test with a listener that expects an answer."""

    async def run() -> None:
        async with asyncio.timeout(WAIT_SECONDS), Listener() as door:
            door.expect(STATE)
            await body(door)

    asyncio.run(run())


async def say(door: Listener, data: bytes) -> bytes:
    """Send bytes, and return everything that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
    writer.write(data)
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


def port_of(door: Listener) -> int:
    """Return where it listens."""
    return int(door.redirect_uri.split(":")[2].split("/")[0])


def get(door: Listener, target: str, method: str = "GET", host: str | None = None) -> bytes:
    """Return a request as browsers send it."""
    return f"{method} {target} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port_of(door)}'}\r\n\r\n".encode()


def status(answer: bytes) -> int:
    """Return the status of an answer, 0 for none."""
    return int(answer.split(b" ")[1]) if answer else 0


def test_the_answer_comes_in_once() -> None:
    """The fields are given; the same answer a second time is none."""

    async def body(door: Listener) -> None:
        request = get(door, f"/callback?code=c%2F1&state={STATE}&iss=https%3A%2F%2Fid.example")
        first, again = await say(door, request), await say(door, request)

        assert await door.wait() == {"code": "c/1", "state": STATE, "iss": "https://id.example"}
        assert (status(first), status(again)) == (200, 400)

    in_one(body)


def test_the_page_repeats_nothing_and_is_kept_nowhere() -> None:
    """What came with the answer is on no page, runs no script, and is in no cache."""

    async def body(door: Listener) -> None:
        page = await say(door, get(door, f"/callback?code=%3Cscript%3E&state={STATE}"))

        assert b"script" not in page
        assert STATE.encode() not in page
        head = page.split(b"\r\n\r\n")[0].lower()
        assert b"cache-control: no-store" in head
        assert b"content-security-policy: default-src 'none'" in head
        assert b"referrer-policy: no-referrer" in head

    in_one(body)


@pytest.mark.parametrize(
    ("target", "method", "expected"),
    [
        ("/", "GET", 404),
        ("/favicon.ico", "GET", 404),
        (f"/callback/?code=c&state={STATE}", "GET", 404),
        (f"//callback?code=c&state={STATE}", "GET", 404),
        (f"http://127.0.0.1/callback?code=c&state={STATE}", "GET", 404),
        (f"/callback?code=c&state={STATE}", "POST", 405),
        (f"/callback?code=c&state={STATE}", "HEAD", 405),
        (f"/callback?code=c&state={STATE}", "OPTIONS", 405),
        ("/callback", "GET", 400),
        ("/callback?code=c", "GET", 400),
        ("/callback?code=c&state=", "GET", 400),
        ("/callback?code=c&state=s-2", "GET", 400),
        ("/callback?code=c&state=%C3%A9", "GET", 400),
        ("/callback?code=c&state=%FF", "GET", 400),
        (f"/callback?code=c&code=d&state={STATE}", "GET", 400),
        (f"/callback?code=c&state={STATE}&state={STATE}", "GET", 400),
        (f"/callback?code&state={STATE}", "GET", 400),
        ("/callback?" + "a=b&" * 20 + f"state={STATE}", "GET", 400),
        ("/callback?code=é", "GET", 400),
    ],
)
def test_a_request_that_is_not_the_answer(target: str, method: str, expected: int) -> None:
    """It is told so, ends nothing, and the answer still comes in."""

    async def body(door: Listener) -> None:
        assert status(await say(door, get(door, target, method))) == expected

        assert status(await say(door, get(door, f"/callback?code=c&state={STATE}"))) == 200
        assert (await door.wait())["code"] == "c"

    in_one(body)


@pytest.mark.parametrize("host", ["localhost", "evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{port}, evil"])
def test_a_page_that_calls_this_machine_by_another_name(host: str) -> None:
    """DNS that is bound anew to 127.0.0.1 brings the browser here, but with its own name in Host."""

    async def body(door: Listener) -> None:
        named = host.format(port=port_of(door))

        assert status(await say(door, get(door, f"/callback?code=c&state={STATE}", host=named))) == 400

    in_one(body)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01" + b"\x00" * 100,
        b"GET /callback?state=s-1 HTTP/2\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /callback HTTP/1.1\r\n" + b"X: y\r\n" * 10000,
        b"A" * 100_000,
    ],
    ids=["nothing", "no line", "no target", "TLS", "another version", "headers without end", "a line without end"],
)
def test_whatever_is_no_http(data: bytes) -> None:
    """It is refused or cut, and the answer still comes in."""

    async def body(door: Listener) -> None:
        with suppress(ConnectionError):
            assert status(await say(door, data)) in {0, 400}

        assert status(await say(door, get(door, f"/callback?code=c&state={STATE}"))) == 200

    in_one(body)


def test_nothing_is_an_answer_before_it_is_expected() -> None:
    """Whoever is here before the browser, with no state or an empty one, brings nothing in."""

    async def run() -> None:
        async with asyncio.timeout(WAIT_SECONDS), Listener() as door:
            for query in ("code=c", "code=c&state=", f"code=c&state={STATE}"):
                assert status(await say(door, get(door, f"/callback?{query}"))) == 400

    asyncio.run(run())


def test_connections_that_are_kept_open_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than are kept: the oldest goes, and the browser is answered."""
    monkeypatch.setattr(listening, "_READ_SECONDS", 600)

    async def body(door: Listener) -> None:
        idle = [
            await asyncio.open_connection("127.0.0.1", port_of(door))
            for _ in range(listening._MOST_OPEN + 16)  # noqa: SLF001  # its own limit
        ]
        assert status(await say(door, get(door, f"/callback?code=c&state={STATE}"))) == 200
        assert await idle[0][0].read() == b""
        for _, writer in idle:
            writer.close()

    in_one(body)


def test_a_drip_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request has to be there in time, not each byte of it."""
    monkeypatch.setattr(listening, "_READ_SECONDS", 0.3)

    async def body(door: Listener) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
        dripping = asyncio.create_task(drip(writer))
        assert await reader.read() == b""
        dripping.cancel()
        writer.close()

    in_one(body)


async def drip(writer: asyncio.StreamWriter) -> None:
    """Send a byte every twentieth of a second."""
    while True:
        writer.write(b"G")
        await asyncio.sleep(0.05)


def test_afterwards_nobody_listens() -> None:
    """The port is free again, and a connection that was open is closed."""

    async def run() -> int:
        async with Listener() as door:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(door))
            await asyncio.sleep(0)
        assert await reader.read() == b""
        writer.close()
        return port_of(door)

    port = asyncio.run(run())

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize("port", ["taken", 70000, -1])
def test_a_port_that_cannot_be_had(port: int | str) -> None:
    """Somebody else listens there, or there is none of that number: said at once, as usage."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(InvalidRequestError) as caught:
        Listener(other.getsockname()[1] if port == "taken" else int(port))

    assert caught.value.reason == "PORT_TAKEN"


def test_it_listens_on_loopback_alone() -> None:
    """Nobody of the network reaches it."""

    async def body(door: Listener) -> None:
        [listener] = door._server.sockets  # type: ignore[union-attr]  # noqa: SLF001  # entered
        assert listener.getsockname()[0] == "127.0.0.1"

    in_one(body)
