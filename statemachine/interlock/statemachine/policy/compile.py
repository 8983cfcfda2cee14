"""From a checked shape to the compiled policy: defaults filled in, names and orders resolved, all frozen.

Only for shapes that passed the checks: a name that leads nowhere is a bug here, not a finding.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from interlock.statemachine import rights
from interlock.statemachine.policy import model
from interlock.statemachine.policy.resolve import Names, applied_in, covered
from interlock.statemachine.triggers import loosening

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from interlock.statemachine.policy.schema import (
        AfterShape,
        DefaultShape,
        EvidenceShape,
        PackShape,
        RoleShape,
        SafeguardShape,
        SlotShape,
        SourceShape,
        SuccessionShape,
        ThresholdShape,
        VerifyWithShape,
    )

_K = TypeVar("_K")
_V = TypeVar("_V")


def compile_policy(shape: PackShape, digest: bytes) -> model.Policy:
    """Build the policy that the state machine reads."""
    names = Names.of(shape)
    rules, narrowed, default = _rules(shape)
    return model.Policy(
        id=shape.policy,
        version=shape.version,
        title=shape.title,
        digest=digest,
        decision_lasts_us=shape.decision_lasts,
        changes_expire_after_us=shape.changes_expire_after,
        ssh_agent_signs=shape.ssh_agent_signs,
        jurisdictions=frozenset(shape.jurisdictions),
        evidence_kinds=names.evidence_kinds,
        levels=tuple(model.Level(level.id, index, level.stub) for index, level in enumerate(shape.levels)),
        standards=_frozen(
            {key: model.Standard(key, s.baseline, applied_in(shape, key)) for key, s in shape.standards.items()}
        ),
        contexts=_contexts(shape),
        roles=_roles(shape),
        thresholds=_frozen({key: _threshold(key, t) for key, t in shape.thresholds.items()}),
        safeguards=_safeguards(shape, names),
        rules=rules,
        narrowed_rules=narrowed,
        default_rule=default,
        break_glass=_break_glass(shape),
        obligations=_obligations(shape),
        severities=tuple(
            model.Severity(row.id, index, row.blocking) for index, row in enumerate(shape.incidents.severities)
        ),
        categories=tuple(sorted(names.categories)),
        successions=tuple(_succession(row) for row in shape.succeeds),
    )


def _contexts(shape: PackShape) -> tuple[model.Context, ...]:
    untracked = tuple(key for key, threshold in shape.thresholds.items() if not threshold.tracked)
    return tuple(
        model.Context(
            id=context.id,
            index=index,
            unguarded=context.unguarded,
            artifact_required=context.artifact == "required",
            thresholds=untracked if context.thresholds is None else tuple(context.thresholds),
        )
        for index, context in enumerate(shape.contexts)
    )


def _roles(shape: PackShape) -> Mapping[str, model.Role]:
    roles = {
        role_id: model.Role(role_id, approves=False, affiliation="any", rights=held, built_in=True)
        for role_id, held in rights.BUILT_IN_ROLES.items()
    }
    for role_id, role in shape.roles.items():
        roles[role_id] = _role(role_id, role)
    return _frozen(roles)


def _role(role_id: str, role: RoleShape) -> model.Role:
    built_in = rights.BUILT_IN_ROLES.get(role_id)
    held = rights.expand(tuple(role.may)) | (rights.READ_SET if built_in is None else built_in)
    if role.approves:
        held |= rights.APPROVING
    return model.Role(role_id, role.approves, role.affiliation, held, built_in is not None)


def _threshold(threshold_id: str, threshold: ThresholdShape) -> model.Threshold:
    reassess = threshold.reassess
    return model.Threshold(
        id=threshold_id,
        title=threshold.title,
        asks=_frozen(threshold.asks),
        tracked=threshold.tracked,
        reassess_every_us=None if reassess is None else reassess.every,
        compute_growth=None if reassess is None else reassess.compute_growth,
        source=_source(threshold.source),
    )


def _safeguards(shape: PackShape, names: Names) -> Mapping[str, model.Safeguard]:
    compiled = (_safeguard(shape, names, key, safeguard) for key, safeguard in shape.safeguards.items())
    return _frozen({safeguard.id: safeguard for safeguard in sorted(compiled, key=lambda s: s.level_index)})


def _safeguard(shape: PackShape, names: Names, safeguard_id: str, safeguard: SafeguardShape) -> model.Safeguard:
    return model.Safeguard(
        id=safeguard_id,
        title=safeguard.title,
        standard=safeguard.standard,
        level=safeguard.level,
        level_index=names.levels[safeguard.level],
        track=safeguard.track,
        covers=covered(shape, names, safeguard),
        shared=safeguard.scope == "shared",
        verify_with=tuple(_verify_with(need) for need in safeguard.verify_with),
        attested_for_us=safeguard.attested_for,
        for_thresholds=tuple(safeguard.for_thresholds or ()),
        replaces=tuple(safeguard.replaces),
        source=_source(safeguard.source),
    )


def _rules(
    shape: PackShape,
) -> tuple[Mapping[str, model.Rule], Mapping[tuple[str, str], model.Rule], model.Rule]:
    default = _rule(shape, "default", shape.default)
    rules = dict.fromkeys(loosening(), default)
    narrowed: dict[tuple[str, str], model.Rule] = {}
    for index, rule in enumerate(shape.rules):
        compiled = _rule(shape, f"rules/{index}", rule, tuple(rule.triggers), rule.standard)
        for trigger in rule.triggers:
            if rule.standard is None:
                rules[trigger] = compiled
            else:
                narrowed[trigger, rule.standard] = compiled
    return _frozen(rules), _frozen(narrowed), default


def _rule(
    shape: PackShape, rule_id: str, rule: DefaultShape, triggers: tuple[str, ...] = (), standard: str | None = None
) -> model.Rule:
    return model.Rule(
        id=rule_id,
        triggers=triggers,
        standard=standard,
        slots=_slots(shape, rule.sign_offs),
        evidence=_evidence(rule.evidence),
        source=_source(rule.source),
        is_default=rule_id == "default",
    )


def _slots(shape: PackShape, slots: Sequence[SlotShape]) -> tuple[model.Slot, ...]:
    expanded = [slot for slot in slots for _ in range(slot.count)]
    return tuple(
        model.Slot(
            index=index,
            role=slot.role,
            distinct_from=frozenset(slot.distinct_from),
            affiliation=_stricter(slot.affiliation, shape.roles[slot.role].affiliation),
            assurance=slot.assurance,
            seen_full=slot.seen == "full",
            veto=slot.veto,
        )
        for index, slot in enumerate(expanded)
    )


def _stricter(slot: model.Affiliation, role: model.Affiliation) -> model.Affiliation:
    return "external" if "external" in (slot, role) else "any"


def _break_glass(shape: PackShape) -> Mapping[str, model.BreakGlass]:
    compiled: dict[str, model.BreakGlass] = {}
    for index, entry in enumerate(shape.break_glass):
        rule = model.Rule(
            id=f"break_glass/{index}",
            triggers=tuple(entry.triggers),
            standard=None,
            slots=_slots(shape, entry.sign_offs),
            evidence=(),
            source=_source(entry.source),
            is_default=False,
        )
        exception = model.BreakGlass(rule, entry.lasts, entry.review_within)
        compiled.update(dict.fromkeys(entry.triggers, exception))
    return _frozen(compiled)


def _obligations(shape: PackShape) -> Mapping[str, model.Obligation]:
    return _frozen(
        {
            key: model.Obligation(
                id=key,
                title=obligation.title or key,
                every_us=obligation.every or 0,
                fulfilled_by=_verify_with(obligation.fulfilled_by),
                blocking=obligation.blocking,
                jurisdiction=obligation.jurisdiction,
                in_force=obligation.jurisdiction is None or obligation.jurisdiction in shape.jurisdictions,
                source=_source(obligation.source),
                after=_after(obligation.after),
            )
            for key, obligation in shape.obligations.items()
        }
    )


def _succession(row: SuccessionShape) -> model.Succession:
    return model.Succession(
        policy=row.policy,
        version=row.version,
        thresholds=_frozen({key: tuple(old) for key, old in row.thresholds.items()}),
        levels=_frozen({key: tuple(old) for key, old in row.levels.items()}),
        safeguards=_frozen({key: (old,) for key, old in row.safeguards.items()}),
    )


def _after(after: AfterShape | None) -> model.After | None:
    if after is None:
        return None
    return model.After(
        event=after.incident or ("deployment" if after.deployment else "adoption"),
        within_us=after.within,
        at_least=after.at_least or "",
        categories=frozenset(after.categories),
        contexts=frozenset(after.contexts),
        repeats=after.repeats,
    )


def _evidence(needs: Sequence[EvidenceShape]) -> tuple[model.EvidenceNeed, ...]:
    return tuple(model.EvidenceNeed(need.kind, need.newer_than) for need in needs)


def _verify_with(need: VerifyWithShape) -> model.EvidenceNeed:
    return model.EvidenceNeed(need.evidence, need.newer_than)


def _source(source: SourceShape | None) -> model.Source | None:
    return None if source is None else model.Source(source.document, source.section, source.version)


def _frozen(values: dict[_K, _V]) -> Mapping[_K, _V]:
    return MappingProxyType(dict(values))
