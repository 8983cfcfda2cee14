"""The gate's answer to one question at one position and instant: what CheckRelease and the watchers both say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.service.api.status import unmet_message
from interlock.service.api.times import from_microseconds
from interlock.statemachine.explain import explain
from interlock.v1 import gate_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.service.ledger.view import View
    from interlock.statemachine.unmet import Unmet

Question = tuple[str, str, str]
"""Model, context, artifact digest."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer but for its instant, good while instant < ``until`` (None: as long as the view).

    ``data`` is its bytes; ``flips_at`` is when its verdict turns by time alone (microseconds; None: never).
    """

    data: bytes
    allowed: bool
    until: int | None
    flips_at: int | None

    def at(self, instant: int) -> gate_pb2.CheckReleaseResponse:
        """Return the answer at an instant."""
        answer = gate_pb2.CheckReleaseResponse.FromString(self.data)
        answer.instant.CopyFrom(from_microseconds(instant))
        return answer


def judge(view: View, question: Question, instant: int) -> Judged:
    """Judge at a view and an instant (microseconds); serving conditions are left out."""
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
    return Judged(answer.SerializeToString(), verdict.allowed, verdict.stable_until, verdict.valid_until)


def denied(answer: gate_pb2.CheckReleaseResponse, reasons: Iterable[Unmet]) -> gate_pb2.CheckReleaseResponse:
    """Return an answer turned into DENY, with these reasons first."""
    rule_reasons = list(answer.reasons)
    del answer.reasons[:]
    answer.reasons.extend([*map(unmet_message, reasons), *rule_reasons])
    answer.verdict = gate_pb2.VERDICT_DENY
    answer.ClearField("valid_until_time")
    return answer
