"""PolicyService: versions that were ever adopted, to read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from interlock.service.api.convert.records import policy_message
from interlock.service.api.pages import page_of, past
from interlock.service.errors import NotFound
from interlock.statemachine import codec
from interlock.statemachine import resources as r
from interlock.statemachine.policy.loader import load_pack
from interlock.v1 import policy_pb2, policy_pb2_grpc

if TYPE_CHECKING:
    from interlock.service.api.reads import Reader
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.service.storage import Store

IN_FORCE: Final = "policies/-"


class PolicyService(policy_pb2_grpc.PolicyServiceServicer):
    """Policies."""

    def __init__(self, reader: Reader, store: Store) -> None:
        self._reader = reader
        self._store = store

    async def GetPolicy(self, request: policy_pb2.GetPolicyRequest, context: Context) -> policy_pb2.Policy:
        """Return one version with its pack."""
        view, _ = await self._reader.as_of(request)
        name = view.policy.name if request.name == IN_FORCE else request.name
        version = view.state.find(name, r.PolicyVersion)
        if version is None:
            raise NotFound(name)
        packs = await self._store.objects((version.digest,))
        message = policy_message(view, version, await _title(view, version, packs))
        if version.digest in packs:
            message.pack.ParseFromString(packs[version.digest])
        return message

    async def ListPolicies(
        self, request: policy_pb2.ListPoliciesRequest, context: Context
    ) -> policy_pb2.ListPoliciesResponse:
        """Return the versions that were ever adopted, oldest first."""
        page = page_of(request)
        view, _ = self._reader.now()
        versions = {version.name: version for version in view.state.all_of(r.PolicyVersion)}
        ordered = sorted(versions, key=lambda name: (versions[name].adopted_at, name))
        chosen, token = page.cut(past(ordered, page.after), str)
        packs = await self._store.objects({versions[name].digest for name in chosen})
        answer = policy_pb2.ListPoliciesResponse(next_page_token=token)
        for name in chosen:
            title = await _title(view, versions[name], packs)
            answer.policies.append(policy_message(view, versions[name], title))
        return answer


async def _title(view: View, version: r.PolicyVersion, packs: dict[bytes, bytes]) -> str:
    """Return what a version calls itself; empty where its pack is not there."""
    if version.digest == view.policy.digest:
        return view.policy.title
    pack = packs.get(version.digest)
    if pack is None:
        return ""
    return (await asyncio.to_thread(load_pack, codec.decode_pack(pack))).title
