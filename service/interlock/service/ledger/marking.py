"""Keeps the high-water mark at the log's head: before a tightening is answered, and once a second besides."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from interlock.service.ledger.health import disagrees
from interlock.service.ledger.highwater import Mark, MarkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from structlog.typing import FilteringBoundLogger

    from interlock.service.ledger.health import LedgerHealth
    from interlock.service.ledger.highwater import HighWaterMark
    from interlock.service.ledger.view import View
    from interlock.service.ledger.writer import Writer

EVERY_SECONDS: Final = 1.0
"""How old the mark may get while entries are written that only loosen."""


class MarkKeeper:
    """Moves one mark. Used from the event loop; whatever touches the disk runs in the writer's ``thread``.

    ``distrust`` is told where somebody else changed the mark: who set it back could set the log back too.
    """

    def __init__(
        self,
        mark: HighWaterMark,
        writer: Writer,
        thread: ThreadPoolExecutor,
        distrust: Callable[[LedgerHealth], None],
        log: FilteringBoundLogger,
        *,
        lower: bool,
    ) -> None:
        self._mark = mark
        self._writer = writer
        self._thread = thread
        self._distrust = distrust
        self._log = log
        self._lower = lower

    def accept_loss(self) -> None:
        """Have the next move go down to the head: a loss was accepted."""
        self._lower = True

    async def run(self, view: Callable[[], View], stopping: asyncio.Event) -> None:
        """Move the mark up every second, until told to stop."""
        while not stopping.is_set():
            await self.advance(view())
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def advance(self, view: View) -> str:
        """Put the mark at a view's head, durably; return what went wrong, empty for nothing."""
        lower = self._lower
        reached = self._mark.has_reached(view.state.size) and not lower
        if reached or not view.state.size or not self._writer.health.ok:
            return ""
        move = self._mark.lower if lower else self._mark.advance
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._thread, self._put, move, Mark(view.state.size, view.root)
            )
            self._lower = self._lower and not lower
        except MarkError as error:
            self._distrust(disagrees(str(error)))
            return str(error)
        except (OSError, SQLAlchemyError) as error:
            self._log.warning("high_water_mark_not_written", path=str(self._mark.path), error=repr(error))
            return repr(error)
        return ""

    async def check(self) -> str:
        """Look whether the mark is as it was left; return what the disk failed with, empty for nothing."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._mark.check)
        except MarkError as error:
            self._distrust(disagrees(str(error)))
        except OSError as error:
            return repr(error)
        return ""

    def _put(self, move: Callable[[Mark], None], mark: Mark) -> None:
        move(mark)
        self._writer.note_mark()
