"""What a policy promises, for the public: what is committed, and what is only recommended. Pure.

A commitment that was left unmet blocks a release; a recommendation never does. One that used to be a commitment says
until which entry, whatever it is called by now. Not here: who signed for a version, which the command asks the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine import carrying
from interlock.statemachine.diffing.clocks import clock_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from interlock.statemachine.policy.model import Policy, Safeguard, Source


@dataclass(frozen=True, slots=True)
class Version:
    """A policy version that was in force from the entry at a position on."""

    policy: Policy
    position: int


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing that a policy asks for.

    ``kind`` is ``safeguard`` or ``obligation``. ``committed_in`` is the version in which one that is only recommended
    was committed last, ``demoted_at`` the position of the entry that ended that; empty and None for one that never was.
    """

    kind: str
    id: str
    title: str
    terms: str
    source: str
    committed: bool
    committed_in: str = ""
    demoted_at: int | None = None


def find_promises(versions: Sequence[Version]) -> tuple[Promise, ...]:
    """Return what the last of these versions asks for, in its order; the others are those before, oldest first."""
    return (*_safeguards(versions), *_obligations(versions))


def _safeguards(versions: Sequence[Version]) -> Iterator[Promise]:
    for spec in versions[-1].policy.safeguards.values():
        committed = spec.track == "commitment"
        was = ("", None) if committed else _safeguard_was(versions, spec)
        places = ", ".join(place.id for place in versions[-1].policy.contexts if place.id in spec.covers)
        terms = f"{spec.standard} {spec.level}, in {places or 'no context'}"
        terms += f", while {' or '.join(spec.for_thresholds)} can't be ruled out" if spec.for_thresholds else ""
        yield Promise("safeguard", spec.id, spec.title, terms, _cited(spec.source), committed, *was)


def _safeguard_was(versions: Sequence[Version], spec: Safeguard) -> tuple[str, int | None]:
    """Return where a safeguard was committed last, and the entry that ended it, following what it was called."""
    known: Safeguard | None = spec
    for older, newer in zip(versions[-2::-1], versions[:0:-1], strict=True):
        source = carrying.source_of_safeguard(older.policy, newer.policy, known) if known is not None else ""
        known = older.policy.safeguards.get(source)
        if known is None:
            break
        if known.track == "commitment":
            return older.policy.name, newer.position
    return "", None


def _obligations(versions: Sequence[Version]) -> Iterator[Promise]:
    """Yield obligations that are in force; they go by their ids alone."""
    for spec in versions[-1].policy.obligations.values():
        if not spec.in_force:
            continue
        was = ("", None) if spec.blocking else _obligation_was(versions, spec.id)
        yield Promise("obligation", spec.id, spec.title, clock_in_words(spec), _cited(spec.source), spec.blocking, *was)


def _obligation_was(versions: Sequence[Version], obligation: str) -> tuple[str, int | None]:
    for older, newer in zip(versions[-2::-1], versions[:0:-1], strict=True):
        known = older.policy.obligations.get(obligation)
        if known is not None and known.in_force and known.blocking:
            return older.policy.name, newer.position
    return "", None


def _cited(source: Source | None) -> str:
    if source is None:
        return ""
    return " ".join(part for part in (source.document, source.version or "", source.section) if part)
