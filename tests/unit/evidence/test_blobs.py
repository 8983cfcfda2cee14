"""Blobs in a folder: kept durably and whole, or not at all."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from interlock.service.errors import DigestMismatch, StoreUnavailable
from interlock.service.evidence import Blobs, Durability, open_blobs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = b"evidence " * 300_000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Witness(Durability):
    """Really syncs, and writes down what, in which order, and what could be seen at that moment."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.seen: list[tuple[str, str, bool]] = []

    def sync_file(self, path: Path) -> None:
        """Sync a file."""
        self._note("file", path)
        super().sync_file(path)

    def sync_directory(self, path: Path) -> None:
        """Sync a directory."""
        self._note("directory", path)
        super().sync_directory(path)

    def _note(self, what: str, path: Path) -> None:
        name = "incoming/…" if path.parent.name == "incoming" else os.path.relpath(path, self._root)
        self.seen.append((what, name, place(self._root).exists()))


class Full(Durability):
    """A disk that takes no more, told when the ``number``-th sync is asked for."""

    def __init__(self, number: int) -> None:
        self._left = number

    def sync_file(self, path: Path) -> None:
        """Fail in its turn."""
        self._turn()
        super().sync_file(path)

    def sync_directory(self, path: Path) -> None:
        """Fail in its turn."""
        self._turn()
        super().sync_directory(path)

    def _turn(self) -> None:
        self._left -= 1
        if not self._left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def place(root: Path) -> Path:
    """Return where DATA is kept."""
    return root / "sha256" / SHA256[:2] / SHA256[2:]


async def keep(blobs: Blobs, data: bytes = DATA) -> None:
    """Upload and keep some bytes."""
    async with blobs.receive() as upload:
        for start in range(0, len(data), 1 << 20):
            await upload.write(data[start : start + (1 << 20)])
        await blobs.keep(upload)


async def read(blobs: Blobs, offset: int = 0, length: int | None = None, size: int = len(DATA)) -> bytes:
    """Read DATA back, or a range of it."""
    wanted = len(DATA) - offset if length is None else length
    return b"".join([chunk async for chunk in blobs.read(SHA256, size, offset, wanted)])


def files(root: Path) -> list[Path]:
    """Return every file under a folder."""
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """Give an empty folder of blobs."""
    return Blobs.open(tmp_path / "evidence", os.urandom)


def test_what_was_kept_is_read_back(blobs: Blobs) -> None:
    """Bytes come back as they were."""

    async def story() -> bytes:
        await keep(blobs)
        return await read(blobs)

    assert asyncio.run(story()) == DATA


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (7, 1 << 20), ((1 << 20) + 1, 999_999), (len(DATA), 0)])
def test_a_range_is_read(blobs: Blobs, offset: int, length: int) -> None:
    """Any range of a blob can be read alone."""

    async def story() -> bytes:
        await keep(blobs)
        return await read(blobs, offset, length)

    assert asyncio.run(story()) == DATA[offset : offset + length]


def test_chunks_are_no_larger_than_a_message_may_be(blobs: Blobs) -> None:
    """A reader gets at most 1 MiB at a time."""

    async def story() -> list[int]:
        await keep(blobs)
        return [len(chunk) async for chunk in blobs.read(SHA256, len(DATA), 0, len(DATA))]

    assert max(asyncio.run(story())) <= 1 << 20


def test_bytes_are_synced_before_their_name_and_names_up_to_the_root(tmp_path: Path) -> None:
    """The file is synced while nobody can see it, then each directory from its own up to the folder."""
    witness = Witness(tmp_path)
    blobs = Blobs.open(tmp_path, os.urandom, witness)
    witness.seen.clear()

    asyncio.run(keep(blobs))

    assert witness.seen == [
        ("file", "incoming/…", False),
        ("directory", f"sha256/{SHA256[:2]}", True),
        ("directory", "sha256", True),
        ("directory", ".", True),
    ]


def test_directories_that_were_there_are_synced_as_well(tmp_path: Path) -> None:
    """Another upload may have made them a moment ago, so nobody relies on them."""
    witness = Witness(tmp_path)
    blobs = Blobs.open(tmp_path, os.urandom, witness)
    asyncio.run(keep(blobs))
    witness.seen.clear()

    asyncio.run(keep(blobs))

    assert [what for what, _, _ in witness.seen] == ["file", "directory", "directory", "directory"]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_disk_that_fails_to_sync_is_not_believed(tmp_path: Path, number: int) -> None:
    """Whichever sync fails, keeping fails: nothing that may be lost is called kept."""
    Blobs.open(tmp_path, os.urandom)
    failing = Blobs(tmp_path, os.urandom, Full(number))

    with pytest.raises(StoreUnavailable):
        asyncio.run(keep(failing))

    assert not list((tmp_path / "incoming").iterdir())


def test_a_damaged_copy_is_replaced(blobs: Blobs, tmp_path: Path) -> None:
    """Bytes that are uploaded again take the place of what is there, even if that was changed."""
    asyncio.run(keep(blobs))
    place(tmp_path / "evidence").write_bytes(b"rot")

    asyncio.run(keep(blobs))

    assert place(tmp_path / "evidence").read_bytes() == DATA


def test_what_is_not_kept_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    """An upload that ends before it is kept is gone."""

    async def story() -> None:
        async with blobs.receive() as upload:
            await upload.write(DATA)

    asyncio.run(story())

    assert not files(tmp_path)


def test_a_cancelled_upload_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    """A caller who goes away in the middle leaves no file."""

    async def story() -> None:
        arrived = asyncio.Event()

        async def upload() -> None:
            async with blobs.receive() as receiving:
                await receiving.write(DATA)
                arrived.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(upload())
        await arrived.wait()
        assert files(tmp_path)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())

    assert not files(tmp_path)


def test_a_start_sweeps_what_a_crash_left(blobs: Blobs, tmp_path: Path) -> None:
    """What was on its way when a process died is deleted by the next one; what was kept stays."""
    asyncio.run(keep(blobs))
    (tmp_path / "evidence" / "incoming" / "half").write_bytes(b"half")

    Blobs.open(tmp_path / "evidence", os.urandom)

    assert files(tmp_path) == [place(tmp_path / "evidence")]


def test_files_are_nobody_else_s(blobs: Blobs, tmp_path: Path) -> None:
    """Other accounts of the machine can read neither folder nor blob."""
    asyncio.run(keep(blobs))

    assert (tmp_path / "evidence").stat().st_mode & 0o077 == 0


def _missing(path: Path) -> None:
    path.unlink()


def _shorter(path: Path) -> None:
    path.write_bytes(DATA[:-1])


@pytest.mark.parametrize("damage", [_missing, _shorter])
def test_a_blob_that_is_not_what_it_was_is_data_loss(
    blobs: Blobs, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """A blob that is gone or has another length is never given out as if it were whole."""
    asyncio.run(keep(blobs))
    damage(place(tmp_path / "evidence"))

    with pytest.raises(DigestMismatch):
        asyncio.run(read(blobs))


def test_a_folder_is_opened_by_its_url(tmp_path: Path) -> None:
    """The configuration names the folder as a URL; names may hold what URLs escape."""
    folder = tmp_path / "a folder, 100%"

    open_blobs(folder.as_uri(), os.urandom)

    assert (folder / "incoming").is_dir()


@pytest.mark.parametrize("url", ["s3://bucket/x", "file://elsewhere/x", "evidence"])
def test_other_places_are_refused_at_the_start(url: str) -> None:
    """A store that is not supported is an error before anything is served."""
    with pytest.raises(ValueError, match="local folder"):
        open_blobs(url, os.urandom)
