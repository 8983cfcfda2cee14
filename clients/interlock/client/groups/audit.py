"""`client.audit`: entries, the stream of all of them, and signed checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.errors import DataLossError
from interlock.client.groups.base import Group, put_time
from interlock.proofs import note
from interlock.proofs.errors import RefusedError as ProofRefused
from interlock.v1 import audit_pb2, audit_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from interlock.v1.audit_pb2 import EntryRecord


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A tree head that the profile's log key signed, with its note as received."""

    note: str
    size: int
    root: bytes


class Audit(Group):
    """The audit trail."""

    def list(
        self,
        *,
        model: str = "",
        resource: str = "",
        actor: str = "",
        trigger: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        descending: bool = False,
    ) -> Iterator[EntryRecord]:
        """Yield entries by filter; ``trigger`` may close with ``*``, times are aware."""
        request = audit_pb2.ListEntriesRequest(
            model=names.model(model) if model else "",
            resource=resource,
            actor=names.principal(actor) if actor else "",
            trigger=trigger,
            descending=descending,
        )
        if start is not None:
            put_time(request.start_time, start)
        if end is not None:
            put_time(request.end_time, end)
        return self._pages(self._stub.ListEntries, request, "entries")

    def get(self, seq: int | str) -> EntryRecord:
        """Return one entry by its position."""
        return self._transport.call(self._stub.GetEntry, audit_pb2.GetEntryRequest(name=names.entry(str(seq))))

    def tail(self, after_position: int = -1, *, follow: bool = False) -> Iterator[EntryRecord]:
        """Yield every entry after a position, in order; ``follow`` goes on with new ones as they come."""
        request = audit_pb2.TailEntriesRequest(after_position=after_position, follow=follow)
        return self._transport.stream(self._stub.TailEntries, request)

    def checkpoint(self) -> SignedCheckpoint:
        """Return the newest checkpoint, its signature checked with the profile's log key.

        Raises DataLossError for one that is not signed so, RollbackError for one below what this profile has seen.
        """
        text = self.checkpoint_note()
        checkpoint = self.remember(text)
        return SignedCheckpoint(text, checkpoint.size, checkpoint.root)

    def checkpoint_note(self) -> str:
        """Return the newest checkpoint as the server gives it; nothing of it is checked."""
        return self._transport.call(self._stub.GetCheckpoint, audit_pb2.GetCheckpointRequest()).note

    def remember(self, text: str) -> note.Checkpoint:
        """Check a checkpoint's signature and that it goes on from what was seen, and remember it. Raises as above."""
        try:
            verifier = note.NoteVerifier.from_vkey(self._transport.profile.log_key)
            checkpoint = note.open_checkpoint(text, verifier)
        except ProofRefused as refused:
            raise DataLossError(f"the server's checkpoint is refused: {refused}", reason=refused.fault) from refused
        self._transport.memory.check_checkpoint(checkpoint)
        return checkpoint

    @property
    def _stub(self) -> audit_pb2_grpc.AuditServiceStub:
        return audit_pb2_grpc.AuditServiceStub(self._transport.channel)
