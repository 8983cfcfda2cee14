"""Writes the log as a bundle, at one head, in bounded memory (docs/reference/bundle.md).

Lives here: which bytes go into which segment. Not here: the framing (``interlock.proofs.bundle``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from interlock.proofs import bundle, note
from interlock.service.api.calls import as_is
from interlock.service.api.excerpts import Excerpt, gap_segments, heads_named
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
    from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from interlock.service.api.calls import Writer
    from interlock.service.api.excerpts import Excerpts
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

_Message: TypeAlias = (
    bundle_pb2.BundleHeader
    | bundle_pb2.BundleCheckpoint
    | bundle_pb2.BundleResource
    | bundle_pb2.BundleGap
    | bundle_pb2.BundleEntry
    | bundle_pb2.BundleEvidence
    | bundle_pb2.BundleEvidenceChunk
)
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
        excerpts: Excerpts,
    ) -> None:
        self._committer = committer
        self._store = store
        self._reader = reader
        self._writer = writer
        self._blobs = blobs
        self._cosigning = cosigning
        self._excerpts = excerpts

    async def chunks(self, request: audit_pb2.ExportBundleRequest) -> AsyncIterator[audit_pb2.ExportBundleChunk]:
        """Yield the bundle's bytes. Raises Refusal where documents are wanted that the caller may not read at all.

        The head is the checkpoint that is signed now, with the cosignatures that it has. What is written meanwhile,
        also by this export, lies past it.
        """
        if request.with_evidence:
            self._check_documents()
        chosen = await self._excerpts.choose(request)
        text = await self._cosigning.newest()
        head = note.Checkpoint.from_text(text.partition("\n\n")[0] + "\n")
        part = chosen or _whole(head.size)
        file = _File(len(part.positions))
        part.header.origin, part.header.size = head.origin, head.size
        file.put(bundle.Kind.HEADER, part.header)
        file.put(bundle.Kind.HEAD, bundle_pb2.BundleCheckpoint(note=text))
        async for chunk in self._segments(file, part, head.size):
            yield chunk
        if request.with_evidence:
            async for chunk in self._documents(file, request, part):
                yield chunk
        for chunk in file.end():
            yield chunk

    def _check_erased(self, digests: Iterable[bytes], size: int) -> None:
        """Raise StoreUnavailable where a text is gone by an entry past the head: the file could not say why it is."""
        state = self._committer.view.state
        if any(state.position(text_name(digest)) >= size for digest in digests):
            raise StoreUnavailable("a text was erased meanwhile: export again")

    async def _segments(self, file: _File, part: Excerpt, size: int) -> AsyncIterator[audit_pb2.ExportBundleChunk]:
        """Yield the state and the entries of a part, a page at a time, and gaps for what is not in it."""
        for kind, message in part.state:
            file.put(kind, message)
            for chunk in file.ready():
                yield chunk
        cuts: set[int] = set()
        if len(part.positions) < size:
            for at in range(0, len(part.positions), PAGE):
                some = part.positions[at : at + PAGE]
                cuts |= await self._store.read(lambda connection: heads_named(connection, some))  # noqa: B023  # awaited
        done = 0
        for at in range(0, len(part.positions), PAGE):
            some = part.positions[at : at + PAGE]
            rows = await self._store.read(lambda connection: _rows(connection, some))  # noqa: B023  # awaited here
            if part.header.texts:
                self._check_erased((digest for row in rows for digest in row.gone), size)
            page = await self._store.read(lambda connection: _page(connection, done, rows, cuts, size))  # noqa: B023
            for segment in page:
                file.put(*segment)
                for chunk in file.ready():
                    yield chunk
            file.entries += len(some)
            done = some[-1] + 1
        if done < size:
            rest = await self._store.read(lambda connection: gap_segments(connection, done, size, cuts, size))
            for kind, message in rest:
                file.put(kind, message)

    def _check_documents(self) -> None:
        view, now = self._reader.now()
        no = authority.check_right(view.policy, view.state, caller().actor, now, EVIDENCE_READ, None)
        if no is not None:
            raise Refusal(no)

    async def _documents(
        self, file: _File, request: audit_pb2.ExportBundleRequest, part: Excerpt
    ) -> AsyncIterator[audit_pb2.ExportBundleChunk]:
        """Yield the bytes of each document once: those of the part that the caller may open."""
        view = await self._committer.view_at(position=part.until)
        documents: dict[str, r.Evidence] = {}
        for item in sorted(view.state.all_of(r.Evidence), key=lambda item: item.recorded_at):
            is_part = part.documents is None or item.name in part.documents
            if is_part and may_open(item, caller().actor.principal):
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

    def put(self, kind: bundle.Kind, message: _Message) -> None:
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


def _whole(size: int) -> Excerpt:
    """Return the whole log as a part of itself."""
    header = bundle_pb2.BundleHeader(kind=bundle_pb2.BUNDLE_KIND_FULL, texts=True)
    return Excerpt(header, (), range(size), size - 1)


def _page(
    connection: Connection, done: int, rows: Sequence[_Row], cuts: Collection[int], size: int
) -> list[tuple[bundle.Kind, _Message]]:
    """Return the segments of some entries with what they name, gaps between them, and checkpoints where they end.

    ``done`` entries are in the file or in its gaps already; the head of ``size`` itself stands in front.
    """
    segments: list[tuple[bundle.Kind, _Message]] = []
    for row in rows:
        if row.position > done:
            segments += gap_segments(connection, done, row.position, cuts, size)
        segments.append((bundle.Kind.ENTRY, row.entry))
        done = row.position + 1
        if row.checkpoint and done < size:
            segments.append((bundle.Kind.CHECKPOINT, bundle_pb2.BundleCheckpoint(note=row.checkpoint)))
    return segments


@dataclass(frozen=True, slots=True)
class _Row:
    """An entry with what it names, the checkpoint that ends with it (empty for none), and texts that are not there."""

    position: int
    entry: bundle_pb2.BundleEntry
    checkpoint: str
    gone: tuple[bytes, ...]


def _rows(connection: Connection, positions: Sequence[int]) -> list[_Row]:
    """Return entries with what stands beside them."""
    stored = queries.entries_at(connection, positions)
    if [row.seq for row in stored] != list(positions):
        missing = min(set(positions) - {row.seq for row in stored})
        raise StoreUnavailable(f"the log has no entry {missing} any more")
    named = [_digests(row.data) for row in stored]
    objects = queries.objects(connection, (digest for digests in named for digest in digests))
    wanted = [_texts(row.data, objects) for row in stored]
    texts = queries.texts(connection, (digest for digests in wanted for digest in digests))
    ends = {position + 1 for position in positions}
    shown = queries.checkpoints_between(connection, min(ends), max(ends))
    heads = {size: text for size, text in shown if size in ends}
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
        note = heads.get(row.seq + 1, "") + "".join(lines.get(row.seq + 1, ()))
        page.append(_Row(row.seq, message, note, tuple(gone)))
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
