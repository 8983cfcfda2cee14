"""The recovery quorum loses a member, or a key: by a change alone, and never so many that nobody could recover the log.

It is the last resort against whoever takes everything, so taking from it loosens (identity design, "Genesis"). Coming
back is `principal.restore`; there is no way to a new member or key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import names, persons
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import tables
from interlock.statemachine.machines.credential import revoked
from interlock.statemachine.machines.principal import find
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.state import State


def suspend(_moment: Moment, state: State, firing: f.RecoverySuspend) -> Moved | Refused:
    """Suspend a member: what they sign is no part of a recovery until a change restores them."""
    account, trigger = find(state, firing.principal), firing.trigger.value
    if isinstance(account, Refused):
        return account
    if not account.recovery:
        wish = "an account of the recovery quorum; of any other, one administrator takes it"
        return refused(RefusalKind.UNMET, Code.RECOVERY_QUORUM, wish, "another account", account.name, trigger)
    target = tables.PRINCIPAL.target(account.state, trigger)
    if target is None:
        return no_edge(tables.PRINCIPAL, trigger, account.name, account.state)
    after = state.put(replace(account, state=target))
    return _if_enough(after, Transition(account.name, trigger, account.state, target))


def revoke(moment: Moment, state: State, firing: f.RecoveryRevoke) -> Moved | Refused:
    """Revoke a member's key for ever."""
    owner = state.find(names.owner_of(firing.credential), r.Principal)
    key = owner.credential(names.leaf_of(firing.credential)) if owner is not None else None
    trigger = firing.trigger.value
    if owner is None or key is None:
        return not_found(firing.credential, "a key of that account")
    if key.use != "recovery":
        wish = "a key of the recovery quorum; any other, one administrator revokes"
        return refused(RefusalKind.UNMET, Code.RECOVERY_QUORUM, wish, f"a {key.use} key", firing.credential, trigger)
    if tables.CREDENTIAL.target(key.state, trigger) is None:
        return no_edge(tables.CREDENTIAL, trigger, firing.credential, key.state)
    gone, move = revoked(owner, key, moment.instant, None)
    return _if_enough(state.put(gone), replace(move, trigger=trigger))


def touched(state: State, subject: str) -> set[str]:
    """Return what taking an account or a key reads and writes: of the quorum how many are left, so all of it."""
    owner = names.owner_of(subject)
    account = state.find(owner, r.Principal)
    if account is None or not account.recovery:
        return {owner}
    return {member.name for member in state.all_of(r.Principal) if member.recovery}


def _if_enough(after: State, move: Transition) -> Moved | Refused:
    """Refuse what would leave fewer people than a recovery takes."""
    left = {
        persons.person_of(after, account.name)
        for account in after.all_of(r.Principal)
        if account.recovery and account.state == "active"
        if any(key.use == "recovery" and key.state == "active" for key in account.credentials)
    }
    wanted = after.log.recovery_threshold
    if len(left) >= wanted:
        return Moved(after, (move,))
    wish = f"{wanted} people left in the recovery quorum, whom a recovery takes"
    return refused(RefusalKind.UNMET, Code.RECOVERY_QUORUM, wish, str(len(left)), move.resource, move.trigger)
