"""GateService: the verdict out of memory, at the head of the log.

A verdict depends on (position, instant) only, so it is kept for each question while the view stays the same and no
moment passes at which time alone could change it; then only the instant in the answer differs. What is kept is the
answer's bytes: the instant's are put behind them, since a message's fields may come in any order. Serving conditions
(rule 1: clock, ledger) are judged every time and never kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.answers import Judged, Question, denied, judge
from interlock.service.api.serving import not_served
from interlock.service.clock import MICROSECONDS
from interlock.service.errors import PositionNotReached
from interlock.v1 import gate_pb2, gate_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interlock.service.api.decisions import Decisions
    from interlock.service.api.deployments import Deployments
    from interlock.service.api.measures import Measures
    from interlock.service.api.questions import Questions
    from interlock.service.api.release_watch import ReleaseWatches
    from interlock.service.clock import GuardedClock
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.service.server import Context

MAX_KEPT: Final = 10_000
"""How many verdicts are kept: a caller who asks about ever new names must not fill the memory."""


class GateService(gate_pb2_grpc.GateServiceServicer):
    """May this model go to this context, now?"""

    def __init__(
        self,
        committer: Committer,
        clock: GuardedClock,
        decisions: Decisions,
        deployments: Deployments,
        questions: Questions,
        watches: ReleaseWatches,
        measures: Measures,
    ) -> None:
        self._committer = committer
        self._clock = clock
        self._decisions = decisions
        self._deployments = deployments
        self._questions = questions
        self._watches = watches
        self._measures = measures
        self._view: View | None = None
        self._kept: dict[Question, Judged] = {}
        self._instant = gate_pb2.CheckReleaseResponse()

    async def CheckRelease(  # type: ignore[override]  # a reply's bytes do as well: `server.py`
        self, request: gate_pb2.CheckReleaseRequest, context: Context
    ) -> bytes:
        """Answer at the head of the log, with every reason."""
        view = self._committer.view
        if request.min_position > view.position:
            raise PositionNotReached(request.min_position, view.position)
        now = self._clock.now_us()
        instant = max(now, view.state.time)
        question = (request.model, request.context, request.artifact_digest)
        no = not_served(self._committer.health, view, now, self._clock.ahead_us)
        if request.want_decision and not no:
            signed = await self._decisions.issue(request, lambda head, at: judge(head, question, at).at(at))
            return signed.SerializeToString()
        kept = self._verdict(view, question, instant)
        return denied(kept.at(instant), no).SerializeToString() if no else kept.data + self._instant_bytes(instant)

    async def BatchCheckRelease(
        self, request: gate_pb2.BatchCheckReleaseRequest, context: Context
    ) -> gate_pb2.BatchCheckReleaseResponse:
        """Answer many questions at one position and one instant."""
        return await self._questions.answer_all(request)

    async def ExplainRelease(
        self, request: gate_pb2.ExplainReleaseRequest, context: Context
    ) -> gate_pb2.ExplainReleaseResponse:
        """Answer with the requirement tree, now or as of a time or position."""
        return await self._questions.explain(request)

    def WatchRelease(
        self, request: gate_pb2.WatchReleaseRequest, context: Context
    ) -> AsyncIterator[gate_pb2.WatchReleaseResponse]:
        """Yield the verdict now, then at every flip."""
        return self._watches.watch(request)

    async def RecordDeployment(
        self, request: gate_pb2.RecordDeploymentRequest, context: Context
    ) -> gate_pb2.Deployment:
        """Record that a model runs somewhere, whatever the gate says of it."""
        return await self._deployments.record(request)

    async def EndDeployment(self, request: gate_pb2.EndDeploymentRequest, context: Context) -> gate_pb2.Deployment:
        """Record that it runs there no more."""
        return await self._deployments.end(request)

    async def GetDeployment(self, request: gate_pb2.GetDeploymentRequest, context: Context) -> gate_pb2.Deployment:
        """Return one deployment, now or as of a time or position."""
        return await self._deployments.get(request)

    async def ListDeployments(
        self, request: gate_pb2.ListDeploymentsRequest, context: Context
    ) -> gate_pb2.ListDeploymentsResponse:
        """Return deployments, newest first."""
        return await self._deployments.list(request)

    def WatchDeployments(
        self, request: gate_pb2.WatchDeploymentsRequest, context: Context
    ) -> AsyncIterator[gate_pb2.WatchDeploymentsResponse]:
        """Yield what is out of compliance now, then each deployment as it turns or ends."""
        return self._deployments.watch(request)

    async def EndInterimMeasure(
        self, request: gate_pb2.EndInterimMeasureRequest, context: Context
    ) -> gate_pb2.InterimMeasure:
        """End an interim measure at once."""
        return await self._measures.end(request)

    async def GetInterimMeasure(
        self, request: gate_pb2.GetInterimMeasureRequest, context: Context
    ) -> gate_pb2.InterimMeasure:
        """Return one interim measure, now or as of a time or position."""
        return await self._measures.get(request)

    async def ListInterimMeasures(
        self, request: gate_pb2.ListInterimMeasuresRequest, context: Context
    ) -> gate_pb2.ListInterimMeasuresResponse:
        """Return interim measures, newest first."""
        return await self._measures.list(request)

    async def ListBreakGlass(
        self, request: gate_pb2.ListBreakGlassRequest, context: Context
    ) -> gate_pb2.ListBreakGlassResponse:
        """Return uses of break-glass, newest first."""
        return await self._measures.uses(request)

    def _verdict(self, view: View, question: Question, instant: int) -> Judged:
        if view is not self._view or len(self._kept) >= MAX_KEPT:
            self._view, self._kept = view, {}
        kept = self._kept.get(question)
        if kept is None or (kept.until is not None and instant >= kept.until):
            kept = self._kept[question] = judge(view, question, instant)
        return kept

    def _instant_bytes(self, instant: int) -> bytes:
        """Return the bytes of an answer that says nothing but its instant."""
        self._instant.instant.seconds, rest = divmod(instant, MICROSECONDS)
        self._instant.instant.nanos = rest * 1000
        return self._instant.SerializeToString()
