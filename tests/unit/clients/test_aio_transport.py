"""Calls with asyncio: retried, logged in and resumed in the same steps as the blocking ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from interlock.client.aio.sdk import AsyncInterlock
from interlock.client.errors import RollbackError, UnauthenticatedError, UnavailableError
from interlock.client.transport import Retry
from interlock.v1 import model_pb2
from tests.unit.clients.scripted import UNAUTHENTICATED, UNAVAILABLE, ScriptedServer, numbered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

MODEL = model_pb2.Model(name="models/m", log_position=5)
QUICK = Retry(first_pause_seconds=0.001)


def _ask(server: ScriptedServer, story: Callable[[AsyncInterlock], Awaitable[Any]]) -> Any:  # noqa: ANN401  # any answer
    """Run a story with a client of a scripted server."""

    async def run() -> Any:  # noqa: ANN401  # as above
        client = AsyncInterlock(
            server.profile(), passphrase=lambda _path: b"pass", retry=QUICK, ticking=server.hand.ticking()
        )
        async with client:
            return await story(client)

    return asyncio.run(run())


def test_an_unavailable_server_is_asked_again_with_the_same_request_id(tmp_path: Path) -> None:
    """Every attempt at a mutation carries the id of the one logical call."""
    with ScriptedServer(tmp_path, [UNAVAILABLE, UNAVAILABLE, MODEL]) as server:
        made = _ask(server, lambda client: client.models.create("m"))

    assert made == MODEL
    assert len(server.requests) == 3
    assert len({request.request_id for request in server.requests}) == 1


def test_a_server_that_stays_away_is_asked_so_often_and_no_more(tmp_path: Path) -> None:
    """The attempts are those of the retry rule."""
    with ScriptedServer(tmp_path, [UNAVAILABLE] * QUICK.attempts) as server, pytest.raises(UnavailableError):
        _ask(server, lambda client: client.models.get("m"))

    assert len(server.requests) == QUICK.attempts


def test_a_session_that_ended_is_opened_anew_once(tmp_path: Path) -> None:
    """One new login tells whether it was the session."""
    with ScriptedServer(tmp_path, [UNAUTHENTICATED, MODEL]) as server:
        _ask(server, lambda client: client.models.get("m"))

    assert server.logins == 2
    with ScriptedServer(tmp_path, [UNAUTHENTICATED, UNAUTHENTICATED]) as server, pytest.raises(UnauthenticatedError):
        _ask(server, lambda client: client.models.get("m"))


def test_calls_that_lose_the_session_together_log_in_once(tmp_path: Path) -> None:
    """Whoever comes second finds the new session of the first."""
    with ScriptedServer(tmp_path, [UNAUTHENTICATED, UNAUTHENTICATED, MODEL, MODEL]) as server:
        _ask(server, lambda client: asyncio.gather(client.models.get("m"), client.models.get("m")))

    assert server.logins == 2


def test_a_stream_that_breaks_off_is_taken_up_behind_the_last_entry(tmp_path: Path) -> None:
    """No entry twice, none left out."""
    records = list(map(numbered, range(4)))

    async def entries(client: AsyncInterlock) -> list[bytes]:
        return [record.entry async for record in client.audit.tail()]

    with ScriptedServer(tmp_path, [[*records[:2], UNAVAILABLE], records[2:]]) as server:
        got = _ask(server, entries)

    assert got == [record.entry for record in records]
    assert [request.after_position for request in server.requests] == [-1, 1]


def test_an_answer_from_a_shorter_log_is_not_believed(tmp_path: Path) -> None:
    """What one call has seen, the next one asks for."""
    with ScriptedServer(tmp_path, [MODEL, model_pb2.Model(name="models/m", log_position=4)]) as server:

        async def twice(client: AsyncInterlock) -> None:
            await client.models.get("m")
            await client.models.get("m")

        with pytest.raises(RollbackError):
            _ask(server, twice)
