"""Which rule a trigger must meet here: the direction of a trigger on what it is fired on, and who signs for it.

Most triggers have one direction (``triggers.py``). Of a few it depends: fulfilling an obligation loosens where the
obligation blocks. Judged on the state before the change or the command, so nothing that rides along makes it easier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import excepting, owed
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines.fire import standard_of
from interlock.statemachine.triggers import DIRECTIONS, Direction

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy, Rule
    from interlock.statemachine.state import State


def direction_at(policy: Policy, state: State, firing: f.Firing) -> Direction:
    """Return what firing a trigger can do to verdicts, on what is there."""
    return Direction.LOOSENS if _loosens_here(policy, state, firing) else DIRECTIONS[firing.trigger]


def _loosens_here(policy: Policy, state: State, firing: f.Firing) -> bool:
    """Say whether a trigger of ``LOOSENS_WHERE`` loosens."""
    match firing:
        case f.ObligationFulfil():
            return owed.blocks(policy, firing.period)
        case f.IncidentTriage():
            known = state.find(firing.incident, r.Incident)
            before = policy.severity_rank(known.severity) if known is not None else r.NEVER
            return policy.severity_rank(firing.severity) < before
        case f.IncidentClose():
            known = state.find(firing.incident, r.Incident)
            return known is not None and known.is_open and policy.severity_blocks(known.severity)
        case f.FindingDismiss():
            finding = state.find(firing.finding, r.Finding)
            return finding is not None and finding.state == "confirmed" and policy.severity_blocks(finding.severity)
        case _:
            return False


def rule_of(policy: Policy, state: State, firing: f.Firing) -> Rule | None:
    """Return the rule that a trigger must meet in a change, None for a neutral or tightening one that none names.

    Of break-glass it is the pack's for what it stands in for; where that is not allowed the trigger fires nowhere.
    """
    if isinstance(firing, f.BreakGlassOpen):
        allowed = policy.break_glass.get(excepting.stood_in_for(state, firing.resource))
        return allowed.rule if allowed is not None else policy.default_rule
    direction = direction_at(policy, state, firing)
    if direction is Direction.TIGHTENS:
        return None
    trigger, standard = firing.trigger.value, standard_of(policy, firing)
    if policy.is_ruled(trigger, standard):
        return policy.rule_for(trigger, standard)
    return policy.default_rule if direction is Direction.LOOSENS else None
