"""Reading a log that others write to: pages and tails neither repeat nor leave out, whatever happens to the server."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from interlock.client.sdk import Interlock
from interlock.v1 import hold_pb2, ledger_pb2
from tests.support.people import People
from tests.support.server import ForkedServer, ServerThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from interlock.client.errors import InterlockError
    from interlock.v1.audit_pb2 import EntryRecord

BEFORE: Final = 230
"""Entries of one model before anybody looks: more than one page of the client's."""

KILLS: Final = 2
"""How often the server is killed under one tail."""


def seq_of(record: EntryRecord) -> int:
    """Return an entry's position as its own bytes say it."""
    return ledger_pb2.LedgerEntry.FromString(record.entry).seq


def client_of(server: ForkedServer | ServerThread) -> Interlock:
    """Return the auditor's client."""
    return Interlock.from_profile(str(server.home / "auditor"))


@contextmanager
def writing(write: Callable[[], object]) -> Iterator[threading.Event]:
    """Write without pause while the block runs; the event is set once something was written."""
    stop, written = threading.Event(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                write()
            except grpc.RpcError:
                continue  # the server is down: a test does that on purpose
            written.set()

    writer = threading.Thread(target=work)
    writer.start()
    try:
        yield written
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("descending", [False, True], ids=["oldest first", "newest first"])
def test_pages_neither_repeat_nor_skip_while_others_write(data: Path, descending: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Two writers append on and on; a listing over several pages is still dense, in its order, each entry once."""
    with ServerThread(data) as server, People(server) as people, client_of(server) as client:
        subject = people.new_model()
        request = hold_pb2.PlaceHoldRequest(target=subject.model)
        holds = people["owner"].holds
        for _ in range(BEFORE):
            holds.PlaceHold(request)
        before = client.audit.checkpoint().size - 1

        with writing(lambda: holds.PlaceHold(request)) as one, writing(lambda: holds.PlaceHold(request)) as other:
            assert one.wait(30)
            assert other.wait(30)
            pages = client.audit.list(resource="holds/*", descending=descending)
            first = seq_of(next(pages))
            rest = []
            for record in pages:
                rest.append(seq_of(record))
                if not descending and rest[-1] > before + 50:
                    break  # the writers are faster than pages: an ascending listing would go on as long as they do

    seen = [first, *rest]
    step = -1 if descending else 1
    assert seen == list(range(first, seen[-1] + step, step))
    assert (seen[-1] if descending else first) == before - BEFORE + 1
    assert (first if descending else seen[-1]) >= before


@pytest.mark.fault
def test_a_tail_goes_on_over_kills_without_gap_or_duplicate(data: Path) -> None:
    """The server is killed and started again under one tail, which others write to: every entry comes, each once."""
    server = ForkedServer(data, may_fail=True).start()
    again = ("--listen", server.address)
    breaks: list[str] = []

    def broken(error: InterlockError) -> None:
        breaks.append(error.reason)

    try:
        with People(server) as people, client_of(server) as client:
            subject = people.new_model()
            request = hold_pb2.PlaceHoldRequest(target=subject.model)
            holds = people["owner"].holds
            tail = client.audit.tail(follow=True, on_break=broken)
            seen = [seq_of(next(tail))]
            with writing(lambda: holds.PlaceHold(request)):
                for _ in range(KILLS):
                    seen += [seq_of(next(tail)) for _ in range(40)]
                    server.kill()
                    server = ForkedServer(data, arguments=again, may_fail=True).start()
                seen += [seq_of(next(tail)) for _ in range(40)]
                acknowledged = holds.PlaceHold(request).position
            while seen[-1] < acknowledged:
                seen.append(seq_of(next(tail)))
    finally:
        server.kill()

    assert seen == list(range(len(seen)))
    assert len(breaks) >= 1
