"""What each command on a change writes at the head: its content bytes, drafted there, and nothing else.

Pure, for these run in the writer thread: an etag is compared and a base is taken at the very head that the command is
decided at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from interlock.service.api.convert.change import etag_of
from interlock.service.errors import EtagMismatch, Invalid
from interlock.service.ledger.calls import Prepared
from interlock.statemachine import codec, drafting, packs
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.changes import content_of
from interlock.statemachine.machines.step import not_found
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from interlock.service.ledger.view import View
    from interlock.service.storage import Text
    from interlock.statemachine.entry import Content
    from interlock.statemachine.firings import Firing
    from interlock.v1 import trigger_pb2

    Prepare = Callable[[View, int], Prepared | Refused]
    Edit = Callable[[Content], Content | Refused]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new change as its requester wrote it; ``not_before`` in microseconds, 0 for at once; ``pack`` as it is kept."""

    triggers: tuple[Firing, ...]
    evidence: tuple[str, ...]
    not_before: int
    apply_separately: bool
    draft: bool
    texts: tuple[Text, ...]
    pack: bytes = b""


def propose(proposal: Proposal) -> Prepare:
    """Return how a new change is drafted under the next number."""

    def prepare(view: View, _instant: int) -> Prepared | Refused:
        pack = packs.new_to(view.state, proposal.triggers, proposal.pack)
        state = packs.shelve(view.state, proposal.triggers, pack)
        if isinstance(state, Refused):
            return state
        content = drafting.draft(
            view.rules,
            view.policy,
            state,
            name=view.state.next_name("changes"),
            revision=1,
            triggers=proposal.triggers,
            evidence=proposal.evidence,
            not_before=proposal.not_before,
            texts=tuple((text.field, text.digest) for text in proposal.texts),
            apply_separately=proposal.apply_separately,
        )
        if isinstance(content, Refused):
            return content
        command = c.ProposeChange(codec.encode_content(content), proposal.draft, pack)
        return Prepared(command, packs=(pack,) if pack else (), texts=proposal.texts)

    return prepare


def revise(  # the request is any with ``name`` and ``etag``
    kind: type[c.Revision],
    request: Any,  # noqa: ANN401  # see above
    edit: Edit,
    texts: tuple[Text, ...] = (),
    brought: bytes = b"",
) -> Prepare:
    """Return how the next revision of a change is drafted on the present base, ``edit`` applied.

    ``brought`` is a pack as it is kept, of an amendment alone.
    """
    name, etag = request.name, request.etag

    def prepare(view: View, _instant: int) -> Prepared | Refused:
        change = view.state.find(name, r.Change)
        if change is None:
            return not_found(name, "a change")
        check_etag(change, etag)
        edited = edit(content_of(change.content))
        if isinstance(edited, Refused):
            return edited
        pack = packs.new_to(view.state, edited.triggers, brought)
        state = packs.shelve(view.state, edited.triggers, pack)
        if isinstance(state, Refused):
            return state
        content = drafting.revise(view.rules, view.policy, state, edited)
        if isinstance(content, Refused):
            return content
        data = codec.encode_content(content)
        command = c.AmendChange(name, data, pack) if kind is c.AmendChange else kind(name, data)
        return Prepared(command, packs=(pack,) if pack else (), texts=texts)

    return prepare


def on_change(command: c.Command, request: Any) -> Prepare:  # noqa: ANN401  # as in ``revise``
    """Return how a command that names a change and nothing else is prepared: its etag is compared at the head."""
    name, etag = request.name, request.etag

    def prepare(view: View, _instant: int) -> Prepared | Refused:
        change = view.state.find(name, r.Change)
        if change is not None:
            check_etag(change, etag)
        return Prepared(command)

    return prepare


def check_etag(change: r.Change, etag: str) -> None:
    """Raise EtagMismatch where an etag was sent and is another revision's."""
    current = etag_of(change)
    if etag and etag != current:
        raise EtagMismatch(change.name, current)


def amended(triggers: tuple[Firing, ...], texts: tuple[Text, ...], not_before: int | None) -> Edit:
    """Return the edit of an amendment: what is given replaces, what is not stays."""

    def edit(content: Content) -> Content:
        words = dict(content.texts) | {text.field: text.digest for text in texts}
        return replace(
            content,
            triggers=triggers or content.triggers,
            texts=tuple(sorted(words.items())),
            not_before=content.not_before if not_before is None else not_before,
        )

    return edit


def attached(evidence: Iterable[str]) -> Edit:
    """Return the edit that adds documents."""
    new = tuple(evidence)

    def edit(content: Content) -> Content:
        return drafting.with_evidence(content, {name for name, _ in content.evidence}.union(new))

    return edit


def detached(evidence: Iterable[str]) -> Edit:
    """Return the edit that takes documents away; one that is not attached is refused, rather than ignored."""
    gone = frozenset(evidence)

    def edit(content: Content) -> Content | Refused:
        there = {name for name, _ in content.evidence}
        missing = sorted(gone - there)
        if missing:
            wish, actual = "a document attached to the change", "not attached"
            return Refused(
                RefusalKind.NOT_FOUND, tuple(Unmet(Code.EVIDENCE_UNKNOWN, wish, actual, name) for name in missing)
            )
        return drafting.with_evidence(content, there - gone)

    return edit


def same(content: Content) -> Content:
    """Return the edit of a rebase: none."""
    return content


def firings_of(messages: Iterable[trigger_pb2.Trigger]) -> tuple[Firing, ...]:
    """Return the triggers of a proposal. Raises Invalid for one that names a reason that nobody could read."""
    firings = tuple(map(codec.firing_of, messages))
    for index, firing in enumerate(firings):
        if getattr(firing, "reason_digest", b""):
            raise Invalid(f"triggers[{index}].reason_digest", "say why in the change's summary")
    return firings
