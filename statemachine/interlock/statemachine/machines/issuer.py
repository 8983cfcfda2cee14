"""The issuer machine, and credentials that are subjects of one: OpenID providers as ledger state.

Which issuer counts, for which audience and with which algorithm, stands in the log and never in a server's
configuration. What a token must be is the service's business (OpenID Connect Core 1.0 §3.1.3.7); here is who it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from interlock.statemachine import moments, names
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.credential import check_takes_keys, revoked
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State

_BINDING: Final = b"interlock-binding-v1\0"


def trust(_moment: Moment, state: State, firing: f.IssuerTrust) -> Moved | Refused:
    """Let an issuer say who logs in. An id is never used again: with another url or audience it is another issuer."""
    name, trigger = firing.issuer, firing.trigger.value
    if state.find(name, r.Issuer) is not None:
        return refused(RefusalKind.ALREADY_EXISTS, Code.NAME_TAKEN, "an id never used before", "taken", name, trigger)
    made = r.Issuer(name, firing.url, firing.audience, firing.algorithm, trusted_by=state.size)
    return Moved(state.put(made), (Transition(name, trigger, tables.ABSENT, made.state),))


def distrust(moment: Moment, state: State, firing: f.IssuerDistrust) -> Moved | Refused:
    """Let an issuer say nothing more: all credentials bound to it are revoked, and their sessions end."""
    found = state.find(firing.issuer, r.Issuer)
    if found is None:
        return not_found(firing.issuer, "an issuer")
    trigger = firing.trigger.value
    if (found.state, trigger) in tables.SETTLED["issuer"]:
        return Moved(state)
    target = tables.ISSUER.target(found.state, trigger)
    if target is None:
        return no_edge(tables.ISSUER, trigger, found.name, found.state)
    moves = [Transition(found.name, trigger, found.state, target)]
    after = state.put(replace(found, state=target))
    for account, key in bound_to(state, found.name):
        gone, move = revoked(after.need(account.name, r.Principal), key, moment.instant, None)
        after = after.put(gone)
        moves.append(move)
    return Moved(after, tuple(moves))


def bound_to(state: State, issuer: str) -> Iterator[tuple[r.Principal, r.Credential]]:
    """Yield every active credential that is a subject of an issuer, with its account, by the account's name."""
    for account in sorted(state.all_of(r.Principal), key=lambda one: one.name):
        for key in account.credentials:
            if key.issuer == issuer and key.state == "active":
                yield account, key


def bind(moment: Moment, state: State, firing: f.CredentialBind) -> Moved | Refused:
    """Let a subject of an issuer log in as an account: people by their exact subject, services by claims too."""
    account = state.find(firing.principal, r.Principal)
    if account is None:
        return not_found(firing.principal, "an account")
    found = state.find(firing.issuer, r.Issuer)
    if found is None:
        return not_found(firing.issuer, "an issuer")
    trigger = firing.trigger.value
    name = names.credential_name(account.name, fingerprint_of(found, firing.subject, firing.claims))
    no = check_takes_keys(account, name, trigger) or _check_binding(moment, state, account, found, firing, name)
    if no is not None:
        return no
    key = r.Credential(
        names.leaf_of(name),
        "login",
        b"",
        valid_from=moment.instant,
        registered_by=state.size,
        until=firing.until or None,
        issuer=found.name,
        subject=firing.subject,
        claims=tuple(sorted(firing.claims)),
    )
    held = replace(account, credentials=(*account.credentials, key))
    moves = [Transition(name, trigger, tables.ABSENT, "active")]
    target = tables.PRINCIPAL.target(account.state, trigger)
    if target is not None:
        moves.append(Transition(account.name, trigger, account.state, target))
        held = replace(held, state=target)
    return Moved(state.put(held), tuple(moves))


def fingerprint_of(issuer: r.Issuer, subject: str, claims: tuple[str, ...]) -> str:
    """Name a binding: lower-case hex of SHA-256 over the issuer, its url, and what a token of it must say.

    So what is bound again, once its issuer was trusted anew, is another credential: no old session comes back.
    """
    parts = (issuer.name, issuer.url, issuer.audience, subject, *sorted(claims))
    return hashlib.sha256(_BINDING + b"\0".join(part.encode() for part in parts)).hexdigest()


def _check_binding(
    moment: Moment, state: State, account: r.Principal, found: r.Issuer, firing: f.CredentialBind, name: str
) -> Refused | None:
    """Refuse an issuer that is not trusted, claims for a person, nothing for anybody, and what was ever another's."""
    trigger = firing.trigger.value
    if found.state != "trusted":
        return refused(RefusalKind.UNMET, Code.ISSUER_DISTRUSTED, "a trusted issuer", found.state, found.name, trigger)
    if account.kind == "service" and not (firing.claims or firing.subject):
        wish = "a subject or claims that a token must have"
        return refused(RefusalKind.UNMET, Code.BINDING, wish, "neither", name, trigger)
    if account.kind != "service" and (firing.claims or not firing.subject):
        wish = "the exact subject and nothing else: claims are for services"
        return refused(RefusalKind.UNMET, Code.BINDING, wish, ", ".join(firing.claims) or "no subject", name, trigger)
    if firing.until and firing.until <= moment.instant:
        wish, actual = "a credential that has not ended yet", f"ended at {moments.to_text(firing.until)}"
        return refused(RefusalKind.UNMET, Code.CREDENTIAL_INACTIVE, wish, actual, name, trigger)
    owner = _owner_of(moment, state, account, found, firing)
    if owner:
        wish = "a subject that nobody else ever was, bound no more: it belongs to one account for ever"
        return refused(RefusalKind.ALREADY_EXISTS, Code.KEY_TAKEN, wish, f"of {owner}", name, trigger)
    return None


def _owner_of(moment: Moment, state: State, account: r.Principal, found: r.Issuer, firing: f.CredentialBind) -> str:
    """Return the account that has what is to be bound, or ever was it if that is another one; empty for none.

    A subject of a url is one account's for whichever audience; claims without one are for this audience.
    """
    for other in state.all_of(r.Principal):
        for key in other.credentials:
            if not key.issuer:
                continue
            issuer = state.need(key.issuer, r.Issuer)
            if issuer.url != found.url or key.subject != firing.subject:
                continue
            same = issuer.audience == found.audience and key.claims == tuple(sorted(firing.claims))
            if other.name != account.name and (same or firing.subject):
                return other.name
            again = found.name != issuer.name and _is_over(issuer, key, moment.instant)
            if other.name == account.name and same and not again:
                return other.name
    return ""


def _is_over(issuer: r.Issuer, key: r.Credential, instant: int) -> bool:
    """Say whether a binding ended, and is not known to have been somebody else's word.

    It did with the trust in its issuer, or at its own end where nobody had revoked it by then.
    """
    ran_out = key.state == "active" and not key.active_at(instant)
    return (issuer.state != "trusted" or ran_out) and key.compromised_since is None
