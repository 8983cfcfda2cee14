"""`client.audit`: entries, the stream of all of them, and signed checkpoints. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.audit`; not edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.errors import DataLossError, RollbackError, UnavailableError
from interlock.client.groups.audit import PastState, SignedCheckpoint
from interlock.client.groups.base import AsOf, put_as_of, put_time
from interlock.proofs import note
from interlock.proofs.errors import RefusedError as ProofRefused
from interlock.v1 import audit_pb2, audit_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from interlock.client.errors import InterlockError
    from interlock.v1.audit_pb2 import EntryRecord, ExportBundleChunk


class AsyncAudit(AsyncGroup):
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
    ) -> AsyncIterator[EntryRecord]:
        """Yield entries by filter; times are aware.

        ``resource`` finds itself and what is below it; it and ``trigger`` may close with ``*``. What is written
        meanwhile moves nothing: no entry comes twice, and none that was there at the first page is left out.
        """
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

    async def get(self, seq: int | str) -> EntryRecord:
        """Return one entry by its position."""
        return await self._transport.call(self._stub.GetEntry, audit_pb2.GetEntryRequest(name=names.entry(str(seq))))

    async def state_at(self, resource: str = "", *, as_of: AsOf = None) -> PastState:
        """Return every resource, or ``resource`` with those below it (a closing ``*`` matches any rest), as it was.

        All of one position, however long the answer is and whatever is written meanwhile.
        """
        request = audit_pb2.GetStateAtRequest(resource=resource, page_size=1000)
        put_as_of(request, as_of)
        found: list[audit_pb2.ResourceState] = []
        while True:
            page = await self._transport.call(self._stub.GetStateAt, request)
            found += page.resources
            if not page.next_page_token:
                return PastState(page.position, page.instant.ToMicroseconds(), page.policy, tuple(found))
            request.page_token = page.next_page_token

    async def tail(
        self,
        after_position: int = -1,
        *,
        follow: bool = False,
        on_break: Callable[[InterlockError], None] | None = None,
    ) -> AsyncIterator[EntryRecord]:
        """Yield every entry after a position, in order, none twice, none left out.

        ``follow`` goes on with new ones as they come. A stream that breaks off is taken up behind the last entry
        yielded, with ``follow`` for as long as it takes, and ``on_break`` is told. Raises RollbackError where the
        server comes back with a shorter log, InterlockError where it does not come back.
        """
        position = after_position

        def request() -> audit_pb2.TailEntriesRequest:
            return audit_pb2.TailEntriesRequest(after_position=position, follow=follow)

        try:
            async for record in self._transport.resuming(
                self._stub.TailEntries, request, patient=follow, on_break=on_break
            ):
                position += 1
                yield record
        except UnavailableError as error:
            if error.reason != "POSITION_NOT_REACHED" or position == after_position:
                raise
            raise RollbackError(
                f"the server's log ends before position {position}, which it has shown: it was rolled back",
                reason="LOG_ROLLED_BACK",
            ) from error
        finally:
            if position > after_position:
                self._transport.memory.note_position(position)

    async def checkpoint(self) -> SignedCheckpoint:
        """Return the newest checkpoint, its signature checked with the profile's log key.

        Raises DataLossError for one that is not signed so, RollbackError for one below what this profile has seen.
        """
        text = await self.checkpoint_note()
        checkpoint = self.remember(text)
        return SignedCheckpoint(text, checkpoint.size, checkpoint.root)

    async def checkpoint_note(self) -> str:
        """Return the newest checkpoint as the server gives it; nothing of it is checked."""
        return (await self._transport.call(self._stub.GetCheckpoint, audit_pb2.GetCheckpointRequest())).note

    def export(self, *, with_evidence: bool = False) -> AsyncIterator[ExportBundleChunk]:
        """Yield the log as a bundle, part by part: ``data`` of each, one after the other, is the file.

        ``with_evidence`` adds the bytes of every document that the caller may read. A file is whole only when the
        iterator has ended; `Interlock.export` writes one.
        """
        request = audit_pb2.ExportBundleRequest(with_evidence=with_evidence)
        return self._transport.stream(self._stub.ExportBundle, request)

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
    def _stub(self) -> audit_pb2_grpc.AuditServiceAsyncStub:
        return audit_pb2_grpc.AuditServiceStub(self._transport.channel)
