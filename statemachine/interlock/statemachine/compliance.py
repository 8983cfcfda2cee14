"""Which deployments are out of compliance: live, and denied by the gate at a position and an instant. Derived only.

Many deployments are of one release (model, context, artifact): the gate is asked once for each. Serving conditions are
left out: a server that can't be relied on says nothing about what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.statemachine import resources as r
from interlock.statemachine.explain import explain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from interlock.statemachine.explain import Verdict
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


Release = tuple[str, str, str]
"""Model, context, and artifact (empty for none)."""

NEVER: Final = (1 << 63) - 1
"""An instant that does not come."""


class Compliance:
    """What the gate says of deployments at one state and instant (microseconds), judged when it is first asked."""

    def __init__(self, policy: Policy, state: State, instant: int) -> None:
        self.instant = instant
        self._policy = policy
        self._state = state
        self._verdicts: dict[Release, Verdict] = {}

    @property
    def valid_until(self) -> int | None:
        """First instant at which time alone puts a deployment that was asked about out of compliance; None: never."""
        ends = (verdict.valid_until for verdict in self._verdicts.values())
        return min((end for end in ends if end is not None), default=None)

    def denied(self, deployment: r.Deployment) -> Verdict | None:
        """Return the DENY that puts a deployment out of compliance; None where it is ended or allowed."""
        if deployment.state != "live":
            return None
        release = release_of(deployment)
        verdict = self._verdicts.get(release)
        if verdict is None:
            verdict = self._verdicts[release] = explain(self._policy, self._state, *release, self.instant)
        return None if verdict.allowed else verdict


def release_of(deployment: r.Deployment) -> Release:
    """Return the release that a deployment is of."""
    return deployment.model, deployment.context, deployment.artifact


def live_releases(state: State, model: str = "") -> Iterator[Release]:
    """Yield each release that has a live deployment, of one model or of all, in no particular order."""
    for of in (model,) if model else state.live:
        for context, artifact in state.live.get(of, ()):
            yield of, context, artifact


def live_names(state: State, release: Release) -> Collection[str]:
    """Return the names of the live deployments of a release."""
    model, context, artifact = release
    found = state.live.get(model)
    return found.get((context, artifact), ()) if found is not None else ()


def live_deployments(state: State, model: str = "") -> Iterator[r.Deployment]:
    """Yield the deployments that are live, of one model or of all, in no particular order."""
    for release in live_releases(state, model):
        for name in live_names(state, release):
            yield state.need(name, r.Deployment)


def denied_from(policy: Policy, state: State, release: Release, instant: int) -> int:
    """Return the first instant (microseconds) at which the gate denies a release, from ``instant`` on at this state.

    0 where it denies already: time alone never turns that. ``NEVER`` where time alone does not.
    """
    verdict = explain(policy, state, *release, instant)
    if not verdict.allowed:
        return 0
    return NEVER if verdict.valid_until is None else verdict.valid_until
