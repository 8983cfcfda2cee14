"""Bundles of a world's log, and what an operator or a thief could make of them.

``Parts`` is a bundle taken apart: change what you like, and ``data`` puts it together again with a digest that fits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING, Final, Self

from interlock.client.verify import Trust, VerifyReport, verify_bundle
from interlock.proofs import bundle, merkle, note
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.v1 import bundle_pb2
from tests.support.world import LOG_ID, World, key_of, public_of

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME: Final = "log.example/test"
VKEY: Final = note.vkey_of(NAME, public_of("log", "log"))


def root_of(entries: Sequence[bytes]) -> bytes:
    """Return the root over entries."""
    return merkle.Frontier().extend(map(merkle.leaf_hash, entries)).root()


def signed_head(entries: Sequence[bytes], signer: str = "log") -> str:
    """Return a signed checkpoint over entries: what an operator who has the key can make of any entries."""
    return note.sign_checkpoint(note.Checkpoint(NAME, len(entries), root_of(entries)), NAME, key_of(signer, "log"))


def trust_in(world: World) -> Trust:
    """Return what an auditor holds a world's log to: key, log id, founding."""
    genesis = world.entries[0].command
    assert isinstance(genesis, c.Genesis)
    return Trust(VKEY, LOG_ID, hashlib.sha256(genesis.document).digest())


@dataclass(frozen=True, slots=True)
class Parts:
    """A bundle in parts. ``heads`` are checkpoints by size; ``documents`` bytes by the digest they are given under."""

    rows: tuple[bundle_pb2.BundleEntry, ...]
    head: str
    heads: dict[int, str] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, world: World, *, sizes: Sequence[int] = (), documents: Sequence[bytes] = ()) -> Self:
        """Return the bundle of a world's log, with checkpoints of some sizes."""
        entries = world.encoded()
        rows = tuple(
            bundle_pb2.BundleEntry(entry=data, objects=[world.objects[d] for d in codec.content_digests(data)])
            for data in entries
        )
        heads = {size: signed_head(entries[:size]) for size in sizes}
        return cls(rows, signed_head(entries), heads, {hashlib.sha256(data).hexdigest(): data for data in documents})

    @property
    def entries(self) -> tuple[bytes, ...]:
        """The entries' bytes."""
        return tuple(row.entry for row in self.rows)

    def resigned(self) -> Parts:
        """Return it with a head over its present entries: the operator has the log key."""
        return replace(self, head=signed_head(self.entries))

    def with_row(self, position: int, **fields: object) -> Parts:
        """Return it with parts of one entry's segment replaced."""
        row = bundle_pb2.BundleEntry()
        row.CopyFrom(self.rows[position])
        for name, value in fields.items():
            row.ClearField(name)  # type: ignore[arg-type]  # a field of BundleEntry
            if isinstance(value, bytes):
                row.entry = value
            else:
                getattr(row, name).extend(value)
        return replace(self, rows=(*self.rows[:position], row, *self.rows[position + 1 :]))

    def segments(self) -> list[tuple[bundle.Kind, bytes]]:
        """Return the segments in order, as (type, data)."""
        kind = bundle.Kind
        header = bundle_pb2.BundleHeader(kind=bundle_pb2.BUNDLE_KIND_FULL, origin=NAME, size=len(self.rows))
        rows = [(kind.HEADER, _bytes(header)), (kind.HEAD, _bytes(bundle_pb2.BundleCheckpoint(note=self.head)))]
        for number, row in enumerate(self.rows, start=1):
            rows.append((kind.ENTRY, _bytes(row)))
            if number in self.heads:
                rows.append((kind.CHECKPOINT, _bytes(bundle_pb2.BundleCheckpoint(note=self.heads[number]))))
        for sha256, data in self.documents.items():
            rows.append((kind.EVIDENCE, _bytes(bundle_pb2.BundleEvidence(sha256=sha256, size=len(data)))))
            rows.append((kind.CHUNK, _bytes(bundle_pb2.BundleEvidenceChunk(data=data))))
        return rows

    @property
    def data(self) -> bytes:
        """The file."""
        return framed(self.segments())


def framed(segments: Sequence[tuple[bundle.Kind, bytes]]) -> bytes:
    """Return a file with these segments and a digest that fits."""
    writer = bundle.BundleWriter()
    return b"".join((writer.begin(), *(writer.segment(kind, data) for kind, data in segments), writer.end()))


def judged(data: bytes, trust: Trust) -> VerifyReport:
    """Return what the verifier says of a file."""
    return verify_bundle(BytesIO(data).read, trust)


def codes(report: VerifyReport) -> list[tuple[str, int, str]]:
    """Return findings as (step, position, code)."""
    return [(row.step, row.position, row.code) for row in report.findings]


def _bytes(
    message: bundle_pb2.BundleHeader
    | bundle_pb2.BundleCheckpoint
    | bundle_pb2.BundleEntry
    | bundle_pb2.BundleEvidence
    | bundle_pb2.BundleEvidenceChunk,
) -> bytes:
    return message.SerializeToString(deterministic=True)
