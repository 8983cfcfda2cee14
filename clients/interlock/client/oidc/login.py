"""A person gets a token of their OpenID provider: in a browser of this machine, or on another device.

Lives here: the steps, for asyncio and, by a loop of their own, for everybody else. Not here: what is asked of a
provider (`provider.py`), where its answer comes in (`listener.py`), what the server makes of the token.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from interlock.client.errors import DeadlineError, ProfileError
from interlock.client.oidc.listener import Listener
from interlock.client.oidc.page import open_page
from interlock.client.oidc.provider import DEFAULT_PAUSE, LogServer, NotYetError, Provider
from interlock.client.oidc.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from interlock.client.profile import Profile
    from interlock.client.session import ProviderToken

DEFAULT_WAIT_SECONDS: Final = 300.0
_OPENS_SECONDS: Final = 20.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wish:
    """Which provider, as which client of it, for which server of a log, and how long somebody may take to log in there.

    ``port`` is that of the loopback address that the provider sends the browser back to; 0 for any, which every
    provider that follows RFC 8252 lets a native application have.
    """

    issuer: str
    client_id: str
    server: LogServer
    wait_seconds: float = DEFAULT_WAIT_SECONDS
    port: int = 0

    @classmethod
    def of(
        cls,
        profile: Profile,
        *,
        issuer: str = "",
        client_id: str = "",
        wait_seconds: float = DEFAULT_WAIT_SECONDS,
        port: int = 0,
    ) -> Wish:
        """Return what a profile says, or the two that are given in its place. Raises ProfileError where one lacks."""
        given = issuer or client_id
        who = (issuer, client_id) if given else (profile.oidc_issuer, profile.oidc_client_id)
        found = cls(*who, LogServer(profile.log_id, profile.server_name), wait_seconds, port)
        if not found.issuer or not found.client_id:
            raise ProfileError(
                "which OpenID provider, and as which client of it? It takes both, oidc_issuer and oidc_client_id of the"
                " profile or --issuer and --client-id",
                reason="NO_ISSUER",
            )
        return found


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody is told: the page to open, the code to type there, or the one that is opened in a browser.

    ``user_code`` is empty for a browser on this machine. ``opened`` None is for before it is known whether one opened.
    """

    page: str
    user_code: str = ""
    opened: bool | None = None
    other_device: bool = False
    """Whether the provider offers a login on another device, for where no browser opened."""


async def token_by_browser_async(
    wish: Wish, tell: Callable[[Invitation], None], *, open_browser: bool = True
) -> ProviderToken:
    """Log in at the provider in a browser (RFC 8252), and return the ID token, for `identity.login`.

    ``tell`` is called with the page, and again once it is known whether a browser opened it. Raises InterlockError.
    """
    wire = Wire()
    listener = Listener(wish.port)
    async with listener:
        provider = await _off_the_loop(wire, lambda: Provider(wish.issuer, wish.client_id, wish.server, wire))
        question = await _off_the_loop(wire, lambda: provider.ask(listener.redirect_uri))
        listener.expect(question.state)
        tell(Invitation(question.url))
        opening = asyncio.create_task(_open(question.url, provider, tell)) if open_browser else None
        try:
            async with asyncio.timeout(wish.wait_seconds):
                answer = await listener.wait()
        except TimeoutError:
            raise _too_late(wish) from None
        finally:
            if opening is not None:
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)
    return await _off_the_loop(wire, lambda: provider.redeem(question, answer))


async def token_by_device_async(wish: Wish, tell: Callable[[Invitation], None]) -> ProviderToken:
    """Log in at the provider on another device (RFC 8628), and return the ID token, for `identity.login`.

    ``tell`` is called with the page and the code that somebody types there. Raises InterlockError.
    """
    wire = Wire()
    provider = await _off_the_loop(wire, lambda: Provider(wish.issuer, wish.client_id, wish.server, wire))
    if not provider.gives_devices:
        raise ProfileError(f"{wish.issuer} offers no login on another device", reason="NO_DEVICE_LOGIN")
    device = await _off_the_loop(wire, provider.ask_device)
    tell(Invitation(device.page, device.user_code))
    pause = device.pause_seconds
    try:
        async with asyncio.timeout(min(wish.wait_seconds, device.expires_seconds)):
            while True:
                await asyncio.sleep(pause)
                try:
                    return await _off_the_loop(wire, lambda: provider.redeem_device(device))
                except NotYetError as answer:
                    pause += DEFAULT_PAUSE if answer.slower else 0
    except TimeoutError:
        raise _too_late(wish) from None


def token_by_browser(wish: Wish, tell: Callable[[Invitation], None], *, open_browser: bool = True) -> ProviderToken:
    """As `token_by_browser_async`, for a thread without an event loop."""
    return _wait_for(token_by_browser_async(wish, tell, open_browser=open_browser))


def token_by_device(wish: Wish, tell: Callable[[Invitation], None]) -> ProviderToken:
    """As `token_by_device_async`, for a thread without an event loop."""
    return _wait_for(token_by_device_async(wish, tell))


def _wait_for(work: Coroutine[object, object, T]) -> T:
    try:
        return asyncio.run(work)
    finally:
        work.close()


async def _open(url: str, provider: Provider, tell: Callable[[Invitation], None]) -> None:
    try:
        opened = await asyncio.wait_for(_in_a_thread(lambda: open_page(url)), _OPENS_SECONDS)
    except TimeoutError:
        opened = True  # it keeps its starter waiting
    tell(Invitation(url, opened=opened, other_device=provider.gives_devices))


async def _off_the_loop(wire: Wire, work: Callable[[], T]) -> T:
    """Do what asks a provider; whoever is interrupted leaves no request under way."""
    try:
        return await _in_a_thread(work)
    except asyncio.CancelledError:
        wire.cut()
        raise


async def _in_a_thread(work: Callable[[], T]) -> T:
    """Do what blocks in a thread that nobody has to wait for, unlike those of an executor."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        settle: Callable[[], None]
        try:
            result = work()
            settle = partial(_settle, made, result, None)
        except BaseException as error:  # noqa: BLE001  # it is raised where it is awaited
            settle = partial(_settle, made, None, error)
        with suppress(RuntimeError):  # the loop is over: whoever waited was interrupted
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, daemon=True).start()
    return await made


def _settle(made: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if made.done():
        return  # nobody waits any more
    if error is not None:
        made.set_exception(error)
    else:
        made.set_result(result)


def _too_late(wish: Wish) -> DeadlineError:
    return DeadlineError(f"nobody logged in at {wish.issuer} in time", reason="LOGIN_TIMEOUT")
