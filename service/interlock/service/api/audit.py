"""AuditService: entries as they are stored, and the checkpoint over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.pages import MAX_BYTES, page_of
from interlock.service.api.times import to_microseconds
from interlock.service.errors import NotFound, PositionNotReached
from interlock.service.storage import EntryFilter
from interlock.statemachine import codec
from interlock.statemachine.names import number_of
from interlock.v1 import audit_pb2, audit_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interlock.service.ledger.committer import Committer
    from interlock.service.server import Context
    from interlock.service.storage import Store, StoredEntry


class AuditService(audit_pb2_grpc.AuditServiceServicer):
    """The trail."""

    def __init__(self, committer: Committer, store: Store) -> None:
        self._committer = committer
        self._store = store

    async def ListEntries(
        self, request: audit_pb2.ListEntriesRequest, context: Context
    ) -> audit_pb2.ListEntriesResponse:
        """Return entries by filter, in either order."""
        page = page_of(request)
        wanted = EntryFilter(
            model=request.model,
            resource=request.resource,
            actor=request.actor,
            trigger=request.trigger,
            since=to_microseconds(request.start_time, "start_time") if request.HasField("start_time") else None,
            until=to_microseconds(request.end_time, "end_time") if request.HasField("end_time") else None,
            descending=request.descending,
        )
        head = self._committer.view.position
        # One more than asked for says whether there is a next page; where that is past the store's own limit, the last
        # page may turn out empty.
        rows = await self._store.list_entries(wanted, after=page.number_after(), limit=page.size + 1, head=head)
        answer = audit_pb2.ListEntriesResponse()
        size = 0
        for index, row in enumerate(rows):
            record = await self._record(row)
            size += record.ByteSize()
            if index == page.size or (index and size > MAX_BYTES):
                answer.next_page_token = page.token(str(rows[index - 1].seq))
                break
            answer.entries.append(record)
        return answer

    async def GetEntry(self, request: audit_pb2.GetEntryRequest, context: Context) -> audit_pb2.EntryRecord:
        """Return one entry."""
        position = number_of(request.name)
        known = position <= self._committer.view.position
        row = await self._store.entry(position) if known else None
        if row is None:
            raise NotFound(request.name)
        return await self._record(row)

    async def TailEntries(
        self, request: audit_pb2.TailEntriesRequest, context: Context
    ) -> AsyncIterator[audit_pb2.EntryRecord]:
        """Yield every entry after a position, in order; with ``follow``, go on as they come."""
        position = request.after_position
        head = self._committer.view.position
        if position > head:
            # Whoever knows a later entry than we do must not take this for the end of the log.
            raise PositionNotReached(position, head)
        async for row in self._committer.tail(position, follow=request.follow):
            yield await self._record(row)

    async def GetCheckpoint(self, request: audit_pb2.GetCheckpointRequest, context: Context) -> audit_pb2.Checkpoint:
        """Return a signed checkpoint, at or past every acknowledged entry."""
        return audit_pb2.Checkpoint(note=await self._committer.checkpoint())

    async def _record(self, row: StoredEntry) -> audit_pb2.EntryRecord:
        """Return an entry with the content bytes and packs that it names."""
        try:
            digests = codec.content_digests(row.data)
        except codec.CodecError:
            # Damaged bytes are handed out as they are stored: whoever verifies must see them to say what is wrong.
            digests = ()
        found = await self._store.objects(digests) if digests else {}
        return audit_pb2.EntryRecord(entry=row.data, objects=[found[d] for d in digests if d in found])
