"""Bundle files: the framing of a log in one file, as bytes.

    magic (8) · format version (4, big-endian) · segments … · end segment
    segment: type (1) · length of its data (4, big-endian) · data

The end segment's data is the SHA-256 of every byte of the file before it. That finds damage; trust comes from the log's
key alone. Lives here: reading and writing segments, in the one order that they may have. Not here: what their data
says (messages of `interlock.v1`), what is believed of it (the verifier). docs/reference/bundle.md says it all in words.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final, TypeAlias

from interlock.proofs.errors import BundleError, Fault

MAGIC: Final = b"\x89ILB\r\n\x1a\n"
"""The first bytes of every bundle. As PNG's, they show a transfer that took the file for text."""

VERSION: Final = 1
"""The format that this code reads and writes."""

VERSION_BYTES: Final = 4
LENGTH_BYTES: Final = 4

MAX_SEGMENT_BYTES: Final = 96 << 20
"""Greatest length of a segment's data, in bytes: the largest pack fits, 64 files of 1 MiB."""

DIGEST_BYTES: Final = 32
_PIECE_BYTES: Final = 1 << 20

Read: TypeAlias = Callable[[int], bytes]
"""Gives at most so many bytes of a file, and none at its end only: `read` of a binary file."""


@unique
class Kind(IntEnum):
    """The types of segments."""

    HEADER = 1
    HEAD = 2
    ENTRY = 3
    CHECKPOINT = 4
    EVIDENCE = 5
    CHUNK = 6
    RESOURCE = 7
    RESOURCE_GAP = 8
    GAP = 9
    END = 255


_LOG: Final = frozenset({Kind.HEAD, Kind.ENTRY, Kind.CHECKPOINT, Kind.GAP})
_STATE: Final = frozenset({Kind.RESOURCE, Kind.RESOURCE_GAP})
_DOCUMENTS: Final = frozenset({Kind.EVIDENCE, Kind.CHUNK})

FOLLOWS: Final[Mapping[Kind, frozenset[Kind | None]]] = {
    Kind.HEADER: frozenset({None}),
    Kind.HEAD: frozenset({Kind.HEADER}),
    Kind.RESOURCE: frozenset({Kind.HEAD}) | _STATE,
    Kind.RESOURCE_GAP: frozenset({Kind.RESOURCE}),
    Kind.ENTRY: _LOG | _STATE,
    Kind.GAP: frozenset({Kind.ENTRY, Kind.CHECKPOINT, Kind.GAP}),
    Kind.CHECKPOINT: frozenset({Kind.ENTRY, Kind.GAP}),
    Kind.EVIDENCE: _LOG | _DOCUMENTS,
    Kind.CHUNK: _DOCUMENTS,
    Kind.END: _LOG | _DOCUMENTS,
}
"""After which types a type may come; None is the start of the file."""

_KINDS: Final[Mapping[int, Kind]] = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment that was read, never the end."""

    kind: Kind
    data: bytes


class BundleWriter:
    """Gives the bytes of a bundle, part by part: `begin`, `segment` any number of times, `end`.

    Raises ValueError for an order that no reader would take: the caller's mistake.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._last: Kind | None = None

    def begin(self) -> bytes:
        """Give the first bytes of the file."""
        return self._hashed(MAGIC + VERSION.to_bytes(VERSION_BYTES))

    def segment(self, kind: Kind, data: bytes) -> bytes:
        """Give the next segment."""
        if self._last not in FOLLOWS[kind] or len(data) > MAX_SEGMENT_BYTES:
            last = self._last.name if self._last else "the start"
            raise ValueError(f"no {kind.name} of {len(data)} bytes after {last}")
        self._last = kind
        return self._hashed(bytes((kind.value,)) + len(data).to_bytes(LENGTH_BYTES) + data)

    def end(self) -> bytes:
        """Give the end segment, the last bytes of the file."""
        head = self._hashed(bytes((Kind.END.value,)) + DIGEST_BYTES.to_bytes(LENGTH_BYTES))
        return head + self._hash.digest()

    def _hashed(self, data: bytes) -> bytes:
        self._hash.update(data)
        return data


def read_segments(read: Read) -> Iterator[Segment]:
    """Yield the segments of a bundle, holding one at a time.

    Raises `BundleError`: BUNDLE_MAGIC, BUNDLE_VERSION, BUNDLE_TRUNCATED, BUNDLE_SEGMENT (an unknown type, one that may
    not come here, or a length beyond the limit), BUNDLE_DIGEST or BUNDLE_TRAILING. The last two come after every
    segment was given: nothing that was read may be relied on before the iterator has ended.
    """
    file = _File(read)
    # 1. It is a bundle, of the format that is read here.
    if file.take(len(MAGIC), "the magic") != MAGIC:
        raise BundleError(Fault.BUNDLE_MAGIC, "not a bundle: it does not begin as one")
    version = int.from_bytes(file.take(VERSION_BYTES, "the format version"))
    if version != VERSION:
        advice = "a newer interlock reads it" if version > VERSION else "there is no such format"
        raise BundleError(Fault.BUNDLE_VERSION, f"format {version}, and this program reads format {VERSION}: {advice}")
    # 2. Segments of known types, each where it may come.
    last: Kind | None = None
    while True:
        start = file.position
        head = file.take(1 + LENGTH_BYTES, "a segment")
        kind, length = _KINDS.get(head[0]), int.from_bytes(head[1:])
        if kind is None:
            raise BundleError(Fault.BUNDLE_SEGMENT, f"byte {start}: no segment has the type {head[0]}")
        if last not in FOLLOWS[kind]:
            before = last.name if last else "the start"
            raise BundleError(Fault.BUNDLE_SEGMENT, f"byte {start}: {kind.name} may not come after {before}")
        if length > MAX_SEGMENT_BYTES or (kind is Kind.END and length != DIGEST_BYTES):
            raise BundleError(Fault.BUNDLE_SEGMENT, f"byte {start}: {kind.name} of {length} bytes")
        if kind is Kind.END:
            break
        yield Segment(kind, file.take(length, kind.name))
        last = kind
    # 3. Nothing was damaged, and nothing comes after.
    digest = file.digest()
    if file.take(DIGEST_BYTES, "the digest") != digest:
        raise BundleError(Fault.BUNDLE_DIGEST, f"the file was damaged: the SHA-256 of what was read is {digest.hex()}")
    if read(1):
        raise BundleError(Fault.BUNDLE_TRAILING, f"bytes after the end, from byte {file.position} on")


class _File:
    """Reads exactly so many bytes, counts and hashes them."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._hash = hashlib.sha256()
        self.position = 0

    def digest(self) -> bytes:
        """Give the SHA-256 of all that was taken."""
        return self._hash.digest()

    def take(self, length: int, what: str) -> bytes:
        """Give the next `length` bytes. A stated length is never allocated before so many bytes are there."""
        parts, left = [], length
        while left:
            part = self._read(min(left, _PIECE_BYTES))
            if not part:
                raise BundleError(Fault.BUNDLE_TRUNCATED, f"the file ends at byte {self.position}, within {what}")
            parts.append(part)
            self._hash.update(part)
            self.position += len(part)
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
