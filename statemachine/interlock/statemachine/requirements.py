"""Evidence requirements: which documents a rule or a safeguard asks for, and which are missing or no longer fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import resources as r
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.statemachine.policy.model import EvidenceNeed
    from interlock.statemachine.state import State

_DAY_US = 86_400_000_000


def unknown_evidence(state: State, names: Iterable[str], trigger: str = "") -> tuple[Unmet, ...]:
    """Return one requirement for each name that is no recorded document."""
    return tuple(
        Unmet(Code.EVIDENCE_UNKNOWN, "a recorded document", "no such evidence", name, trigger)
        for name in names
        if state.find(name, r.Evidence) is None
    )


def evidence_unmet(  # what is asked, what is there, when, and where to say it
    state: State,
    needs: Iterable[EvidenceNeed],
    names: Iterable[str],
    instant: int,
    resource: str,
    trigger: str,
) -> tuple[Unmet, ...]:
    """Return what ``needs`` asks and the documents called ``names`` do not give at ``instant``.

    A document counts when its kind is the one asked for, it is no older than asked (freshness counts from the earlier
    of when it was made and when its bytes were first uploaded), and its own end has not passed.
    """
    documents = [found for name in names if (found := state.find(name, r.Evidence)) is not None]
    unmet: list[Unmet] = []
    for need in needs:
        of_kind = [document for document in documents if document.kind == need.kind]
        wish = need.kind
        if need.newer_than_us is not None:
            wish += f" newer than {need.newer_than_us / _DAY_US:g} days"
        if not of_kind:
            actual = f"none of that kind, {len(documents)} of others" if documents else "none attached"
            unmet.append(Unmet(Code.EVIDENCE_MISSING, f"evidence: {wish}", actual, resource, trigger))
            continue
        fresh = [
            document
            for document in of_kind
            if need.newer_than_us is None or instant < document.fresh_from + need.newer_than_us
        ]
        if not fresh:
            stale = ", ".join(document.name for document in of_kind)
            unmet.append(Unmet(Code.EVIDENCE_STALE, f"evidence: {wish}", f"too old: {stale}", resource, trigger))
        elif all(document.valid_until and instant >= document.valid_until for document in fresh):
            ended = ", ".join(document.name for document in fresh)
            unmet.append(Unmet(Code.EVIDENCE_EXPIRED, f"evidence: {wish}", f"ended: {ended}", resource, trigger))
    return tuple(unmet)
