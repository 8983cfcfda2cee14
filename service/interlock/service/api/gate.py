"""GateService: the verdict out of memory, at the head of the log.

A verdict depends on (position, instant) only, so it is kept for each question while the view stays the same and no
moment passes at which time alone could change it; then only the instant in the answer differs. What is kept is the
answer's bytes: the instant's are put behind them, since a message's fields may come in any order. Serving conditions
(rule 1: clock, ledger) are judged every time and never kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.service.api.serving import not_served
from interlock.service.api.status import unmet_message
from interlock.service.api.times import from_microseconds
from interlock.service.clock import MICROSECONDS
from interlock.service.errors import PositionNotReached
from interlock.statemachine.explain import explain
from interlock.v1 import gate_pb2, gate_pb2_grpc

if TYPE_CHECKING:
    from interlock.service.api.decisions import Decisions
    from interlock.service.api.deployments import Deployments
    from interlock.service.clock import Clock
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.statemachine.unmet import Unmet

MAX_KEPT: Final = 10_000
"""How many verdicts are kept: a caller who asks about ever new names must not fill the memory."""

_Question = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer but for its instant, good while instant < ``until`` (None: as long as the view)."""

    data: bytes
    until: int | None

    def at(self, instant: int) -> gate_pb2.CheckReleaseResponse:
        """Return the answer at an instant."""
        answer = gate_pb2.CheckReleaseResponse.FromString(self.data)
        answer.instant.CopyFrom(from_microseconds(instant))
        return answer


class GateService(gate_pb2_grpc.GateServiceServicer):
    """May this model go to this context, now?"""

    def __init__(self, committer: Committer, clock: Clock, decisions: Decisions, deployments: Deployments) -> None:
        self._committer = committer
        self._clock = clock
        self._decisions = decisions
        self._deployments = deployments
        self._view: View | None = None
        self._kept: dict[_Question, _Kept] = {}
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
        no = not_served(self._committer.health, view, now)
        if request.want_decision and not no:
            signed = await self._decisions.issue(request, lambda head, at: _judge(head, question, at).at(at))
            return signed.SerializeToString()
        kept = self._verdict(view, question, instant)
        return _denied(kept.at(instant), no).SerializeToString() if no else kept.data + self._instant_bytes(instant)

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

    def _verdict(self, view: View, question: _Question, instant: int) -> _Kept:
        if view is not self._view or len(self._kept) >= MAX_KEPT:
            self._view, self._kept = view, {}
        kept = self._kept.get(question)
        if kept is None or (kept.until is not None and instant >= kept.until):
            kept = self._kept[question] = _judge(view, question, instant)
        return kept

    def _instant_bytes(self, instant: int) -> bytes:
        """Return the bytes of an answer that says nothing but its instant."""
        self._instant.instant.seconds, rest = divmod(instant, MICROSECONDS)
        self._instant.instant.nanos = rest * 1000
        return self._instant.SerializeToString()


def _denied(answer: gate_pb2.CheckReleaseResponse, reasons: list[Unmet]) -> gate_pb2.CheckReleaseResponse:
    """Return an answer turned into DENY, with these reasons first."""
    rule_reasons = list(answer.reasons)
    del answer.reasons[:]
    answer.reasons.extend([*map(unmet_message, reasons), *rule_reasons])
    answer.verdict = gate_pb2.VERDICT_DENY
    answer.ClearField("valid_until_time")
    return answer


def _judge(view: View, question: _Question, instant: int) -> _Kept:
    verdict = explain(view.policy, view.state, *question, instant)
    answer = gate_pb2.CheckReleaseResponse(
        verdict=gate_pb2.VERDICT_ALLOW if verdict.allowed else gate_pb2.VERDICT_DENY,
        reasons=map(unmet_message, verdict.reasons),
        advisories=map(unmet_message, verdict.advisories),
        log_position=view.position,
        policy=view.policy.name,
        policy_digest=view.policy.digest.hex(),
    )
    if verdict.valid_until is not None:
        answer.valid_until_time.CopyFrom(from_microseconds(verdict.valid_until))
    return _Kept(answer.SerializeToString(), verdict.stable_until)
