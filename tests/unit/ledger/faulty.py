"""A database whose COMMIT fails when told to, before or after it reached the disk."""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from interlock.service.storage import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


class Fault(Enum):
    """How a COMMIT fails."""

    LOST = auto()  # nothing is on the disk
    DURABLE = auto()  # everything is on the disk, and the answer got lost


class FaultyStore(Store):
    """A store whose next transactions fail, one for each fault in ``faults``."""

    faults: list[Fault]

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Hold the write lock for a block, and fail at its end when told to."""
        fault = self.faults.pop(0) if getattr(self, "faults", []) else None
        with super().transaction() as connection:
            yield connection
            if fault is Fault.LOST:
                raise _failure()
        if fault is Fault.DURABLE:
            raise _failure()


def _failure() -> OperationalError:
    return OperationalError("COMMIT", {}, OSError("disk I/O error"))
