"""Whose sign-off counts for which slot (identity design, "Sign-off rules").

Distinctness, requester and author conflicts are judged by person, never by account; who signed for somebody else is
one person with them on that change. Voiding only ever removes approvals: a reject stands until its author takes it back
or that role looks at a newer revision.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from interlock.statemachine import authority, delegating, excepting, persons, quorum
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.asked import rules_asked
from interlock.statemachine.bound import documents_of
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from interlock.statemachine.asked import Asked
    from interlock.statemachine.entry import Content
    from interlock.statemachine.policy.model import Policy, Rule, Slot
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class Tally:
    """The sign-offs of a change at an instant: approvals that count, standing rejects, and why others are void.

    ``united`` has for each signer the people that they count as on this change: more than one where they used a
    delegation; ``barred`` are who signed the use of break-glass that the change reviews. ``documents`` are all that the
    change binds: a slot for whoever has opened the evidence asks for each of them.
    """

    change: r.Change
    instant: int
    approvals: tuple[r.SignOff, ...]
    rejects: tuple[Unmet, ...]
    void: Mapping[int, Code]
    requesters: frozenset[str]
    authors: frozenset[str]
    documents: frozenset[str] = field(default=frozenset())
    united: Mapping[str, frozenset[str]] = field(default_factory=dict)
    barred: frozenset[str] = field(default=frozenset())

    def people_of(self, sign_off: r.SignOff) -> frozenset[str]:
        """Return whom a sign-off counts as: its signer, and whoever is one person with them."""
        return self.united[sign_off.signer]


def author_persons(state: State, change: r.Change, content: Content) -> frozenset[str]:
    """Return who made the evidence of a change (``author_accounts``), as persons."""
    return frozenset(persons.person_of(state, principal) for principal in author_accounts(state, change, content))


def author_accounts(state: State, change: r.Change, content: Content) -> set[str]:
    """Return uploader, declared authors and verifier of all evidence attached or relied on, by account.

    What a change verifies itself, its proposer verifies.
    """
    documents = {name for name, _ in documents_of(content)}
    people = {account for grounds in persons.ratified(state, content) for account in grounds.authors}
    for firing in content.triggers:
        match firing:
            case f.SafeguardActivate() | f.SafeguardRestore() | f.SafeguardResume():
                known = state.safeguard(firing.safeguard)
                documents |= set(known.evidence)
                people |= {known.verified_by} - {""}
            case f.BreakGlassOpen():
                known = state.safeguard(firing.resource)
                documents |= set(known.evidence)
                people |= {known.verified_by} - {""}
            case f.SafeguardVerify() | f.SafeguardReattest():
                people.add(change.proposer)
            case f.DeterminationConfirm():
                reported = state.find(firing.determination, r.Determination)
                documents |= set(reported.evidence if reported is not None else ())
            case _:
                pass
    for name in documents:
        document = state.find(name, r.Evidence)
        if document is not None:
            people |= {document.uploader, *document.authors}
    return people


def barred_accounts(state: State, content: Content) -> frozenset[str]:
    """Return who signed a use of break-glass that a change reviews, or that a change which it ratifies does."""
    kept = (grounds.barred for grounds in persons.ratified(state, content))
    return excepting.barred_accounts(state, content.triggers).union(*kept)


def tally(policy: Policy, state: State, change: r.Change, content: Content, instant: int) -> Tally:
    """Sort the sign-offs of a change: the latest decision of each person counts for all their roles."""
    latest = {persons.person_of(state, sign_off.signer): sign_off for sign_off in change.sign_offs}
    overtaken = persons.overtaken(state, change)
    void: dict[int, Code] = {}
    approvals: list[r.SignOff] = []
    for sign_off in change.sign_offs:
        reason = overtaken.get(sign_off.position) or _void_reason(policy, state, change, sign_off, instant)
        if reason is not None:
            void[sign_off.position] = reason
        elif sign_off.decision == "approve":
            approvals.append(sign_off)
    standing = [sign_off for sign_off in latest.values() if sign_off.position not in void]
    against = [row for row in change.sign_offs if row.decision == "reject" and row.position not in void]
    void |= {row.position: Code.SUPERSEDED for row in against if _anew(change, row, standing)}
    rejects = tuple(
        Unmet(
            Code.SIGN_OFF_REJECTED,
            "no standing reject",
            f"rejected by {sign_off.signer} (revision {sign_off.revision})",
            change.name,
        )
        for sign_off in against
        if sign_off.position not in void
    )
    return Tally(
        change,
        instant,
        tuple(approvals),
        rejects,
        void,
        frozenset(persons.person_of(state, account) for account in persons.requester_accounts(state, change, content)),
        author_persons(state, change, content),
        frozenset(name for name, _ in documents_of(content)),
        persons.united(state, change.sign_offs),
        frozenset(persons.person_of(state, account) for account in barred_accounts(state, content)),
    )


def _void_reason(  # one return a reason, in the order they are looked at
    policy: Policy, state: State, change: r.Change, sign_off: r.SignOff, instant: int
) -> Code | None:
    """Return why a sign-off that no later one took the place of does not count, or None where it does."""
    if sign_off.decision != "approve":  # voiding only ever removes approvals
        return None
    if sign_off.revision != change.revision:
        return Code.REVISION_CHANGED
    if sign_off.not_after and instant >= sign_off.not_after:
        return Code.SIGN_OFF_ENDED
    account = state.find(sign_off.signer, r.Principal)
    owner = state.find(sign_off.on_behalf_of or sign_off.signer, r.Principal)
    if account is None or account.state != "active" or owner is None or owner.state != "active":
        return Code.PRINCIPAL_INACTIVE
    if any(authority.is_admin(policy, state, one.name, instant) for one in {account, owner}):
        return Code.ADMIN_CONFLICT
    key = account.credential(sign_off.credential)
    if key is None or persons.is_compromised(key, sign_off.at):
        return Code.CREDENTIAL_COMPROMISED
    given = persons.identity_of(account, key, sign_off.position, state.size)
    if any(position in state.tainted for position in (*given, *persons.activations(owner, sign_off.position))):
        return Code.TAINTED
    held = {role.id for _, role in authority.active_grants(policy, state, owner.name, instant)}
    if held.isdisjoint(sign_off.roles):
        return Code.GRANT_ENDED
    return _delegation_fault(state, sign_off, instant) if sign_off.on_behalf_of else None


def _delegation_fault(state: State, sign_off: r.SignOff, instant: int) -> Code | None:
    """Return why none of the delegations that a sign-off rests on stands any more, or None where one does."""
    rows = [
        row
        for row in state.delegations_to(sign_off.signer)
        if row.delegator == sign_off.on_behalf_of
        and row.role in sign_off.roles
        and row.given_position < sign_off.position
    ]
    faults = [delegating.fault_of(state, row, instant) for row in rows]
    return None if None in faults else next((fault for fault in faults if fault), Code.DELEGATION_ENDED)


def _anew(change: r.Change, reject: r.SignOff, standing: Iterable[r.SignOff]) -> bool:
    """Say whether a role of an older reject has decided on the present revision since, and stands by that."""
    return reject.revision != change.revision and any(
        later.revision == change.revision
        and later.decision != "withdraw"
        and not set(later.roles).isdisjoint(reject.roles)
        for later in standing
    )


def fill(policy: Policy, state: State, rule: Rule, model: str | None, ledger: Tally) -> dict[int, str]:
    """Return who fills which slot of a rule on a model, by the one assignment that is recorded.

    Of those who are one person the earliest approval that can fill the slot does.
    """
    together: dict[frozenset[str], list[r.SignOff]] = {}
    for sign_off in ledger.approvals:
        together.setdefault(ledger.people_of(sign_off), []).append(sign_off)
    able: list[dict[int, str]] = []
    for rows in together.values():
        fitting: dict[int, str] = {}
        for sign_off in rows:
            for slot in rule.slots:
                if slot.index not in fitting and not obstacles(policy, state, slot, model, sign_off, ledger):
                    fitting[slot.index] = sign_off.signer
        able.append(fitting)
    chosen = quorum.assign([frozenset(fitting) for fitting in able])
    return {slot: fitting[slot] for slot, fitting in zip(chosen, able, strict=True) if slot is not None}


def obstacles(  # the slot, where it counts, and who would fill it
    policy: Policy, state: State, slot: Slot, model: str | None, sign_off: r.SignOff, ledger: Tally
) -> tuple[Code, ...]:
    """Return every reason why a sign-off can't fill a slot on a model; none means that it can."""
    found: list[Code] = []
    owner = sign_off.on_behalf_of or sign_off.signer
    ways = _ways(policy, state, slot, model, sign_off, ledger)
    old_enough = [way for way in ways if way[0].given_position < ledger.change.proposed_position]
    people = ledger.people_of(sign_off)
    if slot.role not in sign_off.roles or not ways:
        found.append(Code.NO_APPROVING_ROLE)
    elif not old_enough:
        found.append(Code.GRANT_TOO_NEW)
    elif all(_is_tainted(state, *way) for way in old_enough):
        found.append(Code.TAINTED)
    if "requester" in slot.distinct_from and not people.isdisjoint(ledger.requesters):
        found.append(Code.REQUESTER_CONFLICT)
    if "evidence_author" in slot.distinct_from and not people.isdisjoint(ledger.authors):
        found.append(Code.EVIDENCE_AUTHOR_CONFLICT)
    if not people.isdisjoint(ledger.barred):
        found.append(Code.BREAK_GLASS_SIGNER)
    external = wants_external(policy, slot)
    kinds = {account.kind for name in (sign_off.signer, owner) if (account := state.find(name, r.Principal))}
    if not kinds or "service" in kinds or (external and kinds != {"external"}):
        found.append(Code.AFFILIATION)
    if slot.seen_full and ledger.documents - {name for name, seen in sign_off.seen if seen == "full"}:
        found.append(Code.EVIDENCE_NOT_OPENED)
    return tuple(found)


def _ways(  # as above
    policy: Policy, state: State, slot: Slot, model: str | None, sign_off: r.SignOff, ledger: Tally
) -> list[tuple[r.Grant, r.Delegation | None]]:
    """Return by which grants, each with the delegation that lends it, a sign-off has the role of a slot on a model."""
    owner = sign_off.on_behalf_of or sign_off.signer
    roles = authority.roles_on(policy, state, owner, ledger.instant, model)
    grants = [grant for grant, role in roles if role.id == slot.role]
    if not sign_off.on_behalf_of:
        return [(grant, None) for grant in grants]
    lent = delegating.standing(state, sign_off.signer, owner, ledger.instant, sign_off.position)
    rows = [row for row in lent if row.role == slot.role]  # what was granted after it was delegated was not
    return [(grant, row) for grant in grants for row in rows if grant.given_position < row.given_position]


def _is_tainted(state: State, grant: r.Grant, delegation: r.Delegation | None) -> bool:
    """Say whether a role, or what lends it, was given by a tainted change."""
    if grant.given_by in state.tainted:
        return True
    return delegation is not None and persons.doubt_of_delegation(state, delegation) is not None


def ways_that_count(  # as above
    policy: Policy, state: State, slot: Slot, model: str | None, sign_off: r.SignOff, ledger: Tally
) -> tuple[tuple[str, str], ...]:
    """Return the grants by any of which a sign-off fills a slot that it can fill, each with what lends it, or empty."""
    return tuple(
        (grant.name, delegation.name if delegation is not None else "")
        for grant, delegation in _ways(policy, state, slot, model, sign_off, ledger)
        if grant.given_position < ledger.change.proposed_position and not _is_tainted(state, grant, delegation)
    )


def wants_external(policy: Policy, slot: Slot) -> bool:
    """Say whether a slot is for people from outside, by itself or by its role."""
    role = policy.roles.get(slot.role)
    return slot.affiliation == "external" or (role is not None and role.affiliation == "external")


def conditions_in_words(slot: Slot) -> str:
    """Return what a slot asks beside its role, as a tail for a sentence."""
    words = [f"other than {' and '.join(sorted(slot.distinct_from)).replace('_', ' ')}"] if slot.distinct_from else []
    if slot.affiliation == "external":
        words.append("external")
    if slot.seen_full:
        words.append("all evidence opened")
    return f" ({', '.join(words)})" if words else ""


def ruled(policy: Policy, state: State, content: Content) -> Iterable[Asked]:
    """Yield each trigger's rules with the model that each is judged on."""
    for firing in content.triggers:
        yield from rules_asked(policy, state, firing)


def misfits(  # the change, and who would sign it
    policy: Policy, state: State, content: Content, sign_off: r.SignOff, ledger: Tally
) -> tuple[Unmet, ...]:
    """Return every reason why a sign-off fills no slot of any of the change's rules; empty where it fills one."""
    pairs = [(slot, model) for rule, model, _ in ruled(policy, state, content) for slot in rule.slots]
    stops = [obstacles(policy, state, slot, model, sign_off, ledger) for slot, model in pairs]
    who = dict.fromkeys((sign_off.signer, sign_off.on_behalf_of or sign_off.signer))
    admins = [name for name in who if authority.is_admin(policy, state, name, ledger.instant)]
    admin = (Code.ADMIN_CONFLICT,) if admins else ()
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
        Code.BREAK_GLASS_SIGNER: ("a reviewer who did not sign what is reviewed", "signed that use of break-glass"),
        Code.AFFILIATION: ("a person of the affiliation asked for", "is of another"),
        Code.GRANT_TOO_NEW: ("a role granted before the change was proposed", "was granted later"),
        Code.TAINTED: ("a role given by an untainted change", "was given or lent it by a tainted one"),
        Code.EVIDENCE_NOT_OPENED: ("all evidence opened in full", "has not opened all of it"),
        Code.ADMIN_CONFLICT: (
            "a signer who is no admin, nor who delegated: admins administer, they do not approve",
            "is an admin, or was one lately",
        ),
    }
    closest = [stop for stop in stops if Code.NO_APPROVING_ROLE not in stop] or stops  # the slots of a role held
    codes = dict.fromkeys((*admin, *(code for stop in closest for code in stop)))
    named = " for ".join(who)
    return tuple(Unmet(code, words[code][0], f"{named} {words[code][1]}", content.change) for code in codes)


def capacities(  # the change, and who would sign it
    policy: Policy, state: State, content: Content, principal: str, ledger: Tally
) -> tuple[str, ...]:
    """Return in whose names a principal's approval would fill a slot that is open now; empty for their own."""
    asked, instant = tuple(ruled(policy, state, content)), ledger.instant

    def filled(tallied: Tally) -> list[int]:
        return [len(fill(policy, state, rule, model, tallied)) for rule, model, _ in asked]

    now, found = filled(ledger), []
    for name in ("", *delegating.delegators_of(state, principal, instant)):
        wish = _wish(policy, state, ledger, principal, name)
        if wish is None:
            continue
        united = persons.united(state, (*ledger.change.sign_offs, wish))
        more = replace(ledger, approvals=(*ledger.approvals, wish), united=united)
        if any(then > before for then, before in zip(filled(more), now, strict=True)):
            found.append(name)
    return tuple(found)


def _wish(policy: Policy, state: State, ledger: Tally, principal: str, name: str) -> r.SignOff | None:
    """Return the approval that a principal could give in a name (empty for their own), or None where none counts."""
    person, instant = persons.person_of(state, principal), ledger.instant
    if any((persons.person_of(state, row.signer), row.on_behalf_of) == (person, name) for row in ledger.approvals):
        return None
    if any(authority.is_admin(policy, state, who, instant) for who in {principal, name or principal}):
        return None
    roles = {role.id for _, role in authority.active_grants(policy, state, name or principal, instant) if role.approves}
    if name:
        roles &= {row.role for row in delegating.standing(state, principal, name, instant)}
    seen = tuple((document, "full") for document in ledger.documents)
    return r.SignOff(
        principal, person, "", "approve", ledger.change.revision, tuple(roles), state.size, instant, 0, b"", b"", seen,
        name,
    )  # fmt: skip
