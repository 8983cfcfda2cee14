"""`client.obligations`: what the policy obliges to, period by period, and what falls due. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.obligations`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.groups.base import AsOf, put_as_of
from interlock.v1 import accountability_pb2, accountability_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import timedelta

    from interlock.v1.accountability_pb2 import Obligation


class AsyncObligations(AsyncGroup):
    """Periods of obligations of the policy in force; ``overdue`` is judged at each answer."""

    def list(
        self, *, due_within: timedelta | None = None, show_fulfilled: bool = False, as_of: AsOf = None
    ) -> AsyncIterator[Obligation]:
        """Yield the periods that have begun and are due: those within ``due_within`` (overdue ones too), or all."""
        request = accountability_pb2.ListObligationsRequest(show_fulfilled=show_fulfilled)
        if due_within is not None:
            request.due_within.FromTimedelta(due_within)
        put_as_of(request, as_of)
        return self._pages(self._stub.ListObligations, request, "obligations", remember=as_of is None)

    async def get(self, period: str, *, as_of: AsOf = None) -> Obligation:
        """Return a period, `{id}/{n}`, as it stands or as it stood."""
        request = accountability_pb2.GetObligationRequest(name=names.obligation(period))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetObligation, request, remember=as_of is None)

    async def fulfil(self, period: str, evidence: Iterable[str], *, request_id: str | None = None) -> Obligation:
        """Fulfil a period by documents of the kind that the policy asks for."""
        request = accountability_pb2.FulfilObligationRequest(
            name=names.obligation(period),
            evidence=[names.evidence(document) for document in evidence],
            request_id=self._id(request_id),
        )
        return await self._transport.call(self._stub.FulfilObligation, request)

    @property
    def _stub(self) -> accountability_pb2_grpc.AccountabilityServiceAsyncStub:
        return accountability_pb2_grpc.AccountabilityServiceStub(self._transport.channel)
