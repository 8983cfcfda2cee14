"""What a read is answered from: a view, and the instant that it is judged at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from interlock.service.api.times import to_microseconds
from interlock.service.errors import Invalid, NotAllowed, NotFound
from interlock.service.identity.caller import caller
from interlock.statemachine import authority, moments
from interlock.statemachine.rights import READ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeVar

    from google.protobuf.timestamp_pb2 import Timestamp

    from interlock.service.clock import Clock
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.statemachine import resources as r
    from interlock.statemachine.state import State

    R = TypeVar("R", bound=r.Resource)


class AsOf(Protocol):
    """A request that may ask about the past."""

    @property
    def position(self) -> int:
        """After the entry at this position."""

    @property
    def time(self) -> Timestamp:
        """After the last entry made by then."""

    def WhichOneof(self, oneof_group: Literal["as_of"], /) -> Literal["position", "time"] | None:  # protobuf's name
        """Say which of the two is set."""


class Reader:
    """Gives views with their instants; one for all servicers."""

    def __init__(self, committer: Committer, clock: Clock) -> None:
        self._committer = committer
        self._clock = clock
        self._past: View | None = None
        """The position of the past that was asked about last: the pages of one listing are all of the same."""

    def now(self) -> tuple[View, int]:
        """Return the newest view, and now: the clock, or the last entry's time where that is later."""
        view = self._committer.view
        return view, max(self._clock.now_us(), view.state.time)

    async def as_of(self, request: AsOf, *, right: str = READ) -> tuple[View, int]:
        """Return the view and the instant that a request's ``as_of`` asks for; now where it is not set.

        An answer about the past is a function of the log: clock and health of the server are not in it. About the past
        a method takes ``right`` beside its own: who asks the gate sees why it says no now, and nothing of what was.
        Raises NotAllowed; and Invalid, saying from when to when there is a log, for a position past the head, a moment
        before it began, and one that has not come yet.
        """
        asked = request.WhichOneof("as_of")
        if asked is not None:
            self._require(right)
        match asked:
            case "position":
                return await self.at_position(request.position)
            case "time":
                moment = to_microseconds(request.time, "time")
                if moment > self.now()[1]:
                    raise Invalid("time", f"has not come yet; {await self._extent()}")
                return await self.at_time(moment)
            case _:
                return self.now()

    def _require(self, right: str) -> None:
        view, now = self.now()
        if right not in authority.rights_of(view.policy, view.state, caller().principal, now):
            raise NotAllowed(right)

    async def at_position(self, position: int) -> tuple[View, int]:
        """Return the view after the entry at a position, judged when that was made. Raises Invalid past the head."""
        head = self._committer.view
        if position == head.position:
            return head, head.state.time
        if position > head.position:
            raise Invalid("position", f"is past the log's head; {await self._extent()}")
        view = self._past
        if view is None or view.position != position:
            view = self._past = await self._committer.view_at(position=position)
        return view, view.state.time

    async def at_time(self, moment: int) -> tuple[View, int]:
        """Return the view of the last entry made at or before a moment (microseconds), judged at that moment.

        Raises Invalid for a moment before the log began.
        """
        try:
            return await self._committer.view_at(time=moment), moment
        except NotFound:
            raise Invalid("time", f"is before the log began; {await self._extent()}") from None

    async def _extent(self) -> str:
        """Say from when to when there is a log, so that whoever asked outside of it can ask again."""
        head = self._committer.view.state
        first = await self._committer.view_at(position=0)
        return (
            f"the log goes from {moments.to_text(first.state.time)} (position 0) "
            f"to {moments.to_text(head.time)} (position {head.head})"
        )


def newest_first(state: State, kind: str, of: type[R], before: int | None = None) -> Iterator[R]:
    """Yield the resources of a kind that numbers itself, newest first, those below number ``before`` only."""
    last = state.counters.get(kind, 1) - 1
    if before is not None:
        last = min(last, before - 1)
    for number in range(last, 0, -1):
        found = state.find(f"{kind}/{number}", of)
        if found is not None:
            yield found
