"""AuditService: entries as they are stored, and the checkpoint over them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from interlock.service.api.calls import as_is
from interlock.service.api.pages import MAX_BYTES, page_of
from interlock.service.api.times import from_microseconds, to_microseconds
from interlock.service.errors import Invalid, NotFound, PositionNotReached
from interlock.service.ledger.calls import Prepared
from interlock.service.ledger.policies import object_digest
from interlock.service.storage import EntryFilter
from interlock.statemachine import codec, snapshot
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.named import texts_of
from interlock.statemachine.names import number_of, text_name
from interlock.statemachine.rights import AUDIT_READ
from interlock.v1 import audit_pb2, audit_pb2_grpc, change_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from interlock.service.api.calls import Writer
    from interlock.service.api.export import Exporter
    from interlock.service.api.reads import Reader
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.cosigning import Cosigning
    from interlock.service.ledger.proving import Prover
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.service.storage import Store, StoredEntry
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.state import State


_BEGUN: Final = re.compile(r"(\d{1,18})@(-?\d{1,18}) (.*)", re.ASCII | re.DOTALL)
"""A page of states goes on at the position and the instant of the first one, past a name."""


class AuditService(audit_pb2_grpc.AuditServiceServicer):
    """The trail."""

    def __init__(
        self,
        reader: Reader,
        committer: Committer,
        store: Store,
        exporter: Exporter,
        prover: Prover,
        cosigning: Cosigning,
        writer: Writer,
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._store = store
        self._exporter = exporter
        self._prover = prover
        self._cosigning = cosigning
        self._writer = writer

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
            self._committer.examine(row.seq, row)
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
        if known:
            self._committer.examine(position, row)
        if row is None:
            raise NotFound(request.name)
        record = await self._record(row)
        named = _named(row, record)
        record.texts.extend(await self._texts_of(named))
        record.erased.extend(erased_messages(self._committer.view.state, named))
        return record

    async def EraseText(self, request: audit_pb2.EraseTextRequest, context: Context) -> audit_pb2.ErasedText:
        """Forget a text and its salt for good, in the transaction of the entry that says so."""
        name = text_name(request.digest)
        if await self._store.text(request.digest) is None:  # kept with the entry that named it, and only so
            raise NotFound(name)
        prepared = Prepared(c.EraseText(request.digest), forget=(request.digest,))

        def render(view: View, _accepted: Accepted) -> audit_pb2.ErasedText:
            return _erased_message(view.state, request.digest, view.state.need(name, r.ErasedText))

        return await self._writer.submit(
            "interlock.v1.AuditService/EraseText",
            request,
            lambda _view, _instant: prepared,
            render,
            audit_pb2.ErasedText,
        )

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
        return audit_pb2.Checkpoint(note=await self._cosigning.newest())

    async def GetInclusionProof(
        self, request: audit_pb2.GetInclusionProofRequest, context: Context
    ) -> audit_pb2.InclusionProof:
        """Return the proof that an entry is in a tree, with the signed checkpoint of that tree."""
        proof = await self._prover.inclusion(request.position, request.tree_size)
        return audit_pb2.InclusionProof(
            leaf_index=proof.index,
            tree_size=proof.head.size,
            leaf_hash=proof.leaf_hash,
            hashes=proof.hashes,
            checkpoint=await self._cosigning.of_size(proof.head.size, proof.head.root),
        )

    async def GetConsistencyProof(
        self, request: audit_pb2.GetConsistencyProofRequest, context: Context
    ) -> audit_pb2.ConsistencyProof:
        """Return the proof that one tree extends another, with the signed checkpoints of both."""
        proof = await self._prover.consistency(request.first_size, request.second_size)
        return audit_pb2.ConsistencyProof(
            first_size=proof.first.size,
            second_size=proof.second.size,
            hashes=proof.hashes,
            first_checkpoint=await self._cosigning.of_size(proof.first.size, proof.first.root),
            second_checkpoint=await self._cosigning.of_size(proof.second.size, proof.second.root),
        )

    async def ListCheckpoints(
        self, request: audit_pb2.ListCheckpointsRequest, context: Context
    ) -> audit_pb2.ListCheckpointsResponse:
        """Return every checkpoint that was ever shown, by size of the tree."""
        page = page_of(request)
        rows = await self._cosigning.page(after=page.number_after(), limit=page.size + 1, descending=request.descending)
        shown, token = page.cut(rows, lambda row: str(row[0]))
        return audit_pb2.ListCheckpointsResponse(
            checkpoints=[audit_pb2.Checkpoint(note=text) for _, text in shown], next_page_token=token
        )

    async def AddCosignature(self, request: audit_pb2.AddCosignatureRequest, context: Context) -> audit_pb2.Checkpoint:
        """Keep a witness's cosignature; return the checkpoint with all that it has."""
        return audit_pb2.Checkpoint(note=await self._cosigning.add(request.note))

    async def GetStateAt(self, request: audit_pb2.GetStateAtRequest, context: Context) -> audit_pb2.GetStateAtResponse:
        """Return resources as they were; every page of the position that the first one was of."""
        page = page_of(request)
        begun = _begun(page.after) if page.after is not None else None
        if begun is None:
            view, instant = await self._reader.as_of(request, right=AUDIT_READ)
            after = ""
        else:
            position, instant, after = begun
            view, _ = await self._reader.at_position(position)

        def key(name: str) -> str:
            return f"{view.position}@{instant} {name}"

        def judged() -> tuple[list[audit_pb2.ResourceState], str]:
            items = view.state.items
            ordered = sorted(name for name in items if name > after and _is_within(name, request.resource))
            chosen, token = page.cut(ordered, key)
            rows = [
                audit_pb2.ResourceState(
                    name=name, position=view.state.position(name), state=snapshot.encode(items[name])
                )
                for name in chosen
            ]
            return page.fit(rows, token, lambda row: key(row.name))

        # The whole fold is gone through: the loop answers others meanwhile.
        rows, token = await asyncio.to_thread(judged)
        return audit_pb2.GetStateAtResponse(
            resources=rows,
            next_page_token=token,
            position=view.position,
            instant=from_microseconds(instant),
            policy=view.policy.name,
        )

    async def ExportBundle(
        self, request: audit_pb2.ExportBundleRequest, context: Context
    ) -> AsyncIterator[audit_pb2.ExportBundleChunk]:
        """Yield the whole log at one head, as a file."""
        async for chunk in self._exporter.chunks(request):
            yield chunk

    async def AcceptClock(self, request: audit_pb2.AcceptClockRequest, context: Context) -> audit_pb2.EntryRecord:
        """Accept a clock that has jumped; return the entry."""
        command = c.AcceptClock(to_microseconds(request.clock_time, "clock_time"))

        def render(_view: View, accepted: Accepted) -> audit_pb2.EntryRecord:
            return audit_pb2.EntryRecord(entry=codec.encode_entry(accepted.entry))

        method = "interlock.v1.AuditService/AcceptClock"
        return await self._writer.submit(method, request, as_is(command), render, audit_pb2.EntryRecord)

    async def _texts_of(self, named: dict[bytes, str]) -> list[change_pb2.SaltedText]:
        """Return the texts that an entry names, those that were not erased."""
        found = await self._store.texts(named)
        return [
            change_pb2.SaltedText(field=named[digest], digest=digest, salt=text.salt, text=text.text)
            for digest, text in found.items()
            if text.salt is not None and text.text is not None
        ]

    async def _record(self, row: StoredEntry) -> audit_pb2.EntryRecord:
        """Return an entry with the content bytes and packs that it names."""
        try:
            digests = codec.content_digests(row.data)
        except codec.CodecError:
            # Damaged bytes are handed out as they are stored: whoever verifies must see them to say what is wrong.
            digests = ()
        found = await self._store.objects(digests) if digests else {}
        self._committer.examine_objects(found)
        return audit_pb2.EntryRecord(entry=row.data, objects=[found[d] for d in digests if d in found])


def _named(row: StoredEntry, record: audit_pb2.EntryRecord) -> dict[bytes, str]:
    """Return the texts that an entry names; none of damaged bytes, for what they name can't be known."""
    objects = {object_digest(item): item for item in record.objects}
    try:
        return texts_of(codec.decode_entry(row.data, lambda digest: objects.get(digest, b"")))
    except codec.CodecError:
        return {}


def erased_messages(state: State, digests: Iterable[bytes]) -> Iterator[audit_pb2.ErasedText]:
    """Yield what is known of those texts that were erased."""
    for digest in digests:
        gone = state.find(text_name(digest), r.ErasedText)
        if gone is not None:
            yield _erased_message(state, digest, gone)


def _erased_message(state: State, digest: bytes, gone: r.ErasedText) -> audit_pb2.ErasedText:
    return audit_pb2.ErasedText(
        name=gone.name,
        digest=digest,
        eraser=gone.eraser,
        erase_time=from_microseconds(gone.erased_at),
        position=state.position(gone.name),
    )


def _is_within(name: str, resource: str) -> bool:
    """Say whether ``resource`` finds a name: itself, what is below it, or what begins as it does before its ``*``."""
    if not resource or resource.endswith("*"):
        return name.startswith(resource.removesuffix("*"))
    return name == resource or name.startswith(f"{resource}/")


def _begun(key: str) -> tuple[int, int, str]:
    """Return position, instant and last name of the page before. Raises Invalid for a key that is none of ours."""
    found = _BEGUN.fullmatch(key)
    if found is None:
        raise Invalid("page_token", "was not given out for this listing")
    return int(found[1]), int(found[2]), found[3]
