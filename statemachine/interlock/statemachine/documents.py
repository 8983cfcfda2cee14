"""Evidence records: what may be recorded of a document, and who may open a restricted one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import commands as c
from interlock.statemachine import forms
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moved, not_found
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from interlock.statemachine.state import State
    from interlock.statemachine.turn import Turn

_CLASSES = ("public", "internal", "restricted")
RESTRICTED = "restricted"
TRAINING_RUN = "training_run_record"


def record(turn: Turn, state: State, command: c.RecordEvidence) -> Moved | Refused:
    """Record a document: kind known, made no later than now, authors and original known."""
    name = state.next_name("evidence")
    checks = _checks(turn, state, command)
    unmet = tuple(Unmet(code, wish, actual, name) for good, code, wish, actual in checks if not good)
    if unmet:
        return Refused(RefusalKind.INVALID, unmet)
    document = r.Evidence(
        name=name,
        kind=command.kind,
        title_digest=command.title_digest,
        media_type=command.media_type,
        sha256=command.sha256,
        size=command.size,
        uploader=turn.actor.principal,
        authors=command.authors,
        made_at=command.made_at,
        valid_until=command.valid_until,
        classification=command.classification,
        redacts=command.redacts,
        effective_compute=command.effective_compute,
        recorded_at=turn.instant,
        first_upload=state.first_uploads.get(command.sha256, turn.instant),
    )
    move = Transition(name, "evidence.record", tables.ABSENT, "recorded")
    return Moved(state.put(document).counted("evidence"), (move,))


def _checks(turn: Turn, state: State, command: c.RecordEvidence) -> tuple[tuple[bool, Code, str, str], ...]:
    """Return all that is asked of a document: whether it is so, the code where not, what was wished, what is there."""
    kinds = ", ".join(sorted(turn.policy.evidence_kinds))
    return (
        (command.kind in turn.policy.evidence_kinds, Code.EVIDENCE_KIND_UNKNOWN, f"a kind among {kinds}", command.kind),
        (
            0 < command.made_at <= turn.instant,
            Code.EVIDENCE_MADE_LATER,
            "made at or before its upload",
            "made later, or never",
        ),
        (
            not command.valid_until or command.valid_until > command.made_at,
            Code.EVIDENCE_FIELD,
            "an end after it was made",
            "an end before",
        ),
        (
            command.classification in _CLASSES,
            Code.EVIDENCE_FIELD,
            f"a class among {', '.join(_CLASSES)}",
            command.classification,
        ),
        (
            forms.SHA256.fullmatch(command.sha256) is not None and forms.is_digest(command.title_digest),
            Code.EVIDENCE_FIELD,
            "bytes and title by SHA-256",
            "another digest",
        ),
        (
            not command.effective_compute
            or (command.kind == TRAINING_RUN and forms.COMPUTE.fullmatch(command.effective_compute) is not None),
            Code.EVIDENCE_FIELD,
            f"a decimal number of FLOP, for a {TRAINING_RUN}",
            command.effective_compute[:64],
        ),
        (command.size >= 0, Code.EVIDENCE_FIELD, "a size of 0 bytes or more", str(command.size)),
        (
            all(state.find(author, r.Principal) for author in command.authors),
            Code.EVIDENCE_FIELD,
            "authors that are principals",
            "one is unknown",
        ),
        (
            not command.redacts or state.find(command.redacts, r.Evidence) is not None,
            Code.EVIDENCE_UNKNOWN,
            "a recorded original",
            command.redacts,
        ),
    )


def grant_access(_turn: Turn, state: State, command: c.GrantEvidenceAccess) -> Moved | Refused:
    """Let a principal read a restricted document."""
    document = state.find(command.evidence, r.Evidence)
    if document is None:
        return not_found(command.evidence, "a recorded document")
    if state.find(command.principal, r.Principal) is None:
        return not_found(command.principal, "a principal")
    if command.principal in document.readers:
        return Moved(state)
    shared = replace(document, readers=(*document.readers, command.principal))
    return Moved(state.put(shared), (Transition(document.name, "evidence.grant_access", "recorded", "recorded"),))


def open_(turn: Turn, state: State, command: c.OpenEvidence) -> Moved | Refused:
    """Leave a trace of who opened a restricted document."""
    document = state.find(command.evidence, r.Evidence)
    if document is None:
        return not_found(command.evidence, "a recorded document")
    if turn.judged and not may_open(document, turn.actor.principal):
        return refused(
            RefusalKind.NOT_ALLOWED,
            Code.RIGHT_MISSING,
            "access granted to the document",
            f"{turn.actor.principal} has none",
            document.name,
        )
    who = turn.actor.principal
    opened = document if who in document.opened_by else replace(document, opened_by=(*document.opened_by, who))
    return Moved(state.put(opened), (Transition(document.name, "evidence.open", "recorded", "recorded"),))


def may_have_read(document: r.Evidence, principal: str) -> bool:
    """Say whether a principal can have read all of it: a restricted document leaves an entry when it is opened."""
    return document.classification != RESTRICTED or principal in {document.uploader, *document.opened_by}


def may_open(document: r.Evidence, principal: str) -> bool:
    """Say whether a principal may read a document whose class is restricted."""
    return document.classification != RESTRICTED or principal in {document.uploader, *document.readers}
