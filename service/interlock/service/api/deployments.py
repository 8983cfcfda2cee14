"""Deployments behind GateService: recorded, ended, read with what the gate says of them now.

Whether one is out of compliance is judged at each answer's position and instant. A page of them can ask the gate about
thousands of releases, so it is judged in a thread.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from typing import TYPE_CHECKING

from interlock.service.api.convert.records import deployment_message
from interlock.service.api.pages import page_of
from interlock.service.api.reads import newest_first
from interlock.service.api.times import from_microseconds
from interlock.service.errors import Invalid, NotFound
from interlock.service.ledger.calls import Prepared
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.compliance import Compliance, live_deployments
from interlock.statemachine.names import leaf_of, number_of
from interlock.v1 import gate_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from interlock.service.api.calls import Writer
    from interlock.service.api.deployment_watch import DeploymentWatches
    from interlock.service.api.pages import Page
    from interlock.service.api.reads import Reader
    from interlock.service.ledger.view import View
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.state import State

_SERVICE = "interlock.v1.GateService"


class Deployments:
    """What runs where, and which of it the gate denies."""

    def __init__(self, reader: Reader, writer: Writer, watches: DeploymentWatches) -> None:
        self._reader = reader
        self._writer = writer
        self._watches = watches

    async def record(self, request: gate_pb2.RecordDeploymentRequest) -> gate_pb2.Deployment:
        """Record a deployment; the gate's verdict is judged with the entry."""

        def prepare(view: View, _instant: int) -> Prepared:
            decision = _decision_named(view.state, request.decision)
            named = (request.model, request.context, request.artifact_digest, request.location)
            return Prepared(c.Fire(f.DeploymentRecord(*named, decision)))

        method = f"{_SERVICE}/RecordDeployment"
        return await self._writer.submit(method, request, prepare, _written, gate_pb2.Deployment)

    async def end(self, request: gate_pb2.EndDeploymentRequest) -> gate_pb2.Deployment:
        """Record the end of a deployment."""
        firing = f.DeploymentEnd(request.name)
        return await self._writer.fire(f"{_SERVICE}/EndDeployment", request, firing, _written, gate_pb2.Deployment)

    async def get(self, request: gate_pb2.GetDeploymentRequest) -> gate_pb2.Deployment:
        """Return one deployment. Raises NotFound."""
        view, instant = await self._reader.as_of(request)
        deployment = view.state.find(request.name, r.Deployment)
        if deployment is None:
            raise NotFound(request.name)
        return deployment_message(view, deployment, Compliance(view.policy, view.state, instant))

    async def list(self, request: gate_pb2.ListDeploymentsRequest) -> gate_pb2.ListDeploymentsResponse:
        """Return a page, newest first, judged at one position and instant.

        Raises NotFound for a model and Invalid for a context that there is none of: nothing out of compliance is an
        answer that tools act on, and a mistyped name must not get it.
        """
        page = page_of(request)
        view, instant = await self._reader.as_of(request)
        return await asyncio.to_thread(_listed(request, page, page.number_after(), view, instant))

    def watch(self, request: gate_pb2.WatchDeploymentsRequest) -> AsyncIterator[gate_pb2.WatchDeploymentsResponse]:
        """Yield what is out of compliance now, then each turn."""
        return self._watches.watch(request)


def _written(view: View, accepted: Accepted) -> gate_pb2.Deployment:
    """Return the deployment that an entry wrote, judged after it."""
    name = accepted.entry.transitions[0].resource
    gate = Compliance(view.policy, view.state, accepted.entry.time)
    return deployment_message(view, view.state.need(name, r.Deployment), gate)


def _decision_named(state: State, name: str) -> str:
    """Return ``decisions/{n}`` for the name of a decision or of its entry. Raises NotFound for another entry."""
    if not name.startswith("entries/"):
        return name
    # A decision is written once, so their numbers follow their positions.
    numbers, entry = range(1, state.counters.get("decisions", 1)), number_of(name)
    at = bisect_left(numbers, entry, key=lambda number: state.position(f"decisions/{number}"))
    found = f"decisions/{numbers[at]}" if at < len(numbers) else ""
    if not found or state.position(found) != entry:
        raise NotFound(name)
    return found


def _listed(
    request: gate_pb2.ListDeploymentsRequest, page: Page, before: int | None, view: View, instant: int
) -> Callable[[], gate_pb2.ListDeploymentsResponse]:
    def listed() -> gate_pb2.ListDeploymentsResponse:
        _require_known(request, view)
        gate = Compliance(view.policy, view.state, instant)
        wanted = (
            deployment
            for deployment in _newest_first(request, view.state, before)
            if (not request.model or deployment.model == request.model)
            and (not request.context or deployment.context == request.context)
            and (not request.out_of_compliance or gate.denied(deployment) is not None)
        )
        chosen, token = page.cut(wanted, lambda deployment: leaf_of(deployment.name))
        messages = [deployment_message(view, deployment, gate) for deployment in chosen]
        messages, token = page.fit(messages, token, lambda message: leaf_of(message.name))
        return gate_pb2.ListDeploymentsResponse(
            deployments=messages,
            next_page_token=token,
            log_position=view.position,
            instant=from_microseconds(instant),
        )

    return listed


def _require_known(request: gate_pb2.ListDeploymentsRequest, view: View) -> None:
    if request.model and view.state.find(request.model, r.Model) is None:
        raise NotFound(request.model)
    place = request.context
    if not place or view.policy.context(place) is not None:
        return
    # Of an earlier policy, perhaps: what was deployed there then may be asked for as long as anybody likes.
    if not any(item.context == place for item in newest_first(view.state, "deployments", r.Deployment)):
        known = ", ".join(context.id for context in view.policy.contexts)
        raise Invalid("context", f"is none of the policy ({known}), and nothing was deployed there")


def _newest_first(request: gate_pb2.ListDeploymentsRequest, state: State, before: int | None) -> Iterator[r.Deployment]:
    """Yield deployments below number ``before``: the live ones, or all where ended ones are asked for."""
    if request.show_ended and not request.out_of_compliance:
        return newest_first(state, "deployments", r.Deployment, before)
    live = (item for item in live_deployments(state, request.model) if before is None or number_of(item.name) < before)
    return iter(sorted(live, key=lambda item: number_of(item.name), reverse=True))
