"""How large the parts of a bundle may be: what was made to fill a reader's memory is refused before it is parsed.

A field of two bytes may take a hundred in memory, so what is long must be so by its contents, not by its fields. All of
it is far beyond what a server writes: its requests end at 4 MiB, and packs alone are larger. docs/reference/bundle.md
has the same limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.proofs.bundle import Kind
from interlock.statemachine.codec import CodecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.v1.bundle_pb2 import BundleEntry

MIB: Final = 1 << 20
MAX_BYTES: Final[Mapping[Kind, int]] = {
    Kind.HEADER: MIB,
    Kind.HEAD: 2 * MIB,
    Kind.CHECKPOINT: 2 * MIB,
    Kind.EVIDENCE: MIB,
    Kind.GAP: MIB,
    Kind.RESOURCE_GAP: MIB,
}
"""Of segments that are always short."""

MAX_ENTRY_BYTES: Final = 8 * MIB
"""Of an entry, and of the content of a change."""

MAX_FIELDS: Final = 10_000
"""Of a message of more than 1 MiB, at its top: files of a pack, objects and texts of an entry."""

MAX_MARKS: Final = 1_000_000
"""Brackets and commas of the canonical form of a resource."""

_WIDTHS: Final[Mapping[int, int]] = {1: 8, 5: 4}
_VARINT, _LENGTH = 0, 2


def check_segment(kind: Kind, data: bytes) -> None:
    """Raise CodecError for a segment that is larger than any of its kind, or made of too many fields."""
    if len(data) > MAX_BYTES.get(kind, len(data)):
        raise CodecError(f"{kind.name} of {len(data)} bytes: there is none of more than {MAX_BYTES[kind]}")
    if kind is Kind.ENTRY:
        _check_fields(data, "an entry's segment")
    if kind is Kind.RESOURCE and sum(map(data.count, (b"[", b"{", b","))) > MAX_MARKS:
        raise CodecError(f"a resource of more than {MAX_MARKS} values")


def check_entry(row: BundleEntry) -> None:
    """Raise CodecError for an entry, or a pack that it names, that no server writes."""
    if len(row.entry) > MAX_ENTRY_BYTES:
        raise CodecError(f"an entry of {len(row.entry)} bytes: there is none of more than {MAX_ENTRY_BYTES}")
    for item in row.objects:
        _check_fields(item, "an object")


def _check_fields(data: bytes, what: str) -> None:
    """Go over the fields at the top of a long message. What is no message is left to the parser."""
    at = fields = 0
    while len(data) > MIB and at < len(data):
        fields += 1
        if fields > MAX_FIELDS:
            raise CodecError(f"{what} of more than {MAX_FIELDS} fields")
        tag, at = _varint(data, at)
        if tag & 7 == _VARINT:
            _, at = _varint(data, at)
        elif tag & 7 == _LENGTH:
            length, at = _varint(data, at)
            at += length
        elif tag & 7 in _WIDTHS:
            at += _WIDTHS[tag & 7]
        else:
            return


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place after it; the end of the data where there is none."""
    value = 0
    for index, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004  # the last byte of a varint
            return value, at + index + 1
    return 0, len(data)
