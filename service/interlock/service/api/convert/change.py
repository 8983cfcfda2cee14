"""Changes as messages: what is stored, and what is derived of it at a position and an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.status import unmet_message
from interlock.service.api.times import from_microseconds
from interlock.statemachine import packs
from interlock.statemachine.changes import content_of, evaluate
from interlock.statemachine.flips import find_flips
from interlock.statemachine.taint import find_doubts
from interlock.v1 import change_pb2, gate_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.service.ledger.view import View
    from interlock.statemachine import resources as r

_STATES: Final[Mapping[str, change_pb2.ChangeState.ValueType]] = {
    "draft": change_pb2.CHANGE_STATE_DRAFT,
    "in_review": change_pb2.CHANGE_STATE_IN_REVIEW,
    "applied": change_pb2.CHANGE_STATE_APPLIED,
    "rejected": change_pb2.CHANGE_STATE_REJECTED,
    "withdrawn": change_pb2.CHANGE_STATE_WITHDRAWN,
}
STATE_WORDS: Final[Mapping[int, str]] = {number: word for word, number in _STATES.items()}
_DECISIONS: Final[Mapping[str, change_pb2.Decision.ValueType]] = {
    "approve": change_pb2.DECISION_APPROVE,
    "reject": change_pb2.DECISION_REJECT,
    "withdraw": change_pb2.DECISION_WITHDRAW,
}
_OPEN: Final = frozenset({"draft", "in_review"})
_ETAG_CHARS: Final = 16


def etag_of(change: r.Change) -> str:
    """Return the etag of a change's revision: it stands for the very bytes that are signed."""
    return f"{change.revision}-{change.content_digest.hex()[:_ETAG_CHARS]}"


def change_message(view: View, change: r.Change, instant: int) -> change_pb2.Change:
    """Return a change with all that is derived of it at the view's position and ``instant`` (microseconds).

    Texts have their digests only, sign-offs no envelope: ``api/texts.py`` puts these in. Once a change is applied,
    rejected or withdrawn nothing is unmet, stale or expired any more.
    """
    facts = evaluate(view.policy, view.state, change, instant)
    message = change_pb2.Change(
        name=change.name,
        state=_STATES[change.state],
        revision=change.revision,
        etag=etag_of(change),
        content=change.content,
        texts=[change_pb2.SaltedText(field=field, digest=digest) for field, digest in content_of(change.content).texts],
        requesters=change.requesters,
        sign_offs=[_sign_off_message(row, facts.void.get(row.position, "")) for row in change.sign_offs],
        create_time=from_microseconds(change.proposed_at),
        expire_time=from_microseconds(facts.expires_at),
        applied_position=change.applied_position,
        log_position=view.position,
        tainted=change.applied_position in view.state.tainted,
        doubts=[unmet_message(unmet) for unmet in find_doubts(view.state, change)],
        ratified_positions=change.ratified_by,
    )
    if change.state in _OPEN:
        message.approved = facts.approved
        message.stale = facts.stale
        message.expired = facts.expired
        message.moved.extend(facts.moved)
        message.unmet.extend(map(unmet_message, facts.unmet))
        message.slots.extend(
            change_pb2.SlotStatus(trigger=s.trigger, resource=s.resource, role=s.role, filled_by=s.filled_by)
            for s in facts.slots
        )
    else:
        message.slots.extend(
            change_pb2.SlotStatus(trigger=trigger, resource=resource, role=role, filled_by=holder)
            for trigger, resource, role, holder in change.applied_slots
        )
    return message


def preview_message(view: View, change: r.Change, instant: int) -> change_pb2.PreviewChangeResponse:
    """Return what applying a change now would do, and what is in the way."""
    facts = evaluate(view.policy, view.state, change, instant)
    preview = change_pb2.PreviewChangeResponse(
        unmet=[unmet_message(unmet) for unmet in facts.unmet], log_position=view.position
    )
    for move in facts.transitions:
        row = preview.transitions.add(resource=move.resource, trigger=move.trigger, to=move.target)
        setattr(row, "from", move.source)  # a word that Python keeps for itself
    if facts.after is not None:
        for flip in find_flips(view.policy, view.state, facts.after, instant, packs.in_force(view.policy, facts.after)):
            verdict = gate_pb2.VERDICT_ALLOW if flip.allowed else gate_pb2.VERDICT_DENY
            preview.flips.add(model=flip.model, context=flip.context, artifact_digest=flip.artifact, verdict=verdict)
    return preview


def _sign_off_message(sign_off: r.SignOff, void_reason: str) -> change_pb2.SignOffRecord:
    message = change_pb2.SignOffRecord(
        signer=sign_off.signer,
        decision=_DECISIONS[sign_off.decision],
        revision=sign_off.revision,
        roles=sign_off.roles,
        position=sign_off.position,
        create_time=from_microseconds(sign_off.at),
        void=bool(void_reason),
        void_reason=void_reason,
        on_behalf_of=sign_off.on_behalf_of,
    )
    if sign_off.comment_digest:
        message.comment.field = "comment"
        message.comment.digest = sign_off.comment_digest
    return message
