"""The signing desk: a change opened, reviewed and signed, in that order and no other.

Apart from `sdk.py` because it brings all of the rules, and most programs only ask the gate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.client.review import OpenedChange, Readers, ReviewedChange, open_change, review
from interlock.client.signing import Consent, SignedStatement, Signer, Wish, roles_held, roles_to_act_in

if TYPE_CHECKING:
    from interlock.client.groups.base import AsOf
    from interlock.client.keyfile import Passphrase
    from interlock.client.opened import OpenedEvidence
    from interlock.client.sdk import Interlock
    from interlock.v1.change_pb2 import Change
    from interlock.v1.identity_pb2 import Delegation


class SigningDesk:
    """Opens, reviews and signs changes for one client."""

    def __init__(self, client: Interlock, passphrase: Passphrase, opened: OpenedEvidence) -> None:
        """Work for ``client``; ``opened`` knows which documents its principal has downloaded."""
        self._client = client
        self._signer = Signer(client.profile, passphrase)
        self._opened = opened

    def open(self, change: str, as_of: AsOf = None) -> OpenedChange:
        """Return a change with its content decoded and its texts checked. Raises ContentError."""
        return open_change(self._client.changes.get(change, as_of=as_of), self._client.profile.log_id)

    def review(self, change: str) -> ReviewedChange:
        """Return a change that can be shown in full. Raises ContentError."""
        client = self._client
        readers = Readers(client.evidence.get, client.policy.get, client.changes.get)
        return review(self.open(change), readers, self._opened.load())

    def sign(self, reviewed: ReviewedChange, wish: Consent, request_id: str | None) -> Change:
        """Sign ``approve`` or ``reject`` and send it; of the roles wished for, those that are held."""
        signed = self._signed(reviewed.opened, wish)
        return self._client.changes.send_sign_off(
            reviewed.opened.name, signed.envelope, signed.comment, request_id=request_id
        )

    def withdraw(self, change: str, request_id: str | None) -> Change:
        """Sign the withdrawal of one's own sign-off and send it."""
        opened = self.open(change)
        signed = self._signed(opened, Consent("withdraw"))
        return self._client.changes.send_withdrawal(opened.name, signed.envelope, request_id=request_id)

    def delegate(self, wish: Wish, request_id: str | None) -> Delegation:
        """Sign a delegation and hand it in."""
        envelope = self._signer.delegate(wish)
        return self._client.identity.send_delegation(envelope, request_id=request_id)

    def _signed(self, opened: OpenedChange, wish: Consent) -> SignedStatement:
        held = roles_held(self._client.identity.whoami(), wish.on_behalf_of)
        asked = [slot.role for slot in opened.change.slots]
        roles = roles_to_act_in(held, asked, wish.roles)
        consent = replace(wish, roles=roles, opened=self._opened.load())
        return self._signer.sign(opened, self._client.audit.checkpoint(), consent)
