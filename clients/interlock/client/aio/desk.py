"""The signing desk with asyncio: a change opened, reviewed and signed, in that order and no other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.client.adoption import written_under
from interlock.client.review import (
    DEEPEST,
    OpenedChange,
    Readers,
    ReviewedChange,
    open_change,
    ratified_by,
    review,
)
from interlock.client.signing import Consent, SignedStatement, Signer, Wish, roles_held, roles_to_act_in
from interlock.statemachine.bound import documents_of

if TYPE_CHECKING:
    from interlock.client.aio.sdk import AsyncInterlock
    from interlock.client.groups.base import AsOf
    from interlock.client.keyfile import Passphrase
    from interlock.client.opened import OpenedEvidence
    from interlock.v1.change_pb2 import Change
    from interlock.v1.evidence_pb2 import Evidence
    from interlock.v1.identity_pb2 import Delegation
    from interlock.v1.policy_pb2 import Policy


class AsyncSigningDesk:
    """Opens, reviews and signs changes for one client."""

    def __init__(self, client: AsyncInterlock, passphrase: Passphrase, opened: OpenedEvidence) -> None:
        """Work for ``client``; ``opened`` knows which documents its principal has downloaded."""
        self._client = client
        self._signer = Signer(client.profile, passphrase)
        self._opened = opened

    async def open(self, change: str, as_of: AsOf = None) -> OpenedChange:
        """Return a change with its content decoded and its texts checked. Raises ContentError."""
        return open_change(await self._client.changes.get(change, as_of=as_of), self._client.profile.log_id)

    async def review(self, change: str) -> ReviewedChange:
        """Return a change that can be shown in full. Raises ContentError."""
        opened = await self.open(change)
        records: dict[str, Evidence] = {}
        policies: dict[str, Policy] = {}
        changes: dict[str, Change] = {}
        level = [opened]
        for _ in range(DEEPEST + 1):  # the change, what it ratifies, what that ratifies
            for one in level:
                wanted = dict(documents_of(one.content))
                records |= {name: await self._client.evidence.get(name) for name in wanted}
                under = written_under(one.content)
                policies |= {under: await self._client.policy.get(under)} if under else {}
            below = {name: await self._client.changes.get(name) for one in level for name in ratified_by(one)}
            changes |= below
            level = [open_change(found, self._client.profile.log_id) for found in below.values()]
        readers = Readers(records.__getitem__, policies.__getitem__, changes.__getitem__)
        return review(opened, readers, self._opened.load())

    async def sign(self, reviewed: ReviewedChange, wish: Consent, request_id: str | None) -> Change:
        """Sign ``approve`` or ``reject`` and send it; of the roles wished for, those that are held."""
        signed = await self._signed(reviewed.opened, wish)
        return await self._client.changes.send_sign_off(
            reviewed.opened.name, signed.envelope, signed.comment, request_id=request_id
        )

    async def withdraw(self, change: str, request_id: str | None) -> Change:
        """Sign the withdrawal of one's own sign-off and send it."""
        opened = await self.open(change)
        signed = await self._signed(opened, Consent("withdraw"))
        return await self._client.changes.send_withdrawal(opened.name, signed.envelope, request_id=request_id)

    async def delegate(self, wish: Wish, request_id: str | None) -> Delegation:
        """Sign a delegation and hand it in."""
        envelope = await asyncio.to_thread(self._signer.delegate, wish)
        return await self._client.identity.send_delegation(envelope, request_id=request_id)

    async def _signed(self, opened: OpenedChange, wish: Consent) -> SignedStatement:
        held = roles_held(await self._client.identity.whoami(), wish.on_behalf_of)
        asked = [slot.role for slot in opened.change.slots]
        roles = roles_to_act_in(held, asked, wish.roles)
        consent = replace(wish, roles=roles, opened=self._opened.load())
        checkpoint = await self._client.audit.checkpoint()
        return await asyncio.to_thread(self._signer.sign, opened, checkpoint, consent)
