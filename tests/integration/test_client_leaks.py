"""Connecting and closing, over and over: neither kind of client leaves descriptors, threads or tasks behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from interlock.client import AsyncInterlock, Interlock

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

CYCLES: Final = 200
SLACK: Final = 12
"""What may come and go meanwhile, of gRPC's own: one a cycle would be many times that."""


def descriptors(pid: int | None = None) -> int:
    """Return how many descriptors a process has open."""
    gc.collect()
    return sum(1 for _ in Path(f"/proc/{pid or 'self'}/fd").iterdir())


@pytest.fixture(autouse=True)
def _home(server_process: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(server_process.home))


def test_a_blocking_client_leaves_nothing(server_process: ServerProcess) -> None:
    """A question each, every fourth with a watch that is dropped in the middle."""
    server, before = server_process.process.pid, (0, 0, 0)
    for cycle in range(CYCLES):
        with Interlock.from_profile("release-bot") as client:
            client.gate.check("m", "internal")
            if cycle % 4 == 0:
                next(client.gate.watch("m", "internal"))
        if cycle == SLACK:
            before = descriptors(), threading.active_count(), descriptors(server)
    after = descriptors(), threading.active_count(), descriptors(server)

    assert all(now - then < SLACK for now, then in zip(after, before, strict=True)), (before, after)


def test_an_asyncio_client_leaves_nothing(server_process: ServerProcess) -> None:
    """The same, with a verification that is cancelled in between; no task outlives its client."""
    server = server_process.process.pid

    async def cycles() -> tuple[tuple[int, ...], tuple[int, ...]]:
        before: tuple[int, ...] = ()
        for cycle in range(CYCLES):
            async with AsyncInterlock.from_profile("release-bot") as client:
                await client.gate.check("m", "internal")
                if cycle % 4 == 0:
                    await anext(client.gate.watch("m", "internal"))
            if cycle % 10 == 0:
                async with AsyncInterlock.from_profile("auditor") as client:
                    verification = asyncio.create_task(client.verify(full=cycle % 20 == 0))
                    for _ in range(cycle % 7):
                        await client.audit.get(0)
                    verification.cancel()
                    await asyncio.gather(verification, return_exceptions=True)
            if cycle == SLACK:
                before = descriptors(), threading.active_count(), descriptors(server), len(asyncio.all_tasks())
        return before, (descriptors(), threading.active_count(), descriptors(server), len(asyncio.all_tasks()))

    before, after = asyncio.run(cycles())

    assert all(now - then < SLACK for now, then in zip(after, before, strict=True)), (before, after)
