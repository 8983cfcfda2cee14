"""The signing desk with asyncio: a change opened, reviewed and signed, in that order and no other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from interlock.client.review import OpenedChange, ReviewedChange, open_change, review
from interlock.client.signing import Consent, SignedStatement, Signer, roles_to_act_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.client.aio.sdk import AsyncInterlock
    from interlock.client.groups.base import AsOf
    from interlock.client.keyfile import Passphrase
    from interlock.client.opened import OpenedEvidence
    from interlock.v1.change_pb2 import Change


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
        records = {name: await self._client.evidence.get(name) for name, _digest in opened.content.evidence}
        return review(opened, records.__getitem__)

    async def sign(
        self, reviewed: ReviewedChange, decision: str, roles: Iterable[str], comment: str, request_id: str | None
    ) -> Change:
        """Sign ``approve`` or ``reject`` and send it."""
        signed = await self._signed(reviewed.opened, decision, roles, comment)
        return await self._client.changes.send_sign_off(
            reviewed.opened.name, signed.envelope, signed.comment, request_id=request_id
        )

    async def withdraw(self, change: str, request_id: str | None) -> Change:
        """Sign the withdrawal of one's own sign-off and send it."""
        opened = await self.open(change)
        signed = await self._signed(opened, "withdraw", (), "")
        return await self._client.changes.send_withdrawal(opened.name, signed.envelope, request_id=request_id)

    async def _signed(self, opened: OpenedChange, decision: str, roles: Iterable[str], comment: str) -> SignedStatement:
        me = await self._client.identity.whoami()
        held = [grant.role for grant in me.principal.grants if grant.approves]
        asked = [slot.role for slot in opened.change.slots]
        consent = Consent(decision, roles_to_act_in(held, asked, roles), comment, self._opened.load())
        checkpoint = await self._client.audit.checkpoint()
        return await asyncio.to_thread(self._signer.sign, opened, checkpoint, consent)
