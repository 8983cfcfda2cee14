"""The credential machine: a change registers a key that is proven to be there, one administrator revokes it.

It is revoked as of now, or as of when it was no longer its owner's alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.proofs import signature_keys
from interlock.proofs.errors import RefusedError
from interlock.statemachine import log_keys, moments, names, possession
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.triggers import Trigger
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def register(moment: Moment, state: State, firing: f.CredentialRegister) -> Moved | Refused:
    """Give an account a key. A key belongs to one account for ever, and for one use."""
    account = state.find(firing.principal, r.Principal)
    if account is None:
        return not_found(firing.principal, "an account")
    trigger = firing.trigger.value
    try:
        fingerprint = signature_keys.fingerprint(firing.public_key)
    except RefusedError as error:
        wish = "a public key: Ed25519, 32 bytes, or a compressed point of P-256, 33 bytes"
        return refused(RefusalKind.INVALID, Code.MALFORMED, wish, str(error), account.name, trigger)
    name = names.credential_name(account.name, fingerprint)
    no = _check_new_key(moment, state, account, firing, name)
    if no is not None:
        return no
    moves = [Transition(name, trigger, tables.ABSENT, "active")]
    held = account
    if firing.replaces:
        old = account.credential(firing.replaces)
        if old is None or not old.active_at(moment.instant) or old.use != firing.use:
            wish = f"an active {firing.use} key of {account.name} that it takes the place of"
            return refused(RefusalKind.UNMET, Code.CREDENTIAL_INACTIVE, wish, firing.replaces, name, trigger)
        message = possession.rotation_bytes(state.log.log_id, account.name, firing.use, fingerprint)
        if not _is_signed(old.public_key, message, firing.replaces_proof):
            return _unproven("the old key's signature over the new one", name, trigger)
        held, move = revoked(held, old, moment.instant, None)
        moves.append(move)
    key = r.Credential(
        fingerprint,
        firing.use,
        firing.public_key,
        valid_from=moment.instant,
        registered_by=state.size,
        until=firing.until or None,
        held_in=firing.held_in,
    )
    held = replace(held, credentials=(*held.credentials, key))
    target = tables.PRINCIPAL.target(account.state, trigger)
    if target is not None:
        moves.append(Transition(account.name, trigger, account.state, target))
        held = replace(held, state=target)
    return Moved(state.put(held), tuple(moves))


def _check_new_key(
    moment: Moment, state: State, account: r.Principal, firing: f.CredentialRegister, name: str
) -> Refused | None:
    """Refuse a key for an account that takes none, one that was somebody's before, and one that is not shown."""
    trigger, fingerprint = firing.trigger.value, names.leaf_of(name)
    no = check_takes_keys(account, name, trigger)
    if no is not None:
        return no
    if firing.until and firing.until <= moment.instant:
        actual = f"ended at {moments.to_text(firing.until)}"
        return refused(
            RefusalKind.UNMET, Code.CREDENTIAL_INACTIVE, "a key that has not ended yet", actual, name, trigger
        )
    if firing.held_in == "ssh-agent" and firing.use == "signoff" and not moment.policy.ssh_agent_signs:
        wish = "a sign-off key in a file, an HSM or a KMS: this policy lets keys in an SSH agent log in only"
        return refused(RefusalKind.UNMET, Code.KEY_CUSTODY, wish, "held in an SSH agent", name, trigger)
    owner = state.key_owner.get(fingerprint)
    if firing.public_key in log_keys.keys_of(state.log):
        owner = "the log"
    if owner is not None:
        wish = "a key that nobody ever had: a key belongs to one account for ever"
        return refused(RefusalKind.ALREADY_EXISTS, Code.KEY_TAKEN, wish, f"of {owner}", name, trigger)
    missing = unproven(state.log.log_id, firing)
    return Refused(RefusalKind.UNMET, missing) if missing else None


def unproven(log_id: bytes, firing: f.CredentialRegister) -> tuple[Unmet, ...]:
    """Return what shows that a new key is nobody's who would register it, where it is not shown."""
    fingerprint = signature_keys.fingerprint(firing.public_key)
    name = names.credential_name(firing.principal, fingerprint)
    message = possession.registration_bytes(log_id, firing.principal, firing.use, fingerprint)
    if _is_signed(firing.public_key, message, firing.proof):
        return ()
    no = _unproven("the new key's signature over log, account, use and fingerprint", name, firing.trigger.value)
    return no.unmet


def check_takes_keys(account: r.Principal, name: str, trigger: str) -> Refused | None:
    """Refuse a credential for an account that takes none."""
    if account.recovery:
        wish = "an account that is not of the recovery quorum: these have the keys of the founding"
        return refused(RefusalKind.UNMET, Code.RECOVERY_QUORUM, wish, account.name, name, trigger)
    if account.state not in {"invited", "active"}:
        wish = "an account that is invited or active"
        return refused(RefusalKind.UNMET, Code.PRINCIPAL_INACTIVE, wish, account.state, name, trigger)
    return None


def _unproven(wish: str, name: str, trigger: str) -> Refused:
    return refused(RefusalKind.UNMET, Code.POSSESSION, wish, "no such signature", name, trigger)


def _is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        signature_keys.verify(public_key, message, signature)
    except RefusedError:
        return False
    return True


def revoke(moment: Moment, state: State, firing: f.CredentialRevoke) -> Moved | Refused:
    """Revoke a key. A second word on it counts where it says that it was lost earlier than was known."""
    owner = state.find(names.owner_of(firing.credential), r.Principal)
    key = owner.credential(names.leaf_of(firing.credential)) if owner is not None else None
    if owner is None or key is None:
        return not_found(firing.credential, "a key of that account")
    trigger = firing.trigger.value
    if key.use == "recovery":
        wish = "a key that is none of the recovery quorum's: `recovery.revoke`, in a change, takes one of these"
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
