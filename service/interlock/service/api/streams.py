"""What all watch streams share: every step of the log in order, timers, and how a stream learns that it should look.

A watcher keeps a position, and what it said last; never a queue. It goes over the steps past its position (``walk``),
says what they call for, then waits (``wait``) until an entry concerns it, a moment has come, or the serving conditions
have changed. While gRPC's flow control makes it wait for a slow reader it holds one message and its position, however
much is written meanwhile: afterwards it reads on from there, out of memory or out of the store. A reader who takes no
message for ``stream_write_seconds`` is dropped by the server's wrapper with SLOW_CONSUMER.

One task a server looks at the clock: ``asyncio`` timers run by a clock that knows nothing of a machine that slept or
of a clock that was set, so a moment of the wall clock is looked for at least every ``tick_seconds``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from interlock.service.api.serving import not_served
from interlock.service.clock import MICROSECONDS
from interlock.service.errors import ShuttingDown

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.service.api.token_seal import TokenSeal
    from interlock.service.clock import GuardedClock
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.steps import Step
    from interlock.service.ledger.view import View
    from interlock.statemachine.unmet import Unmet

TICK_SECONDS: Final = 0.25
"""How late, at most, a change of clock or ledger and the end of a session are noticed while nothing is written."""

REPLAYS: Final = 2
"""How many watchers may go over the far past at once: each holds a state of its own while it does."""

_IDENTITY: Final = ("principals/", "grants/", "policies/")


class _Waiter:
    """One who waits: woken by a step that concerns them, at ``due`` (microseconds), or by a change of ``served``."""

    __slots__ = ("concerns", "due", "position", "served", "woken")

    def __init__(
        self, position: int, due: int | None, concerns: Callable[[Step], bool], served: tuple[str, ...]
    ) -> None:
        self.position = position
        self.served = served
        self.due = due
        self.concerns = concerns
        self.woken = asyncio.Event()


class Streams:
    """Wakes watchers and shows them the log; one a server. Used from the event loop, while ``run`` runs."""

    def __init__(
        self,
        committer: Committer,
        clock: GuardedClock,
        review: Callable[[], None],
        seal: TokenSeal,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        """``review`` ends the streams of who would not be admitted any more; ``seal`` is that of their tokens."""
        self.seal = seal
        self._committer = committer
        self._clock = clock
        self._review = review
        self._tick = tick_seconds
        self._waiters: set[_Waiter] = set()
        self._replays = asyncio.Semaphore(REPLAYS)
        self._sooner = asyncio.Event()
        self._next_look: int | None = None
        self._stopped = False
        committer.listen(self._told)

    # For watchers -------------------------------------------------------------------------------------------------

    def now(self) -> tuple[View, int]:
        """Return the newest view, and now: the clock, or the last entry's time where that is later (microseconds)."""
        view = self._committer.view
        return view, max(self._clock.now_us(), view.state.time)

    async def view_at(self, position: int) -> View:
        """Return the view after the entry at a position. Raises PositionNotReached, StoreUnavailable."""
        steps = self._committer.steps_since(position)
        if steps and steps[0].position == position:
            return steps[0].view
        async with self._replays:
            return await self._committer.view_at(position=position)

    def not_served(self) -> list[Unmet]:
        """Return why an answer given now could not be relied on: clock or ledger."""
        now = self._clock.now_us()
        return not_served(self._committer.health, self._committer.view, now, self._clock.ahead_us)

    def remembers(self, position: int) -> bool:
        """Say whether every step past a position is still in memory."""
        return bool(self._committer.steps_since(position))

    async def walk(self, after: int, visit: Callable[[View, Step], bool]) -> int:
        """Show ``visit`` each step past position ``after`` with the view before it, and return the last one's position.

        None is left out and none shown twice. Ends at the head, or when ``visit`` returns True; out of the far past
        it may end earlier: walk again until nothing comes. ``visit`` may run in another thread; what it is shown is
        not to be kept. Raises PositionNotReached, StoreUnavailable.
        """
        steps = self._committer.steps_since(after)
        if not steps:
            async with self._replays:
                return await self._committer.replay(after, visit)
        before = steps[0]
        for step in steps[1:]:
            done = visit(before.view, step)
            before = step
            if done:
                break
        return before.position

    async def wait(self, after: int, concerns: Callable[[Step], bool], due: int | None, served: list[Unmet]) -> int:
        """Wait until there is something to see for one who has seen everything up to position ``after``.

        That is a step that ``concerns`` them, the moment ``due`` (microseconds), or serving conditions with other codes
        than ``served``. Returns a position up to which no step does concern them. Raises ShuttingDown at the end.
        """
        if self._stopped:
            raise ShuttingDown
        waiter = _Waiter(after, due, concerns, _codes(served))
        self._pass(waiter, self._committer.steps_since(after)[1:])
        if self._committer.view.position != waiter.position or waiter.served != _codes(self.not_served()):
            return waiter.position
        if due is not None and due <= self._clock.now_us():
            return waiter.position
        self._waiters.add(waiter)
        if due is not None and (self._next_look is None or due < self._next_look):
            self._sooner.set()
        try:
            await waiter.woken.wait()
        finally:
            self._waiters.discard(waiter)
        if self._stopped:
            raise ShuttingDown
        return waiter.position

    # The one task -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at clock, ledger and sessions until cancelled."""
        try:
            while True:
                await self._sleep()
                now, served = self._clock.now_us(), _codes(self.not_served())
                for waiter in self._waiters:
                    # Against what each was told, not against the last look: what came and went between two looks may
                    # have been told to one and not to another.
                    if served != waiter.served or (waiter.due is not None and waiter.due <= now):
                        waiter.woken.set()
                self._review()
        finally:
            self._stopped = True
            for waiter in self._waiters:
                waiter.woken.set()

    async def _sleep(self) -> None:
        """Until the next tick, or the first moment that somebody waits for."""
        now = self._clock.now_us()
        ends = [waiter.due for waiter in self._waiters if waiter.due is not None and not waiter.woken.is_set()]
        self._next_look = min([now + int(self._tick * MICROSECONDS), *ends])
        self._sooner.clear()
        try:
            async with asyncio.timeout(max(0.0, (self._next_look - now) / MICROSECONDS)):
                await self._sooner.wait()
        except TimeoutError:
            return

    def _told(self, steps: tuple[Step, ...]) -> None:
        """Wake those whom new steps concern; the others have seen them by that."""
        for waiter in self._waiters:
            self._pass(waiter, steps)
            if waiter.position != steps[-1].position:
                waiter.woken.set()
        if any(name.startswith(_IDENTITY) for step in steps for name in step.written):
            self._review()

    def _pass(self, waiter: _Waiter, steps: tuple[Step, ...]) -> None:
        """Move a waiter past the steps that do not concern it."""
        for step in steps:
            # A moment that an entry comes after has to be judged before it.
            if waiter.concerns(step) or (waiter.due is not None and waiter.due <= step.time):
                return
            if waiter.position == step.position - 1:
                waiter.position = step.position


def _codes(reasons: list[Unmet]) -> tuple[str, ...]:
    return tuple(reason.code for reason in reasons)
