"""Calls over the wire with asyncio, in the very steps of `interlock.client.transport`, which says them.

A client belongs to one event loop; its calls may run side by side there, and share one login. The small files of the
profile folder are read on the loop, keys are opened in a thread.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from interlock.client.errors import InterlockError, LimitError, UnauthenticatedError, UnavailableError
from interlock.client.status import error_from
from interlock.client.transport import (
    AHEAD,
    IS_OPEN,
    Retry,
    Taken,
    Ticking,
    bearer,
    channel_credentials,
    channel_options,
    may_help,
    not_taken,
)
from interlock.v1 import identity_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from interlock.client.memory import Memory
    from interlock.client.profile import Profile
    from interlock.client.session import ProviderToken, Sessions, Token

    Sleep = Callable[[float], Awaitable[None]]

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncTransport:
    """One channel to one server, for one principal, on one event loop. `close` it."""

    def __init__(
        self,
        profile: Profile,
        sessions: Sessions,
        memory: Memory,
        *,
        timeout_seconds: float,
        retry: Retry | None = None,
        ticking: Ticking | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Prepare a transport; nothing is opened before the first call, which tells the event loop."""
        self.profile = profile
        self.memory = memory
        self.timeout_seconds = timeout_seconds
        self.repeated: set[str] = set()
        """Request ids that callers brought: the answer may be a remembered one, from before what was seen since."""
        self._sessions = sessions
        self._retry = retry or Retry()
        self._ticking = ticking or Ticking()
        self._sleep = sleep
        self._token: Token | None = None
        self._logging_in = asyncio.Lock()
        self._channel: grpc.aio.Channel | None = None

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel, opened on first use. gRPC binds it to the running loop."""
        if self._channel is None:
            options, credentials = channel_options(self.profile), channel_credentials(self.profile)
            if credentials is None:
                self._channel = grpc.aio.insecure_channel(self.profile.address, options=options)
            else:
                self._channel = grpc.aio.secure_channel(self.profile.address, credentials, options=options)
        return self._channel

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        if self._channel is not None:
            await self._channel.close()

    async def call(
        self,
        method: Callable[..., Awaitable[Response]],
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
        response = await self._with_session(
            lambda token, left: method(request, timeout=left, metadata=bearer(token)), end
        )
        position = getattr(response, "log_position", None)
        if remember and position is not None and getattr(request, "request_id", "") not in self.repeated:
            self.memory.check_position(position, before)
        return response

    async def call_unnamed(self, method: Callable[..., Awaitable[Response]], request: Request) -> Response:
        """Make a unary call without a session, once: nobody is named, so nothing tells a second attempt from the first.

        Raises InterlockError.
        """
        return await _once(lambda: method(request, timeout=self.timeout_seconds))

    async def call_streaming(
        self, method: Callable[..., Awaitable[Response]], build: Callable[[], object], *, timeout_seconds: float
    ) -> Response:
        """Make a call whose request is a stream that ``build`` starts anew for each attempt."""
        end = self.deadline(timeout_seconds)
        return await self._with_session(lambda token, left: method(build(), timeout=left, metadata=bearer(token)), end)

    async def stream(
        self,
        method: Callable[..., Any],
        request: Request,
        *,
        timeout_seconds: float | None = None,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncIterator[Any]:
        """Yield the answers of a server stream. Raises InterlockError; no retry once an answer has come.

        ``timeout_seconds`` None is for streams of any length: only their start has a deadline. ``on_open`` is called
        when the server has taken the request, which may be long before the first answer.
        """
        call, answer = await self._with_session(
            lambda token, left: _started(
                method(request, timeout=timeout_seconds, metadata=bearer(token)), on_open, left
            ),
            self.deadline(None),
        )
        try:
            while answer is not grpc.aio.EOF:
                yield answer
                answer = await call.read()
        except grpc.RpcError as failed:
            raise error_from(failed) from failed
        finally:
            call.cancel()

    async def resuming(
        self,
        method: Callable[..., Any],
        request_of: Callable[[], object],
        *,
        patient: bool,
        on_break: Callable[[InterlockError], None] | None = None,
        on_resume: Callable[[], None] | None = None,
    ) -> AsyncIterator[Any]:
        """Yield the answers of a server stream, and ask again where it breaks off: with what ``request_of`` says then.

        As the blocking transport does it, which says how.
        """
        taken = Taken(on_break, on_resume)
        while True:
            try:
                async for answer in self.stream(method, request_of(), on_open=taken.opened):
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
                await self._sleep(pause)
            else:
                return

    def deadline(self, timeout_seconds: float | None) -> float:
        """Return when a call that starts now has to end."""
        return self._ticking.now() + (self.timeout_seconds if timeout_seconds is None else timeout_seconds)

    async def login(self, end: float | None = None, oidc_token: str | ProviderToken | None = None) -> Token:
        """Open a new session by token or login key, and keep it. Raises InterlockError."""
        stub = identity_pb2_grpc.IdentityServiceStub(self.channel)
        until = self.deadline(None) if end is None else end
        by_token = await asyncio.to_thread(self._sessions.token_request, oidc_token)
        if by_token is not None:  # it opens one session: a second attempt with it could only fail
            self._token = self._sessions.opened(
                await _once(lambda: stub.LoginWithToken(by_token, timeout=self._left(until)))
            )
            return self._token
        asking = self._sessions.asking()
        given = await self._again(lambda left: stub.Challenge(asking, timeout=left), until)
        answer = await asyncio.to_thread(self._sessions.answer, given)
        # A nonce is used up by the first attempt: a second one with it could only fail.
        reply = await _once(lambda: stub.Login(answer, timeout=self._left(until)))
        self._token = self._sessions.opened(reply)
        return self._token

    def forget_session(self) -> None:
        """Drop the session, here and in the profile folder."""
        self._token = None
        self._sessions.forget()

    async def _with_session(self, attempt: Callable[[str, float], Awaitable[Response]], end: float) -> Response:
        token = await self._current_token(end, spent=None)
        try:
            return await self._again(lambda left: attempt(token.text, left), end)
        except UnauthenticatedError:
            # Ended, revoked, or of a server that was restarted with other data: one new login tells.
            fresh = await self._current_token(end, spent=token)
        return await self._again(lambda left: attempt(fresh.text, left), end)

    async def _current_token(self, end: float, *, spent: Token | None) -> Token:
        """Return the session, other than the ``spent`` one; calls that find none wait for one login together."""
        async with self._logging_in:
            kept = self._token or (self._sessions.load() if spent is None else None)
            if kept is None or kept == spent:
                return await self.login(end)
            self._token = kept
            return kept

    async def _again(self, attempt: Callable[[float], Awaitable[Response]], end: float) -> Response:
        """Try until it works, fails for good, or the deadline or the attempts run out."""
        for number in range(self._retry.attempts):
            try:
                return await _once(lambda: attempt(self._left(end)))
            except UnavailableError as error:
                pause = self._retry.pause_seconds(number, error.retry_after_seconds, self._ticking.chance())
                last = number == self._retry.attempts - 1
                if last or not may_help(error) or self._ticking.now() + pause >= end:
                    raise
                await self._sleep(pause)
        raise AssertionError  # unreachable: the last attempt returns or raises

    def _left(self, end: float) -> float:
        """Seconds until the deadline; a call that starts too late fails at once, as grpc wants no negative timeout."""
        return max(end - self._ticking.now(), 0.0)


async def _once(attempt: Callable[[], Awaitable[Response]]) -> Response:
    try:
        return await attempt()
    except grpc.RpcError as failed:
        raise error_from(failed) from failed


async def _started(call: Any, on_open: Callable[[], None] | None, left: float) -> tuple[Any, Any]:  # noqa: ANN401  # a call of any stream
    """Wait for a stream's first answer, so that a refusal comes while it can still be tried again.

    With ``on_open`` the server has ``left`` seconds to take the request.
    """
    try:
        if on_open is not None and IS_OPEN in tuple(await asyncio.wait_for(call.initial_metadata(), left) or ()):
            on_open()
        return call, await call.read()
    except TimeoutError:
        call.cancel()
        raise not_taken() from None
    except BaseException:
        call.cancel()
        raise
