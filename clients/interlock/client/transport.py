"""Calls over the wire: TLS with the profile's own CA, sessions, deadlines and retries.

Every unary call goes through `Transport.call`: 1 a session, kept or new · 2 the call, within what is left of the
deadline · 3 UNAUTHENTICATED: one new login, once · 4 UNAVAILABLE: again after a pause, the very same request, so that a
mutation keeps its request id · 5 the answer's log position against what this profile has seen.

Lives here: the wire. Not here: which methods there are (`groups/`).
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import grpc

from interlock.client.errors import InterlockError, LimitError, UnauthenticatedError, UnavailableError
from interlock.client.profile import SOCKET
from interlock.client.status import OTHER_CERTIFICATE, error_from
from interlock.v1 import identity_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from interlock.client.memory import Memory
    from interlock.client.profile import Profile
    from interlock.client.session import ProviderToken, Sessions, Token

IS_OPEN: Final = ("interlock-stream", "open")
"""What the server says at once when it has taken the request for a stream."""

AHEAD: Final = "POSITION_NOT_REACHED"

Request = TypeVar("Request")
Response = TypeVar("Response")

_DOUBLINGS: Final = 30
"""Past these a pause is as long as it gets; a float has an end."""

MAX_MESSAGE_BYTES: Final = 16 << 20
"""Greatest answer taken; requests are held to 4 MiB by the server."""

MAX_METADATA_BYTES: Final = 1 << 20
"""Greatest trailers taken: refusals list everything that is unmet."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How a call is tried again: pauses double from ``first_pause_seconds``, a tenth is left to chance."""

    attempts: int = 6
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 2.0

    def pause_seconds(self, attempt: int, wished: float | None, chance: float) -> float:
        """Return the pause after a failed attempt (from 0), no shorter than the server wished for."""
        grown = min(self.first_pause_seconds * 2.0 ** min(attempt, _DOUBLINGS), self.longest_pause_seconds)
        return max(grown, wished or 0.0) * (0.9 + 0.2 * chance)


@dataclass(frozen=True, slots=True)
class Ticking:
    """Time and chance, given so that nothing here reads the world by itself."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class Transport:
    """One channel to one server, for one principal. Use it as a context manager, or `close` it."""

    def __init__(
        self,
        profile: Profile,
        sessions: Sessions,
        memory: Memory,
        *,
        timeout_seconds: float,
        retry: Retry | None = None,
        ticking: Ticking | None = None,
    ) -> None:
        """Prepare a channel; nothing is sent before the first call."""
        self.profile = profile
        self.memory = memory
        self.timeout_seconds = timeout_seconds
        self._sessions = sessions
        self._retry = retry or Retry()
        self._ticking = ticking or Ticking()
        self._token: Token | None = None
        self.repeated: set[str] = set()
        """Request ids that callers brought: the answer may be a remembered one, from before what was seen since."""
        self.channel = _open_channel(profile)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channel."""
        self.close()

    def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self.channel.close()

    def call(
        self,
        method: Callable[..., Response],
        request: Request,
        *,
        timeout_seconds: float | None = None,
        remember: bool = True,
    ) -> Response:
        """Make a unary call as the profile's principal. Raises InterlockError.

        ``remember`` False is for answers about the past, whose position says nothing about the log's head.
        """
        end = self.deadline(timeout_seconds)
        before = self.memory.load()
        response = self._with_session(lambda token, left: method(request, timeout=left, metadata=bearer(token)), end)
        position = getattr(response, "log_position", None)
        if remember and position is not None and getattr(request, "request_id", "") not in self.repeated:
            self.memory.check_position(position, before)
        return response

    def call_unnamed(self, method: Callable[..., Response], request: Request) -> Response:
        """Make a unary call without a session, once: nobody is named, so nothing tells a second attempt from the first.

        Raises InterlockError.
        """
        return _once(lambda: method(request, timeout=self.timeout_seconds))

    def call_streaming(
        self, method: Callable[..., Response], build: Callable[[], object], *, timeout_seconds: float
    ) -> Response:
        """Make a call whose request is a stream that ``build`` starts anew for each attempt."""
        end = self.deadline(timeout_seconds)
        return self._with_session(lambda token, left: method(build(), timeout=left, metadata=bearer(token)), end)

    def stream(
        self,
        method: Callable[..., Any],
        request: Request,
        *,
        timeout_seconds: float | None = None,
        on_open: Callable[[], None] | None = None,
    ) -> Iterator[Any]:
        """Yield the answers of a server stream. Raises InterlockError; no retry once an answer has come.

        ``timeout_seconds`` None is for streams of any length: only their start has a deadline. ``on_open`` is called
        when the server has taken the request, which may be long before the first answer.
        """
        first, rest = self._with_session(
            lambda token, left: _started(
                method(request, timeout=timeout_seconds, metadata=bearer(token)), on_open, left
            ),
            self.deadline(None),
        )
        yield from first
        try:
            yield from rest
        except grpc.RpcError as failed:
            raise error_from(failed) from failed

    def resuming(
        self,
        method: Callable[..., Any],
        request_of: Callable[[], object],
        *,
        patient: bool,
        on_break: Callable[[InterlockError], None] | None = None,
        on_resume: Callable[[], None] | None = None,
    ) -> Iterator[Any]:
        """Yield the answers of a server stream, and ask again where it breaks off: with what ``request_of`` says then.

        The caller keeps count, so that ``request_of`` goes on behind the last answer taken. ``patient`` asks until the
        server is back, however long that takes; otherwise as often as any call. Each time that a stream which had begun
        breaks off, ``on_break`` is told why, and ``on_resume`` is called when it goes on; a session that ended is
        renewed without a word. Raises InterlockError where asking again can't help.
        """
        taken = Taken(on_break, on_resume)
        while True:
            try:
                for answer in self.stream(method, request_of(), on_open=taken.opened):
                    taken.opened()
                    yield answer
            except (UnavailableError, UnauthenticatedError, LimitError) as error:
                last = taken.failed >= self._retry.attempts - 1 and not (
                    patient and isinstance(error, UnavailableError)
                )
                if not taken.begun or last or not may_help(error) or error.reason == AHEAD:
                    raise
                if not taken.broke(error):
                    continue
                pause = self._retry.pause_seconds(taken.failed - 1, error.retry_after_seconds, self._ticking.chance())
                self._ticking.sleep(pause)
            else:
                return

    def deadline(self, timeout_seconds: float | None) -> float:
        """Return when a call that starts now has to end."""
        return self._ticking.now() + (self.timeout_seconds if timeout_seconds is None else timeout_seconds)

    def login(self, end: float | None = None, oidc_token: str | ProviderToken | None = None) -> Token:
        """Open a new session by token or login key, and keep it. Raises InterlockError."""
        stub = identity_pb2_grpc.IdentityServiceStub(self.channel)
        until = self.deadline(None) if end is None else end
        by_token = self._sessions.token_request(oidc_token)
        if by_token is not None:  # it opens one session: a second attempt with it could only fail
            reply = _once(lambda: stub.LoginWithToken(by_token, timeout=self._left(until)))
            self._token = self._sessions.opened(reply)
            return self._token
        token = self._sessions.login(
            lambda request: self._again(lambda left: stub.Challenge(request, timeout=left), until),
            # A nonce is used up by the first attempt: a second one with it could only fail.
            lambda request: _once(lambda: stub.Login(request, timeout=self._left(until))),
        )
        self._token = token
        return token

    def forget_session(self) -> None:
        """Drop the session, here and in the profile folder."""
        self._token = None
        self._sessions.forget()

    def _with_session(self, attempt: Callable[[str, float], Response], end: float) -> Response:
        token = self._current_token(end)
        try:
            return self._again(lambda left: attempt(token.text, left), end)
        except UnauthenticatedError:
            # Ended, revoked, or of a server that was restarted with other data: one new login tells.
            self._token = None
        token = self.login(end)
        return self._again(lambda left: attempt(token.text, left), end)

    def _current_token(self, end: float) -> Token:
        # Whether it has ended the server says, by a clock of its own that may be another's by hours.
        token = self._token or self._sessions.load()
        if token is None:
            return self.login(end)
        self._token = token
        return token

    def _again(self, attempt: Callable[[float], Response], end: float) -> Response:
        """Try until it works, fails for good, or the deadline or the attempts run out."""
        for number in range(self._retry.attempts):
            try:
                return _once(lambda: attempt(self._left(end)))
            except UnavailableError as error:
                pause = self._retry.pause_seconds(number, error.retry_after_seconds, self._ticking.chance())
                last = number == self._retry.attempts - 1
                if last or not may_help(error) or self._ticking.now() + pause >= end:
                    raise
                self._ticking.sleep(pause)
        raise AssertionError  # unreachable: the last attempt returns or raises

    def _left(self, end: float) -> float:
        """Seconds until the deadline; a call that starts too late fails at once, as grpc wants no negative timeout."""
        return max(end - self._ticking.now(), 0.0)


def _once(attempt: Callable[[], Response]) -> Response:
    try:
        return attempt()
    except grpc.RpcError as failed:
        raise error_from(failed) from failed


def may_help(error: InterlockError) -> bool:
    """Say whether another attempt may help: not where time ran out, the ledger is at odds, or it takes a person."""
    return error.reason not in {"DEADLINE_EXCEEDED", "CANCELLED", "LEDGER", "LOGIN_NEEDED", OTHER_CERTIFICATE}


class Taken:
    """How it goes with a stream that is taken up again: attempts that failed since it was last open."""

    def __init__(self, on_break: Callable[[InterlockError], None] | None, on_resume: Callable[[], None] | None) -> None:
        self.failed = 0
        self.begun = False
        self._told = False
        self._on_break = on_break
        self._on_resume = on_resume

    def opened(self) -> None:
        """Note that the server has taken the request."""
        self.failed, self.begun = 0, True
        if self._told:
            self._told = False
            if self._on_resume is not None:
                self._on_resume()

    def broke(self, error: InterlockError) -> bool:
        """Note that it broke off; False where that is only a session that ended, which calls for no pause."""
        self.failed += 1
        if self.failed == 1 and isinstance(error, UnauthenticatedError):
            return False
        if not self._told:
            self._told = True
            if self._on_break is not None:
                self._on_break(error)
        return True


def _started(call: Any, on_open: Callable[[], None] | None, left: float) -> tuple[tuple[Any, ...], Iterator[Any]]:  # noqa: ANN401  # a grpc.Call that yields
    """Wait for a stream's first answer, so that a refusal comes while it can still be tried again.

    With ``on_open`` the server has ``left`` seconds to take the request: a frozen one would keep a watcher that nobody
    told waiting until the pings fail.
    """
    if on_open is not None and IS_OPEN in _taken(call, left):
        on_open()
    for first in call:
        return (first,), call
    return (), iter(())


def _taken(call: Any, left: float) -> tuple[tuple[str, str], ...]:  # noqa: ANN401  # as above
    """Return what the server says on taking a stream's request. Raises UnavailableError where it says nothing."""
    late = threading.Event()

    def give_up() -> None:
        late.set()
        call.cancel()

    watchdog = threading.Timer(left, give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        said = call.initial_metadata() or ()
    finally:
        watchdog.cancel()
    if late.is_set():
        raise not_taken()
    return tuple(said)


def not_taken() -> UnavailableError:
    """Return the error of a server that did not take a stream's request in time."""
    return UnavailableError("the server did not take the request in time", reason="UNAVAILABLE")


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call within a session."""
    return (("authorization", f"Bearer {token}"),)


def channel_options(profile: Profile) -> tuple[tuple[str, str | int], ...]:
    """Return how a channel to the profile's server is set up."""
    return (
        # The certificate has to be for the profile's name, wherever the address leads.
        ("grpc.ssl_target_name_override", profile.server_name),
        ("grpc.default_authority", profile.server_name),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
        # A watcher's stream is quiet for days: a server that is gone without a word is noticed by pings.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
        # Retries are made here, where sessions and request ids are known; grpc's own would add to them.
        ("grpc.enable_retries", 0),
        # The channel's own back-off must not outlast the pauses between our attempts.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        ("grpc.primary_user_agent", "interlock-client"),
    )


def channel_credentials(profile: Profile) -> grpc.ChannelCredentials | None:
    """Return TLS with the profile's own CA; None for a unix socket, whose file permissions are the guard."""
    if profile.address.startswith(SOCKET):
        return None
    return grpc.ssl_channel_credentials(root_certificates=profile.ca_certificate)


def _open_channel(profile: Profile) -> grpc.Channel:
    options, credentials = channel_options(profile), channel_credentials(profile)
    if credentials is None:
        return grpc.insecure_channel(profile.address, options=options)
    return grpc.secure_channel(profile.address, credentials, options=options)
