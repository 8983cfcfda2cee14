"""Which level a model needs, which safeguards a level lists for it, and who leans on one (domain, "Required level")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.statemachine import names
from interlock.statemachine import resources as r

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy, Safeguard
    from interlock.statemachine.state import State

BITES: Final = frozenset({"cannot_rule_out", "reached"})
"""Conclusions that ask for a level; *cannot rule out* asks for the same as *reached*."""


def active_thresholds(policy: Policy, state: State, model: str) -> frozenset[str]:
    """Return the ids of the untracked thresholds that are cannot_rule_out or reached, lapsed or not."""
    return frozenset(
        threshold.id
        for threshold in policy.thresholds.values()
        if not threshold.tracked and state.determination(model, threshold.id).conclusion in BITES
    )


def required_level(policy: Policy, state: State, model: str, standard: str) -> str:
    """Return the id of the level that a model needs in a standard: what its thresholds ask most, or the baseline."""
    asked = [policy.standards[standard].baseline]
    for threshold in active_thresholds(policy, state, model):
        wanted = policy.thresholds[threshold].asks.get(standard)
        if wanted is not None:
            asked.append(wanted)
    return max(asked, key=policy.level_index)


def level_kind(policy: Policy, state: State, model: str, standard: str, level: str) -> str:
    """Return ``provisional`` while a threshold asks for this level or more as a precaution only, else ``confirmed``."""
    wanted = policy.level_index(level)
    conclusions = {
        state.determination(model, threshold.id).conclusion
        for threshold in policy.thresholds.values()
        if not threshold.tracked
        and standard in threshold.asks
        and policy.level_index(threshold.asks[standard]) >= wanted
    }
    return "provisional" if "cannot_rule_out" in conclusions and "reached" not in conclusions else "confirmed"


def listed_safeguards(
    policy: Policy, state: State, model: str, context: str | None
) -> tuple[tuple[Safeguard, str], ...]:
    """Return (safeguard, resource name) for all that the model's assigned levels list for a context (None: any)."""
    active = active_thresholds(policy, state, model)
    place = policy.context(context) if context is not None else None
    found: list[tuple[Safeguard, str]] = []
    for standard in policy.standards.values():
        if place is not None and place.id not in standard.applies_in:
            continue
        assigned = state.level(model, standard.id).assigned
        if not assigned or policy.level(assigned) is None:
            continue
        found += [
            (safeguard, names.safeguard_name(model, safeguard.id, shared=safeguard.shared))
            for safeguard in policy.listed(standard.id, assigned, context, active)
        ]
    return tuple(found)


def attestation_end(policy: Policy, known: r.Safeguard) -> int | None:
    """Return when a safeguard's attestation ends (microseconds): what was written, or sooner by the policy in force."""
    spec = policy.safeguards.get(names.leaf_of(known.name))
    return known.attested_until if spec is None else known.attested_to(spec.attested_for_us)


def leaning_models(policy: Policy, state: State, safeguard: str) -> tuple[str, ...]:
    """Return the registered models whose assigned levels list a safeguard as a commitment, sorted by name."""
    own = names.model_of(safeguard)
    models = [own] if own else [m.name for m in state.all_of(r.Model)]
    return tuple(
        sorted(
            model
            for model in models
            if (found := state.find(model, r.Model)) is not None
            and found.state == "registered"
            and any(
                name == safeguard and spec.track == "commitment"
                for spec, name in listed_safeguards(policy, state, model, None)
            )
        )
    )
