"""The signing desk: a change opened, reviewed and signed, in that order and no other.

Apart from `sdk.py` because it brings all of the rules, and most programs only ask the gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client.review import OpenedChange, ReviewedChange, open_change, review
from interlock.client.signing import Consent, SignedStatement, Signer, roles_to_act_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.client.groups.base import AsOf
    from interlock.client.keyfile import Passphrase
    from interlock.client.opened import OpenedEvidence
    from interlock.client.sdk import Interlock
    from interlock.v1.change_pb2 import Change


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
        return review(self.open(change), self._client.evidence.get)

    def sign(
        self, reviewed: ReviewedChange, decision: str, roles: Iterable[str], comment: str, request_id: str | None
    ) -> Change:
        """Sign ``approve`` or ``reject`` and send it."""
        signed = self._signed(reviewed.opened, decision, roles, comment)
        return self._client.changes.send_sign_off(
            reviewed.opened.name, signed.envelope, signed.comment, request_id=request_id
        )

    def withdraw(self, change: str, request_id: str | None) -> Change:
        """Sign the withdrawal of one's own sign-off and send it."""
        opened = self.open(change)
        signed = self._signed(opened, "withdraw", (), "")
        return self._client.changes.send_withdrawal(opened.name, signed.envelope, request_id=request_id)

    def _signed(self, opened: OpenedChange, decision: str, roles: Iterable[str], comment: str) -> SignedStatement:
        grants = self._client.identity.whoami().principal.grants
        held = [grant.role for grant in grants if grant.approves]
        asked = [slot.role for slot in opened.change.slots]
        consent = Consent(decision, roles_to_act_in(held, asked, roles), comment, self._opened.load())
        return self._signer.sign(opened, self._client.audit.checkpoint(), consent)
