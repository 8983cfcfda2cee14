"""Who counts as whom: the person behind an account, and by which entries a signer was who they were. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from interlock.statemachine.entry import Content
    from interlock.statemachine.state import State


def person_of(state: State, principal: str) -> str:
    """Return the person behind an account; a service or an unknown account stands for itself.

    While what parted it from others is tainted, it is one person with them: the first of their ids stands for all.
    """
    account = state.find(principal, r.Principal)
    if account is None or not account.person:
        return principal
    if not state.tainted:
        return account.person
    return min(state.need(name, r.Principal).person for name in state.accounts(principal))


def requester_accounts(state: State, change: r.Change, content: Content) -> frozenset[str]:
    """Return everyone who proposed, amended, rebased or attached; for a change that it ratifies, of that too."""
    return frozenset(change.requesters).union(*(grounds.requesters for grounds in ratified(state, content)))


def ratified(state: State, content: Content) -> Iterator[r.Grounds]:
    """Yield what each applied change rests on that a change would ratify."""
    for firing in content.triggers:
        if isinstance(firing, f.ChangeRatify):
            known = state.find(firing.change, r.Change)
            if known is not None and known.grounds is not None:
                yield known.grounds


def united(state: State, sign_offs: Iterable[r.SignOff]) -> dict[str, frozenset[str]]:
    """Return for each signer whom they count as: a delegation that was used once unites, void or not.

    So nothing that ends or voids one parts them again: two slots would be filled where one was.
    """
    groups: dict[str, frozenset[str]] = {}
    for sign_off in sign_offs:
        pair = (person_of(state, sign_off.signer), person_of(state, sign_off.on_behalf_of or sign_off.signer))
        group = frozenset(pair).union(*(groups.get(person, frozenset()) for person in pair))
        groups |= dict.fromkeys(group, group)
    return {sign_off.signer: groups[person_of(state, sign_off.signer)] for sign_off in sign_offs}


def overtaken(state: State, change: r.Change) -> dict[int, Code]:
    """Return the sign-offs that a later one of the same person takes the place of, by position.

    One person may approve in their own name and in those of others beside it: each for roles of its own. Whatever is no
    approval is said in all names at once. A reject is taken back by nobody but its author, as they were known when it
    was signed: that two accounts turn out to be one person's removes none, nor lets one take back the other's.
    """
    gone: dict[int, Code] = {}
    standing: dict[str, list[r.SignOff]] = {}
    for sign_off in change.sign_offs:
        person = person_of(state, sign_off.signer)
        code = Code.WITHDRAWN if sign_off.decision == "withdraw" else Code.SUPERSEDED
        before = standing.get(person, [])
        over = [row for row in before if _overtakes(state, sign_off, row)]
        gone |= {row.position: code for row in over}
        standing[person] = [*(row for row in before if row not in over), sign_off]
    for person, rows in standing.items():
        if rows[-1].decision == "withdraw":
            mine = (row for row in change.sign_offs if row != rows[-1] and person_of(state, row.signer) == person)
            gone |= {row.position: Code.WITHDRAWN for row in mine if _is_authors(state, rows[-1], row)}
    return gone


def _overtakes(state: State, later: r.SignOff, row: r.SignOff) -> bool:
    """Say whether a later sign-off of the same person takes the place of one."""
    if later.decision == row.decision == "approve" and later.on_behalf_of != row.on_behalf_of:
        return False
    return _is_authors(state, later, row)


def _is_authors(state: State, later: r.SignOff, row: r.SignOff) -> bool:
    """Say whether a sign-off speaks for the author of an earlier one: of a reject, as they were known then.

    What made the two accounts one person's after that, an administrator's word or a new account, does not count; nor
    does a word of whoever had got hold of the author's key.
    """
    if row.decision == "approve":
        return True
    if not is_own_word(state, later):
        return False
    if row.signer == later.signer:
        return True
    accounts = (state.need(name, r.Principal) for name in (row.signer, later.signer))
    return row.person == later.person and all(
        max(account.linked_by, account.given_by[0]) < row.position for account in accounts
    )


def is_own_word(state: State, sign_off: r.SignOff) -> bool:
    """Say whether a sign-off was its signer's own, by what is known now: the key, and the account, were theirs."""
    account = state.need(sign_off.signer, r.Principal)
    key = account.credential(sign_off.credential)
    if key is None or is_compromised(key, sign_off.at):
        return False
    return not any(at in state.tainted for at in identity_of(account, key, sign_off.position, state.size))


def rejects_again(state: State, change: r.Change) -> Iterator[r.SignOff]:
    """Yield the rejects of an applied change that stand again: no word that took them back was its signer's own."""
    for row in change.sign_offs:
        later = [one for one in change.sign_offs if one.position > row.position and _took_back(change, row, one)]
        if row.decision == "reject" and not any(is_own_word(state, one) for one in later):
            yield row


def _took_back(change: r.Change, row: r.SignOff, later: r.SignOff) -> bool:
    """Say whether a later word took a reject back on its day: of the same person, or of its role on a newer one."""
    anew = later.revision == change.revision != row.revision and later.decision != "withdraw"
    same = later.signer == row.signer or later.person == row.person
    return same or (anew and not set(later.roles).isdisjoint(row.roles))


def is_compromised(key: r.Credential, at: int) -> bool:
    """Say whether a key was no longer its owner's alone at an instant (microseconds)."""
    return key.compromised_since is not None and key.compromised_since <= at


def identity_of(account: r.Principal, key: r.Credential, position: int, until: int) -> Iterator[int]:
    """Yield the entries by which a signer was who they were, from what they signed up to the entry at ``until``.

    That is the one that registered the key, and those that created or restored the account.
    """
    yield key.registered_by
    yield from (at for at in activations(account, position) if at <= until)


def activations(account: r.Principal, position: int) -> tuple[int, ...]:
    """Return the entries by which an account was there from a position on: the last one before, and all later ones."""
    before = [at for at in account.given_by if at <= position]
    return (*before[-1:], *(at for at in account.given_by if at > position))


def doubt_of_delegation(state: State, delegation: r.Delegation) -> Unmet | None:
    """Return why a delegation was never its delegator's word, by what is known now; None where it was."""
    owner = state.need(delegation.delegator, r.Principal)
    key = owner.credential(delegation.credential)
    if key is None or is_compromised(key, delegation.given_at):
        wish, actual = "a delegation signed by its delegator alone", f"the key of {owner.name} was compromised by then"
        return Unmet(Code.CREDENTIAL_COMPROMISED, wish, actual, delegation.name)
    if key.registered_by in state.tainted:
        wish, actual = "a delegation signed with a key that counts", f"given by {state.tainted[key.registered_by]}"
        return Unmet(Code.TAINTED, wish, actual, delegation.name)
    return None
