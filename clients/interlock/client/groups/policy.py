"""`client.policy`: policy versions with their packs; packs checked, compared, tried, proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.client.groups.base import AsOf, Group, pack_message, put_as_of
from interlock.v1 import change_pb2, change_pb2_grpc, policy_pb2, policy_pb2_grpc, trigger_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from interlock.v1.change_pb2 import Change
    from interlock.v1.policy_pb2 import DiffPoliciesResponse, LintPolicyResponse, Policy, SimulatePolicyResponse

IN_FORCE: Final = "policies/-"


class Policies(Group):
    """Policy versions; adopting one is a change."""

    def get(self, name: str = IN_FORCE, *, as_of: AsOf = None) -> Policy:
        """Return a version with its pack, by default the one in force, now or then."""
        request = policy_pb2.GetPolicyRequest(name=name)
        put_as_of(request, as_of)
        return self._transport.call(self._stub.GetPolicy, request, remember=as_of is None)

    def list(self) -> Iterator[Policy]:
        """Yield every version, oldest first, without packs; those that a change proposes stand before all."""
        return self._pages(self._stub.ListPolicies, policy_pb2.ListPoliciesRequest(), "policies")

    def lint(self, pack: Mapping[str, bytes], *, against_log: bool = False) -> LintPolicyResponse:
        """Return all that is wrong in a pack, given by its files; ``against_log``: also whether its people suffice."""
        request = policy_pb2.LintPolicyRequest(pack=pack_message(pack), against_log=against_log)
        return self._transport.call(self._stub.LintPolicy, request)

    def diff(self, old: str | Mapping[str, bytes], new: str | Mapping[str, bytes]) -> DiffPoliciesResponse:
        """Return in words what one version changes of another, what loosens first; each by name or by its files."""
        request = policy_pb2.DiffPoliciesRequest()
        if isinstance(old, str):
            request.old_name = old
        else:
            request.old_pack.CopyFrom(pack_message(old))
        if isinstance(new, str):
            request.new_name = new
        else:
            request.new_pack.CopyFrom(pack_message(new))
        return self._transport.call(self._stub.DiffPolicies, request)

    def simulate(self, pack: Mapping[str, bytes]) -> SimulatePolicyResponse:
        """Return which verdicts would flip if a pack were adopted now, and why; nothing is written."""
        request = policy_pb2.SimulatePolicyRequest(pack=pack_message(pack))
        return self._transport.call(self._stub.SimulatePolicy, request)

    def adopt(
        self,
        pack: Mapping[str, bytes],
        *,
        title: str = "",
        summary: str = "",
        evidence: Iterable[str] = (),
        draft: bool = False,
        request_id: str | None = None,
    ) -> Change:
        """Propose the change that adopts a pack. Raises PackError for one that does not load, RefusedError."""
        from interlock.statemachine.policy import load_pack  # noqa: PLC0415  # few programs need the loader

        policy = load_pack(pack)
        firing = trigger_pb2.PolicyAdopt(policy=policy.name, pack_digest=policy.digest)
        request = change_pb2.ProposeChangeRequest(
            triggers=[trigger_pb2.Trigger(policy_adopt=firing)],
            evidence=evidence,
            title=title or f"Adopt {policy.name}",
            summary=summary,
            draft=draft,
            pack=pack_message(pack),
            request_id=self._id(request_id),
        )
        return self._transport.call(change_pb2_grpc.ChangeServiceStub(self._transport.channel).ProposeChange, request)

    @property
    def _stub(self) -> policy_pb2_grpc.PolicyServiceStub:
        return policy_pb2_grpc.PolicyServiceStub(self._transport.channel)
