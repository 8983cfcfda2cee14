"""`client.gate`: may this model go to this context, now?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.groups.base import Group
from interlock.v1 import gate_pb2, gate_pb2_grpc

if TYPE_CHECKING:
    from interlock.v1.gate_pb2 import CheckReleaseResponse


def is_allowed(answer: CheckReleaseResponse) -> bool:
    """Say whether an answer is a plain ALLOW: any other verdict, or one that gives reasons against itself, is a no."""
    return answer.verdict == gate_pb2.VERDICT_ALLOW and not answer.reasons


class Gate(Group):
    """The gate. Only `allows` answers with a bool, and only a plain ALLOW makes it true."""

    def check(
        self, model: str, context: str, *, artifact: str = "", min_position: int | None = None
    ) -> CheckReleaseResponse:
        """Return verdict and reasons at the head of the log.

        The answer has to include whatever this profile has seen of the log, or ``min_position`` where that is more; a
        server that has not got there is UNAVAILABLE. Read any verdict but VERDICT_ALLOW as DENY.
        """
        seen = self._transport.memory.load().least_position
        request = gate_pb2.CheckReleaseRequest(
            model=names.model(model),
            context=context,
            artifact_digest=artifact,
            min_position=max(seen, min_position or 0, 0),
        )
        return self._transport.call(self._stub.CheckRelease, request)

    def allows(self, model: str, context: str, *, artifact: str = "") -> bool:
        """Say whether the gate allows it now. Raises InterlockError rather than guess."""
        return is_allowed(self.check(model, context, artifact=artifact))

    @property
    def _stub(self) -> gate_pb2_grpc.GateServiceStub:
        return gate_pb2_grpc.GateServiceStub(self._transport.channel)
