"""`client.changes`: propose, revise, review, sign, apply.

Signing is in `interlock.client.signing`; here a sign-off goes through `review` first, because what is signed is what
was shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.groups.base import AsOf, Group, pack_message, put_as_of, put_time
from interlock.v1 import change_pb2, change_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from interlock.v1.change_pb2 import Change, PreviewChangeResponse, SaltedText
    from interlock.v1.trigger_pb2 import Trigger


class Changes(Group):
    """Changes and their sign-offs."""

    def propose(
        self,
        triggers: Iterable[Trigger],
        *,
        title: str,
        summary: str = "",
        evidence: Iterable[str] = (),
        not_before: datetime | None = None,
        apply_separately: bool = False,
        draft: bool = False,
        pack: Mapping[str, bytes] | None = None,
        request_id: str | None = None,
    ) -> Change:
        """Propose a change. Raises RefusedError with every trigger that can't fire.

        ``pack`` are the files of a policy that it is to adopt, by path.
        """
        request = change_pb2.ProposeChangeRequest(
            triggers=triggers,
            evidence=[names.evidence(item) for item in evidence],
            title=title,
            summary=summary,
            apply_separately=apply_separately,
            draft=draft,
            request_id=self._id(request_id),
        )
        if not_before is not None:
            put_time(request.not_before_time, not_before)
        if pack is not None:
            request.pack.CopyFrom(pack_message(pack))
        return self._transport.call(self._stub.ProposeChange, request)

    def get(self, change: str, *, as_of: AsOf = None) -> Change:
        """Return a change as it stands now, or as it stood then."""
        request = change_pb2.GetChangeRequest(name=names.change(change))
        put_as_of(request, as_of)
        return self._transport.call(self._stub.GetChange, request, remember=as_of is None)

    def list(
        self, *, waiting_for_me: bool = False, model: str = "", state: str = "", tainted: bool = False
    ) -> Iterator[Change]:
        """Yield changes, newest first; ``tainted``: only those. Raises ValueError for an unknown state."""
        request = change_pb2.ListChangesRequest(
            waiting_for_me=waiting_for_me, model=names.model(model) if model else "", tainted_only=tainted
        )
        if state:
            request.state = change_pb2.ChangeState.Value(f"CHANGE_STATE_{state.upper()}")
        return self._pages(self._stub.ListChanges, request, "changes")

    def preview(self, change: str) -> PreviewChangeResponse:
        """Return what applying it now would do, and what is unmet; nothing is written."""
        request = change_pb2.PreviewChangeRequest(name=names.change(change))
        return self._transport.call(self._stub.PreviewChange, request)

    def submit(self, change: str, *, etag: str = "", request_id: str | None = None) -> Change:
        """Put a draft to review."""
        request = change_pb2.SubmitChangeRequest(name=names.change(change), etag=etag, request_id=self._id(request_id))
        return self._transport.call(self._stub.SubmitChange, request)

    def rebase(self, change: str, *, etag: str = "", request_id: str | None = None) -> Change:
        """Make a new revision on the present base; earlier approvals are void."""
        request = change_pb2.RebaseChangeRequest(name=names.change(change), etag=etag, request_id=self._id(request_id))
        return self._transport.call(self._stub.RebaseChange, request)

    def amend(
        self,
        change: str,
        *,
        triggers: Iterable[Trigger] = (),
        title: str = "",
        summary: str = "",
        not_before: datetime | None = None,
        pack: Mapping[str, bytes] | None = None,
        etag: str = "",
        request_id: str | None = None,
    ) -> Change:
        """Make a new revision with other triggers or texts; earlier approvals are void."""
        request = change_pb2.AmendChangeRequest(
            name=names.change(change),
            etag=etag,
            triggers=triggers,
            title=title,
            summary=summary,
            request_id=self._id(request_id),
        )
        if not_before is not None:
            put_time(request.not_before_time, not_before)
        if pack is not None:
            request.pack.CopyFrom(pack_message(pack))
        return self._transport.call(self._stub.AmendChange, request)

    def attach(self, change: str, evidence: Iterable[str], *, etag: str = "", request_id: str | None = None) -> Change:
        """Make a new revision with more evidence; earlier approvals are void."""
        request = change_pb2.AttachEvidenceRequest(
            name=names.change(change),
            etag=etag,
            evidence=[names.evidence(item) for item in evidence],
            request_id=self._id(request_id),
        )
        return self._transport.call(self._stub.AttachEvidence, request)

    def detach(self, change: str, evidence: Iterable[str], *, etag: str = "", request_id: str | None = None) -> Change:
        """Make a new revision with less evidence; earlier approvals are void."""
        request = change_pb2.DetachEvidenceRequest(
            name=names.change(change),
            etag=etag,
            evidence=[names.evidence(item) for item in evidence],
            request_id=self._id(request_id),
        )
        return self._transport.call(self._stub.DetachEvidence, request)

    def send_sign_off(
        self, change: str, envelope: bytes, comment: SaltedText | None = None, *, request_id: str | None = None
    ) -> Change:
        """Send a signed approval or rejection. Raises StaleError where the base has moved."""
        request = change_pb2.SignOffRequest(
            name=names.change(change), envelope=envelope, request_id=self._id(request_id)
        )
        if comment is not None:
            request.comment.CopyFrom(comment)
        return self._transport.call(self._stub.SignOff, request)

    def send_withdrawal(self, change: str, envelope: bytes, *, request_id: str | None = None) -> Change:
        """Send a signed withdrawal of one's own sign-off."""
        request = change_pb2.WithdrawSignOffRequest(
            name=names.change(change), envelope=envelope, request_id=self._id(request_id)
        )
        return self._transport.call(self._stub.WithdrawSignOff, request)

    def apply(self, change: str, *, etag: str = "", request_id: str | None = None) -> Change:
        """Apply an approved change that waits for this call."""
        request = change_pb2.ApplyChangeRequest(name=names.change(change), etag=etag, request_id=self._id(request_id))
        return self._transport.call(self._stub.ApplyChange, request)

    def withdraw(self, change: str, *, etag: str = "", request_id: str | None = None) -> Change:
        """Take a change back."""
        request = change_pb2.WithdrawChangeRequest(
            name=names.change(change), etag=etag, request_id=self._id(request_id)
        )
        return self._transport.call(self._stub.WithdrawChange, request)

    @property
    def _stub(self) -> change_pb2_grpc.ChangeServiceStub:
        return change_pb2_grpc.ChangeServiceStub(self._transport.channel)
