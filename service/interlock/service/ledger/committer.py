"""The committer: every write of the service goes through here, and everything that is asked of the log's head.

One queue, one task that drains it, one thread that writes. What waits is committed together: one durable COMMIT, then
the view moves, then the callers are answered, those of tightening calls once the high-water mark has passed them. The
event loop never touches the database.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from interlock.service.clock import MICROSECONDS, GuardedClock
from interlock.service.errors import (
    LedgerUnhealthy,
    PositionNotReached,
    ShuttingDown,
    StoreUnavailable,
)
from interlock.service.ledger import history
from interlock.service.ledger.attention import Attention
from interlock.service.ledger.batch import Done, Failed, Side, Signing
from interlock.service.ledger.health import disagrees
from interlock.service.ledger.history import ForgedError
from interlock.service.ledger.marking import MarkKeeper
from interlock.service.ledger.policies import is_object_of
from interlock.service.ledger.queue import MAX_WAITING, Queue, Waiting
from interlock.service.ledger.steps import Steps
from interlock.service.ledger.writer import Writer
from interlock.statemachine.unmet import Code

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

    from sqlalchemy import Connection
    from structlog.typing import FilteringBoundLogger

    from interlock.service.clock import SetClock
    from interlock.service.ledger.batch import Job, Outcome
    from interlock.service.ledger.calls import Call, M
    from interlock.service.ledger.checkpoints import CheckpointSigner
    from interlock.service.ledger.health import LedgerHealth
    from interlock.service.ledger.highwater import HighWaterMark, Mark
    from interlock.service.ledger.policies import Policies
    from interlock.service.ledger.startup import Opened
    from interlock.service.ledger.steps import Step
    from interlock.service.ledger.view import View
    from interlock.service.storage.rows import StoredEntry
    from interlock.service.storage.store import Store

T = TypeVar("T")

TAIL_PAGE: Final = 200
"""Entries in memory at a time for one who follows the log."""


class Committer:
    """The log's head and the way to move it. Used from one event loop, between ``start`` and ``close``."""

    def __init__(
        self,
        store: Store,
        opened: Opened,
        *,
        clock: SetClock,
        policies: Policies,
        mark: HighWaterMark,
        signer: CheckpointSigner,
        log: FilteringBoundLogger,
        max_waiting: int = MAX_WAITING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        state = opened.head.view.state
        self.clock = GuardedClock(clock, state.time if state.size else None)
        """The time that everything here is judged and dated by."""
        self._ahead = 0
        self._policies = policies
        self._log = log
        self._writer = Writer(store, self.clock, policies, opened, signer)
        self._attention = Attention(monotonic)
        self._remembered = opened.remembered
        self._view = opened.head.view
        self._steps = Steps(self._view)
        self._listeners: list[Callable[[tuple[Step, ...]], None]] = []
        self._queue = Queue(max_waiting)
        self._arrived = asyncio.Event()
        self._moved = asyncio.Event()
        self._stopping = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-write")
        self._marking = MarkKeeper(mark, self._writer, self._thread, self.distrust, log, lower=opened.lower_mark)
        self._tasks: list[asyncio.Task[None]] = []
        self._newest_checkpoint: tuple[int, str] | None = None
        policies.add(self._view.policy)

    # The head -----------------------------------------------------------------------------------------------------

    @property
    def view(self) -> View:
        """The newest committed view. A write moves it before its caller is answered."""
        return self._view

    @property
    def health(self) -> LedgerHealth:
        """Whether the log can be relied on: if not, reads work, the gate denies, and nothing is signed.

        Where the log contradicts itself nothing is written either; a store that is only silent is tried all the same.
        """
        return self._attention.judged(self._writer.health)

    @property
    def lost(self) -> Mark | None:
        """The head that this log is behind, where that is all that is wrong with it and can be accepted; else None."""
        return self._writer.health.lost

    def instant(self) -> int:
        """Return when a question that comes now is judged (microseconds): never before the last entry."""
        return max(self.clock.now_us(), self._view.state.time)

    # Life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take work."""
        self._attention.heard("", looked=True)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._drain()),
            loop.create_task(self._marking.run(lambda: self._view, self._stopping)),
        ]

    async def close(self) -> None:
        """Finish what waits, put the high-water mark at the head, and stop."""
        self._stopping.set()
        self._arrived.set()
        self._announce()
        await asyncio.gather(*self._tasks)
        await self._marking.advance(self._view)
        self._thread.shutdown()

    # Writing ------------------------------------------------------------------------------------------------------

    async def submit(self, call: Call[M]) -> M:
        """Decide a call at the head and return its reply once the entry is durable.

        Raises Refusal, RequestIdReused, ClockBehind, LedgerUnhealthy, StoreUnavailable, LimitExceeded, ShuttingDown,
        and whatever ``prepare`` or ``render`` raise. A caller who is cancelled may have written all the same.
        """
        health = self._writer.health
        if not health.ok and not (call.restores and health.lost is not None):
            raise LedgerUnhealthy(health.code)
        reply: M = await self._enqueue(call)
        return reply

    async def side(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in the writer's thread and transaction, and return what it gives once that is durable.

        For what is no fold of the log. It also works while the log can't be relied on. Raises StoreUnavailable.
        """
        done: T = await self._enqueue(Side(work))
        return done

    async def checkpoint(self) -> str:
        """Return a signed checkpoint at or past every answered write. It is stored before it is shown.

        Raises LedgerUnhealthy: only a root that this process computed, of a log that it believes, is signed.
        """
        if not self._writer.health.ok:
            raise LedgerUnhealthy(self._writer.health.code)
        view = self._view
        if self._newest_checkpoint is None or self._newest_checkpoint[0] != view.state.size:
            note = await self.sign_head(view.state.size, view.root)
            self._newest_checkpoint = view.state.size, note
            return note
        return self._newest_checkpoint[1]

    async def sign_head(self, size: int, root: bytes) -> str:
        """Return a signed checkpoint of a tree head, stored before it is shown.

        The caller owes that ``root`` is the view's own or was proven to be what the view's extends (``proving.py``).
        Raises LedgerUnhealthy.
        """
        if not self._writer.health.ok:
            raise LedgerUnhealthy(self._writer.health.code)
        note: str = await self._enqueue(Signing(size, root))
        return note

    def distrust(self, health: LedgerHealth) -> None:
        """Stop to rely on the log until a restart has read it again: the gate denies, nothing is written or signed."""
        if self._writer.health.ok or self._writer.health.lost is not None:
            self._writer.distrust(health)
            self._log.error("ledger_unhealthy", code=health.code, detail=health.detail)

    # Watching -----------------------------------------------------------------------------------------------------

    def listen(self, tell: Callable[[tuple[Step, ...]], None]) -> None:
        """Have ``tell`` called with every step that is committed, once the view has moved. It must not wait."""
        self._listeners.append(tell)

    def steps_since(self, position: int) -> tuple[Step, ...]:
        """Return the step at ``position`` and all later ones; nothing where it is too long ago to be in memory."""
        return self._steps.since(position)

    async def replay(self, after: int, visit: Callable[[View, Step], bool]) -> int:
        """Show ``visit`` every step past ``after`` with the view before it, out of the store, in a reader's thread.

        Ends when ``visit`` says so, at the head, or after a number of entries; returns the last position shown.
        Raises StoreUnavailable.
        """
        with self._finding_forgeries():
            return await history.replay(self._store, self._policies, self._remembered, self._view, after, visit)

    # Reading ------------------------------------------------------------------------------------------------------

    async def view_at(self, *, position: int | None = None, time: int | None = None) -> View:
        """Return the view after the entry at ``position``, or after the last one made by ``time`` (microseconds).

        Raises PositionNotReached past the head, NotFound before the first entry, LedgerUnhealthy where the database
        was edited, StoreUnavailable.
        """
        with self._finding_forgeries():
            return await history.view_at(
                self._store, self._policies, self._remembered, self._view, position=position, time=time
            )

    def time_of(self, position: int) -> int:
        """Return when an entry was made (microseconds)."""
        return self._remembered.time_of(position)

    def examine(self, position: int, stored: StoredEntry | None) -> bool:
        """Say whether what the database has at a position is what was decided; where it is not, distrust the log."""
        if fault := self._remembered.entry_fault(position, stored):
            self.distrust(disagrees(fault))
        return not fault

    def examine_objects(self, found: Mapping[bytes, bytes]) -> None:
        """Hold objects of the database against the digests that they were asked for by."""
        for digest, data in found.items():
            if not is_object_of(digest, data):
                self.distrust(disagrees(f"object {digest.hex()} is not what its digest says"))

    @contextmanager
    def _finding_forgeries(self) -> Iterator[None]:
        """Answer with nothing at all where the past was edited, and distrust the log from then on."""
        try:
            yield
        except ForgedError as error:
            self.distrust(disagrees(str(error)))
            raise LedgerUnhealthy(Code.LEDGER) from error

    async def wait_position(self, position: int, timeout_seconds: float) -> View:
        """Return a view that includes the entry at ``position``. Raises PositionNotReached when time is up."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self.wait_past(position - 1)
        except TimeoutError:
            raise PositionNotReached(position, self._view.position) from None

    async def wait_past(self, position: int) -> View:
        """Return the first view seen whose head is past ``position``. Raises ShuttingDown at the end."""
        while self._view.position <= position:
            if self._stopping.is_set():
                raise ShuttingDown
            await self._moved.wait()
        return self._view

    async def tail(self, after: int, *, follow: bool = False) -> AsyncGenerator[StoredEntry, None]:
        """Give every entry past position ``after`` in order, none twice, none left out; with ``follow``, new ones too.

        Holds few entries at a time, however long the log and however slow the reader. Raises StoreUnavailable, and with
        ``follow`` ShuttingDown at the end.
        """
        while True:
            head = self._view.position
            while after < head:
                page = await self._store.entries_after(after, until=head, limit=TAIL_PAGE)
                if [entry.seq for entry in page] != list(range(after + 1, after + 1 + len(page))) or not page:
                    self.examine(after + 1, None)
                    raise StoreUnavailable(f"the log has no entry {after + 1} any more")
                for entry in page:
                    self.examine(entry.seq, entry)
                    yield entry
                after = page[-1].seq
            if not follow:
                return
            await self.wait_past(max(after, head))

    # The writer's side --------------------------------------------------------------------------------------------

    async def _enqueue(self, job: Job) -> Any:  # noqa: ANN401  # what the job gives
        if self._stopping.is_set():
            raise ShuttingDown
        waiting = Waiting(job, asyncio.get_running_loop().create_future())
        self._queue.put(waiting)
        self._arrived.set()
        return await waiting.future

    async def _drain(self) -> None:
        """Commit what waits, batch by batch, until the end."""
        while True:
            if not await self._wait_for_work():
                await self._commit([])
                if fault := await self._marking.check():
                    self._hear(fault, looked=True)
                self._check_clock()
                continue
            batch = self._queue.take()
            if batch:
                await self._commit(batch)
            elif self._stopping.is_set():
                return
            else:
                self._arrived.clear()

    async def _wait_for_work(self) -> bool:
        """Wait until something arrives; False where it is time to look at the store first."""
        rest = self._attention.rest_seconds()
        if rest <= 0:
            return False
        if not self._arrived.is_set():
            try:
                async with asyncio.timeout(rest):
                    await self._arrived.wait()
            except TimeoutError:
                return False
        return True

    async def _commit(self, batch: list[Waiting]) -> None:
        jobs = [waiting.job for waiting in batch]
        was_healthy = self._writer.health.ok
        try:
            committed = await self._in_thread(self._writer.commit, jobs)
        except Exception as error:  # noqa: BLE001  # a bug: carried to every caller, and the queue goes on
            self._hear(repr(error), looked=not batch)
            _answer([(waiting, Failed(error)) for waiting in batch])
            return
        self._hear(committed.fault, looked=not batch)
        if committed.restored:
            self._marking.accept_loss()
            self._log.warning("loss_accepted", position=committed.head.view.position)
        if committed.head.view is not self._view:
            self._view = committed.head.view
            self._steps.extend(committed.steps)
            self._announce()
            for tell in self._listeners:
                tell(committed.steps)
        if was_healthy and not self._writer.health.ok:
            self._log.error("ledger_unhealthy", code=self._writer.health.code, detail=self._writer.health.detail)
        tightened: list[tuple[Waiting, Outcome]] = []
        others: list[tuple[Waiting, Outcome]] = []
        for waiting, outcome in zip(batch, committed.outcomes, strict=True):
            late = waiting.tightening and isinstance(outcome, Done)
            (tightened if late else others).append((waiting, outcome))
        _answer(others)
        if tightened:
            fault = await self._marking.advance(self._view)
            if fault:
                tightened = [(waiting, Failed(StoreUnavailable(fault))) for waiting, _ in tightened]
            _answer(tightened)

    def _hear(self, fault: str, *, looked: bool) -> None:
        """Take in whether the store answered, and log when that changes."""
        before = self._attention.fault
        self._attention.heard(fault, looked=looked)
        if fault and not before:
            self._log.error("store_unavailable", error=fault)
        elif before and not self._attention.fault:
            self._log.info("store_available")

    def _announce(self) -> None:
        """Wake everyone who waits for the view to move."""
        self._moved.set()
        self._moved = asyncio.Event()

    def _check_clock(self) -> None:
        """Log when the clock jumps, and when it counts again."""
        before = self._ahead
        self.clock.now_us()
        self._ahead = self.clock.ahead_us
        if self._ahead and not before:
            self._log.error("clock_jumped", ahead_seconds=self._ahead // MICROSECONDS)
        elif before and not self._ahead:
            self._log.info("clock_counts_again")

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401  # handed through
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *arguments))


def _answer(pairs: list[tuple[Waiting, Outcome]]) -> None:
    """Answer callers; one who has gone misses it."""
    for waiting, outcome in pairs:
        if waiting.future.done():
            continue
        match outcome:
            case Done(value=value):
                waiting.future.set_result(value)
            case Failed(error=error):
                waiting.future.set_exception(error)
