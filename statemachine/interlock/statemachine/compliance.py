"""Which deployments are out of compliance: live, and denied by the gate at a position and an instant. Derived only.

Many deployments are of one release (model, context, artifact): the gate is asked once for each. Serving conditions are
left out: a server that can't be relied on says nothing about what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.explain import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.explain import Verdict
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


class Compliance:
    """What the gate says of deployments at one state and instant (microseconds), judged when it is first asked."""

    def __init__(self, policy: Policy, state: State, instant: int) -> None:
        self.instant = instant
        self._policy = policy
        self._state = state
        self._verdicts: dict[tuple[str, str, str], Verdict] = {}

    @property
    def valid_until(self) -> int | None:
        """First instant at which time alone puts a deployment that was asked about out of compliance; None: never."""
        ends = (verdict.valid_until for verdict in self._verdicts.values())
        return min((end for end in ends if end is not None), default=None)

    def denied(self, deployment: r.Deployment) -> Verdict | None:
        """Return the DENY that puts a deployment out of compliance; None where it is ended or allowed."""
        if deployment.state != "live":
            return None
        release = deployment.model, deployment.context, deployment.artifact
        verdict = self._verdicts.get(release)
        if verdict is None:
            verdict = self._verdicts[release] = explain(self._policy, self._state, *release, self.instant)
        return None if verdict.allowed else verdict


def live_deployments(state: State, model: str = "") -> Iterator[r.Deployment]:
    """Yield the deployments that are live, of one model or of all, in no particular order."""
    return (state.need(name, r.Deployment) for name, of in state.live.items() if not model or of == model)
