"""A change, judged: approved, stale, expired, and everything that is unmet (domain design, "Changes").

What lives here: derived facts of a change at (position, instant); nothing is written. Moving a change is
``lifecycle.py``'s business, whose sign-off counts for which slot is ``signing.py``'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from interlock.statemachine import authority, codec, excepting, moments, rules, signing, taint
from interlock.statemachine.asked import rules_asked
from interlock.statemachine.firings import BreakGlassOpen
from interlock.statemachine.machines.fire import fire, model_concerned, subject_of
from interlock.statemachine.machines.step import Moment
from interlock.statemachine.requirements import evidence_unmet
from interlock.statemachine.rights import CHANGE_PROPOSE
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from interlock.statemachine import resources as r
    from interlock.statemachine.entry import Content, Transition
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """One slot of one trigger's rule, and the principal who fills it (empty while open)."""

    trigger: str
    resource: str
    role: str
    filled_by: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is true of a change now.

    ``blocking`` is what no sign-off can mend (moved base, missing evidence, an edge that is not there); ``unmet``
    adds the sign-offs that are missing. ``after`` is the state with its triggers fired, None when one can't be.
    """

    approved: bool
    stale: bool
    expired: bool
    expires_at: int
    moved: tuple[str, ...]
    blocking: tuple[Unmet, ...]
    unmet: tuple[Unmet, ...]
    slots: tuple[SlotStatus, ...]
    void: Mapping[int, Code]
    transitions: tuple[Transition, ...]
    after: State | None
    ledger: signing.Tally


@lru_cache(maxsize=512)
def content_of(content: bytes) -> Content:
    """Return what a change's content bytes say. Raises CodecError for bytes that are no content."""
    return codec.decode_content(content)


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a change no sign-off can mend; the fields are those of the same names in ``Evaluation``."""

    expires_at: int
    expired: bool
    moved: tuple[str, ...]
    blocking: tuple[Unmet, ...]
    transitions: tuple[Transition, ...]
    after: State | None

    @property
    def stale(self) -> bool:
        """Whether something that the base names has moved."""
        return bool(self.moved)


@dataclass(frozen=True, slots=True)
class Quorum:
    """What the sign-offs of a change come to: who fills which slot, and what is still unmet of them."""

    slots: tuple[SlotStatus, ...]
    unmet: tuple[Unmet, ...]


def stand(policy: Policy, state: State, change: r.Change, content: Content, instant: int) -> Standing:
    """Judge everything about a change but its sign-offs: the dearer half, and a sign-off moves nothing of it."""
    moved = moved_since(policy, state, content)
    expires_at = change.edited_at + policy.changes_expire_after_us
    expired = instant >= expires_at
    after, transitions, faults = _rehearse(policy, state, change, content, instant)
    blocking = (
        *_moved(policy, content, moved),
        *_expiry(change, expires_at, expired=expired),
        *_evidence(policy, state, content, instant),
        *_riding(policy, state, change, content, instant),
        *_breaking_glass(state, change, content),
        *faults,
    )
    return Standing(expires_at, expired, moved, blocking, transitions, after)


def count(policy: Policy, state: State, content: Content, ledger: signing.Tally) -> Quorum:
    """Judge the sign-offs of a change, sorted before by ``signing.tally``."""
    slots, missing = _slots(policy, state, content, ledger)
    return Quorum(slots, (*ledger.rejects, *missing))


def evaluate(policy: Policy, state: State, change: r.Change, instant: int) -> Evaluation:
    """Judge a change at the head ``state`` and ``instant`` (microseconds)."""
    content = content_of(change.content)
    standing = stand(policy, state, change, content, instant)
    ledger = signing.tally(policy, state, change, content, instant)
    quorum = count(policy, state, content, ledger)
    unmet = condense((*standing.blocking, *quorum.unmet))
    return Evaluation(
        approved=change.state == "in_review" and not unmet,
        stale=standing.stale,
        expired=standing.expired,
        expires_at=standing.expires_at,
        moved=standing.moved,
        blocking=condense(standing.blocking),
        unmet=unmet,
        slots=quorum.slots,
        void=MappingProxyType(ledger.void),
        transitions=standing.transitions,
        after=standing.after,
        ledger=ledger,
    )


def moved_since(policy: Policy, state: State, content: Content) -> tuple[str, ...]:
    """Return what the base names and has moved: resources by position, the policy and the rules by digest."""
    moved = [name for name, position in content.base if state.position(name) != position]
    if content.policy_digest != policy.digest:
        moved.append(policy.name)
    if content.rules_digest != rules.current().digest:
        moved.append("rules")
    return tuple(moved)


def _moved(policy: Policy, content: Content, moved: tuple[str, ...]) -> Iterable[Unmet]:
    return (Unmet(Code.BASE_MOVED, *_what_moved(policy, content, name), name) for name in moved)


def _what_moved(policy: Policy, content: Content, name: str) -> tuple[str, str]:
    """Say what the change was written against, and what is there now."""
    if name == policy.name and content.policy_digest != policy.digest:
        wish = f"the policy that the change was written under, sha256 {content.policy_digest.hex()}"
        return wish, f"{policy.name} is in force, sha256 {policy.digest.hex()}: rebase the change"
    return "what the change was written against, unmoved", "it has moved: rebase the change"


def _expiry(change: r.Change, expires_at: int, *, expired: bool) -> Iterable[Unmet]:
    if expired:
        actual = f"ended at {moments.to_text(expires_at)}"
        yield Unmet(Code.CHANGE_EXPIRED, "a change that has not ended: amend or rebase it", actual, change.name)


def _rehearse(
    policy: Policy, state: State, change: r.Change, content: Content, instant: int
) -> tuple[State | None, tuple[Transition, ...], tuple[Unmet, ...]]:
    """Fire the triggers in order on the state, each against the result of the one before."""
    after = state
    transitions: list[Transition] = []
    moment = Moment(policy, instant, change.proposer)
    for firing in content.triggers:
        step = fire(moment, after, firing)
        if isinstance(step, Refused):
            named = tuple(replace(unmet, trigger=unmet.trigger or firing.trigger.value) for unmet in step.unmet)
            return None, (), named
        after = step.state
        transitions += step.transitions
    return taint.settle(state, after), tuple(transitions), ()


def _evidence(policy: Policy, state: State, content: Content, instant: int) -> Iterable[Unmet]:
    """Return the evidence that the rules ask for and the change does not carry."""
    attached = tuple(name for name, _ in content.evidence)
    for firing in content.triggers:
        for rule, _, _ in rules_asked(policy, state, firing):
            yield from evidence_unmet(state, rule.evidence, attached, instant, subject_of(firing), firing.trigger.value)


def _breaking_glass(state: State, change: r.Change, content: Content) -> Iterable[Unmet]:
    """Return what a use of break-glass lacks: a reason, and a resource that nothing else in the change is about.

    Its rule is judged by what the resource is before the change, so that has to be what it is when it is excepted.
    """
    fields, trigger = {field for field, _ in content.texts}, BreakGlassOpen.trigger.value
    uses = [firing for firing in content.triggers if isinstance(firing, BreakGlassOpen)]
    if uses and "summary" not in fields:
        wish = "a reason for break-glass, as the change's summary"
        yield Unmet(Code.REASON_MISSING, wish, "none", change.name, trigger)
    subjects = [subject_of(firing) for firing in content.triggers]
    for use in uses:
        alone = len(subjects) == 1 or excepting.stood_in_for(state, use.resource)
        if not alone or subjects.count(use.resource) > 1:
            wish = "a resource that is so before the change, and that no other trigger in it moves"
            yield Unmet(Code.BREAK_GLASS_NOT_ALLOWED, wish, "another trigger does", use.resource, trigger)


def _riding(policy: Policy, state: State, change: r.Change, content: Content, instant: int) -> Iterable[Unmet]:
    """Return the rights that the proposer lacks: to propose, and to every trigger that no rule governs."""
    for firing in content.triggers:
        model = model_concerned(state, firing)
        rights = authority.rights_on(policy, state, change.proposer, instant, model)
        needed = CHANGE_PROPOSE if rules_asked(policy, state, firing) else authority.right_to(firing)
        if needed not in rights:
            yield Unmet(
                Code.RIGHT_MISSING,
                f"the proposer's right {needed} on {model or 'everything'}",
                f"{change.proposer} lacks it",
                subject_of(firing),
                firing.trigger.value,
            )


def _slots(
    policy: Policy, state: State, content: Content, ledger: signing.Tally
) -> tuple[tuple[SlotStatus, ...], tuple[Unmet, ...]]:
    """Return every slot with who fills it, and a requirement for each open one."""
    slots: list[SlotStatus] = []
    missing: list[Unmet] = []
    for firing in content.triggers:
        trigger, resource = firing.trigger.value, subject_of(firing)
        for rule, model, _ in rules_asked(policy, state, firing):
            filled = signing.fill(policy, state, rule, model, ledger)
            for slot in rule.slots:
                holder = filled.get(slot.index, "")
                slots.append(SlotStatus(trigger, resource, slot.role, holder))
                if not holder:
                    wish = f"sign-off by {slot.role}{signing.conditions_in_words(slot)}"
                    missing.append(Unmet(Code.SIGN_OFF_MISSING, wish, "not signed", resource, trigger))
    return tuple(slots), tuple(missing)


def condense(unmet: Iterable[Unmet]) -> tuple[Unmet, ...]:
    """Return one requirement for each (code, requirement, actual, trigger); several resources are joined in one."""
    joined: dict[tuple[str, str, str, str], list[Unmet]] = {}
    for item in unmet:
        joined.setdefault((item.code, item.requirement, item.actual, item.trigger), []).append(item)
    return tuple(
        replace(group[0], resource=", ".join(dict.fromkeys(item.resource for item in group if item.resource)))
        if len(group) > 1
        else group[0]
        for group in joined.values()
    )


def waiting_for(policy: Policy, state: State, change: r.Change, principal: str, instant: int) -> tuple[str, ...]:
    """Return in whose names a principal could fill an open slot of a change under review now; empty for their own."""
    if change.state != "in_review":
        return ()
    evaluation = evaluate(policy, state, change, instant)
    if evaluation.approved or evaluation.blocking:
        return ()
    content = content_of(change.content)
    ledger = signing.tally(policy, state, change, content, instant)
    return signing.capacities(policy, state, content, principal, ledger)


def refusal_of(evaluation: Evaluation) -> Refused:
    """Return the refusal that lists everything unmet of a change."""
    kind = RefusalKind.STALE if evaluation.stale else RefusalKind.UNMET
    return Refused(kind, evaluation.unmet)
