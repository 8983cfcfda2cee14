"""Hundreds of watchers that never read cost the server bounded memory, however much is written meanwhile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interlock.v1 import model_pb2, model_pb2_grpc
from tests.faults.test_watch_release import hold, narrow_channel
from tests.support.people import People
from tests.support.server import CALL_SECONDS, ForkedServer, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: Final = 200
HOLDS: Final = 200
ALLOWED_BYTES: Final = 16 << 20
"""How much the server may grow; measured: 3 MiB, the log and its views with it."""


def resident(server: ForkedServer) -> int:
    """Return the most memory that the server has held at once, in bytes."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) << 10


def test_slow_readers_cost_bounded_memory(installations: Callable[[str], Path], tmp_path: Path) -> None:
    """What a queue for each of 200 readers would hold is several times what the server grows by.

    They are all gone at once in the end, which is no fault of the server and is not logged as one.
    """
    request = model_pb2.WatchModelsRequest()
    with (
        ForkedServer(copy_of(installations("minimal"), tmp_path / "data")) as server,
        People(server) as people,
        narrow_channel(server) as channel,
    ):
        model = people.new_model().model
        session = people["auditor"].metadata
        stub = model_pb2_grpc.ModelServiceStub(channel)
        streams = [stub.WatchModels(request, timeout=CALL_SECONDS, metadata=session) for _ in range(READERS)]
        for stream in streams:
            next(stream)
        quick = people["auditor"].models.WatchModels(request, timeout=CALL_SECONDS)
        told = next(quick).ByteSize()
        before = resident(server)

        for _ in range(HOLDS):
            hold(people, model)
        while (message := next(quick)).log_position < before_last(people):
            told += message.ByteSize()
        grown = resident(server) - before

    assert told * READERS > 2 * ALLOWED_BYTES
    assert grown < ALLOWED_BYTES


def before_last(people: People) -> int:
    """Return the log's last position."""
    return people["auditor"].checkpoint().size - 1
