"""`client.evidence`: documents up and down, every byte under its digest. With asyncio.

Made by ops/make_async.py from `interlock.client.groups.evidence`; not edited by hand.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.client import names
from interlock.client.aio.groups.base import AsyncGroup
from interlock.client.errors import DataLossError
from interlock.client.groups.base import AsOf, put_as_of, put_time
from interlock.client.groups.evidence import _OCTETS, _SLOWEST_BYTES_PER_SECOND, Received, digest_of, parts_of
from interlock.v1 import evidence_pb2, evidence_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from datetime import datetime

    from interlock.client.aio.transport import AsyncTransport
    from interlock.client.opened import OpenedEvidence
    from interlock.v1.evidence_pb2 import Evidence

    Progress = Callable[[int, int], None]


class AsyncEvidenceGroup(AsyncGroup):
    """Documents by digest. A ``progress`` callback takes (bytes done, bytes in all)."""

    def __init__(self, transport: AsyncTransport, *, opened: OpenedEvidence) -> None:
        """Call through ``transport``; what is downloaded whole is noted in ``opened``."""
        super().__init__(transport)
        self._opened = opened

    async def upload(
        self,
        file: str | os.PathLike[str],
        *,
        kind: str,
        title: str = "",
        media_type: str = "",
        authors: Iterable[str] = (),
        made: datetime | None = None,
        valid_until: datetime | None = None,
        classification: str = "internal",
        redacts: str = "",
        progress: Progress | None = None,
        request_id: str | None = None,
    ) -> Evidence:
        """Upload a file; it is read twice, first for its digest. Raises ValueError for an unknown classification.

        Raises DataLossError where the file changes meanwhile or the server got other bytes.
        """
        path = Path(file)
        digest, size = await asyncio.to_thread(digest_of, path)
        metadata = evidence_pb2.EvidenceMetadata(
            kind=kind,
            title=title or path.name,
            media_type=media_type or mimetypes.guess_type(path.name)[0] or _OCTETS,
            sha256=digest,
            size_bytes=size,
            authors=[names.principal(author) for author in authors],
            classification=evidence_pb2.Classification.Value(f"CLASSIFICATION_{classification.upper()}"),
            redacts=names.evidence(redacts) if redacts else "",
            request_id=self._id(request_id),
        )
        if made is not None:
            put_time(metadata.made_time, made)
        if valid_until is not None:
            put_time(metadata.valid_until_time, valid_until)
        recorded = await self._transport.call_streaming(
            self._stub.UploadEvidence,
            lambda: parts_of(path, metadata, progress),
            timeout_seconds=self._transport.timeout_seconds + size / _SLOWEST_BYTES_PER_SECOND,
        )
        if recorded.sha256 != digest or recorded.size_bytes != size:
            raise DataLossError(
                f"{recorded.name} is recorded with another digest than {path}", reason="DIGEST_MISMATCH"
            )
        return recorded

    async def download(
        self, evidence: str, to: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Evidence:
        """Download a document into a file, which appears only once its digest was checked.

        Raises DataLossError for other bytes, FileExistsError for a file that is there.
        """
        target = Path(to)
        if target.exists():
            raise FileExistsError(f"{target} is there already")
        record = await self.get(evidence)
        request = evidence_pb2.DownloadEvidenceRequest(name=record.name)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as sink:
                received = Received(record, sink, progress)
                async for part in self._transport.stream(self._stub.DownloadEvidence, request):
                    received.take(part.chunk)
                received.close()
            # A link fails where the name has been taken meanwhile; a rename would overwrite.
            os.link(temporary, target)
        finally:
            Path(temporary).unlink(missing_ok=True)
        self._opened.add(record.name, record.sha256, record.redacts)
        return record

    async def get(self, evidence: str, *, as_of: AsOf = None) -> Evidence:
        """Return a document's record as it is, or as it was."""
        request = evidence_pb2.GetEvidenceRequest(name=names.evidence(evidence))
        put_as_of(request, as_of)
        return await self._transport.call(self._stub.GetEvidence, request, remember=as_of is None)

    def list(self, *, kind: str = "") -> AsyncIterator[Evidence]:
        """Yield records, newest first."""
        request = evidence_pb2.ListEvidenceRequest(kind=kind)
        return self._pages(self._stub.ListEvidence, request, "evidence")

    async def grant_access(self, evidence: str, principal: str, *, request_id: str | None = None) -> Evidence:
        """Let a principal read a restricted document."""
        request = evidence_pb2.GrantAccessRequest(
            name=names.evidence(evidence), principal=names.principal(principal), request_id=self._id(request_id)
        )
        return await self._transport.call(self._stub.GrantAccess, request)

    @property
    def _stub(self) -> evidence_pb2_grpc.EvidenceServiceAsyncStub:
        return evidence_pb2_grpc.EvidenceServiceStub(self._transport.channel)
