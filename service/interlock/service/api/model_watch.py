"""WatchModels: every model now, then each model that an entry touches, as that entry leaves it.

It tells state, not history: a watcher who is further behind than memory goes is told each model that was touched
meanwhile once, as it stands at one later position. Nothing is left out that still holds, no state of the past has to
be made again, and a slow reader costs the view that is being sent, which shares all that did not change.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from interlock.service.api.convert.model import model_message
from interlock.service.errors import PositionNotReached
from interlock.service.ledger.steps import step_of
from interlock.service.storage import queries
from interlock.statemachine import resources as r
from interlock.v1 import model_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interlock.service.api.streams import Streams
    from interlock.service.api.texts import Texts
    from interlock.service.ledger.steps import Step
    from interlock.service.ledger.view import View
    from interlock.service.storage import Store

PART: Final = 20
"""How many models are made into messages before they are sent."""


class ModelWatches:
    """Watches models; one for all streams."""

    def __init__(self, streams: Streams, store: Store, texts: Texts) -> None:
        self._streams = streams
        self._store = store
        self._texts = texts

    async def watch(self, request: model_pb2.WatchModelsRequest) -> AsyncIterator[model_pb2.WatchModelsResponse]:
        """Yield a snapshot, unless the watcher goes on from a position, then what changes.

        Raises PositionNotReached for a position past the head.
        """
        view, now = self._streams.now()
        if request.HasField("after_position"):
            position = request.after_position
            if position > view.position:
                raise PositionNotReached(position, view.position)
        else:
            position = view.position
            models = _all_models(view)
            if not models:
                yield model_pb2.WatchModelsResponse(log_position=position, complete=True)
            async for message in self._messages(view, models, now):
                yield message
        while True:
            step, instant = await self._next(position)
            async for message in self._messages(step.view, _models_of(step), instant):
                yield message
            position = step.position

    async def _next(self, position: int) -> tuple[Step, int]:
        """Return the next step that touches a model, and the instant that it is told at; waits until there is one."""
        while True:
            found: list[Step] = []
            if self._streams.remembers(position):

                def visit(_before: View, step: Step, found: list[Step] = found) -> bool:
                    found.extend([step] if _models_of(step) else [])
                    return bool(found)

                position = await self._streams.walk(position, visit)
                if found:
                    return found[0], found[0].time
            else:
                view, now = self._streams.now()
                written = partial(queries.written_between, after=position, until=view.position)
                step = step_of(view, await self._store.read(written))
                if _models_of(step):
                    return step, now
                position = view.position
            position = await self._streams.wait(position, _concerns, None, self._streams.not_served())

    async def _messages(
        self, view: View, models: list[str], instant: int
    ) -> AsyncIterator[model_pb2.WatchModelsResponse]:
        """Yield models as they stand at a view, a few at a time: one may be judged in many contexts."""
        for start in range(0, len(models), PART):
            part = models[start : start + PART]
            made = await asyncio.to_thread(_judged, view, part, instant)
            await self._texts.give_reasons(view, [item for message in made for item in message.safeguards])
            for name, message in zip(part, made, strict=True):
                yield model_pb2.WatchModelsResponse(
                    model=message, log_position=view.position, complete=name == models[-1]
                )


def _concerns(step: Step) -> bool:
    return step.every_model or bool(step.models)


def _models_of(step: Step) -> list[str]:
    """Return the models that a step touches, by name; a hold may be on a name that no model has."""
    if step.every_model:
        return _all_models(step.view)
    return sorted(name for name in step.models if step.view.state.find(name, r.Model))


def _all_models(view: View) -> list[str]:
    return sorted(model.name for model in view.state.all_of(r.Model))


def _judged(view: View, models: list[str], instant: int) -> list[model_pb2.Model]:
    return [model_message(view, view.state.need(name, r.Model), instant) for name in models]
