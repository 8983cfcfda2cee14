"""The framing of bundles: one order, exact lengths, and damage is found wherever it is."""

import hashlib
from collections.abc import Callable
from io import BytesIO

import pytest

from interlock.proofs import bundle
from interlock.proofs.bundle import FOLLOWS, MAGIC, BundleWriter, Kind, Segment
from interlock.proofs.errors import BundleError, Fault

ROWS = (
    (Kind.HEADER, b"header"),
    (Kind.HEAD, b"head"),
    (Kind.ENTRY, b"entry 0"),
    (Kind.CHECKPOINT, b"of one entry"),
    (Kind.ENTRY, b""),
    (Kind.EVIDENCE, b"document"),
    (Kind.CHUNK, b"bytes"),
    (Kind.CHUNK, b"more bytes"),
)


def written(rows: tuple[tuple[Kind, bytes], ...] = ROWS) -> bytes:
    """Return a file."""
    writer = BundleWriter()
    return b"".join((writer.begin(), *(writer.segment(*row) for row in rows), writer.end()))


def raw(*segments: tuple[int, bytes], version: int = 1) -> bytes:
    """Return a file of any segments, with a digest that fits."""
    head = MAGIC + version.to_bytes(4)
    body = b"".join(bytes((kind,)) + len(data).to_bytes(4) + data for kind, data in segments)
    data = head + body + b"\xff" + (32).to_bytes(4)
    return data + hashlib.sha256(data).digest()


def read(data: bytes) -> list[Segment]:
    """Return the segments of a file."""
    return list(bundle.read_segments(BytesIO(data).read))


def refused(data: bytes) -> Fault:
    """Return why a file is refused."""
    with pytest.raises(BundleError) as caught:
        read(data)
    return caught.value.fault


def test_what_is_written_is_read() -> None:
    """Types and data come back in order, without the end."""
    assert [(row.kind, row.data) for row in read(written())] == list(ROWS)


def test_the_file_is_as_documented() -> None:
    """Magic, version, type, length, data, and SHA-256 of every byte before it."""
    data = written()

    assert data[:12] == bytes.fromhex("89494c420d0a1a0a00000001")
    assert data[12:23] == b"\x01\x00\x00\x00\x06header"
    assert data[-37:-32] == b"\xff\x00\x00\x00\x20"
    assert data[-32:] == hashlib.sha256(data[:-32]).digest()
    assert raw(*((kind.value, part) for kind, part in ROWS)) == data


def test_a_source_that_gives_a_byte_at_a_time_is_read_alike() -> None:
    """`read` may give less than was asked for."""
    source = BytesIO(written())

    assert len(list(bundle.read_segments(lambda _: source.read(1)))) == len(ROWS)


def test_every_shorter_file_is_truncated() -> None:
    """Wherever a file is cut, the end is missing."""
    data = written()

    assert {refused(data[:length]) for length in range(len(data))} == {Fault.BUNDLE_TRUNCATED}


def test_every_other_byte_is_found() -> None:
    """No byte of a file can be another one."""
    data = written()

    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        refused(bytes(changed))


def test_bytes_after_the_end_are_refused() -> None:
    """A file is one bundle and nothing else."""
    assert refused(written() + b"\0") is Fault.BUNDLE_TRAILING


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"PK\x03\x04" + bytes(100), Fault.BUNDLE_MAGIC),
        (written().replace(b"\r\n", b"\n", 1), Fault.BUNDLE_MAGIC),
        (raw((1, b""), (2, b""), version=2), Fault.BUNDLE_VERSION),
        (raw((1, b""), (2, b""), version=0), Fault.BUNDLE_VERSION),
        (raw((1, b""), (2, b""), (7, b"")), Fault.BUNDLE_SEGMENT),
        (raw((1, b"")), Fault.BUNDLE_SEGMENT),
        (raw(), Fault.BUNDLE_SEGMENT),
        (raw((2, b""), (1, b"")), Fault.BUNDLE_SEGMENT),
        (raw((1, b""), (1, b""), (2, b"")), Fault.BUNDLE_SEGMENT),
        (raw((1, b""), (2, b""), (2, b"")), Fault.BUNDLE_SEGMENT),
        (raw((1, b""), (2, b""), (3, b""), (4, b""), (4, b"")), Fault.BUNDLE_SEGMENT),
        (raw((1, b""), (2, b""), (5, b""), (3, b"")), Fault.BUNDLE_SEGMENT),
        (raw((1, b""), (2, b""), (6, b"")), Fault.BUNDLE_SEGMENT),
        (MAGIC + b"\0\0\0\1\1\xff\xff\xff\xff", Fault.BUNDLE_SEGMENT),
        (raw((1, b""), (2, b""))[:-32] + bytes(32), Fault.BUNDLE_DIGEST),
    ],
    ids=[
        "another format", "sent as text", "newer", "no version", "unknown type", "no head", "nothing", "head first",
        "two headers", "two heads", "two checkpoints", "entry after documents", "chunk of nothing", "too large",
        "another digest",
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_refused(data: bytes, fault: Fault) -> None:
    """Each with its code."""
    assert refused(data) is fault


def test_a_newer_format_says_so() -> None:
    """Whoever has an old program learns that the file is not at fault."""
    with pytest.raises(BundleError, match="a newer interlock reads it"):
        read(raw((1, b""), version=2))


@pytest.mark.parametrize(
    "write",
    [
        lambda writer: writer.segment(Kind.ENTRY, b""),
        lambda writer: writer.segment(Kind.HEADER, b"") and writer.segment(Kind.HEADER, b""),
    ],
    ids=["no header", "two headers"],
)
def test_a_writer_writes_no_other_order(write: Callable[[BundleWriter], bytes]) -> None:
    """What no reader would take is the writer's mistake."""
    with pytest.raises(ValueError, match="no "):
        write(BundleWriter())


def test_the_order_has_a_row_for_each_type() -> None:
    """A new type must say where it may come."""
    assert set(FOLLOWS) == set(Kind)
