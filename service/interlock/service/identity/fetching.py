"""One GET over HTTPS whose whole answer has to be there in time: no redirect, no proxy, no byte past a limit.

A timeout of a socket is one for each read, so who sends a byte every few seconds would keep a thread for days; here the
connection is cut when the time is over, wherever it is: in the handshake, in the headers, in the body.
"""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl


class FetchError(Exception):
    """Nothing good came in time; the message is for the log."""


class _Cut(http.client.HTTPConnection):
    """A connection that is cut once its ``timeout`` is over, counted from when it stood."""

    _alarm: threading.Timer | None = None
    _twin: socket.socket | None = None

    def connect(self) -> None:
        """Connect, and set the alarm; what wraps the socket in TLS comes after this."""
        super().connect()
        # A twin of the descriptor: TLS takes the socket's own away from it. Cutting one cuts the connection.
        self._twin = self.sock.dup()
        self._alarm = threading.Timer(self.timeout or 0, _cut, (self._twin,))
        self._alarm.daemon = True
        self._alarm.start()

    def end(self) -> None:
        """Close it, whatever became of it."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._twin is not None:
            self._twin.close()
        self.close()


class _Connection(http.client.HTTPSConnection, _Cut):
    """The same with TLS: its ``connect`` calls the one above before the handshake."""


def _cut(twin: socket.socket) -> None:
    with suppress(OSError):  # it is over already
        twin.shutdown(socket.SHUT_RDWR)


def fetch(url: str, context: ssl.SSLContext, wait_seconds: float, most_bytes: int) -> bytes:
    """Return the body of what a url answers. Raises FetchError for anything but 200 and a body within the bounds."""
    connection = None
    try:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise FetchError(f"{url} is not https")
        connection = _Connection(parts.hostname, parts.port or 443, timeout=wait_seconds, context=context)
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        with connection.getresponse() as answer:
            if answer.status != HTTPStatus.OK:
                raise FetchError(f"{url}: status {answer.status}")
            data = answer.read(most_bytes + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchError(f"{url}: {type(error).__name__}: {error}") from error
    finally:
        if connection is not None:
            connection.end()
    if len(data) > most_bytes:
        raise FetchError(f"{url}: more than {most_bytes} bytes")
    return data
