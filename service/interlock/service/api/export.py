"""Writes the log as a bundle, at one head, in bounded memory (docs/reference/bundle.md).

Lives here: which bytes go into which segment. Not here: the framing (``interlock.proofs.bundle``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.proofs import bundle, note
from interlock.service.api.calls import as_is
from interlock.service.errors import Refusal, StoreUnavailable
from interlock.service.identity.caller import caller
from interlock.service.storage import queries
from interlock.statemachine import authority, codec
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.documents import RESTRICTED, may_open
from interlock.statemachine.named import texts_of
from interlock.statemachine.names import text_name
from interlock.statemachine.rights import EVIDENCE_READ
from interlock.v1 import audit_pb2, bundle_pb2, evidence_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from sqlalchemy import Connection

    from interlock.service.api.calls import Writer
    from interlock.service.api.reads import Reader
    from interlock.service.evidence import Blobs
    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.cosigning import Cosigning
    from interlock.service.ledger.view import View
    from interlock.service.storage import Store
    from interlock.statemachine.decide import Accepted

PAGE: Final = 200
"""Entries in memory at a time."""

CHUNK_BYTES: Final = 1 << 20
"""Greatest part of the file in one message."""

_METHOD: Final = "interlock.v1.AuditService/ExportBundle"


class Exporter:
    """Exports for the caller; one for all."""

    def __init__(
        self,
        committer: Committer,
        store: Store,
        reader: Reader,
        writer: Writer,
        blobs: Blobs,
        cosigning: Cosigning,
    ) -> None:
        self._committer = committer
        self._store = store
        self._reader = reader
        self._writer = writer
        self._blobs = blobs
        self._cosigning = cosigning

    async def chunks(self, request: audit_pb2.ExportBundleRequest) -> AsyncIterator[audit_pb2.ExportBundleChunk]:
        """Yield the bundle's bytes. Raises Refusal where documents are wanted that the caller may not read at all.

        The head is the checkpoint that is signed now, with the cosignatures that it has. What is written meanwhile,
        also by this export, lies past it.
        """
        text = await self._cosigning.newest()
        if request.with_evidence:
            self._check_documents()
        head = note.Checkpoint.from_text(text.partition("\n\n")[0] + "\n")
        file = _File(head.size)
        kind = bundle_pb2.BUNDLE_KIND_FULL
        header = bundle_pb2.BundleHeader(kind=kind, origin=head.origin, size=head.size, texts=True)
        file.put(bundle.Kind.HEADER, header)
        file.put(bundle.Kind.HEAD, bundle_pb2.BundleCheckpoint(note=text))
        while file.entries < head.size:
            first = file.entries
            last = min(first + PAGE, head.size) - 1
            page = await self._store.read(lambda connection: _page(connection, first, last))  # noqa: B023  # awaited here
            for number, (row, checkpoint, gone) in enumerate(page, start=first):
                self._check_erased(gone, head.size)
                file.put(bundle.Kind.ENTRY, row)
                file.entries += 1
                # The head itself stands in front.
                if checkpoint and number + 1 < head.size:
                    file.put(bundle.Kind.CHECKPOINT, bundle_pb2.BundleCheckpoint(note=checkpoint))
                for chunk in file.ready():
                    yield chunk
        if request.with_evidence:
            async for chunk in self._documents(file, request, head.size):
                yield chunk
        for chunk in file.end():
            yield chunk

    def _check_erased(self, digests: Iterable[bytes], size: int) -> None:
        """Raise StoreUnavailable where a text is gone by an entry past the head: the file could not say why it is."""
        state = self._committer.view.state
        if any(state.position(text_name(digest)) >= size for digest in digests):
            raise StoreUnavailable("a text was erased meanwhile: export again")

    def _check_documents(self) -> None:
        view, now = self._reader.now()
        no = authority.check_right(view.policy, view.state, caller().actor, now, EVIDENCE_READ, None)
        if no is not None:
            raise Refusal(no)

    async def _documents(
        self, file: _File, request: audit_pb2.ExportBundleRequest, size: int
    ) -> AsyncIterator[audit_pb2.ExportBundleChunk]:
        """Yield the bytes of each document once: those recorded below the head that the caller may open."""
        view = await self._committer.view_at(position=size - 1)
        documents: dict[str, r.Evidence] = {}
        for item in sorted(view.state.all_of(r.Evidence), key=lambda item: item.recorded_at):
            if may_open(item, caller().actor.principal):
                documents.setdefault(item.sha256, item)
        for item in documents.values():
            if item.classification == RESTRICTED:
                # Who reads it leaves a trace before the first byte, here as with a download.
                opened = as_is(c.OpenEvidence(item.name))
                await self._writer.submit(_METHOD, request, opened, _nothing, evidence_pb2.Evidence)
            file.put(bundle.Kind.EVIDENCE, bundle_pb2.BundleEvidence(sha256=item.sha256, size=item.size))
            async for data in self._blobs.read(item.sha256, item.size, 0, item.size):
                file.put(bundle.Kind.CHUNK, bundle_pb2.BundleEvidenceChunk(data=data))
                for chunk in file.ready():
                    yield chunk


def _nothing(_view: View, _accepted: Accepted) -> evidence_pb2.Evidence:
    return evidence_pb2.Evidence()


class _File:
    """The file as it grows, cut into messages."""

    def __init__(self, total: int) -> None:
        self._writer = bundle.BundleWriter()
        self._total = total
        self._waiting = bytearray(self._writer.begin())
        self.entries = 0

    def put(
        self,
        kind: bundle.Kind,
        message: bundle_pb2.BundleHeader
        | bundle_pb2.BundleCheckpoint
        | bundle_pb2.BundleEntry
        | bundle_pb2.BundleEvidence
        | bundle_pb2.BundleEvidenceChunk,
    ) -> None:
        """Add a segment."""
        self._waiting += self._writer.segment(kind, message.SerializeToString(deterministic=True))

    def ready(self) -> Iterator[audit_pb2.ExportBundleChunk]:
        """Yield the messages that are full."""
        while len(self._waiting) >= CHUNK_BYTES:
            yield self._cut()

    def end(self) -> Iterator[audit_pb2.ExportBundleChunk]:
        """Yield the rest of the file."""
        self._waiting += self._writer.end()
        while self._waiting:
            yield self._cut()

    def _cut(self) -> audit_pb2.ExportBundleChunk:
        data = bytes(self._waiting[:CHUNK_BYTES])
        del self._waiting[:CHUNK_BYTES]
        return audit_pb2.ExportBundleChunk(data=data, entries=self.entries, total=self._total)


def _page(connection: Connection, first: int, last: int) -> list[tuple[bundle_pb2.BundleEntry, str, list[bytes]]]:
    """Return a range of entries with what they name, the checkpoint that ends with each, and texts that are not there.

    The checkpoint is empty where there is none.
    """
    stored = queries.entries_after(connection, first - 1, until=last, limit=last - first + 1)
    if [row.seq for row in stored] != list(range(first, last + 1)):
        raise StoreUnavailable(f"the log has no entry {first + len(stored)} any more")
    named = [_digests(row.data) for row in stored]
    objects = queries.objects(connection, (digest for digests in named for digest in digests))
    wanted = [_texts(row.data, objects) for row in stored]
    texts = queries.texts(connection, (digest for digests in wanted for digest in digests))
    heads = dict(queries.checkpoints_between(connection, first + 1, last + 1))
    lines = queries.cosignatures(connection, heads)
    page = []
    for row, digests, text_digests in zip(stored, named, wanted, strict=True):
        message = bundle_pb2.BundleEntry(entry=row.data, objects=[objects[d] for d in digests if d in objects])
        gone = []
        for digest in text_digests:
            found = texts.get(digest)
            if found is not None and found.salt is not None and found.text is not None:
                message.texts.add(salt=found.salt, text=found.text)
            else:
                gone.append(digest)
        page.append((message, heads.get(row.seq + 1, "") + "".join(lines.get(row.seq + 1, ())), gone))
    return page


def _digests(data: bytes) -> tuple[bytes, ...]:
    """Return what an entry names first; nothing for damaged bytes, which go out as they are stored."""
    try:
        return codec.content_digests(data)
    except codec.CodecError:
        return ()


def _texts(data: bytes, objects: dict[bytes, bytes]) -> Iterable[bytes]:
    try:
        return tuple(texts_of(codec.decode_entry(data, objects.__getitem__)))
    except (codec.CodecError, LookupError):
        return ()
