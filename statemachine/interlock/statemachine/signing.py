"""Whose sign-off counts for which slot (identity design, "Sign-off rules").

Distinctness, requester and author conflicts are judged by person, never by account. Voiding only ever removes
approvals: a reject stands until its author takes it back or that role looks at a newer revision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock.statemachine import authority, quorum
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines import fire as machines
from interlock.statemachine.ruling import rule_of
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from interlock.statemachine.entry import Content
    from interlock.statemachine.policy.model import Policy, Rule, Slot
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class Tally:
    """The sign-offs of a change at an instant: approvals that count, standing rejects, and why others are void."""

    change: r.Change
    instant: int
    approvals: tuple[r.SignOff, ...]
    rejects: tuple[Unmet, ...]
    void: Mapping[int, Code]
    requesters: frozenset[str]
    authors: frozenset[str]
    attached: frozenset[str] = field(default=frozenset())


def person_of(state: State, principal: str) -> str:
    """Return the person behind an account; a service or an unknown account stands for itself."""
    account = state.find(principal, r.Principal)
    return account.person if account is not None and account.person else principal


def requester_persons(state: State, change: r.Change) -> frozenset[str]:
    """Return everyone who proposed, amended, rebased or attached, as persons."""
    return frozenset(person_of(state, principal) for principal in change.requesters)


def author_persons(state: State, change: r.Change, content: Content) -> frozenset[str]:
    """Return uploader, declared authors and verifier of all evidence attached or relied on, as persons.

    What a change verifies itself, its proposer verifies.
    """
    documents = {name for name, _ in content.evidence}
    people: set[str] = set()
    for firing in content.triggers:
        match firing:
            case f.SafeguardActivate() | f.SafeguardRestore() | f.SafeguardResume():
                known = state.safeguard(firing.safeguard)
                documents |= set(known.evidence)
                people |= {known.verified_by} - {""}
            case f.SafeguardVerify() | f.SafeguardReattest():
                documents |= set(firing.evidence)
                people.add(change.proposer)
            case f.DeterminationReport() | f.ObligationFulfil():
                documents |= set(firing.evidence)
            case f.DeterminationConfirm():
                reported = state.find(firing.determination, r.Determination)
                documents |= set(reported.evidence if reported is not None else ())
            case f.ModelRecordRun():
                documents.add(firing.evidence)
            case _:
                pass
    for name in documents:
        document = state.find(name, r.Evidence)
        if document is not None:
            people |= {document.uploader, *document.authors}
    return frozenset(person_of(state, principal) for principal in people)


def tally(policy: Policy, state: State, change: r.Change, content: Content, instant: int) -> Tally:
    """Sort the sign-offs of a change: the latest decision of each person counts for all their roles."""
    latest = {sign_off.person: sign_off for sign_off in change.sign_offs}
    void: dict[int, Code] = {}
    approvals: list[r.SignOff] = []
    for sign_off in change.sign_offs:
        reason = _void_reason(policy, state, change, sign_off, latest[sign_off.person], instant)
        if reason is not None:
            void[sign_off.position] = reason
        elif sign_off.decision == "approve":
            approvals.append(sign_off)
    standing = [sign_off for sign_off in latest.values() if sign_off.position not in void]
    void |= {s.position: Code.SUPERSEDED for s in standing if s.decision == "reject" and _anew(change, s, standing)}
    rejects = tuple(
        Unmet(
            Code.SIGN_OFF_REJECTED,
            "no standing reject",
            f"rejected by {sign_off.signer} (revision {sign_off.revision})",
            change.name,
        )
        for sign_off in latest.values()
        if sign_off.decision == "reject" and sign_off.position not in void
    )
    return Tally(
        change,
        instant,
        tuple(approvals),
        rejects,
        void,
        requester_persons(state, change),
        author_persons(state, change, content),
        frozenset(name for name, _ in content.evidence),
    )


def _void_reason(  # one return a reason, in the order they are looked at
    policy: Policy,
    state: State,
    change: r.Change,
    sign_off: r.SignOff,
    latest: r.SignOff,
    instant: int,
) -> Code | None:
    """Return why a sign-off does not count, or None where it does."""
    if latest.position != sign_off.position:
        return Code.WITHDRAWN if latest.decision == "withdraw" else Code.SUPERSEDED
    if sign_off.decision != "approve":  # voiding only ever removes approvals
        return None
    if sign_off.revision != change.revision:
        return Code.REVISION_CHANGED
    if sign_off.not_after and instant >= sign_off.not_after:
        return Code.SIGN_OFF_ENDED
    account = state.find(sign_off.signer, r.Principal)
    if account is None or account.state != "active":
        return Code.PRINCIPAL_INACTIVE
    if authority.is_admin(policy, state, sign_off.signer, instant):
        return Code.ADMIN_CONFLICT
    key = account.credential(sign_off.credential)
    if key is None or (key.compromised_since is not None and key.compromised_since <= sign_off.at):
        return Code.CREDENTIAL_COMPROMISED
    held = {role.id for _, role in authority.active_grants(policy, state, sign_off.signer, instant)}
    return Code.GRANT_ENDED if held.isdisjoint(sign_off.roles) else None


def _anew(change: r.Change, reject: r.SignOff, standing: Iterable[r.SignOff]) -> bool:
    """Say whether a role of an older reject has decided on the present revision since, and stands by that."""
    return reject.revision != change.revision and any(
        later.revision == change.revision
        and later.decision != "withdraw"
        and not set(later.roles).isdisjoint(reject.roles)
        for later in standing
    )


def fill(policy: Policy, state: State, rule: Rule, model: str | None, ledger: Tally) -> dict[int, str]:
    """Return who fills which slot of a rule on a model, by the one assignment that is recorded."""
    candidates = [
        frozenset(slot.index for slot in rule.slots if not obstacles(policy, state, slot, model, sign_off, ledger))
        for sign_off in ledger.approvals
    ]
    chosen = quorum.assign(candidates)
    return {slot: sign_off.signer for slot, sign_off in zip(chosen, ledger.approvals, strict=True) if slot is not None}


def obstacles(  # the slot, where it counts, and who would fill it
    policy: Policy, state: State, slot: Slot, model: str | None, sign_off: r.SignOff, ledger: Tally
) -> tuple[Code, ...]:
    """Return every reason why a sign-off can't fill a slot on a model; none means that it can."""
    found: list[Code] = []
    grants = [
        grant
        for grant, role in authority.roles_on(policy, state, sign_off.signer, ledger.instant, model)
        if role.id == slot.role
    ]
    if slot.role not in sign_off.roles or not grants:
        found.append(Code.NO_APPROVING_ROLE)
    elif all(grant.given_position >= ledger.change.proposed_position for grant in grants):
        found.append(Code.GRANT_TOO_NEW)
    if "requester" in slot.distinct_from and sign_off.person in ledger.requesters:
        found.append(Code.REQUESTER_CONFLICT)
    if "evidence_author" in slot.distinct_from and sign_off.person in ledger.authors:
        found.append(Code.EVIDENCE_AUTHOR_CONFLICT)
    account = state.find(sign_off.signer, r.Principal)
    external = slot.affiliation == "external" or policy.roles[slot.role].affiliation == "external"
    if account is None or account.kind == "service" or (external and account.kind != "external"):
        found.append(Code.AFFILIATION)
    if slot.seen_full and ledger.attached - {name for name, seen in sign_off.seen if seen == "full"}:
        found.append(Code.EVIDENCE_NOT_OPENED)
    return tuple(found)


def conditions_in_words(slot: Slot) -> str:
    """Return what a slot asks beside its role, as a tail for a sentence."""
    words = [f"other than {' and '.join(sorted(slot.distinct_from)).replace('_', ' ')}"] if slot.distinct_from else []
    if slot.affiliation == "external":
        words.append("external")
    if slot.seen_full:
        words.append("all evidence opened")
    return f" ({', '.join(words)})" if words else ""


def _ruled(policy: Policy, state: State, content: Content) -> Iterable[tuple[Rule, str | None]]:
    """Yield each trigger's rule with the model that it is judged on."""
    for firing in content.triggers:
        rule = rule_of(policy, state, firing)
        if rule is not None:
            yield rule, machines.model_concerned(state, firing)


def misfits(  # the change, and who would sign it
    policy: Policy, state: State, content: Content, sign_off: r.SignOff, ledger: Tally
) -> tuple[Unmet, ...]:
    """Return every reason why a sign-off fills no slot of any of the change's rules; empty where it fills one."""
    pairs = [(slot, model) for rule, model in _ruled(policy, state, content) for slot in rule.slots]
    stops = [obstacles(policy, state, slot, model, sign_off, ledger) for slot, model in pairs]
    admin = (Code.ADMIN_CONFLICT,) if authority.is_admin(policy, state, sign_off.signer, ledger.instant) else ()
    if not admin and any(not stop for stop in stops):
        return ()
    asked = ", ".join(dict.fromkeys(slot.role for slot, _ in pairs))
    words = {
        Code.NO_APPROVING_ROLE: (
            "an approving role that the change asks for: " + asked,
            "holds or names none of them",
        ),
        Code.REQUESTER_CONFLICT: ("a signer other than whoever requested the change", "is a requester of it"),
        Code.EVIDENCE_AUTHOR_CONFLICT: (
            "a signer who made none of its evidence",
            "is an author of its evidence",
        ),
        Code.AFFILIATION: ("a person of the affiliation asked for", "is of another"),
        Code.GRANT_TOO_NEW: ("a role granted before the change was proposed", "was granted later"),
        Code.EVIDENCE_NOT_OPENED: ("all evidence opened in full", "has not opened all of it"),
        Code.ADMIN_CONFLICT: (
            "a signer who is no admin: admins administer, they do not approve",
            "is an admin",
        ),
    }
    closest = [stop for stop in stops if Code.NO_APPROVING_ROLE not in stop] or stops  # the slots of a role held
    codes = dict.fromkeys((*admin, *(code for stop in closest for code in stop)))
    return tuple(Unmet(code, words[code][0], f"{sign_off.signer} {words[code][1]}", content.change) for code in codes)


def could_help(  # the change, and who would sign it
    policy: Policy,
    state: State,
    change: r.Change,
    content: Content,
    principal: str,
    instant: int,
    ledger: Tally,
) -> bool:
    """Say whether a principal's approval would fill a slot that is open now."""
    person = person_of(state, principal)
    if any(approval.person == person for approval in ledger.approvals):
        return False
    if authority.is_admin(policy, state, principal, instant):
        return False
    held = {role.id for _, role in authority.active_grants(policy, state, principal, instant) if role.approves}
    seen = tuple((name, "full") for name in ledger.attached)
    wish = r.SignOff(
        principal, person, "", "approve", change.revision, tuple(held), state.size, instant, 0, b"", b"", seen
    )
    more = Tally(
        change, instant, (*ledger.approvals, wish), ledger.rejects, ledger.void, ledger.requesters, ledger.authors,
        ledger.attached,
    )  # fmt: skip
    return any(
        principal in fill(policy, state, rule, model, more).values() for rule, model in _ruled(policy, state, content)
    )
