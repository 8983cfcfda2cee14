"""WatchDeployments: all that are out of compliance now, then each as it turns or ends, none left out and none twice.

For each release that runs, a watcher keeps the instant from which the gate denies it, at the position where the
watcher is; so it needs memory by what runs, not by what is written or how slowly it is read. Walking the log from
there, a deployment can turn in two ways only: at an entry that touches its model or is about it, judged at that entry's
time, and at the instant itself, before any later entry. Both follow from the log, so whoever was away is told the very
same turns. Serving conditions are no part of it: a server whose clock is behind knows nothing new about what runs.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from interlock.service.api.convert.records import deployment_message
from interlock.service.api.deployment_token import Told, read_token, write_token
from interlock.service.api.times import from_microseconds
from interlock.service.errors import ClockBehind, NotFound, PositionNotReached
from interlock.service.ledger.batch import CLOCK_SLACK_US
from interlock.statemachine import resources as r
from interlock.statemachine.compliance import NEVER, Compliance, denied_from, live_names, live_releases, release_of
from interlock.statemachine.names import number_of
from interlock.v1 import gate_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from interlock.service.api.streams import Streams
    from interlock.service.api.token_seal import TokenSeal
    from interlock.service.ledger.steps import Step
    from interlock.service.ledger.view import View
    from interlock.statemachine.compliance import Release
    from interlock.statemachine.state import State

AT_ONCE: Final = 16
"""How many groups of turns are found before they are sent: what a stream with a slow reader holds at most, about."""

INLINE: Final = 32
"""How many releases a step may have judged on the event loop; more are judged in a thread."""

_OURS: Final = "deployments/"


@dataclass(frozen=True, slots=True)
class Group:
    """Deployments that turned at one position and instant, by name; ``base`` is where the watcher was before.

    ``skip`` of them were told already. A base of position -1 is that of a stream that begins.
    """

    view: View
    instant: int
    names: tuple[str, ...]
    base: tuple[int, int]
    skip: int = 0


class DeploymentWatches:
    """Watches deployments; one for all streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def watch(
        self, request: gate_pb2.WatchDeploymentsRequest
    ) -> AsyncIterator[gate_pb2.WatchDeploymentsResponse]:
        """Yield what is out of compliance now, or what turned since a token, then each turn.

        Raises NotFound for a model that there is none of, Invalid for a token of another question or log,
        PositionNotReached and ClockBehind for one from ahead.
        """
        turns = await self._begin(request)
        while True:
            for group in turns.found:
                for message in _messages(self._streams.seal, request.model, group):
                    yield message
            turns.found.clear()
            await self._next(turns)

    async def _begin(self, request: gate_pb2.WatchDeploymentsRequest) -> Turns:
        view, now = self._streams.now()
        if not request.resume_token:
            if request.model and view.state.find(request.model, r.Model) is None:
                raise NotFound(request.model)  # nothing would be told of what is mistyped
            return await asyncio.to_thread(_from_nothing, request.model, view, now, 0)
        told = read_token(self._streams.seal, request.model, request.resume_token)
        if told.position > view.position:
            raise PositionNotReached(told.position, view.position)
        if told.instant > now + CLOCK_SLACK_US:
            raise ClockBehind
        after = await self._streams.view_at(told.position)
        if told.base_position < 0:
            return await asyncio.to_thread(_from_nothing, request.model, after, told.instant, told.count)
        before = await self._streams.view_at(told.base_position)
        return await asyncio.to_thread(_from_token, request.model, told, before, after)

    async def _next(self, turns: Turns) -> None:
        """Find the next turns; waits until there is one."""
        while not turns.found:
            # 1. What entries did, and time before each of them.
            await self._streams.walk(turns.position, turns.visit)
            if turns.heavy is not None:
                await asyncio.to_thread(turns.judge_heavy)
                continue
            view, now = self._streams.now()
            if turns.position == view.position:
                # 2. What time did since the last entry.
                turns.pass_time(view, now)
                if not turns.found:
                    served = self._streams.not_served()
                    turns.position = await self._streams.wait(turns.position, turns.concerns, turns.due, served)


@dataclass(slots=True)
class Turns:
    """Where one watcher is: position, instant, and from when on each release that runs is denied there. Pure.

    Instants never go back: an entry may be dated before a moment that had come when it was committed, and is then
    judged at that moment.
    """

    model: str
    position: int
    instant: int
    denied: dict[Release, int]
    found: list[Group] = field(default_factory=list)
    heavy: tuple[View, Step] | None = None

    @property
    def due(self) -> int | None:
        """First moment (microseconds) at which time alone turns a deployment, None for never."""
        first = min((at for at in self.denied.values() if at > self.instant), default=NEVER)
        return first if first < NEVER else None

    def concerns(self, step: Step) -> bool:
        """Say whether a step can turn, begin or end a deployment. A no is certain."""
        live = step.view.state.live
        return (
            any(name.startswith(_OURS) for name in step.written)
            or (bool(live) and step.every_model)
            or any(model in live and self.model in {"", model} for model in step.models)
        )

    def visit(self, before: View, step: Step) -> bool:
        """Go over one step; True when enough was found, or where the step is to be judged in a thread."""
        self.pass_time(before, step.time)
        if self.concerns(step):
            if sum(1 for _ in self._touched(before, step)) > INLINE:
                self.heavy = before, step
                return True
            self._judge(before, step)
        self.position = step.position
        return len(self.found) >= AT_ONCE

    def judge_heavy(self) -> None:
        """Judge the step that was too much for the event loop, and go past it."""
        if self.heavy is not None:
            before, step = self.heavy
            self._judge(before, step)
            self.position, self.heavy = step.position, None

    def pass_time(self, view: View, until: int) -> None:
        """Let time alone pass at a view, up to and including ``until`` (microseconds)."""
        while (due := self.due) is not None and due <= until:
            turned = [
                name for release, at in self.denied.items() if at == due for name in live_names(view.state, release)
            ]
            self._find(view, due, turned)

    def _judge(self, before: View, step: Step) -> None:
        """Judge what a step touched, and find what is out of compliance on one side of it only."""
        after, instant = step.view, max(self.instant, step.time)
        turned: set[str] = set()
        for release in self._touched(before, step):
            outside = live_names(before.state, release) if self._is_denied(release) else ()
            names = live_names(after.state, release)
            self.denied.pop(release, None)
            if names:
                self.denied[release] = denied_from(after.policy, after.state, release, instant)
            now_outside = names if self.denied.get(release, NEVER) <= instant else ()
            if outside is not now_outside:
                turned |= set(outside) ^ set(now_outside)
        self._find(after, instant, turned)

    def _is_denied(self, release: Release) -> bool:
        return self.denied.get(release, NEVER) <= self.instant

    def _touched(self, before: View, step: Step) -> set[Release]:
        """Return the releases whose verdict or live deployments a step can have moved."""
        state = step.view.state
        models = [self.model] if step.every_model else [*step.models]
        touched = {
            release
            for model in models
            if self.model in {"", model}
            for side in (before.state, state)
            for release in live_releases(side, model)
        }
        for name in step.written:
            deployment = state.find(name, r.Deployment)
            if deployment is not None and self.model in {"", deployment.model}:
                touched.add(release_of(deployment))
        return touched

    def _find(self, view: View, instant: int, names: Iterable[str]) -> None:
        base = self.position, self.instant
        self.instant = instant
        ordered = tuple(sorted(names, key=number_of))
        if ordered:
            self.found.append(Group(view, instant, ordered, base))


def _judged(model: str, view: View, instant: int) -> Turns:
    """Return a watcher who is at a view and an instant, and was told everything up to there."""
    denied = {
        release: denied_from(view.policy, view.state, release, instant) for release in live_releases(view.state, model)
    }
    return Turns(model, view.position, instant, denied)


def _outside(turns: Turns, state: State) -> set[str]:
    """Return what is out of compliance where a watcher is."""
    return {name for release, at in turns.denied.items() if at <= turns.instant for name in live_names(state, release)}


def _from_nothing(model: str, view: View, instant: int, skip: int) -> Turns:
    """Return a watcher who is to be told all that is out of compliance at a view, past the first ``skip`` of it."""
    turns = _judged(model, view, max(instant, view.state.time))
    names = tuple(sorted(_outside(turns, view.state), key=number_of))
    if skip < max(len(names), 1):
        turns.found.append(Group(view, turns.instant, names, (-1, 0), skip))
    return turns


def _from_token(model: str, told: Told, before: View, after: View) -> Turns:
    """Return a watcher who goes on in the middle or at the end of a group that was told."""
    turns = _judged(model, after, told.instant)
    base = _judged(model, before, told.base_instant)
    names = tuple(sorted(_outside(base, before.state) ^ _outside(turns, after.state), key=number_of))
    if told.count < len(names):
        turns.found.append(Group(after, told.instant, names, (told.base_position, told.base_instant), told.count))
    return turns


def _messages(seal: TokenSeal, model: str, group: Group) -> Iterator[gate_pb2.WatchDeploymentsResponse]:
    """Yield a group's messages, made one at a time; for a stream that begins with nothing to tell, one that says so."""
    view, instant = group.view, from_microseconds(group.instant)
    gate = Compliance(view.policy, view.state, group.instant)
    last = max(len(group.names), 1)
    for index in range(group.skip, last):
        told = Told(*group.base, view.position, group.instant, index + 1)
        message = gate_pb2.WatchDeploymentsResponse(
            log_position=view.position,
            instant=instant,
            complete=index + 1 == last,
            resume_token=write_token(seal, model, told),
        )
        if group.names:
            deployment = view.state.need(group.names[index], r.Deployment)
            message.deployment.CopyFrom(deployment_message(view, deployment, gate))
        yield message
