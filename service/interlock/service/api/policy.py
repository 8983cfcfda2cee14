"""PolicyService: versions that were ever adopted or proposed, to read; packs to check, compare and try."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from interlock.service.api.convert.policy import (
    difference_messages,
    finding_messages,
    policy_message,
    simulation_message,
    versions_of,
)
from interlock.service.api.pages import page_of, past
from interlock.service.errors import Invalid, NotFound
from interlock.statemachine import codec
from interlock.statemachine.diffing import compare_policies
from interlock.statemachine.policy import PackError
from interlock.statemachine.policy.lint import Log, lint_pack
from interlock.statemachine.policy.loader import load_pack
from interlock.statemachine.simulating import simulate
from interlock.v1 import policy_pb2, policy_pb2_grpc

if TYPE_CHECKING:
    from interlock.service.api.reads import Reader
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.service.storage import Store
    from interlock.statemachine import resources as r
    from interlock.statemachine.policy import Policy

IN_FORCE: Final = "policies/-"


class PolicyService(policy_pb2_grpc.PolicyServiceServicer):
    """Policies."""

    def __init__(self, reader: Reader, store: Store) -> None:
        self._reader = reader
        self._store = store
        self._proving = asyncio.Lock()
        """A lint takes seconds of a processor, so there is one at a time: the gate goes first."""

    async def GetPolicy(self, request: policy_pb2.GetPolicyRequest, context: Context) -> policy_pb2.Policy:
        """Return one version with its pack."""
        view, _ = await self._reader.as_of(request)
        version, pack = await self._version(view, request.name)
        message = policy_message(view, version, await _title(view, version, {version.digest: pack} if pack else {}))
        if pack is not None:
            message.pack.ParseFromString(pack)
        return message

    async def ListPolicies(
        self, request: policy_pb2.ListPoliciesRequest, context: Context
    ) -> policy_pb2.ListPoliciesResponse:
        """Return the versions that were ever adopted, oldest first, after those that are only proposed."""
        page = page_of(request)
        view, _ = self._reader.now()
        versions = versions_of(view)
        ordered = sorted(versions, key=lambda name: (versions[name].adopted_at, name))
        chosen, token = page.cut(past(ordered, page.after), str)
        packs = await self._store.objects({versions[name].digest for name in chosen})
        answer = policy_pb2.ListPoliciesResponse(next_page_token=token)
        for name in chosen:
            title = await _title(view, versions[name], packs)
            answer.policies.append(policy_message(view, versions[name], title))
        return answer

    async def LintPolicy(
        self, request: policy_pb2.LintPolicyRequest, context: Context
    ) -> policy_pb2.LintPolicyResponse:
        """Return everything that is wrong in a pack, proofs included."""
        view, instant = self._reader.now()
        against = Log(view.state, instant) if request.against_log else None
        async with self._proving:
            linted = await asyncio.to_thread(lint_pack, _files(request.pack), against)
        return policy_pb2.LintPolicyResponse(
            clean=linted.clean,
            digest=linted.policy.digest.hex() if linted.policy is not None else "",
            findings=finding_messages(linted.findings),
        )

    async def DiffPolicies(
        self, request: policy_pb2.DiffPoliciesRequest, context: Context
    ) -> policy_pb2.DiffPoliciesResponse:
        """Return in words what one pack changes of another."""
        view, _ = self._reader.now()
        old = await self._policy(view, "old_pack", request.old_name, request.old_pack)
        new = await self._policy(view, "new_pack", request.new_name, request.new_pack)
        differences = await asyncio.to_thread(compare_policies, old, new)
        return policy_pb2.DiffPoliciesResponse(differences=difference_messages(differences))

    async def SimulatePolicy(
        self, request: policy_pb2.SimulatePolicyRequest, context: Context
    ) -> policy_pb2.SimulatePolicyResponse:
        """Return which verdicts would flip were a pack adopted now."""
        view, instant = self._reader.now()
        new = await self._policy(view, "pack", "", request.pack)
        # Every release is judged twice: the loop answers others meanwhile.
        found = await asyncio.to_thread(simulate, view.policy, new, view.state, instant)
        return simulation_message(view, found, instant)

    async def _version(self, view: View, name: str) -> tuple[r.PolicyVersion, bytes | None]:
        """Return a version by name, and its pack as it is kept. Raises NotFound."""
        wanted = view.policy.name if name == IN_FORCE else name
        version = versions_of(view).get(wanted)
        if version is None:
            raise NotFound(wanted)
        return version, (await self._store.objects((version.digest,))).get(version.digest)

    async def _policy(self, view: View, field: str, name: str, pack: policy_pb2.PolicyPack) -> Policy:
        """Return the policy of a pack, or of a version by name. Raises NotFound, Invalid for what does not load."""
        if not name:
            try:
                return await asyncio.to_thread(load_pack, _files(pack))
            except PackError as error:
                raise Invalid(field, f"no pack that loads: {error}") from error
        version, data = await self._version(view, name)
        if version.digest == view.policy.digest:
            return view.policy
        if data is None:
            raise NotFound(name)
        return await asyncio.to_thread(load_pack, codec.decode_pack(data))


def _files(pack: policy_pb2.PolicyPack) -> dict[str, bytes]:
    return {row.path: row.content for row in pack.files}


async def _title(view: View, version: r.PolicyVersion, packs: dict[bytes, bytes]) -> str:
    """Return what a version calls itself; empty where its pack is not there."""
    if version.digest == view.policy.digest:
        return view.policy.title
    pack = packs.get(version.digest)
    if pack is None:
        return ""
    return (await asyncio.to_thread(load_pack, codec.decode_pack(pack))).title
