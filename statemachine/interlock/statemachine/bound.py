"""Which documents the bytes of a change bind, each by name and SHA-256: those attached, and those its triggers name.

A rule that asks for evidence looks at what is attached, and at nothing else; a signer is asked about all of them
(docs/decisions/0063-what-a-trigger-names-is-bound.md). Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.statemachine import firings as f
    from interlock.statemachine.entry import Content


def named_by(triggers: Iterable[f.Firing]) -> tuple[str, ...]:
    """Return the documents that triggers name, sorted by number, each once. A test holds every trigger to this."""
    found: set[str] = set()
    for firing in triggers:
        named: str | tuple[str, ...] = getattr(firing, "evidence", ())
        found |= {named} if isinstance(named, str) else set(named)
    return tuple(sorted(found, key=_by_number))


def documents_of(content: Content) -> tuple[tuple[str, str], ...]:
    """Return every document that a content binds with its digest, sorted by number, each once."""
    return tuple(sorted({*content.evidence, *content.named_evidence}, key=lambda row: (_by_number(row[0]), row[1])))


def _by_number(name: str) -> tuple[int, str]:
    """Order ``evidence/{n}`` by number; anything at all has a place, for whoever reads bytes that nobody has judged."""
    return len(name), name
