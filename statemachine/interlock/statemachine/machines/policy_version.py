"""The policy version machine: adopt. What is drafted is in no entry of its own: it is what a change under way proposes.

What lives here: the edge, its conditions, and what else moves with it. How ids carry over is in ``carrying.py``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.statemachine import carrying, packs
from interlock.statemachine import resources as r
from interlock.statemachine.entry import Transition
from interlock.statemachine.machines import clocks, obligation, tables
from interlock.statemachine.machines.step import Moment, Moved, no_edge, not_found
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from interlock.statemachine import firings as f
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


def adopt(moment: Moment, state: State, firing: f.PolicyAdopt) -> Moved | Refused:
    """Put a version in force in the place of the one that was: all that ids carry over moves at the same position."""
    trigger, table = firing.trigger.value, tables.POLICY_VERSION
    policy = packs.find_policy(state, firing.policy, firing.pack_digest)
    if policy is None:
        return not_found(firing.policy, f"a pack with digest {firing.pack_digest.hex()}, brought by a change")
    known = state.find(firing.policy, r.PolicyVersion)
    source = "drafted" if known is None else known.state
    if known is not None and known.digest != firing.pack_digest:
        wish = f"the pack that was adopted as this version, {known.digest.hex()}: a version never changes"
        actual = f"another one, {firing.pack_digest.hex()}: give it a version of its own"
        return refused(RefusalKind.UNMET, Code.POLICY_IMMUTABLE, wish, actual, firing.policy, trigger)
    target = table.target(source, trigger)
    if target is None:
        return no_edge(table, trigger, firing.policy, source)
    moves = [Transition(firing.policy, trigger, source, target)]
    before = state.policy
    if before is not None:
        gone = table.target(before.state, f"{trigger}[another]") or ""
        moves.append(Transition(before.name, trigger, before.state, gone))
        state = state.put(replace(before, state=gone))
    for item, was, now in carrying.carry(moment.policy, policy, state, moment.instant):
        state = state.put(item)
        if was != now:
            moves.append(Transition(item.name, trigger, was, now))
    version = r.PolicyVersion(
        firing.policy, policy.version, policy.digest, target, adopted_at=moment.instant, adopted_by=state.size
    )
    return Moved(owed_from_then(policy, state.put(version), moment.instant), tuple(moves))


def owed_from_then(policy: Policy, state: State, instant: int) -> State:
    """Return the state with what a policy obliges to that is in force from now on, in the place of another one."""
    return clocks.start_by_adoption(policy, obligation.begin_grids(policy, state, instant), policy.name, instant)


def touched(policy: Policy, state: State, firing: f.PolicyAdopt) -> frozenset[str]:
    """Return what adopting reads and writes: both versions, what their ids carry over of the models of now, clocks."""
    found = {firing.policy, policy.name}
    wanted = packs.find_policy(state, firing.policy, firing.pack_digest)
    if wanted is None:
        return frozenset(found)
    started = {f"obligations/{spec.id}" for spec, _ in clocks.clocks_of(wanted, "adoption")}
    return frozenset(found | carrying.touched(policy, wanted, state) | obligation.moved_grids(wanted, state) | started)
