"""The blocking and the asyncio SDK are one surface: names, parameters, answers. What differs is the waiting."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest

from interlock.client import aio, groups
from interlock.client.aio import groups as async_groups
from interlock.client.aio.sdk import AsyncInterlock
from interlock.client.aio.transport import AsyncTransport
from interlock.client.sdk import Interlock
from interlock.client.transport import Transport
from ops import make_async

if TYPE_CHECKING:
    from collections.abc import Iterator

_DUNDERS = {"__enter__": "__aenter__", "__exit__": "__aexit__"}
PAIRS = [
    (Interlock, AsyncInterlock),
    (Transport, AsyncTransport),
    *((getattr(groups, name), getattr(async_groups, f"Async{name}")) for name in groups.__all__),
]


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods of a class, its own and inherited, as declared."""
    for name in dir(kind):
        found = inspect.getattr_static(kind, name)
        if isinstance(found, classmethod | staticmethod):
            found = found.__func__
        around = name in {*_DUNDERS, *_DUNDERS.values()} and kind in PAIRS[0]
        if inspect.isfunction(found) and (around or not name.startswith("_")):
            yield name, found


def _surface(kind: type) -> dict[str, tuple[str, str]]:
    """Return each method's parameters and what it answers in the end, once it has been waited for."""
    surface = {}
    for name, method in _methods(kind):
        signature = inspect.signature(method)
        parameters = [str(row) for row in signature.parameters.values() if row.name != "sleep"]
        answer = str(signature.return_annotation)
        surface[name] = (_told(", ".join(parameters)), _told(answer))
    return surface


def _told(text: str) -> str:
    """Leave out what only says how it is waited for."""
    text = re.sub(r"Callable\[(.*?), Awaitable\[(\w+)\]\]", r"Callable[\1, \2]", text)
    return re.sub(r"\bAsync(?=[A-Z])", "", text)


@pytest.mark.parametrize(("blocking", "awaited"), PAIRS, ids=lambda kind: kind.__name__)
def test_the_two_kinds_have_the_same_methods(blocking: type, awaited: type) -> None:
    """Names, parameters, defaults and answers are the same, but for Awaitable and AsyncIterator."""
    wanted = {_DUNDERS.get(name, name): row for name, row in _surface(blocking).items()}

    assert _surface(awaited) == wanted


@pytest.mark.parametrize(("blocking", "awaited"), PAIRS[:1] + PAIRS[2:], ids=lambda kind: kind.__name__)
def test_what_talks_to_the_server_is_awaited(blocking: type, awaited: type) -> None:
    """A method is a coroutine or gives an asynchronous iterator, unless it does not wait for anything."""
    local = {"from_profile", "trust", "remember", "accept_loss"}

    waiting = {
        name
        for name, method in _methods(awaited)
        if inspect.iscoroutinefunction(method)
        or inspect.isasyncgenfunction(method)
        or str(inspect.signature(method).return_annotation).startswith("AsyncIterator")
    }

    assert {name for name, _ in _methods(awaited)} - waiting <= local


def test_the_two_facades_have_the_same_groups() -> None:
    """Whoever knows `client.gate` knows both."""
    named = re.compile(r"self\.(\w+) = (?:Async)?(\w+)\(transport")

    assert named.findall(inspect.getsource(AsyncInterlock)) == named.findall(inspect.getsource(Interlock))


def test_the_asyncio_groups_are_made_from_the_blocking_ones() -> None:
    """clients/interlock/client/aio/groups is what ops/make_async.py writes now; run it after any change."""
    assert make_async.stale_files() == []


def test_every_group_has_its_asyncio_class() -> None:
    """No group was left out."""
    assert async_groups.__all__ == [f"Async{name}" for name in groups.__all__]
    assert aio.__doc__
