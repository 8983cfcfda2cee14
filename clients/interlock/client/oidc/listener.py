"""The one door of a login in a browser: a listener on loopback for one answer (RFC 8252 §7.3).

It listens on 127.0.0.1 alone, on a free port or the one asked for, from before the browser opens until the answer came.
What anybody else on this machine, or a page in the browser, may do to it: ask for other paths (404), by other methods
(405) or names (400), answer with another state (400), keep connections open (each is cut after some seconds, and there
is an end to their number). None of it ends the login, and nothing that is sent comes back on the page.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qsl, urlsplit

from interlock.client.errors import InvalidRequestError

if TYPE_CHECKING:
    from types import TracebackType

PATH: Final = "/callback"
_HOST: Final = "127.0.0.1"
_GREATEST_PORT: Final = 65535
_READ_SECONDS: Final = 5.0
_MAX_HEAD: Final = 16384
_MAX_FIELDS: Final = 16
_MOST_OPEN: Final = 64

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Interlock</title></head>
<body><p>{words}</p></body></html>
"""
_TAKEN: Final = "Interlock has your provider's answer. The terminal says whether you are logged in; close this window."
_HEADERS: Final = (
    "Content-Type: text/html; charset=utf-8",
    "Cache-Control: no-store",
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy: no-referrer",
    "X-Content-Type-Options: nosniff",
    "Connection: close",
)


class OddRequestError(Exception):
    """A request that is not the answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__()
        self.status = status


class Listener:
    """Listens while it is entered. `expect` the state, then `wait` for the answer."""

    def __init__(self, port: int = 0) -> None:
        """Take a port, 0 for any that is free. Raises InvalidRequestError where it is taken."""
        if not 0 <= port <= _GREATEST_PORT:
            raise InvalidRequestError(f"there is no port {port}", reason="PORT_TAKEN")
        try:
            self._socket = socket.create_server((_HOST, port))
        except OSError as error:
            raise InvalidRequestError(f"port {port} of {_HOST} can't be had: {error}", reason="PORT_TAKEN") from error
        self._port = self._socket.getsockname()[1]
        self._state: str | None = None
        self._answer: asyncio.Future[dict[str, str]] | None = None
        self._server: asyncio.Server | None = None
        self._is_taken = False
        self._open: dict[asyncio.Task[None], None] = {}

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back to."""
        return f"http://{_HOST}:{self._port}{PATH}"

    async def __aenter__(self) -> Self:
        """Start listening."""
        self._answer = asyncio.get_running_loop().create_future()
        self._server = await asyncio.start_server(self._serve, sock=self._socket, limit=_MAX_HEAD)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, and leave no connection."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._socket.close()

    def expect(self, state: str) -> None:
        """Say which answer is meant; before that, none is."""
        self._state = state

    async def wait(self) -> dict[str, str]:
        """Return the fields of the one answer with the state that is expected."""
        assert self._answer is not None  # noqa: S101  # entered before
        return await self._answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # asyncio runs this in one
        if len(self._open) >= _MOST_OPEN:
            oldest = next(iter(self._open))  # a browser says at once what it wants
            del self._open[oldest]
            oldest.cancel()
        self._open[task] = None
        try:
            async with asyncio.timeout(_READ_SECONDS):
                await self._converse(reader, writer)
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            pass  # whoever it was, it was not the answer, or does not read ours
        except asyncio.CancelledError:
            pass  # it ends here, as it should; asyncio of Python 3.11 logs a handler that was cancelled as a fault
        finally:
            self._open.pop(task, None)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = None
        try:
            fields = self._taken(head)
            status, words = HTTPStatus.OK, _TAKEN
        except OddRequestError as odd:
            status, words = odd.status, odd.status.phrase
        body = _PAGE.format(words=words).encode()
        lines = (f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Length: {len(body)}", *_HEADERS, "", "")
        try:
            writer.write("\r\n".join(lines).encode("ascii") + body)
            await writer.drain()
            writer.write_eof()
        finally:  # also where the browser does not wait for its page
            if fields is not None and self._answer is not None and not self._answer.done():
                self._answer.set_result(fields)

    def _taken(self, head: bytes) -> dict[str, str]:
        """Return the one answer. Raises OddRequestError for every request that is none, and for a second one."""
        fields = read_answer(head, f"{_HOST}:{self._port}", self._state)
        if self._is_taken:
            raise OddRequestError(HTTPStatus.BAD_REQUEST)
        self._is_taken = True
        return fields


def read_answer(head: bytes, host: str, state: str | None) -> dict[str, str]:
    """Return what an answer says that a browser brings to ``host``; with ``state`` None there is none.

    Raises OddRequestError for every request that is no answer.
    """
    try:
        first, *lines = head.decode("ascii").split("\r\n")
        method, target, version = first.split(" ")
        query = urlsplit(target).query
        said = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise OddRequestError(HTTPStatus.BAD_REQUEST) from error
    # Another name for this address is how a page of somebody else's would get an answer of ours.
    hosts = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("host:")]
    if not version.startswith("HTTP/1.") or hosts != [host]:
        raise OddRequestError(HTTPStatus.BAD_REQUEST)
    if target.partition("?")[0] != PATH:
        raise OddRequestError(HTTPStatus.NOT_FOUND)
    if method != "GET":
        raise OddRequestError(HTTPStatus.METHOD_NOT_ALLOWED)
    # RFC 6749 §3.1: no parameter twice.
    fields = dict(said)
    if len(fields) != len(said) or state is None or not _same(fields.get("state", ""), state):
        raise OddRequestError(HTTPStatus.BAD_REQUEST)
    return fields


def _same(one: str, other: str) -> bool:
    """Compare two texts in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
