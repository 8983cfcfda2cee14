"""What the gate is asked beside one plain question: many at once, and why.

Both are judged here anew and keep nothing: the path of CheckRelease stays what it is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from interlock.service.api.answers import Judged, Question, denied, judge
from interlock.service.api.convert.requirement import node_message
from interlock.service.api.serving import not_served, serving_nodes
from interlock.service.errors import LimitExceeded, PositionNotReached
from interlock.statemachine.tree import grow_tree
from interlock.v1 import gate_pb2

if TYPE_CHECKING:
    from interlock.service.api.reads import Reader
    from interlock.service.clock import GuardedClock
    from interlock.service.ledger.committer import Committer

AT_A_TIME: Final = 16
"""Questions between which the event loop answers others: about a millisecond's worth."""

MOST_BYTES: Final = 15 << 20
"""Longest reply with many answers; clients take 16 MiB."""


class Questions:
    """Answers at the head of the log, or explains at any position of it."""

    def __init__(self, committer: Committer, clock: GuardedClock, reader: Reader) -> None:
        self._committer = committer
        self._clock = clock
        self._reader = reader

    async def answer_all(self, request: gate_pb2.BatchCheckReleaseRequest) -> gate_pb2.BatchCheckReleaseResponse:
        """Answer every question at one position and instant, in their order.

        Raises PositionNotReached, and LimitExceeded where the answers are too long for one reply.
        """
        view = self._committer.view
        if request.min_position > view.position:
            raise PositionNotReached(request.min_position, view.position)
        now = self._clock.now_us()
        instant = max(now, view.state.time)
        no = not_served(self._committer.health, view, now, self._clock.ahead_us)
        reply = gate_pb2.BatchCheckReleaseResponse()
        judged: dict[Question, Judged] = {}
        size = 0
        for index, asked in enumerate(request.questions, 1):
            question = (asked.model, asked.context, asked.artifact_digest)
            if question not in judged:
                judged[question] = judge(view, question, instant)
            answer = judged[question].at(instant)
            reply.answers.append(denied(answer, no) if no else answer)
            size += answer.ByteSize()
            if size > MOST_BYTES:
                raise LimitExceeded("bytes of one reply: ask fewer questions at a time")
            if index % AT_A_TIME == 0:
                await asyncio.sleep(0)
        return reply

    async def explain(self, request: gate_pb2.ExplainReleaseRequest) -> gate_pb2.ExplainReleaseResponse:
        """Answer with the requirement tree. Raises NotAllowed where only a reader may ask, and what a past view does.

        Serving conditions are part of an answer about now, and of no other.
        """
        question = (request.model, request.context, request.artifact_digest)
        if request.WhichOneof("as_of") is not None:
            view, instant = await self._reader.as_of(request)
            answer = judge(view, question, instant).at(instant)
            tree = grow_tree(view.policy, view.state, *question, instant)
            return gate_pb2.ExplainReleaseResponse(answer=answer, tree=node_message(tree))
        view, now = self._committer.view, self._clock.now_us()
        instant = max(now, view.state.time)
        no = not_served(self._committer.health, view, now, self._clock.ahead_us)
        answer = judge(view, question, instant).at(instant)
        tree = grow_tree(view.policy, view.state, *question, instant, serving_nodes(no))
        return gate_pb2.ExplainReleaseResponse(answer=denied(answer, no) if no else answer, tree=node_message(tree))
