"""A bundle, read segment by segment into the procedure: no server, no network, one segment in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client.verify.procedure import Procedure
from interlock.client.verify.report import BUNDLE_STEPS, LOG
from interlock.proofs import bundle
from interlock.proofs.errors import BundleError
from interlock.statemachine.codec import CodecError, parse_strict
from interlock.v1 import bundle_pb2

if TYPE_CHECKING:
    from interlock.client.verify.procedure import Visit
    from interlock.client.verify.report import Progress, Trust, VerifyReport


def verify_bundle(
    read: bundle.Read, trust: Trust, progress: Progress | None = None, visit: Visit | None = None
) -> VerifyReport:
    """Verify a bundle that ``read`` gives, as the `read` of a binary file does. Bad data gives findings.

    ``visit`` is shown each entry that was decided again alike, with fold and policy after it, which may
    be kept: the fold is then in memory, which grows with the log. Only what ``read`` raises passes through.
    """
    with Procedure(trust, visit=visit) as procedure:
        reading = _Reading(procedure, progress)
        try:
            for segment in bundle.read_segments(read):
                reading.take(segment)
        except BundleError as error:
            procedure.find("file", LOG, error.fault, error.detail)
        except CodecError as error:
            procedure.find("file", LOG, "BUNDLE_MESSAGE", str(error))
        procedure.close()
        return procedure.report(BUNDLE_STEPS)


class _Reading:
    """Hands what the segments say to the procedure."""

    def __init__(self, procedure: Procedure, progress: Progress | None) -> None:
        self._procedure = procedure
        self._progress = progress
        self._header = bundle_pb2.BundleHeader()

    def take(self, segment: bundle.Segment) -> None:
        """Take one segment; `read_segments` has seen to their order. Raises CodecError for one that is no message."""
        procedure, data, kind = self._procedure, segment.data, bundle.Kind
        match segment.kind:
            case kind.HEADER:
                self._header = parse_strict(bundle_pb2.BundleHeader, data, "the header")
                self._check_kind()
            case kind.HEAD:
                procedure.open_head(parse_strict(bundle_pb2.BundleCheckpoint, data, "the head").note)
                self._check_head()
            case kind.ENTRY:
                row = parse_strict(bundle_pb2.BundleEntry, data, f"entry segment {procedure.frontier.size}")
                procedure.take(row.entry, row.objects, row.texts)
                if self._progress is not None:
                    self._progress(procedure.frontier.size, procedure.size)
            case kind.CHECKPOINT:
                procedure.take_checkpoint(parse_strict(bundle_pb2.BundleCheckpoint, data, "a checkpoint").note)
            case kind.EVIDENCE:
                document = parse_strict(bundle_pb2.BundleEvidence, data, "a document's start")
                procedure.begin_document(document.sha256, document.size)
            case kind.CHUNK:
                procedure.documents.chunk(parse_strict(bundle_pb2.BundleEvidenceChunk, data, "a chunk").data)
            case kind.END:
                raise AssertionError  # unreachable: never given

    def _check_kind(self) -> None:
        self._procedure.texts.all_here = self._header.texts
        if self._header.kind != bundle_pb2.BUNDLE_KIND_FULL:
            detail = (
                f"a bundle of kind {self._header.kind}: this version judges full ones only, a newer one may do more"
            )
            self._procedure.find("file", LOG, "NOT_DECIDABLE", detail)

    def _check_head(self) -> None:
        """Compare the header, which nobody signed, with the head."""
        head = self._procedure.head
        if head is not None and (self._header.origin, self._header.size) != (head.origin, head.size):
            said = f"{self._header.size} entries of {self._header.origin}"
            self._procedure.find("file", LOG, "BUNDLE_HEADER", f"the header says {said}, the head another")
