"""Taint: which applied changes can no longer stand on the sign-offs that they were applied by (identity, "Taint").

Validity at the entry decides replay; what is learned later never rolls back. A change is tainted while those of its
words that still count don't fill the rules that it was judged by: a key that was compromised since before it signed, a
role, a key or an account that a tainted change gave, a policy that a tainted change adopted. What rests on it is denied
by rule 8. Judged once for each entry that can cause it, and kept as an index of the state: the gate only looks it up.

What lives here: judging changes again. What each rests on is kept by ``grounds.py``, which facts the gate reads is said
in ``resting.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.statemachine import codec, persons, quorum
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from interlock.statemachine.state import State

_GIVING: Final = (f.GrantGive, f.CredentialRegister, f.PrincipalCreate, f.PrincipalRestore, f.PrincipalUnlink)
"""Triggers that give an account a way to sign, or one of its own."""


def settle(before: State, after: State) -> State:
    """Return the state after an entry with its tainted changes judged anew, where what it wrote can cause or end any.

    ``after`` has not moved past the entry yet.
    """
    accounts: set[str] = set()
    changes: set[int] = set()
    for name in after.writes:
        item = after.items[name]
        if isinstance(item, r.Principal):
            known = before.find(name, r.Principal)
            if known is not None and _compromises(known) != _compromises(item):
                accounts.add(name)
            if known is not None and known.person != item.person:
                accounts |= before.accounts(name) | after.accounts(name)
        elif isinstance(item, r.Change) and item.applied_position != r.NEVER and before.tainted:
            changes.add(item.applied_position)
    return _judge(after, accounts, changes) if accounts or changes else after


def judge_all(state: State) -> State:
    """Return a state that was built from its resources with its tainted changes found."""
    doubtful: set[str] = set()
    for account in state.all_of(r.Principal):
        if _compromises(account):
            doubtful.add(account.name)
        if account.linked_by != r.NEVER or account.unlinked_by != r.NEVER:
            doubtful |= _neighbours(state, account)
    return _judge(state, doubtful, set())


def _neighbours(state: State, account: r.Principal) -> frozenset[str]:
    """Return the accounts that are or were one person's with one of them."""
    return frozenset().union(*(state.accounts_of.get(who, ()) for who in (account.person, account.person_was)))


def _compromises(account: r.Principal) -> tuple[int | None, ...]:
    return tuple(key.compromised_since for key in account.credentials if key.compromised_since is not None)


# Judging ---------------------------------------------------------------------------------------------------------


def _judge(state: State, accounts: set[str], changes: set[int]) -> State:
    """Judge again every change that can rest on these accounts or changes; all others stay as they are.

    Each is taken as tainted until it is shown to stand on what is not: the least set that stands, so that no two can
    hold each other up.
    """
    suspects = sorted(_reach(state, accounts, changes))
    tainted = state.tainted.update({position: state.applied[position] for position in suspects})
    while True:
        judged = state.updated(tainted=tainted)
        cleared = [at for at in suspects if at in tainted and stands(judged, state.need(state.applied[at], r.Change))]
        if not cleared:
            return judged if tainted != state.tainted else state
        for position in cleared:
            tainted = tainted.delete(position)


def _reach(state: State, accounts: Iterable[str], changes: Iterable[int]) -> set[int]:
    """Return the positions of all applied changes that can rest on these accounts or changes, in any number of steps.

    A change gives accounts, keys and roles, and with them the words of their holders; and policies, with their rules.
    """
    found: set[int] = set()
    seen: set[str] = set()
    names, positions = list(accounts), list(changes)
    while names or positions:
        if names:
            name = names.pop()
            if name not in seen:
                seen.add(name)
                positions += state.approved_by(name)
            continue
        position = positions.pop()
        if position in found:
            continue
        found.add(position)
        change = state.need(state.applied[position], r.Change)
        triggers = codec.decode_content(change.content).triggers
        given = {firing.principal for firing in triggers if isinstance(firing, _GIVING)}
        names += given.union(*(_neighbours(state, state.need(name, r.Principal)) for name in given))
        ratified = (state.need(row.change, r.Change) for row in triggers if isinstance(row, f.ChangeRatify))
        positions += [row.applied_position for row in ratified]
        if any(isinstance(firing, f.PolicyAdopt) for firing in triggers):
            positions += _judged_by(state, position)
    return found


def _judged_by(state: State, adoption: int) -> Iterator[int]:
    """Yield the positions of all changes that were judged by the policy which an entry adopted."""
    for position, name in state.applied.items():
        grounds = state.need(name, r.Change).grounds
        if grounds is not None and any(rule.given_by == adoption for rule in grounds.rules):
            yield position


def stands(state: State, change: r.Change) -> bool:
    """Say whether an applied change stands: its words that still count fill each of its rules, or it was ratified."""
    if any(position not in state.tainted for position in change.ratified_by):
        return True
    grounds = change.grounds
    if grounds is None:
        return False
    if any(persons.rejects_again(state, change)):
        return False
    words = [word for word in _words(state, change, grounds) if word.doubt is None]
    return not any(
        rule.given_by in state.tainted or not _is_filled(state, grounds, place, words)
        for place, rule in enumerate(grounds.rules)
    )


def _is_filled(state: State, grounds: r.Grounds, place: int, words: list[_Word]) -> bool:
    """Say whether each slot of one of a change's rules is filled by somebody of their own."""
    fits: dict[frozenset[str], frozenset[int]] = {}
    for word in words:
        fits[word.people] = fits.get(word.people, frozenset()) | _slots(state, grounds, place, word)
    return sum(slot is not None for slot in quorum.assign(list(fits.values()))) == len(grounds.rules[place].slots)


@dataclass(frozen=True, slots=True)
class _Word:
    """An approval that counted, whom it counts as, and why it does no more (None: it does)."""

    sign_off: r.SignOff
    fits: tuple[tuple[int, int, tuple[tuple[str, str], ...]], ...]
    people: frozenset[str]
    doubt: Unmet | None


def _words(state: State, change: r.Change, grounds: r.Grounds) -> Iterator[_Word]:
    fits = {word.sign_off: word.fits for word in grounds.words}
    united, overtaken = persons.united(state, change.sign_offs), persons.overtaken(state, change)
    for sign_off in change.sign_offs:
        if sign_off.position in fits:
            doubt = _doubt(state, change, sign_off)
            if doubt is None and sign_off.position in overtaken:
                wish, actual = "one word of each person", f"{sign_off.signer} is one person with a later signer"
                doubt = Unmet(overtaken[sign_off.position], wish, actual, sign_off.signer)
            yield _Word(sign_off, fits[sign_off.position], united[sign_off.signer], doubt)


def _doubt(state: State, change: r.Change, sign_off: r.SignOff) -> Unmet | None:
    """Return why a word does not count any more."""
    account = state.need(sign_off.signer, r.Principal)
    key = account.credential(sign_off.credential)
    if key is None or persons.is_compromised(key, sign_off.at):
        wish = "a key that was its owner's alone when it signed"
        actual = f"the key of {account.name} was compromised by then"
        return Unmet(Code.CREDENTIAL_COMPROMISED, wish, actual, account.name)
    owner = state.need(sign_off.on_behalf_of or sign_off.signer, r.Principal)
    people = state.accounts(account.name) | state.accounts(owner.name)
    admins = people.intersection(change.grounds.admins if change.grounds is not None else ())
    if admins:
        wish, actual = (
            "a signer who is no admin",
            f"{account.name} is one person with {min(admins)}, who administered then",
        )
        return Unmet(Code.ADMIN_CONFLICT, wish, actual, account.name)
    given = persons.identity_of(account, key, sign_off.position, change.applied_position)
    lent = (at for at in persons.activations(owner, sign_off.position) if at <= change.applied_position)
    for position in (*given, *lent):
        if position in state.tainted:
            actual = f"{owner.name} or the key was given by {state.tainted[position]}, which is tainted"
            return Unmet(Code.TAINTED, "an account and a key that an untainted change gave", actual, account.name)
    return None


def _slots(state: State, grounds: r.Grounds, place: int, word: _Word) -> frozenset[int]:
    """Return the slots of a rule that a word still fills: by a role that no tainted change gave, without a conflict."""
    requesters, authors, barred = (
        {persons.person_of(state, account) for account in accounts}
        for accounts in (grounds.requesters, grounds.authors, grounds.barred)
    )
    if not word.people.isdisjoint(barred):
        return frozenset()
    conflicts = {
        "requester": not word.people.isdisjoint(requesters),
        "evidence_author": not word.people.isdisjoint(authors),
    }
    return frozenset(
        slot
        for rule, slot, ways in word.fits
        if rule == place
        and any(_doubt_of_way(state, *way) is None for way in ways)
        and not any(conflicts[other] for other in grounds.rules[place].slots[slot].distinct_from)
    )


def _doubt_of_way(state: State, grant: str, delegation: str) -> Unmet | None:
    """Return why a role, or what lent it, gives no say any more."""
    held = state.need(grant, r.Grant)
    if held.given_by in state.tainted:
        actual = f"{grant} of {held.principal} was given by {state.tainted[held.given_by]}, which is tainted"
        return Unmet(Code.TAINTED, "a role that an untainted change gave", actual, grant)
    return persons.doubt_of_delegation(state, state.need(delegation, r.Delegation)) if delegation else None


# Saying why ------------------------------------------------------------------------------------------------------


def find_doubts(state: State, change: r.Change) -> tuple[Unmet, ...]:
    """Return all that speaks against an applied change now; nothing for one that stands."""
    grounds = change.grounds
    if grounds is None or change.applied_position not in state.tainted:
        return ()
    found: list[Unmet] = []
    for rule in grounds.rules:
        if rule.given_by in state.tainted:
            wish, actual = "a policy that an untainted change adopted", f"adopted by {state.tainted[rule.given_by]}"
            found.append(Unmet(Code.TAINTED, wish, actual, change.name))
    for row in persons.rejects_again(state, change):
        actual = f"rejected by {row.signer}; who took that back had got hold of a key or an account"
        found.append(Unmet(Code.SIGN_OFF_REJECTED, "no standing reject", actual, row.signer))
    for word in _words(state, change, grounds):
        if word.doubt is not None:
            found.append(word.doubt)
            continue
        found += _conflicts(state, grounds, word)
        ways = dict.fromkeys(way for _, _, ways in word.fits for way in ways)
        found += [doubt for way in ways if (doubt := _doubt_of_way(state, *way)) is not None]
    return tuple(dict.fromkeys(found))


def _conflicts(state: State, grounds: r.Grounds, word: _Word) -> Iterator[Unmet]:
    """Yield whom a word turns out to be the same person as."""
    for code, accounts in (
        (Code.REQUESTER_CONFLICT, grounds.requesters),
        (Code.EVIDENCE_AUTHOR_CONFLICT, grounds.authors),
        (Code.BREAK_GLASS_SIGNER, grounds.barred),
    ):
        for account in accounts:
            if persons.person_of(state, account) in word.people:
                wish, actual = "a signer who is another person", f"{word.sign_off.signer} is one person with {account}"
                yield Unmet(code, wish, actual, word.sign_off.signer)
