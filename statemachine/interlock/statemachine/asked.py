"""Which rules a trigger must meet in a change, and on which model each is judged. Pure.

A trigger has one rule, which the policy in force says. Ratifying has those that the tainted change was judged by, as
its grounds keep them, and the policy's own for `change.ratify` as well where it names one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines.fire import model_concerned
from interlock.statemachine.policy.model import EvidenceNeed, Rule, Slot
from interlock.statemachine.ruling import rule_of

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


class Asked(NamedTuple):
    """A rule, the model that it is judged on (None: on what is not one model's), the entry that adopted its policy."""

    rule: Rule
    model: str | None
    given_by: int


def rules_asked(policy: Policy, state: State, firing: f.Firing) -> tuple[Asked, ...]:
    """Return the rules that a trigger must meet; nothing for a neutral or tightening one that none names."""
    rule = rule_of(policy, state, firing)
    if rule is None:
        return ()
    given_by = state.policy.adopted_by if state.policy is not None else r.NEVER
    own = Asked(rule, model_concerned(state, firing), given_by)
    if not isinstance(firing, f.ChangeRatify):
        return (own,)
    change = state.find(firing.change, r.Change)
    if change is None or change.grounds is None:
        return (own,)
    kept = tuple(Asked(_rule(rule), rule.model or None, rule.given_by) for rule in change.grounds.rules)
    return kept if own.rule.is_default else (*kept, own)


def _rule(asked: r.AskedRule) -> Rule:
    """Return a rule as it was."""
    return Rule(
        id=asked.rule,
        triggers=(),
        standard=None,
        slots=tuple(
            Slot(
                index,
                slot.role,
                frozenset(slot.distinct_from),  # type: ignore[arg-type]  # words that a policy's slot had
                "external" if slot.external else "any",
                slot.assurance,  # type: ignore[arg-type]  # as above
                slot.seen_full,
                slot.veto,
            )
            for index, slot in enumerate(asked.slots)
        ),
        evidence=tuple(EvidenceNeed(kind, newer_than_us or None) for kind, newer_than_us in asked.evidence),
        source=None,
        is_default=False,
    )
