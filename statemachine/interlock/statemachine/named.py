"""Which texts an entry names by digest: titles, reasons, summaries, comments, which are kept beside the log. Pure."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final, get_args

from interlock.proofs.errors import RefusedError
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import signoff, statements
from interlock.statemachine.changes import content_of
from interlock.statemachine.codec import CodecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from interlock.statemachine.entry import Entry

TEXT_DIGESTS: Final = frozenset({"reason_digest", "title_digest"})
"""Fields of commands and triggers that name a text."""

OTHER_DIGESTS: Final = frozenset({"request_digest", "statement_digest", "pack_digest", "content_digest"})
"""Fields that name something else. A test checks that each digest of a command is in one of the two."""

_NAMING: Final[Mapping[type, tuple[str, ...]]] = {
    kind: tuple(item.name for item in fields(kind) if item.name in TEXT_DIGESTS)
    for kind in (*get_args(c.Command), *get_args(f.Firing))
}


def texts_of(entry: Entry) -> dict[bytes, str]:
    """Return the digest of each text that an entry names, and what kind of text it is, each once."""
    return {digest: field for field, digest in _named(entry) if digest}


def _named(entry: Entry) -> Iterator[tuple[str, bytes]]:
    command = entry.command
    yield from _of_fields(command.firing if isinstance(command, c.Fire) else command)
    content = getattr(command, "content", b"")
    if content:
        yield from _of_content(content)
    if isinstance(command, c.SignOffChange | c.WithdrawSignOffOfChange):
        for envelope in entry.facts.envelopes:
            yield from _of_statement(envelope)


def _of_fields(value: c.Command | f.Firing) -> Iterator[tuple[str, bytes]]:
    for name in _NAMING[type(value)]:
        yield name.removesuffix("_digest"), getattr(value, name)


def _of_content(data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        content = content_of(data)
    except CodecError:
        return  # replay says what is wrong with it
    yield from content.texts
    for firing in content.triggers:
        yield from _of_fields(firing)


def _of_statement(envelope: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        statement = signoff.claimed_statement(envelope)
    except (RefusedError, statements.StatementError):
        return  # replay says what is wrong with it
    yield "comment", bytes.fromhex(statement.comment_digest)
    yield "conditions", bytes.fromhex(statement.conditions_digest)
