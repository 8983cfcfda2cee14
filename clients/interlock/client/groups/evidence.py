"""`client.evidence`: documents up and down, every byte under its digest."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interlock.client import names
from interlock.client.errors import DataLossError
from interlock.client.groups.base import AsOf, Group, put_as_of, put_time
from interlock.v1 import evidence_pb2, evidence_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from typing import BinaryIO

    from interlock.client.opened import OpenedEvidence
    from interlock.client.transport import Transport
    from interlock.v1.evidence_pb2 import Evidence

    Progress = Callable[[int, int], None]

CHUNK_BYTES: Final = 1 << 20
_SLOWEST_BYTES_PER_SECOND: Final = 64 * 1024
_OCTETS: Final = "application/octet-stream"


class EvidenceGroup(Group):
    """Documents by digest. A ``progress`` callback takes (bytes done, bytes in all)."""

    def __init__(self, transport: Transport, *, opened: OpenedEvidence) -> None:
        """Call through ``transport``; what is downloaded whole is noted in ``opened``."""
        super().__init__(transport)
        self._opened = opened

    def upload(
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
        digest, size = digest_of(path)
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
        recorded = self._transport.call_streaming(
            self._stub.UploadEvidence,
            lambda: parts_of(path, metadata, progress),
            timeout_seconds=self._transport.timeout_seconds + size / _SLOWEST_BYTES_PER_SECOND,
        )
        if recorded.sha256 != digest or recorded.size_bytes != size:
            raise DataLossError(
                f"{recorded.name} is recorded with another digest than {path}", reason="DIGEST_MISMATCH"
            )
        return recorded

    def download(self, evidence: str, to: str | os.PathLike[str], *, progress: Progress | None = None) -> Evidence:
        """Download a document into a file, which appears only once its digest was checked.

        Raises DataLossError for other bytes, FileExistsError for a file that is there.
        """
        target = Path(to)
        if target.exists():
            raise FileExistsError(f"{target} is there already")
        record = self.get(evidence)
        request = evidence_pb2.DownloadEvidenceRequest(name=record.name)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as sink:
                received = Received(record, sink, progress)
                for part in self._transport.stream(self._stub.DownloadEvidence, request):
                    received.take(part.chunk)
                received.close()
            # A link fails where the name has been taken meanwhile; a rename would overwrite.
            os.link(temporary, target)
        finally:
            Path(temporary).unlink(missing_ok=True)
        self._opened.add(record.name, record.sha256, record.redacts)
        return record

    def get(self, evidence: str, *, as_of: AsOf = None) -> Evidence:
        """Return a document's record as it is, or as it was."""
        request = evidence_pb2.GetEvidenceRequest(name=names.evidence(evidence))
        put_as_of(request, as_of)
        return self._transport.call(self._stub.GetEvidence, request, remember=as_of is None)

    def list(self, *, kind: str = "") -> Iterator[Evidence]:
        """Yield records, newest first."""
        request = evidence_pb2.ListEvidenceRequest(kind=kind)
        return self._pages(self._stub.ListEvidence, request, "evidence")

    def grant_access(self, evidence: str, principal: str, *, request_id: str | None = None) -> Evidence:
        """Let a principal read a restricted document."""
        request = evidence_pb2.GrantAccessRequest(
            name=names.evidence(evidence), principal=names.principal(principal), request_id=self._id(request_id)
        )
        return self._transport.call(self._stub.GrantAccess, request)

    @property
    def _stub(self) -> evidence_pb2_grpc.EvidenceServiceStub:
        return evidence_pb2_grpc.EvidenceServiceStub(self._transport.channel)


def digest_of(path: Path) -> tuple[str, int]:
    """Return SHA-256 (hex) and size of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()


def parts_of(
    path: Path, metadata: evidence_pb2.EvidenceMetadata, progress: Progress | None
) -> Iterator[evidence_pb2.UploadEvidenceRequest]:
    """Yield the messages of an upload: what it is, then its bytes."""
    yield evidence_pb2.UploadEvidenceRequest(metadata=metadata)
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield evidence_pb2.UploadEvidenceRequest(chunk=chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, metadata.size_bytes)


class Received:
    """What comes of a document, written to ``sink``: never more than its record says, and all under its digest."""

    def __init__(self, record: Evidence, sink: BinaryIO, progress: Progress | None) -> None:
        """Take nothing yet."""
        self._record = record
        self._sink = sink
        self._progress = progress
        self._digest = hashlib.sha256()
        self._done = 0

    def take(self, chunk: bytes) -> None:
        """Write the next bytes. Raises DataLossError for more than the record says."""
        self._done += len(chunk)
        if self._done > self._record.size_bytes:
            raise self._other_bytes()
        self._digest.update(chunk)
        self._sink.write(chunk)
        if self._progress is not None:
            self._progress(self._done, self._record.size_bytes)

    def close(self) -> None:
        """Check the digest and bring what was written to the disk. Raises DataLossError."""
        if self._done != self._record.size_bytes or self._digest.hexdigest() != self._record.sha256:
            raise self._other_bytes()
        self._sink.flush()
        os.fsync(self._sink.fileno())

    def _other_bytes(self) -> DataLossError:
        return DataLossError(
            f"{self._record.name}: the bytes that came do not have the digest {self._record.sha256}",
            reason="DIGEST_MISMATCH",
        )
