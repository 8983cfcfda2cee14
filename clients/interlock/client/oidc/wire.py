"""Requests to an OpenID provider: HTTPS alone, no redirect, and the whole answer in time and within a size.

A timeout of a socket is one for each read, so a provider that sends a byte every few seconds would keep a login for
days; here the connection is cut when the time is over, wherever it is. A proxy of the environment is used, as by any
program of a workstation, except to loopback. `Wire` is the session that Authlib's client sends by.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

from interlock.client.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

WAIT_SECONDS: Final = 10.0
MAX_BYTES: Final = 1 << 18
MAX_URL: Final = 2048
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_TEXTS: Final = ("access_token", "id_token", "token_type", "error", "error_description")


def broken(what: str) -> UnavailableError:
    """Return the error of a provider that does not answer as one."""
    return UnavailableError(f"the OpenID provider: {what}", reason="PROVIDER")


def https_url(url: object) -> SplitResult:
    """Return the parts of a url that may be asked or opened. Raises ValueError for any other."""
    if not isinstance(url, str) or len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("no url")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.port == 0:
        raise ValueError("not https")
    if parts.username is not None or parts.password is not None or "#" in url or "\\" in url:
        raise ValueError("a user or a fragment in a url")
    return parts


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered: a status, and an object of JSON. The names are those that Authlib asks for."""

    url: str
    status_code: int
    said: Mapping[str, Any]

    def json(self) -> dict[str, Any]:
        """Return what it says."""
        return dict(self.said)

    def raise_for_status(self) -> None:
        """Raise UnavailableError: Authlib asks only where the answer is none of the protocol."""
        raise broken(f"{self.url} answers with status {self.status_code}")


class Wire:
    """Asks one provider, one thing at a time. `cut` ends a request under way, from any thread."""

    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        """Trust the authorities that this machine trusts, or those of SSL_CERT_FILE; ``wait_seconds`` a request."""
        self._context = ssl.create_default_context()
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._is_cut = False
        self._under_way: _Connection | None = None

    def cut(self) -> None:
        """End the request under way, if there is one, and refuse the next."""
        with self._lock:
            self._is_cut = True
            if self._under_way is not None:
                self._under_way.cut()

    def get(self, url: str) -> Answer:
        """Ask for a document. Raises UnavailableError for anything but 200 and an object of JSON."""
        answer = self._ask("GET", url, None, {})
        if answer.status_code != HTTPStatus.OK:
            answer.raise_for_status()
        return answer

    def post(self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: Any) -> Answer:  # noqa: ANN401  # Authlib's ClientAuth
        """Send a form, and return what came back, an error of the protocol too. Raises UnavailableError."""
        where, more, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        answer = self._ask("POST", where, body.encode("ascii"), more)
        said = {name: text for name, text in answer.said.items() if name not in _TEXTS or isinstance(text, str)}
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or (
            answer.status_code != HTTPStatus.OK and "error" not in said
        ):
            answer.raise_for_status()
        if "error" in said:
            # As they may be shown: RFC 6749 §5.2 has a set of characters for them, and Authlib raises for others.
            said["error"], said["error_description"] = (
                spoken(said.get(name)) for name in ("error", "error_description")
            )
        return Answer(url, answer.status_code, said)

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = None
        try:
            parts = https_url(url)
            connection = self._connection(parts)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, path, body, {"Accept": "application/json", "User-Agent": "interlock", **headers})
            with connection.getresponse() as answer:
                status, data = answer.status, answer.read(MAX_BYTES + 1)
        except ssl.SSLCertVerificationError as error:
            hint = "this machine does not trust its certificate; SSL_CERT_FILE names an authority of your own"
            raise broken(f"{_shown(url)}: {hint}: {spoken(str(error))}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise broken(f"{_shown(url)}: {type(error).__name__}: {spoken(str(error))}") from error
        finally:
            with self._lock:
                self._under_way = None
            if connection is not None:
                connection.end()
        if len(data) > MAX_BYTES:
            raise broken(f"{_shown(url)} answers with more than {MAX_BYTES} bytes")
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            raise broken(f"{_shown(url)} sends elsewhere, which is not followed")
        return Answer(_shown(url), status, _object(data, _shown(url), status))

    def _connection(self, parts: SplitResult) -> _Connection:
        host, port = parts.hostname or "", parts.port or 443
        proxy = None if host in _LOOPBACK or proxy_bypass(host) else getproxies().get("https")
        if proxy:
            through = urlsplit(proxy if "//" in proxy else f"//{proxy}")
            made = _Connection(
                through.hostname or "", through.port or 8080, timeout=self._wait_seconds, context=self._context
            )
            made.set_tunnel(host, port, _proxy_headers(through))
        else:
            made = _Connection(host, port, timeout=self._wait_seconds, context=self._context)
        with self._lock:
            if self._is_cut:
                raise OSError("it was given up")
            self._under_way = made
        return made


class _Cut(http.client.HTTPConnection):
    """A connection that is cut once its ``timeout`` is over, counted from when it stood."""

    _alarm: threading.Timer | None = None
    _twin: socket.socket | None = None
    _is_cut = False

    def connect(self) -> None:
        """Connect, and set the alarm; what wraps the socket in TLS comes after this."""
        super().connect()
        # A twin of the descriptor: TLS takes the socket's own away from it. Cutting one cuts the connection.
        self._twin = self.sock.dup()
        self._alarm = threading.Timer(self.timeout or 0, self.cut)
        self._alarm.daemon = True
        self._alarm.start()
        if self._is_cut:
            self.cut()

    def cut(self) -> None:
        """Cut it, wherever it is; one that does not stand yet, as soon as it does."""
        self._is_cut = True
        twin = self._twin
        with suppress(OSError):  # it is over already
            if twin is not None:
                twin.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Close it, whatever became of it."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._twin is not None:
            self._twin.close()
        self.close()


class _Connection(http.client.HTTPSConnection, _Cut):
    """The same with TLS: its ``connect`` calls the one above before the handshake."""


def spoken(text: object, most: int = 200) -> str:
    """Return a provider's word as far as it may be said again (RFC 6749 §4.1.2.1), and no more of it than a line."""
    kept = [one for one in text if " " <= one <= "~" and one not in '"\\'] if isinstance(text, str) else []
    return "".join(kept[:most])


def _shown(url: str) -> str:
    """Return a url without its query, which may hold what nobody else should read."""
    return url.partition("?")[0]


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(words.encode()).decode()}"}


def _object(data: bytes, url: str, status: int) -> dict[str, Any]:
    try:
        said = json.loads(data, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise broken(f"{url} answers with no JSON, status {status}") from error
    if not isinstance(said, dict):
        raise broken(f"{url} answers with no object, status {status}")
    return said


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found
