"""Signed decisions: the gate's verdict in writing, in the log before anybody has it.

Signed once the entry is decided and before it is committed; the caller gets it only when the entry is durable. What a
crash leaves in between is an entry about a decision that nobody holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock.proofs import dsse
from interlock.service.errors import Invalid
from interlock.service.ledger.calls import Prepared
from interlock.statemachine import decision, verdicts
from interlock.v1 import gate_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from interlock.service.api.calls import Writer
    from interlock.service.ledger.view import View
    from interlock.statemachine.decide import Accepted

    Answer = Callable[[View, int], gate_pb2.CheckReleaseResponse]

_METHOD = "interlock.v1.GateService/CheckRelease"


class Decisions:
    """Hands out decisions signed with the log's decision key."""

    def __init__(self, writer: Writer, key: Ed25519PrivateKey) -> None:
        self._writer = writer
        self._key = key

    async def issue(self, request: gate_pb2.CheckReleaseRequest, answer: Answer) -> gate_pb2.CheckReleaseResponse:
        """Return the answer at the head with a decision, once that is recorded; ``answer`` judges (view, instant).

        Raises Invalid without an artifact, and what the committer does.
        """
        if not request.artifact_digest:
            raise Invalid("artifact_digest", "is required for a decision, whose subject it is")
        issue = _Issue(request, answer, self._key)
        return await self._writer.submit(_METHOD, request, issue.prepare, issue.render, gate_pb2.CheckReleaseResponse)


@dataclass(slots=True)
class _Issue:
    """One decision on its way: judged at the head in ``prepare``, signed in ``render``."""

    request: gate_pb2.CheckReleaseRequest
    answer: Answer
    key: Ed25519PrivateKey
    reply: gate_pb2.CheckReleaseResponse = field(default_factory=gate_pb2.CheckReleaseResponse)
    payload: bytes = b""

    def prepare(self, view: View, instant: int) -> Prepared:
        asked = self.request
        made = verdicts.judge(view.policy, view.state, asked.model, asked.context, asked.artifact_digest, instant)
        self.payload = decision.build_decision(made)
        self.reply.CopyFrom(self.answer(view, instant))
        return Prepared(verdicts.command_for(made))

    def render(self, _after: View, accepted: Accepted) -> gate_pb2.CheckReleaseResponse:
        self.reply.decision_name = accepted.entry.transitions[0].resource
        self.reply.decision = dsse.sign(dsse.IN_TOTO_TYPE, self.payload, self.key).to_json()
        return self.reply
