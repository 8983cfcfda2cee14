"""What entries name by digest: contents, packs, documents; texts are in `texts.py`.

Each that is given is what its digest says, and nothing is given that no entry names. What is not given is counted as
held by its digest only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock.client.verify.limits import MAX_ENTRY_BYTES
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.policy.findings import PackError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interlock.client.verify.fold import Fold
    from interlock.statemachine.entry import Entry

    Find = Callable[[int, str, str], None]


@dataclass(slots=True)
class Objects:
    """The objects that come with the entry being judged, and which of them it asked for.

    ``packs`` are all that ever came, by their digests: whoever goes on from here needs the policy again.
    """

    found: dict[bytes, bytes] = field(default_factory=dict)
    asked: set[bytes] = field(default_factory=set)
    used: int = 0
    given: int = 0
    packs: dict[bytes, bytes] = field(default_factory=dict)

    def load(self, objects: Sequence[bytes]) -> None:
        """Take the objects of the next entry. A pack is named by the digest of its files, not of what carries them."""
        self.asked = set()
        self.given = len(objects)
        self.found = {hashlib.sha256(item).digest(): item for item in objects}

    def resolve(self, digest: bytes) -> bytes:
        """Return an object by its digest. Raises LookupError."""
        item = self.found.get(digest) or self._pack(digest)
        if item is None or (len(item) > MAX_ENTRY_BYTES and digest not in self.packs):  # no content is as large
            raise LookupError(f"the object {digest.hex()} is not there, or has another digest")
        self.asked.add(digest)
        return item

    def _pack(self, digest: bytes) -> bytes | None:
        """Return the pack of this digest, if it came; looked for only where no object has the digest itself."""
        for item in tuple(self.found.values()):
            try:
                pack = pack_digest(codec.decode_pack(item))
            except (codec.CodecError, PackError):
                continue
            self.found[pack] = self.packs[pack] = item
        return self.found.get(digest)

    def settle(self) -> bool:
        """Count what the entry used; say whether that is all that came with it."""
        self.used += len(self.asked)
        return len(self.asked) == self.given


@dataclass(slots=True)
class Documents:
    """The documents that entries recorded, and those whose bytes are here."""

    fold: Fold
    recorded: int = 0
    given: int = 0
    _seen: set[str] = field(default_factory=set)
    _open: tuple[str, int] | None = None
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _size: int = 0

    def count(self, entry: Entry) -> None:
        """Note what an entry records."""
        if isinstance(entry.command, c.RecordEvidence):
            self.recorded += 1
            self.fold.note_document(entry.command.sha256, entry.transitions[0].resource, entry.command.size)

    def begin(self, sha256: str, size: int, find: Find) -> None:
        """Start with the bytes of a document, once every entry was judged."""
        self.end(find)
        self._open, self._hash, self._size = (sha256, size), hashlib.sha256(), 0

    def chunk(self, data: bytes) -> None:
        """Take the next bytes."""
        self._hash.update(data)
        self._size += len(data)

    def end(self, find: Find) -> None:
        """Judge the document whose bytes have come."""
        if self._open is None:
            return
        sha256, size = self._open
        self._open = None
        records = self.fold.documents(sha256)
        if not records:
            find(-1, "EVIDENCE_UNKNOWN", f"a document {sha256} that no entry recorded")
            return
        name, recorded = next((row for row in records if row[1] != self._size), records[0])
        if sha256 in self._seen:
            find(-1, "EVIDENCE_TWICE", f"{name} comes twice")
        elif (self._hash.hexdigest(), self._size, size) != (sha256, recorded, recorded):
            detail = f"{name} has {self._size} bytes with the SHA-256 {self._hash.hexdigest()}"
            find(-1, "EVIDENCE_DIFFERS", f"{detail}; recorded are {recorded} with {sha256}")
        else:
            self.given += len(records)
        self._seen.add(sha256)
