"""`client.policies`: the policy versions that were ever adopted, with their packs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.client.groups.base import AsOf, Group, put_as_of
from interlock.v1 import policy_pb2, policy_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.v1.policy_pb2 import Policy

IN_FORCE: Final = "policies/-"


class Policies(Group):
    """Policy versions, to read; adopting one is a change."""

    def get(self, name: str = IN_FORCE, *, as_of: AsOf = None) -> Policy:
        """Return a version with its pack, by default the one in force, now or then."""
        request = policy_pb2.GetPolicyRequest(name=name)
        put_as_of(request, as_of)
        return self._transport.call(self._stub.GetPolicy, request, remember=as_of is None)

    def list(self) -> Iterator[Policy]:
        """Yield every version, oldest first, without packs."""
        return self._pages(self._stub.ListPolicies, policy_pb2.ListPoliciesRequest(), "policies")

    @property
    def _stub(self) -> policy_pb2_grpc.PolicyServiceStub:
        return policy_pb2_grpc.PolicyServiceStub(self._transport.channel)
