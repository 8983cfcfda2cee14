"""`client.deployments`: what runs where, and which of it the gate denies by now. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.deployments`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.decision import entry_of_decision
from interlock.client.errors import ProfileError, UnavailableError, rolled_back
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import gate_pb2, gate_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from interlock.client.errors import InterlockError
    from interlock.v1.gate_pb2 import Deployment, WatchDeploymentsResponse


class AsyncDeployments(AsyncGroup):
    """Deployments. A record is made whatever the gate says; ``out_of_compliance`` is judged at each answer."""

    async def record(
        self,
        model: str,
        context: str,
        location: str,
        *,
        artifact: str = "",
        decision: str | bytes = "",
        request_id: str | None = None,
    ) -> Deployment:
        """Record that a model runs at ``location``, an id of your tooling's own such as ``cluster-a/eu-west``.

        ``decision`` is what was relied on: `decisions/{n}`, the entry that records it, or the signed decision itself,
        of which only the entry's name is sent. Raises RefusedError for a decision about another release or a context
        that asks for an artifact, NotFoundError, and InvalidRequestError for a decision that does not verify.
        """
        request = gate_pb2.RecordDeploymentRequest(
            model=names.model(model),
            context=context,
            artifact_digest=artifact,
            location=location,
            decision=decision if isinstance(decision, str) else self._entry_of(decision, model, context, artifact),
            request_id=self._id(request_id),
        )
        return await self._transport.call(self._stub.RecordDeployment, request)

    async def end(self, deployment: str, *, request_id: str | None = None) -> Deployment:
        """Record that it runs there no more."""
        request = gate_pb2.EndDeploymentRequest(name=names.deployment(deployment), request_id=self._id(request_id))
        return await self._transport.call(self._stub.EndDeployment, request)

    async def get(self, deployment: str, *, as_of: AsOf = None) -> Deployment:
        """Return a deployment as it is, or as it was."""
        request = gate_pb2.GetDeploymentRequest(name=names.deployment(deployment))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetDeployment, request, remember=as_of is None)

    def list(
        self,
        *,
        model: str = "",
        context: str = "",
        out_of_compliance: bool = False,
        show_ended: bool = False,
        as_of: AsOf = None,
    ) -> AsyncIterator[Deployment]:
        """Yield deployments, newest first, as they are or as they were: the live ones, unless ``show_ended``."""
        request = gate_pb2.ListDeploymentsRequest(
            model=names.model(model) if model else "",
            context=context,
            out_of_compliance=out_of_compliance,
            show_ended=show_ended,
        )
        put_as_of(request, as_of)
        return self._pages(self._stub.ListDeployments, request, "deployments", remember=as_of is None)

    async def watch(
        self,
        model: str = "",
        *,
        resume_token: str = "",
        on_break: Callable[[InterlockError], None] | None = None,
        on_resume: Callable[[], None] | None = None,
    ) -> AsyncIterator[WatchDeploymentsResponse]:
        """Yield each live deployment that is out of compliance now, then each as it turns either way or ends.

        The first answers up to one with ``complete`` are all that there is now; where it is nothing, that one has no
        deployment. A stream that breaks off is taken up behind the last answer, none left out and none twice, for as
        long as it takes: ``on_break`` is told why, ``on_resume`` is called when it goes on. ``resume_token`` is of the
        last answer that an earlier watch gave. Raises InterlockError where going on can't help, RollbackError for a log
        shorter than what was seen.
        """
        before = self._transport.memory.load()
        token = resume_token

        def request() -> gate_pb2.WatchDeploymentsRequest:
            return gate_pb2.WatchDeploymentsRequest(model=names.model(model) if model else "", resume_token=token)

        try:
            async for answer in self._transport.resuming(
                self._stub.WatchDeployments, request, patient=True, on_break=on_break, on_resume=on_resume
            ):
                if token:
                    self._transport.memory.note_position(answer.log_position)
                else:  # what is so now: at the head of the log
                    self._transport.memory.check_position(answer.log_position, before)
                token = answer.resume_token
                yield answer
        except UnavailableError as error:
            raise rolled_back(error) from error

    def _entry_of(self, decision: bytes, model: str, context: str, artifact: str) -> str:
        profile = self._transport.profile
        if not profile.decision_key:
            raise ProfileError(f"{profile.folder} names no decision key", reason="NO_DECISION_KEY")
        return entry_of_decision(
            decision,
            key=profile.decision_key,
            log_id=profile.log_id.hex(),
            model=names.model(model),
            context=context,
            artifact=artifact,
        )

    @property
    def _stub(self) -> gate_pb2_grpc.GateServiceAsyncStub:
        return gate_pb2_grpc.GateServiceStub(self._transport.channel)
