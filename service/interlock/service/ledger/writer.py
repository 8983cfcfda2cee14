"""The writer thread's own state: the head of the log in memory, and the one way to move it.

Memory never runs ahead of the disk. A batch becomes the head when its COMMIT has succeeded; when that fails, nobody is
answered and the head stays; and since a failed COMMIT may have reached the disk all the same, the next batch looks
before it writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from interlock.service.clock import MICROSECONDS
from interlock.service.errors import StoreUnavailable
from interlock.service.ledger.batch import REMEMBERED_US, Batch, Failed
from interlock.service.ledger.health import HEALTHY, disagrees
from interlock.service.storage import queries, writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from interlock.service.clock import GuardedClock
    from interlock.service.ledger.batch import Head, Job, Outcome
    from interlock.service.ledger.checkpoints import CheckpointSigner
    from interlock.service.ledger.concerns import EntryRows
    from interlock.service.ledger.health import LedgerHealth
    from interlock.service.ledger.policies import Policies
    from interlock.service.ledger.startup import Opened
    from interlock.service.ledger.steps import Step
    from interlock.service.storage.store import Store

MARK_KEPT: Final = "highwater"
"""Word in ``meta``: a mark was written once, so one that is missing later was taken away."""

PRUNE_EVERY_US: Final = 10 * 60 * MICROSECONDS
"""How often old answers are forgotten."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a batch: the head after it, every step from the head before, and the outcome of each job.

    ``fault`` is what the store failed with, empty where it did not; ``restored`` says that a loss was accepted.
    """

    head: Head
    steps: tuple[Step, ...]
    outcomes: tuple[Outcome, ...]
    fault: str = ""
    restored: bool = False


@dataclass(frozen=True, slots=True)
class _Appended:
    """A batch that is about to be committed: the head after it, and its entries."""

    head: Head
    entries: tuple[bytes, ...]
    steps: tuple[Step, ...]
    rows: tuple[tuple[EntryRows, bytes], ...]


class Writer:
    """Commits batches. Its methods run in one thread; ``head`` and ``health`` may be read from any."""

    def __init__(
        self, store: Store, clock: GuardedClock, policies: Policies, opened: Opened, signer: CheckpointSigner
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._policies = policies
        self._head = opened.head
        self._health = opened.health
        self._remembered = opened.remembered
        self._doubtful: _Appended | None = None
        self._pruned_at = 0
        self._mark_noted = False

    @property
    def head(self) -> Head:
        """The newest committed head."""
        return self._head

    @property
    def health(self) -> LedgerHealth:
        """Whether the log can be relied on; once it can't, that stays until a restart, or until a loss is accepted."""
        return self._health

    def distrust(self, health: LedgerHealth) -> None:
        """Take it that the log can't be relied on, for a reason that was found elsewhere. Any thread may say so."""
        if self._health.ok or self._health.lost is not None:
            self._health = health

    def commit(self, jobs: Sequence[Job]) -> Committed:
        """Do a batch of jobs in one transaction. Every outcome is final, and durable, when this returns.

        No jobs at all is a look at the store: that it can be opened, that its lock can be had, and that it ends where
        this process left it.
        """
        appended: _Appended | None = None
        recovered: tuple[Step, ...] = ()
        try:
            if not jobs:
                self._look()
            with self._store.transaction() as connection:
                recovered = self._check_head(connection)
                batch = Batch(connection, self._head, self._clock, self._policies, self._health, self._signer)
                outcomes = batch.take(jobs)
                head = batch.flush()
                appended = _Appended(head, batch.entries, batch.steps, batch.rows)
                self._prune(connection, head)
        except SQLAlchemyError as error:
            self._doubtful = appended
            # One exception each: they are raised in different tasks.
            failed = tuple(Failed(StoreUnavailable(repr(error))) for _ in jobs)
            return Committed(self._head, recovered, failed, repr(error))
        self._head, self._doubtful = head, None
        self._remember(batch.rows)
        if batch.accepts_clock:
            self._clock.accept(head.view.state.time)
        restored = batch.accepts_loss and self._health.lost is not None
        if restored:
            self._health = HEALTHY
        return Committed(head, recovered + batch.steps, outcomes, restored=restored)

    def _look(self) -> None:
        """Read the log's end as one who opens the database now: what is cached here says nothing of the file."""
        if self._doubtful is None:
            with self._store.afresh() as connection:
                self._check_head(connection)

    def note_mark(self) -> None:
        """Remember in the database that a high-water mark was written. Raises what the database raises."""
        if not self._mark_noted:
            with self._store.transaction() as connection:
                writes.put_meta(connection, MARK_KEPT, "yes")
            self._mark_noted = True

    def _check_head(self, connection: Connection) -> tuple[Step, ...]:
        """Compare the log's end with memory: after a failed COMMIT, and against writers that should not be there.

        Returns the steps of a failed COMMIT that was durable after all: the head has moved by them.
        """
        last = queries.last_entry(connection)
        found = queries.NEVER if last is None else last.seq
        if found == self._head.view.position:
            self._doubtful = None
            fault = self._remembered.entry_fault(found, last) if last is not None else ""
            if fault:
                self.distrust(disagrees(fault))
            return ()
        if self._doubtful is not None:
            doubtful = self._doubtful
            limit = len(doubtful.entries) + 1
            stored = queries.entries_after(connection, self._head.view.position, until=None, limit=limit)
            if tuple(entry.data for entry in stored) == doubtful.entries:
                # Nobody was told so: callers ask again, by request id.
                self._head, self._doubtful = doubtful.head, None
                self._remember(doubtful.rows)
                return doubtful.steps
        self.distrust(disagrees(f"the log ends at {found}, this process wrote it up to {self._head.view.position}"))
        return ()

    def _remember(self, rows: tuple[tuple[EntryRows, bytes], ...]) -> None:
        for row, leaf in rows:
            self._remembered.add(row, leaf)

    def _prune(self, connection: Connection, head: Head) -> None:
        """Forget answers that are older than a day."""
        now = max(self._clock.now_us(), head.view.state.time)
        if now - self._pruned_at >= PRUNE_EVERY_US:
            writes.drop_requests_before(connection, now - REMEMBERED_US)
            self._pruned_at = now
