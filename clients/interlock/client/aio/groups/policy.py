"""`client.policies`: the policy versions that were ever adopted, with their packs. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.policy`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.groups.base import AsOf, put_as_of
from interlock.client.groups.policy import IN_FORCE
from interlock.v1 import policy_pb2, policy_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interlock.v1.policy_pb2 import Policy


class AsyncPolicies(AsyncGroup):
    """Policy versions, to read; adopting one is a change."""

    async def get(self, name: str = IN_FORCE, *, as_of: AsOf = None) -> Policy:
        """Return a version with its pack, by default the one in force, now or then."""
        request = policy_pb2.GetPolicyRequest(name=name)
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetPolicy, request, remember=as_of is None)

    def list(self) -> AsyncIterator[Policy]:
        """Yield every version, oldest first, without packs."""
        return self._pages(self._stub.ListPolicies, policy_pb2.ListPoliciesRequest(), "policies")

    @property
    def _stub(self) -> policy_pb2_grpc.PolicyServiceAsyncStub:
        return policy_pb2_grpc.PolicyServiceStub(self._transport.channel)
