"""Texts that entries name by digest: which are given, which were erased and by which entry, which are missing.

A text is named before it is erased, so what a missing one means is known at the end only: all are noted on disk.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from interlock.client.verify.report import Erased
from interlock.statemachine import commands as c
from interlock.statemachine.named import texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interlock.client.verify.fold import Fold
    from interlock.statemachine.entry import Entry

    Find = Callable[[int, str, str], None]

MAX_TOLD: Final = 1000
"""How many of each kind are told of."""

_ERASED: Final = (
    "SELECT texts.position, field, erasures.position, given FROM erasures JOIN texts USING (digest) "
    "ORDER BY texts.position"
)
_UNNAMED: Final = (
    "SELECT position, digest FROM erasures WHERE NOT EXISTS (SELECT 1 FROM texts "
    "WHERE texts.digest = erasures.digest AND texts.position < erasures.position) ORDER BY position"
)
_MISSING: Final = (
    "SELECT position, field, digest FROM texts WHERE NOT given AND digest NOT IN (SELECT digest FROM erasures) "
    "ORDER BY position"
)


class Text(Protocol):
    """A text with its salt (`interlock.v1.BundleText`)."""

    @property
    def salt(self) -> bytes:
        """Random bytes."""

    @property
    def text(self) -> str:
        """The text."""


@dataclass(slots=True)
class Texts:
    """The texts that were given, and how many are known by digest only. ``all_here``: that none is held back.

    ``whole`` is false where only a part of a log is read: then what was named may be in the other part.
    """

    fold: Fold
    all_here: bool = False
    whole: bool = True
    given: int = 0
    withheld: int = 0
    erased: tuple[Erased, ...] = ()

    def take(self, entry: Entry, texts: Sequence[Text], find: Find) -> None:
        """Compare the texts that come with an entry with those that it names."""
        if isinstance(entry.command, c.EraseText):
            self.fold.note_erasure(entry.command.digest, entry.seq)
        named = texts_of(entry)
        if not named and not texts:
            return
        seen = {hashlib.sha256(row.salt + row.text.encode()).digest() for row in texts}
        if len(seen) < len(texts):
            find(entry.seq, "TEXT_TWICE", "a text comes twice")
        for digest in seen - named.keys():
            find(entry.seq, "TEXT_DIFFERS", f"a text with the digest {digest.hex()}, which it does not name")
        for digest, field in named.items():
            self.fold.note_text(digest, entry.seq, field, given=digest in seen)
        good = len(seen & named.keys())
        self.given += good
        self.withheld += len(named) - good

    def end(self, find: Find) -> None:
        """Judge what was erased, once everything has come."""
        for position, digest in self.fold.texts(_UNNAMED, MAX_TOLD) if self.whole else ():
            find(position, "ERASED_UNKNOWN", f"it erases the text {digest.hex()}, which no entry before names")
        rows = self.fold.texts(_ERASED, MAX_TOLD)
        self.erased = tuple(Erased(position, field, by) for position, field, by, given in rows if not given)
        for position, field, by, given in rows:
            if given:
                find(position, "TEXT_NOT_ERASED", f"its {field} is here, although entry {by} erased it")
        if self.all_here:
            for position, field, digest in self.fold.texts(_MISSING, MAX_TOLD):
                find(position, "TEXT_MISSING", f"its {field} {digest.hex()} is not here, and no entry erased it")
