"""Blobs in a local folder: ``sha256/ab/cdef…`` for what is kept, ``incoming/`` for what is on its way.

An upload is written to a file of its own while its SHA-256 is taken. To be kept, its bytes are synced first, then it is
renamed to its digest, then every directory from there up to the folder is synced: a name that is seen after a crash has
all of its bytes, and one that was acknowledged is seen. Directories that were there before are synced too: another
upload may have made them a moment ago. ``obstore`` moves and reads, so that other stores can take its place; it does
not sync, so that is done here.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from interlock.service.errors import DigestMismatch, StoreUnavailable
from interlock.service.evidence.durability import Durability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

CHUNK_BYTES: Final = 1024 * 1024
INCOMING: Final = "incoming"
_KEPT: Final = "sha256"
_PREFIX_CHARS: Final = 2
_NAME_BYTES: Final = 16
_PRIVATE: Final = 0o700


class Upload:
    """Bytes on their way in, hashed as they come. Only ``Blobs`` makes one."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.size = 0
        self._file = file
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Digest of what came so far, lower-case hex."""
        return self._hash.hexdigest()

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises StoreUnavailable where the disk does not."""
        with _unavailable():
            await asyncio.to_thread(self._write, chunk)

    async def flush(self) -> None:
        """Hand everything to the operating system; nothing can be written after."""
        with _unavailable():
            await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Do as ``flush``, in the caller's own thread. Raises OSError."""
        self._file.close()

    async def content(self, limit: int) -> bytes | None:
        """Return everything that came, None where that is more than ``limit`` bytes."""
        if self.size > limit:
            return None
        with _unavailable():
            return await asyncio.to_thread(self.path.read_bytes)

    def discard(self) -> None:
        """Leave nothing behind, unless the upload was kept meanwhile."""
        with suppress(OSError):  # a full disk fails the last flush; what is left is deleted all the same
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)


class Blobs:
    """A folder of blobs, for one process alone."""

    def __init__(self, root: Path, rng: Callable[[int], bytes], durability: Durability | None = None) -> None:
        self._root = root
        self._rng = rng
        self._durability = durability or Durability()
        self._store = LocalStore(prefix=root)

    @classmethod
    def open(cls, root: Path, rng: Callable[[int], bytes], durability: Durability | None = None) -> Self:
        """Open a folder, made where it is missing; what an earlier process left half uploaded is deleted.

        Raises OSError where that can't be done.
        """
        sync = durability or Durability()
        for path in (root, root / INCOMING, root / _KEPT):
            path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        for left in (root / INCOMING).iterdir():
            left.unlink()
        sync.sync_directory(root)
        sync.sync_directory(root.parent)
        return cls(root, rng, sync)

    @property
    def folders(self) -> tuple[Path, ...]:
        """What has to be there, for a document to be taken in or given out."""
        return (self._root / INCOMING, self._root / _KEPT)

    @asynccontextmanager
    async def receive(self) -> AsyncIterator[Upload]:
        """Give a new upload for a block; what the block does not keep is deleted, however it ends."""
        path = self._root / INCOMING / self._rng(_NAME_BYTES).hex()
        with _unavailable():
            upload = Upload(path, path.open("xb"))
        try:
            yield upload
        finally:
            upload.discard()

    async def keep(self, upload: Upload) -> None:
        """Keep what was uploaded under its digest, durably when this returns. Raises StoreUnavailable."""
        target = _place(upload.sha256)
        with _unavailable():
            await asyncio.to_thread(self._sync_bytes, upload)
            # Where these bytes are already kept they are replaced by themselves: that mends a damaged copy.
            await obstore.rename_async(self._store, f"{INCOMING}/{upload.path.name}", target)
            await asyncio.to_thread(self._sync_names, target)

    async def read(self, sha256: str, size: int, offset: int, length: int) -> AsyncIterator[bytes]:
        """Yield ``length`` bytes from ``offset``, at most 1 MiB at a time, of a blob of ``size`` bytes.

        Raises DigestMismatch for a blob that is missing or has another length: whoever reads all of it has to compare
        the digest as well.
        """
        with _unavailable():
            try:
                found = await obstore.head_async(self._store, _place(sha256))
            except FileNotFoundError:
                raise DigestMismatch("the stored document, which is missing") from None
        if found["size"] != size:
            raise DigestMismatch("the stored document")
        if not length:
            return
        with _unavailable():
            got = await obstore.get_async(self._store, _place(sha256), options={"range": (offset, offset + length)})
            async for chunk in got.stream(min_chunk_size=CHUNK_BYTES):
                data = bytes(chunk)
                for start in range(0, len(data), CHUNK_BYTES):
                    yield data[start : start + CHUNK_BYTES]

    def _sync_bytes(self, upload: Upload) -> None:
        upload.close()
        self._durability.sync_file(upload.path)

    def _sync_names(self, target: str) -> None:
        for folder in _folders(self._root, target):
            self._durability.sync_directory(folder)


def open_blobs(url: str, rng: Callable[[int], bytes]) -> Blobs:
    """Open the folder of a ``file:`` URL. Raises ValueError for any other place: these are not supported yet."""
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        raise ValueError(f"{url}: evidence can be kept in a local folder only, file:///PATH")
    return Blobs.open(Path(url2pathname(parts.path)), rng)


def _place(sha256: str) -> str:
    return f"{_KEPT}/{sha256[:_PREFIX_CHARS]}/{sha256[_PREFIX_CHARS:]}"


def _folders(root: Path, place: str) -> Iterator[Path]:
    """Yield the directories that lead to a blob, the innermost first, the root last."""
    path = (root / place).parent
    while path != root:
        yield path
        path = path.parent
    yield root


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn what the disk says into StoreUnavailable."""
    try:
        yield
    except (OSError, BaseError) as error:
        raise StoreUnavailable(repr(error)) from error
