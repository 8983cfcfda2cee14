"""Puts into messages what is kept beside the fold: texts that can be erased, and signed envelopes.

Done after a write as after a read, so a reply that is remembered under its request id holds no text. A text that the
write itself brought is in hand (``fresh``) and is not read back. What was erased is left out; its digest stays where
the message has one. A text that does not have its digest any more is left out as well: somebody edited the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.calls import text_digest
from interlock.service.storage import queries
from interlock.v1 import ledger_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from sqlalchemy import Connection

    from interlock.service.ledger.view import View
    from interlock.service.storage import Store, StoredEntry, Text
    from interlock.v1 import (
        accountability_pb2,
        assessment_pb2,
        change_pb2,
        evidence_pb2,
        gate_pb2,
        hold_pb2,
        safeguard_pb2,
    )

    Reasoned = (
        safeguard_pb2.Safeguard
        | hold_pb2.Hold
        | assessment_pb2.Assessment
        | gate_pb2.InterimMeasure
        | accountability_pb2.Incident
        | accountability_pb2.Finding
    )
    Titled = evidence_pb2.Evidence | accountability_pb2.Incident | accountability_pb2.Finding
    _Words = dict[bytes, tuple[str, bytes]]


class Texts:
    """Looks texts up; one for all servicers."""

    def __init__(self, store: Store, examine: Callable[[int, StoredEntry | None], bool]) -> None:
        """``examine`` says whether an entry is the one that was decided."""
        self._store = store
        self._examine = examine

    async def give_reasons(self, view: View, messages: Iterable[Reasoned], fresh: Iterable[Text] = ()) -> None:
        """Put in why, where the view has the resource just as the message does."""
        wanted = []
        for message in messages:
            digest: bytes = getattr(view.state.items.get(message.name), "reason_digest", b"")
            if digest and view.state.position(message.name) == message.position:
                wanted.append((message, digest))
        found = await self._read((digest for _, digest in wanted), fresh)
        for message, digest in wanted:
            message.reason = found.get(digest, ("", b""))[0]

    async def give_titles(self, view: View, messages: Iterable[Titled], fresh: Iterable[Text] = ()) -> None:
        """Put in what each document is called."""
        wanted = []
        for message in messages:
            digest: bytes = getattr(view.state.items.get(message.name), "title_digest", b"")
            wanted.append((message, digest))
        found = await self._read((digest for _, digest in wanted), fresh)
        for message, digest in wanted:
            message.title = found.get(digest, ("", b""))[0]

    async def give_words(self, changes: Iterable[change_pb2.Change], fresh: Iterable[Text] = ()) -> None:
        """Put in titles, summaries, comments and envelopes of changes."""
        changes = list(changes)
        signed = [row for change in changes for row in change.sign_offs]
        salted = [text for change in changes for text in change.texts]
        salted += [row.comment for row in signed if row.HasField("comment")]
        found, entries = await self._look_up((text.digest for text in salted), fresh, {row.position for row in signed})
        for text in salted:
            text.text, text.salt = found.get(text.digest, ("", b""))
        for change in changes:
            for index in reversed(range(len(change.texts))):
                if not change.texts[index].salt:
                    del change.texts[index]
        for row in signed:
            if not row.comment.salt:
                row.ClearField("comment")
            # Out of the entry that accepted it.
            facts = ledger_pb2.LedgerEntry.FromString(entries.get(row.position, b"")).facts
            row.envelope = facts.envelopes[0] if facts.envelopes else b""

    async def _read(self, digests: Iterable[bytes], fresh: Iterable[Text] = ()) -> _Words:
        """Return (text, salt) by digest of what is there and was not erased."""
        return (await self._look_up(digests, fresh))[0]

    async def _look_up(
        self, digests: Iterable[bytes], fresh: Iterable[Text], positions: Collection[int] = ()
    ) -> tuple[_Words, dict[int, bytes]]:
        """Return (text, salt) by digest of what was not erased, and entries by position; of one and the same view."""
        there = {text.digest: text for text in fresh}
        wanted = {digest for digest in digests if digest and digest not in there}

        def stored(connection: Connection) -> tuple[dict[bytes, Text], dict[int, StoredEntry | None]]:
            return queries.texts(connection, wanted), {at: queries.entry(connection, at) for at in positions}

        entries: dict[int, bytes] = {}
        if wanted or positions:
            texts, found = await self._store.read(stored)
            there |= texts
            entries = {at: entry.data for at, entry in found.items() if self._examine(at, entry) and entry is not None}
        words = {
            digest: (text.text, text.salt)
            for digest, text in there.items()
            if text.text is not None and text.salt is not None and text_digest(text.salt, text.text) == digest
        }
        return words, entries
