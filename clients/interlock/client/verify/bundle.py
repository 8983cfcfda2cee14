"""A bundle, read segment by segment into the procedure: no server, no network, one segment in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.client.verify import limits
from interlock.client.verify.partial import PartialProcedure
from interlock.client.verify.procedure import Procedure
from interlock.client.verify.ranges import RangeProcedure
from interlock.client.verify.report import BUNDLE_STEPS, LOG
from interlock.client.verify.selections import SelectiveProcedure
from interlock.proofs import bundle
from interlock.proofs.errors import BundleError
from interlock.statemachine.codec import CodecError, parse_strict
from interlock.v1 import bundle_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from interlock.client.verify.procedure import Visit
    from interlock.client.verify.report import Progress, Trust, VerifyReport

    Keep = Callable[[int, bytes], None]


def verify_bundle(
    read: bundle.Read,
    trust: Trust,
    progress: Progress | None = None,
    visit: Visit | None = None,
    keep: Keep | None = None,
) -> VerifyReport:
    """Verify a bundle that ``read`` gives, as the `read` of a binary file does. Bad data gives findings.

    ``visit`` is shown each entry that was decided again alike, with fold and policy after it, which may
    be kept: the fold is then in memory, which grows with the log. ``keep`` is given each entry's position and bytes, as
    they come: they are the log's where there are no findings. Only what these three raise passes through.
    """
    reading = _Reading(trust, progress, visit, keep)
    try:
        try:
            for segment in bundle.read_segments(read):
                reading.take(segment)
        except BundleError as error:
            reading.procedure.find("file", LOG, error.fault, error.detail)
        except CodecError as error:
            reading.procedure.find("file", LOG, "BUNDLE_MESSAGE", str(error))
        reading.procedure.close()
        return reading.procedure.report(BUNDLE_STEPS)
    finally:
        reading.procedure.end()


_PARTS: Final[Mapping[int, type[PartialProcedure]]] = {
    bundle_pb2.BUNDLE_KIND_RANGE: RangeProcedure,
    bundle_pb2.BUNDLE_KIND_SELECTIVE: SelectiveProcedure,
}


class _Reading:
    """Hands what the segments say to the procedure: that of a full bundle, until the header says another kind."""

    def __init__(self, trust: Trust, progress: Progress | None, visit: Visit | None, keep: Keep | None) -> None:
        self.procedure = Procedure(trust, visit=visit)
        self._keep = keep
        self._progress = progress
        self._header = bundle_pb2.BundleHeader()

    def take(self, segment: bundle.Segment) -> None:
        """Take one segment; `read_segments` has seen to their order. Raises CodecError for one that is no message."""
        procedure, data, kind = self.procedure, segment.data, bundle.Kind
        limits.check_segment(segment.kind, data)
        match segment.kind:
            case kind.HEADER:
                self._header = parse_strict(bundle_pb2.BundleHeader, data, "the header")
                self._open(self._header)
            case kind.HEAD:
                procedure.open_head(parse_strict(bundle_pb2.BundleCheckpoint, data, "the head").note)
                self._check_head()
            case kind.ENTRY:
                row = parse_strict(bundle_pb2.BundleEntry, data, f"entry segment {procedure.frontier.size}")
                limits.check_entry(row)
                if self._keep is not None:
                    self._keep(procedure.frontier.size, row.entry)
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
            case kind.RESOURCE | kind.RESOURCE_GAP | kind.GAP:
                self._take_part(segment)
            case kind.END:
                raise AssertionError  # unreachable: never given

    def _take_part(self, segment: bundle.Segment) -> None:
        """Take what only a part of a log has."""
        procedure, data, kind = self.procedure, segment.data, bundle.Kind
        if not isinstance(procedure, PartialProcedure):
            procedure.find("file", LOG, "BUNDLE_KIND", "a full bundle leaves nothing out, and has no state")
        elif segment.kind is kind.RESOURCE:
            procedure.take_resource(parse_strict(bundle_pb2.BundleResource, data, "a resource"))
        else:
            gap = parse_strict(bundle_pb2.BundleGap, data, "a gap")
            skip = procedure.skip if segment.kind is kind.GAP else procedure.skip_resources
            skip(gap.size, gap.hashes)

    def _open(self, header: bundle_pb2.BundleHeader) -> None:
        """Take the procedure that is right for the kind."""
        kind, part = header.kind, _PARTS.get(header.kind)
        if part is not None:
            procedure, self.procedure = (
                self.procedure,
                part(self.procedure.trust, visit=self.procedure.visit, header=header),
            )
            procedure.end()
        elif kind != bundle_pb2.BUNDLE_KIND_FULL:
            detail = f"a bundle of kind {kind}: this version can't judge it, a newer one may"
            self.procedure.find("file", LOG, "NOT_DECIDABLE", detail)
        self.procedure.texts.all_here = header.texts
        if not _is_consistent(header):
            self.procedure.find("file", LOG, "BUNDLE_HEADER", "the header says another part than there is of this kind")

    def _check_head(self) -> None:
        """Compare the header, which nobody signed, with the head."""
        head = self.procedure.head
        if head is not None and (self._header.origin, self._header.size) != (head.origin, head.size):
            said = f"{self._header.size} entries of {self._header.origin}"
            self.procedure.find("file", LOG, "BUNDLE_HEADER", f"the header says {said}, the head another")


def _is_consistent(header: bundle_pb2.BundleHeader) -> bool:
    """Say whether a header names the part that its kind is of."""
    if header.kind == bundle_pb2.BUNDLE_KIND_RANGE:
        return not header.models and 0 <= header.digest < header.end <= header.size
    if header.kind == bundle_pb2.BUNDLE_KIND_SELECTIVE:
        return bool(header.models) and not header.end and 0 < header.digest < header.size
    return not (header.models or header.end or header.digest)
