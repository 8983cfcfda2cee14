"""What a read is answered from: a view, and the instant that it is judged at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeVar

    from interlock.service.clock import Clock
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.statemachine import resources as r
    from interlock.statemachine.state import State

    R = TypeVar("R", bound=r.Resource)


class Reader:
    """Gives views with their instants; one for all servicers."""

    def __init__(self, committer: Committer, clock: Clock) -> None:
        self._committer = committer
        self._clock = clock

    def now(self) -> tuple[View, int]:
        """Return the newest view, and now: the clock, or the last entry's time where that is later."""
        view = self._committer.view
        return view, max(self._clock.now_us(), view.state.time)

    async def at_position(self, position: int) -> tuple[View, int]:
        """Return the view after the entry at a position, judged when that was made. Raises NotFound past the head."""
        if position > self._committer.view.position:
            raise NotFound(f"entries/{position}")
        view = await self._committer.view_at(position=position)
        return view, view.state.time

    async def at_time(self, moment: int) -> tuple[View, int]:
        """Return the view of the last entry made at or before a moment (microseconds), judged at that moment.

        Raises NotFound for a moment before the log began.
        """
        return await self._committer.view_at(time=moment), moment


def newest_first(state: State, kind: str, of: type[R], before: int | None = None) -> Iterator[R]:
    """Yield the resources of a kind that numbers itself, newest first, those below number ``before`` only."""
    last = state.counters.get(kind, 1) - 1
    if before is not None:
        last = min(last, before - 1)
    for number in range(last, 0, -1):
        found = state.find(f"{kind}/{number}", of)
        if found is not None:
            yield found
