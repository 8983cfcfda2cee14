"""WatchRelease: the verdict now, then at every flip, in order, none left out and none twice.

A verdict is a function of (position, instant). Walking the log from where the watcher is, it can turn in two ways
only: at the entry of a step, judged at that entry's time, and at the moment at which time alone ends an ALLOW, judged
at that very moment and before any later entry. Both follow from the log, so a watcher who was away, or whose server was
restarted, is told the very same flips. Serving conditions (clock, ledger) are judged at the head and now, are told as
flips too, and are left out of what is told about the past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.answers import denied, judge
from interlock.service.api.resume import Told, read_token, write_token
from interlock.service.errors import ClockBehind, PositionNotReached
from interlock.service.ledger.batch import CLOCK_SLACK_US
from interlock.v1 import gate_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from interlock.service.api.answers import Judged, Question
    from interlock.service.api.streams import Streams
    from interlock.service.api.token_seal import TokenSeal
    from interlock.service.ledger.steps import Step
    from interlock.service.ledger.view import View
    from interlock.statemachine.unmet import Unmet

AT_ONCE: Final = 64
"""How many flips are found before they are sent: what a stream with a slow reader holds at most, about."""


class ReleaseWatches:
    """Watches releases; one for all streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def watch(self, request: gate_pb2.WatchReleaseRequest) -> AsyncIterator[gate_pb2.WatchReleaseResponse]:
        """Yield the verdict now, unless the watcher goes on from a token, then each flip.

        Raises Invalid for a token of another question or log, PositionNotReached and ClockBehind for one from ahead.
        """
        flips, answers = await self._begin(request)
        while True:
            for answer in answers:
                yield answer
            flips.found.clear()
            answers = await self._next(flips)

    async def _begin(self, request: gate_pb2.WatchReleaseRequest) -> tuple[Flips, list[gate_pb2.WatchReleaseResponse]]:
        question = (request.model, request.context, request.artifact_digest)
        view, now = self._streams.now()
        seal = self._streams.seal
        if not request.resume_token:
            flips = Flips(seal, question, view, now)
            flips.tell(view, now, self._streams.not_served())
            return flips, flips.found
        told = read_token(seal, question, request.resume_token)
        if told.position > view.position:
            raise PositionNotReached(told.position, view.position)
        if told.instant > now + CLOCK_SLACK_US:
            raise ClockBehind
        return Flips(seal, question, await self._streams.view_at(told.position), told.instant, told=told.allowed), []

    async def _next(self, flips: Flips) -> list[gate_pb2.WatchReleaseResponse]:
        """Return the next flips; waits until there is one."""
        while True:
            # 1. What entries did, and time before each of them.
            reached = await self._streams.walk(flips.position, flips.visit)
            view, now = self._streams.now()
            if reached == view.position and not flips.found:
                # 2. What time did since the last entry. 3. What is so now, with clock and ledger.
                not_served = self._streams.not_served()
                flips.pass_time(view, now)
                flips.tell(view, now, not_served)
                if not flips.found:
                    concerns = _concerns(flips.question[0])
                    flips.position = await self._streams.wait(flips.position, concerns, flips.flips_at, not_served)
            if flips.found:
                return list(flips.found)


def _concerns(model: str) -> Callable[[Step], bool]:
    return lambda step: step.touches(model)


class Flips:
    """Where one watcher is, and what it has been told. Pure: it is shown steps and moments, and collects answers.

    ``allowed`` is the verdict by the rules at (position, instant); ``told`` what was last said, which differs while
    clock or ledger can't be relied on. Instants never go back: an entry may be dated before a moment that had come
    when it was committed, and is then judged at that moment.
    """

    def __init__(  # everything that a watcher is
        self, seal: TokenSeal, question: Question, view: View, instant: int, *, told: bool | None = None
    ) -> None:
        """Begin at a view and an instant; ``told`` is what was said there, None for nothing yet."""
        self.question = question
        self.position = view.position
        self.found: list[gate_pb2.WatchReleaseResponse] = []
        self._seal = seal
        self._instant = max(instant, view.state.time)
        judged = judge(view, question, self._instant)
        self._allowed = judged.allowed
        self._told = told
        self.flips_at = judged.flips_at

    def visit(self, before: View, step: Step) -> bool:
        """Go over one step; True when enough was found."""
        if self.flips_at is not None and self.flips_at < step.time:
            self.pass_time(before, self.flips_at)
        if step.touches(self.question[0]):
            self._judge(step.view, max(self._instant, step.time))
        self.position = step.position
        return len(self.found) >= AT_ONCE

    def pass_time(self, view: View, now: int) -> None:
        """Let time alone pass at a view, up to ``now`` (microseconds)."""
        if self.flips_at is not None and self.flips_at <= now:
            self._judge(view, max(self._instant, self.flips_at))

    def tell(self, view: View, now: int, not_served: list[Unmet]) -> None:
        """Say what is so at the head and now, where something else was said last."""
        allowed = self._allowed and not not_served
        if allowed != self._told:
            self._instant = max(self._instant, now)
            self._say(judge(view, self.question, self._instant), self._instant, not_served)

    def _judge(self, view: View, instant: int) -> None:
        judged = judge(view, self.question, instant)
        self._instant, self.flips_at = instant, judged.flips_at
        if judged.allowed == self._allowed:
            return
        self._allowed = judged.allowed
        if judged.allowed != self._told:
            self._say(judged, instant, [])

    def _say(self, judged: Judged, instant: int, not_served: list[Unmet]) -> None:
        answer = judged.at(instant)
        if not_served:
            answer = denied(answer, not_served)
        self._told = answer.verdict == gate_pb2.VERDICT_ALLOW
        told = Told(answer.log_position, instant, self._told)
        token = write_token(self._seal, self.question, told)
        self.found.append(gate_pb2.WatchReleaseResponse(answer=answer, resume_token=token))
