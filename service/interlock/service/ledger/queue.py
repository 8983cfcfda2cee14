"""Who waits for the writer: what tightens goes first, each kind in the order of its coming."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from interlock.service.errors import LimitExceeded
from interlock.service.ledger.batch import Side, Signing

if TYPE_CHECKING:
    import asyncio

    from interlock.service.ledger.batch import Job

MAX_WAITING: Final = 10_000
"""Jobs that may wait; what tightens may always."""

MAX_BATCH: Final = 256
"""Jobs in one transaction: more would make the first wait for the last."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job and the future that its caller waits on."""

    job: Job
    future: asyncio.Future[Any]

    @property
    def tightening(self) -> bool:
        """Whether it may only turn verdicts to DENY."""
        return not isinstance(self.job, Side | Signing) and self.job.tightening


class Queue:
    """Used from the event loop only."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._max_waiting = max_waiting
        self._urgent: deque[Waiting] = deque()
        self._others: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def put(self, waiting: Waiting) -> None:
        """Line up. Raises LimitExceeded where too many wait already."""
        if waiting.tightening:
            self._urgent.append(waiting)
        elif len(self._others) >= self._max_waiting:
            raise LimitExceeded("writes that wait")
        else:
            self._others.append(waiting)

    def take(self) -> list[Waiting]:
        """Return the next batch, without the callers who have gone in the meantime."""
        batch: list[Waiting] = []
        for line in (self._urgent, self._others):
            while line and len(batch) < MAX_BATCH:
                waiting = line.popleft()
                if not waiting.future.cancelled():
                    batch.append(waiting)
        return batch
