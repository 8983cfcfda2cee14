"""Pages that a server makes up: each listing comes to an end, by an error that says why, blocking and with asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from interlock.client import paging
from interlock.client.aio.sdk import AsyncInterlock
from interlock.client.errors import PagesError
from interlock.v1 import audit_pb2, model_pb2
from tests.unit.clients.scripted import ScriptedServer, numbered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sized
    from pathlib import Path

    from google.protobuf.message import Message

    from interlock.client.sdk import Interlock

    Page = Callable[..., Message]
    Ask = Callable[[str, list[Message]], tuple[Sized | str, int]]


def states(number: int, token: str, rows: int = 1) -> Message:
    """Return a page of states, behind those of the page before."""
    found = [
        audit_pb2.ResourceState(name=f"holds/{number:06}.{row:06}", position=1, state=b"{}") for row in range(rows)
    ]
    return audit_pb2.GetStateAtResponse(resources=found, position=7, next_page_token=token)


def models(number: int, token: str, rows: int = 1) -> Message:
    """Return a page of models."""
    found = [model_pb2.Model(name=f"models/m{number}-{row}") for row in range(rows)]
    return model_pb2.ListModelsResponse(models=found, next_page_token=token)


def entries(number: int, token: str, rows: int = 1) -> Message:
    """Return a page of entries, in order."""
    found = [numbered(number * 1000 + row) for row in range(rows)]
    return audit_pb2.ListEntriesResponse(entries=found, next_page_token=token)


ASKED: dict[str, tuple[Page, Callable[[Interlock], Sized]]] = {
    "state_at": (states, lambda client: client.audit.state_at().resources),
    "models": (models, lambda client: list(client.models.list())),
    "entries": (entries, lambda client: list(client.audit.list())),
}


async def _of_state(client: AsyncInterlock) -> Sized:
    return (await client.audit.state_at()).resources


async def _of_models(client: AsyncInterlock) -> Sized:
    return [row async for row in client.models.list()]


async def _of_entries(client: AsyncInterlock) -> Sized:
    return [row async for row in client.audit.list()]


AWAITED: dict[str, Callable[[AsyncInterlock], Awaitable[Sized]]] = {
    "state_at": _of_state,
    "models": _of_models,
    "entries": _of_entries,
}


@pytest.fixture(params=[False, True], ids=["blocking", "asyncio"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """Give a way to ask a server with these pages; returns all rows, and how often it was asked."""

    def asked(what: str, pages: list[Message]) -> tuple[Sized | str, int]:
        with ScriptedServer(tmp_path, pages) as server:
            try:
                if not request.param:
                    return ASKED[what][1](server.client()), len(server.requests)
                return asyncio.run(_awaited(server, what)), len(server.requests)
            except PagesError as error:
                return error.reason, len(server.requests)

    return asked


async def _awaited(server: ScriptedServer, what: str) -> Sized:
    async with AsyncInterlock(server.profile(), passphrase=lambda _path: b"pass") as client:
        return await AWAITED[what](client)


def tokens() -> Iterator[str]:
    """Yield tokens that are never the same."""
    number = 0
    while True:
        number += 1
        yield f"t{number}"


@pytest.mark.parametrize("what", ASKED)
def test_pages_that_end_are_all_given(ask: Ask, what: str) -> None:
    """Whatever the tokens are called, and also where the last page is empty."""
    page = ASKED[what][0]

    found, asked = ask(what, [page(0, "b", rows=3), page(1, "a", rows=2), page(2, "", rows=0)])

    assert (len(found), asked) == (5, 3)


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize("round_of", [1, 3])
def test_pages_that_go_round_are_an_error(ask: Ask, what: str, round_of: int) -> None:
    """A token that came before, of the page just given or of one long ago."""
    page = ASKED[what][0]
    pages = [page(number, f"t{number % round_of}") for number in range(20)]

    assert ask(what, pages) == ("PAGES_REPEATED", round_of + 1)


@pytest.mark.parametrize("what", ASKED)
def test_an_empty_page_with_another_behind_it_is_an_error(ask: Ask, what: str) -> None:
    """It would bring nothing for ever, with tokens that are always new."""
    page = ASKED[what][0]

    assert ask(what, [page(0, "a"), page(1, "b", rows=0), page(2, "c")]) == ("PAGE_EMPTY", 2)


@pytest.mark.parametrize("what", ASKED)
def test_a_page_longer_than_was_asked_for_is_an_error(ask: Ask, what: str) -> None:
    """How long an answer is, is the caller's to say."""
    page = ASKED[what][0]

    assert ask(what, [page(0, "", rows=1001)]) == ("PAGE_TOO_LONG", 1)


@pytest.mark.parametrize("what", ASKED)
def test_rows_that_never_end_are_left_after_so_many_pages(ask: Ask, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is new, in order, and as long as it may be: what came is not taken for the whole."""
    monkeypatch.setattr(paging, "MOST_PAGES", 5)
    page = ASKED[what][0]
    pages = [page(number, token) for number, token in zip(range(20), tokens(), strict=False)]

    assert ask(what, pages) == ("PAGES_WITHOUT_END", 5)


@pytest.mark.parametrize(("what", "asked"), [("state_at", 2), ("models", 2), ("entries", 20)])
def test_what_is_kept_has_a_size(ask: Ask, what: str, asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer fills the memory. Entries are handed on one by one: a log may be larger than that."""
    page = ASKED[what][0]
    monkeypatch.setattr(paging, "MOST_BYTES", page(0, "t1").ByteSize())
    pages = [page(number, token if number < 19 else "") for number, token in zip(range(20), tokens(), strict=False)]

    found, times = ask(what, pages)

    assert times == asked
    assert (found == "PAGES_WITHOUT_END") == (asked == 2)
