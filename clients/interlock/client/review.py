"""What you see is what you sign: a change opened from the very bytes that a sign-off binds.

1 the content bytes are in their one form, without a field that this client does not know · 2 they name this log, this
change, this revision and these rules, and every document that a trigger of theirs names by its digest · 3 each text
beside them has the digest that they name, and no other text is there · 4 the record of each document, attached or named
by a trigger, has the digest that they name · 5 a pack to adopt has the digest that they name, and is
compared with the one that has the digest of the policy that they are written under · 6 a change to ratify has the
digest that they name, and is opened in the same way, down to what it ratifies itself.

Lives here: opening and checking. Not here: showing (the command line), signing (`signing.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.client.adoption import compare_packs, opened_pack
from interlock.client.errors import ContentError
from interlock.client.opened import Opened
from interlock.statemachine import codec, rules
from interlock.statemachine import firings as f
from interlock.statemachine.bound import documents_of, named_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from interlock.client.adoption import Adoption
    from interlock.statemachine.entry import Content
    from interlock.v1.change_pb2 import Change
    from interlock.v1.evidence_pb2 import Evidence
    from interlock.v1.policy_pb2 import Policy

DEEPEST: Final = 8
"""How many ratifications of ratifications are shown, at most; nobody would read more."""


@dataclass(frozen=True, slots=True)
class OpenedChange:
    """A change whose content was decoded and whose texts have the digests that it names.

    ``erased`` are the text fields that nobody can show any more; with one, a change can be read but not signed.
    ``pack`` are the files that it proposes to adopt, None where it does not or the server gave none.
    """

    change: Change
    content: Content
    content_sha256: str
    texts: Mapping[str, str]
    erased: tuple[str, ...]
    pack: Mapping[str, bytes] | None = None

    @property
    def name(self) -> str:
        """`changes/{n}`."""
        return self.content.change


@dataclass(frozen=True, slots=True)
class ReviewedChange:
    """An opened change that can be shown in full, with the record of every document that it names, in its order.

    ``evidence`` is attached, ``named`` is what only a trigger of it names; ``seen`` has for each by its name what a
    statement made now would say was seen of it.

    Made by `review` alone: signing asks for this type, so that nothing is signed that could not be shown.
    """

    opened: OpenedChange
    evidence: tuple[Evidence, ...]
    named: tuple[Evidence, ...] = ()
    adoption: Adoption | None = None
    ratified: tuple[RatifiedChange, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)

    @property
    def change(self) -> Change:
        """The change as the server gave it."""
        return self.opened.change

    @property
    def content(self) -> Content:
        """What the content bytes say."""
        return self.opened.content


@dataclass(frozen=True, slots=True)
class RatifiedChange:
    """A tainted change that another one would ratify, opened as that is; it was applied, so a text may be erased.

    Who signed it, and what speaks against it now, is the server's word: the signature binds what it applied.
    """

    opened: OpenedChange
    evidence: tuple[Evidence, ...]
    named: tuple[Evidence, ...]
    adoption: Adoption | None
    ratified: tuple[RatifiedChange, ...]


@dataclass(frozen=True, slots=True)
class Readers:
    """Where a review gets what the bytes to sign name by digest: documents' records, versions with packs, changes.

    Without one, what needs it can't be shown, and so not be signed.
    """

    evidence: Callable[[str], Evidence]
    policy: Callable[[str], Policy] | None = None
    change: Callable[[str], Change] | None = None


def open_change(change: Change, log_id: bytes) -> OpenedChange:
    """Return a change opened from its content bytes (steps 1 to 3). Raises ContentError."""
    try:
        content = codec.decode_content(change.content)
    except codec.CodecError as error:
        raise ContentError(f"{change.name}: {error}; nothing of it can be trusted", reason="CONTENT") from error
    if (content.log_id, content.change, content.revision) != (log_id, change.name, change.revision):
        raise ContentError(
            f"{change.name}: the bytes to sign are of another log, change or revision", reason="OTHER_CONTENT"
        )
    if tuple(name for name, _ in content.named_evidence) != named_by(content.triggers):
        raise ContentError(
            f"{change.name}: the bytes to sign do not bind each document that a trigger names by its digest",
            reason="EVIDENCE_UNBOUND",
        )
    texts, erased = _texts(change, content)
    digest = hashlib.sha256(change.content).hexdigest()
    return OpenedChange(change, content, digest, MappingProxyType(texts), erased, opened_pack(change, content))


def review(opened: OpenedChange, readers: Readers, downloaded: Opened | None = None) -> ReviewedChange:
    """Return a change that can be shown in full (rules of step 2, steps 4 to 6). Raises ContentError.

    ``downloaded`` says which documents whoever would sign has opened.
    """
    if opened.content.rules_digest != rules.current().digest:
        raise ContentError(
            f"{opened.name} is written for rules that this client does not have; it can't say what it would sign",
            reason="RULES_UNKNOWN",
        )
    if opened.erased:
        raise ContentError(
            f"{opened.name}: {', '.join(opened.erased)} was erased and can't be shown", reason="TEXT_ERASED"
        )
    adoption = compare_packs(opened, readers.policy)
    known = downloaded or Opened()
    seen = {name: known.seen(name, sha256) for name, sha256 in documents_of(opened.content)}
    return ReviewedChange(opened, *_documents(opened, readers), adoption, _ratified(opened, readers, 1), seen)


def ratified_by(opened: OpenedChange) -> tuple[str, ...]:
    """Return the names of the changes that a change would ratify."""
    return tuple(row.change for row in opened.content.triggers if isinstance(row, f.ChangeRatify))


def _ratified(opened: OpenedChange, readers: Readers, depth: int) -> tuple[RatifiedChange, ...]:
    """Return what a change would ratify, each held to the digest that its trigger names."""
    found: list[RatifiedChange] = []
    for firing in opened.content.triggers:
        if not isinstance(firing, f.ChangeRatify):
            continue
        if readers.change is None or depth > DEEPEST:
            raise ContentError(f"{opened.name}: {firing.change}, which it ratifies, can't be shown", reason="RATIFIED")
        inner = open_change(readers.change(firing.change), opened.content.log_id)
        if (inner.name, bytes.fromhex(inner.content_sha256)) != (firing.change, firing.content_digest):
            named = firing.content_digest.hex() or "of nothing"
            raise ContentError(
                f"{opened.name} ratifies {firing.change} with the digest {named}, "
                f"what the server gave has {inner.content_sha256}",
                reason="DIGEST_MISMATCH",
            )
        adoption = compare_packs(inner, readers.policy)
        found.append(RatifiedChange(inner, *_documents(inner, readers), adoption, _ratified(inner, readers, depth + 1)))
    return tuple(found)


def _documents(opened: OpenedChange, readers: Readers) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """Return the records of all documents that are attached to a change, and of those that only a trigger names.

    Each has the digest that the bytes to sign name, wherever they name it.
    """
    records: dict[str, Evidence] = {}
    for name, digest in documents_of(opened.content):
        record = records.get(name) or readers.evidence(name)
        if (record.name, record.sha256) != (name, digest):
            raise ContentError(
                f"{opened.name} names {name} with the digest {digest}, its record has {record.sha256}",
                reason="DIGEST_MISMATCH",
            )
        records[name] = record
    attached = dict(opened.content.evidence)
    named = (records[name] for name, _ in opened.content.named_evidence if name not in attached)
    return tuple(records[name] for name, _ in opened.content.evidence), tuple(named)


def _texts(change: Change, content: Content) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the texts that have the digests that the content names, and the fields that are erased."""
    named = dict(content.texts)
    if len(named) != len(content.texts):
        raise ContentError(f"{change.name}: a text is named twice", reason="CONTENT")
    texts: dict[str, str] = {}
    for row in change.texts:
        if row.field not in named or row.field in texts:
            raise ContentError(f"{change.name}: a text that the bytes to sign do not name", reason="TEXT_UNKNOWN")
        if salted_digest(row.salt, row.text) != named[row.field]:
            raise ContentError(
                f"{change.name}: the {row.field} does not have the digest that would be signed",
                reason="DIGEST_MISMATCH",
            )
        texts[row.field] = row.text
    return texts, tuple(field for field in named if field not in texts)


def salted_digest(salt: bytes, text: str) -> bytes:
    """Return SHA-256(salt ‖ UTF-8 text)."""
    return hashlib.sha256(salt + text.encode()).digest()
