"""The credential machine: one administrator revokes a key, as of now or as of when it was no longer its owner's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.triggers import Trigger
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def revoke(moment: Moment, state: State, firing: f.CredentialRevoke) -> Moved | Refused:
    """Revoke a key. A second word on it counts where it says that it was lost earlier than was known."""
    owner = state.find(names.owner_of(firing.credential), r.Principal)
    key = owner.credential(names.leaf_of(firing.credential)) if owner is not None else None
    if owner is None or key is None:
        return not_found(firing.credential, "a key of that account")
    trigger = firing.trigger.value
    if key.use == "recovery":
        wish = "a key that is none of the recovery quorum's"
        return refused(RefusalKind.UNMET, Code.RECOVERY_QUORUM, wish, "a recovery key", firing.credential, trigger)
    since = firing.compromised_since or None
    if since is not None and since > moment.instant:
        wish = "an instant that has passed"
        return refused(RefusalKind.INVALID, Code.MALFORMED, wish, f"{since} is yet to come", firing.credential, trigger)
    if since is not None and key.compromised_since is not None and since >= key.compromised_since:
        return Moved(state)
    if since is None and (key.state, trigger) in tables.SETTLED["credential"]:
        return Moved(state)
    fired = trigger if since is None else f"{trigger}[compromised]"
    if tables.CREDENTIAL.target(key.state, fired) is None:
        return no_edge(tables.CREDENTIAL, fired, firing.credential, key.state)
    gone, move = revoked(owner, key, moment.instant, since)
    return Moved(state.put(gone), (move,))


def revoked(owner: r.Principal, key: r.Credential, instant: int, since: int | None) -> tuple[r.Principal, Transition]:
    """Return the owner with a key revoked at ``instant``, compromised from ``since`` on (None: not), and the edge."""
    first = key.revoked_at if key.revoked_at is not None else instant
    gone = replace(key, state="revoked", revoked_at=first, compromised_since=since or key.compromised_since)
    name = names.credential_name(owner.name, key.fingerprint)
    move = Transition(name, Trigger.CREDENTIAL_REVOKE.value, key.state, gone.state)
    return _with_key(owner, gone), move


def _with_key(owner: r.Principal, changed: r.Credential) -> r.Principal:
    """Return an account with one of its keys as it is now, in its old place."""
    keys = tuple(changed if key.fingerprint == changed.fingerprint else key for key in owner.credentials)
    return replace(owner, credentials=keys)
