"""EvidenceService: documents in, documents out, and who may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.calls import as_is
from interlock.service.api.convert.records import CLASSIFICATIONS, evidence_message
from interlock.service.api.pages import page_of
from interlock.service.api.reads import newest_first
from interlock.service.api.times import to_microseconds, to_positive_microseconds
from interlock.service.errors import DigestMismatch, Invalid, LimitExceeded, NotFound, Refusal
from interlock.service.evidence import training_run
from interlock.service.identity.caller import caller
from interlock.service.ledger.calls import Prepared
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.decide import decide
from interlock.statemachine.documents import RESTRICTED
from interlock.statemachine.names import leaf_of
from interlock.statemachine.unmet import Refused
from interlock.v1 import evidence_pb2, evidence_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from interlock.service.api.calls import Writer
    from interlock.service.api.reads import Reader
    from interlock.service.api.texts import Texts
    from interlock.service.evidence import Blobs, Upload
    from interlock.service.ledger.view import View
    from interlock.service.server import Context
    from interlock.service.storage import Text
    from interlock.statemachine.decide import Accepted

_SERVICE = "interlock.v1.EvidenceService"
_CLASS_WORDS: Final[Mapping[int, str]] = {number: word for word, number in CLASSIFICATIONS.items()}
_DEFAULT_CLASS: Final = "internal"


class EvidenceService(evidence_pb2_grpc.EvidenceServiceServicer):
    """Evidence."""

    def __init__(self, reader: Reader, writer: Writer, texts: Texts, blobs: Blobs, *, max_bytes: int) -> None:
        self._reader = reader
        self._writer = writer
        self._texts = texts
        self._blobs = blobs
        self._max_bytes = max_bytes

    async def UploadEvidence(
        self, request_iterator: AsyncIterator[evidence_pb2.UploadEvidenceRequest], context: Context
    ) -> evidence_pb2.Evidence:
        """Take a document; it is recorded once its bytes are kept and are what was announced."""
        # 1. Metadata first; what would be refused anyway is refused before any byte is taken.
        metadata = await _metadata(request_iterator)
        if metadata.size_bytes > self._max_bytes:
            raise LimitExceeded(f"{self._max_bytes} bytes a document")
        title = self._writer.salted("title", metadata.title)
        command = _Recording(metadata, title)
        self._rehearse(command)
        # 2. The bytes, no more of them than announced.
        async with self._blobs.receive() as upload:
            async for part in request_iterator:
                if part.WhichOneof("part") != "chunk":
                    raise Invalid("metadata", "comes once, in the first message")
                if upload.size + len(part.chunk) > metadata.size_bytes:
                    raise DigestMismatch("the upload")
                await upload.write(part.chunk)
            # 3. They are what was announced, and say what their kind has to say.
            if (upload.size, upload.sha256) != (metadata.size_bytes, metadata.sha256):
                raise DigestMismatch("the upload")
            compute = await _compute(metadata.kind, upload)
            # 4. Kept, and only then recorded. A refusal between the two leaves bytes that no record names.
            await self._blobs.keep(upload)
        reply = await self._writer.submit(
            f"{_SERVICE}/UploadEvidence",
            metadata,
            lambda _view, instant: Prepared(command.at(instant, compute), texts=title),
            _render,
            evidence_pb2.Evidence,
        )
        return await self._titled(reply, title)

    async def DownloadEvidence(
        self, request: evidence_pb2.DownloadEvidenceRequest, context: Context
    ) -> AsyncIterator[evidence_pb2.DownloadEvidenceResponse]:
        """Yield a document's bytes, or a range of them."""
        view, _ = self._reader.now()
        document = _need(view, request.name)
        if request.offset_bytes > document.size:
            raise Invalid("offset_bytes", f"is past the document's {document.size} bytes")
        if document.classification == RESTRICTED:
            # Who may not is refused here; who may leaves a trace before the first byte.
            opened = as_is(c.OpenEvidence(document.name))
            method = f"{_SERVICE}/DownloadEvidence"
            await self._writer.submit(
                method, request, opened, lambda view, _: evidence_message(view, document), evidence_pb2.Evidence
            )
        rest = document.size - request.offset_bytes
        length = min(request.limit_bytes or rest, rest)
        async for chunk in self._blobs.read(document.sha256, document.size, request.offset_bytes, length):
            yield evidence_pb2.DownloadEvidenceResponse(chunk=chunk)

    async def GetEvidence(self, request: evidence_pb2.GetEvidenceRequest, context: Context) -> evidence_pb2.Evidence:
        """Return one record."""
        view, _ = await self._reader.as_of(request)
        return await self._titled(evidence_message(view, _need(view, request.name)))

    async def ListEvidence(
        self, request: evidence_pb2.ListEvidenceRequest, context: Context
    ) -> evidence_pb2.ListEvidenceResponse:
        """Return records, newest first."""
        page = page_of(request)
        view, _ = self._reader.now()
        wanted = (
            document
            for document in newest_first(view.state, "evidence", r.Evidence, page.number_after())
            if not request.kind or document.kind == request.kind
        )
        chosen, token = page.cut(wanted, lambda document: leaf_of(document.name))
        messages = [evidence_message(view, document) for document in chosen]
        await self._texts.give_titles(view, messages)
        messages, token = page.fit(messages, token, lambda message: leaf_of(message.name))
        return evidence_pb2.ListEvidenceResponse(evidence=messages, next_page_token=token)

    async def GrantAccess(self, request: evidence_pb2.GrantAccessRequest, context: Context) -> evidence_pb2.Evidence:
        """Let someone read a restricted document."""
        name = request.name

        def render(view: View, _accepted: Accepted) -> evidence_pb2.Evidence:
            return evidence_message(view, view.state.need(name, r.Evidence))

        command = c.GrantEvidenceAccess(name, request.principal)
        method = f"{_SERVICE}/GrantAccess"
        reply = await self._writer.submit(method, request, as_is(command), render, evidence_pb2.Evidence)
        return await self._titled(reply)

    def _rehearse(self, command: _Recording) -> None:
        """Raise Refusal where the record would be refused at this moment."""
        view, now = self._reader.now()
        instant = max(now, view.state.time + 1)
        facts = c.Facts(instant)
        answer = decide(view.rules, view.policy, view.state, command.at(instant, ""), facts, caller().actor)
        if isinstance(answer, Refused):
            raise Refusal(answer)

    async def _titled(self, message: evidence_pb2.Evidence, fresh: tuple[Text, ...] = ()) -> evidence_pb2.Evidence:
        await self._texts.give_titles(self._reader.now()[0], [message], fresh)
        return message


class _Recording:
    """The command that records an upload, but for what is known at its end: the instant and the figure."""

    def __init__(self, metadata: evidence_pb2.EvidenceMetadata, title: tuple[Text, ...]) -> None:
        self._metadata = metadata
        self._title = title[0].digest
        made, until = metadata.made_time, metadata.valid_until_time
        self._made_at = to_microseconds(made, "made_time") if metadata.HasField("made_time") else None
        self._until = (
            to_positive_microseconds(until, "valid_until_time") if metadata.HasField("valid_until_time") else 0
        )

    def at(self, instant: int, compute: str) -> c.RecordEvidence:
        """Return the command as it is decided at ``instant``: what has no date was made now."""
        metadata = self._metadata
        return c.RecordEvidence(
            kind=metadata.kind,
            title_digest=self._title,
            media_type=metadata.media_type,
            sha256=metadata.sha256,
            size=metadata.size_bytes,
            authors=tuple(metadata.authors),
            made_at=instant if self._made_at is None else self._made_at,
            valid_until=self._until,
            classification=_CLASS_WORDS.get(metadata.classification, _DEFAULT_CLASS),
            redacts=metadata.redacts,
            effective_compute=compute,
        )


async def _metadata(parts: AsyncIterator[evidence_pb2.UploadEvidenceRequest]) -> evidence_pb2.EvidenceMetadata:
    first = await anext(parts, None)
    if first is None or first.WhichOneof("part") != "metadata":
        raise Invalid("metadata", "comes first")
    return first.metadata


async def _compute(kind: str, upload: Upload) -> str:
    """Return the figure that a training_run_record carries, empty for any other kind."""
    if kind != training_run.KIND:
        return ""
    await upload.flush()
    return training_run.effective_compute(await upload.content(training_run.MAX_BYTES))


def _render(view: View, accepted: Accepted) -> evidence_pb2.Evidence:
    recorded = accepted.entry.transitions[0].resource
    return evidence_message(view, view.state.need(recorded, r.Evidence))


def _need(view: View, name: str) -> r.Evidence:
    document = view.state.find(name, r.Evidence)
    if document is None:
        raise NotFound(name)
    return document
