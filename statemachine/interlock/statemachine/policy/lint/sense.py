"""What a pack says and does not mean, most likely: names that nothing reads, levels that nobody needs, odd orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine.policy.findings import Code, shown
from interlock.statemachine.policy.lint.report import Claim, note, warning
from interlock.statemachine.rights import BUILT_IN_ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.policy.schema import PackShape


def check_sense(policy: Policy, shape: PackShape) -> Iterator[Claim]:
    """Yield warnings and notes; none of this is unsafe."""
    yield from _levels(policy)
    yield from _thresholds(policy)
    yield from _stubs(policy)
    yield from _contexts(policy)
    yield from _roles(shape)
    yield from _kinds(shape)
    yield from _jurisdictions(shape)


def _levels(policy: Policy) -> Iterator[Claim]:
    asked = {standard.baseline for standard in policy.standards.values()}
    asked |= {level for threshold in policy.thresholds.values() for level in threshold.asks.values()}
    top = max(policy.level_index(level) for level in asked)
    for level in policy.levels:
        if level.index > top:
            message = f"No threshold asks for {shown(level.id)}, and it is no baseline."
            calls = ("determination.report of every threshold, reached", f"gate.check → never asks for {level.id}")
            fix = "let a threshold ask for it, or leave it out"
            yield warning(("levels", level.index), Code.LEVEL_NEVER_ASKED, message, fix, calls)


def _thresholds(policy: Policy) -> Iterator[Claim]:
    needed = {threshold for context in policy.contexts for threshold in context.thresholds}
    for threshold in policy.thresholds.values():
        if not threshold.tracked and threshold.id not in needed:
            message = f"No context needs {shown(threshold.id)} determined."
            calls = ("model.register", "level.assign", f"gate.check → ALLOW, while {threshold.id} is undetermined")
            fix = "name it under a context's `thresholds:`, or say `tracked: true`"
            yield warning(("thresholds", threshold.id), Code.THRESHOLD_NEVER_NEEDED, message, fix, calls)


def _stubs(policy: Policy) -> Iterator[Claim]:
    stubs = {level.id for level in policy.levels if level.stub}
    for threshold in policy.thresholds.values():
        asked = [(standard, level) for standard, level in threshold.asks.items() if level in stubs]
        if asked:
            standards = " and ".join(shown(standard) for standard, _ in asked)
            message = f"A model that reaches {shown(threshold.id)} goes nowhere that {standards} applies."
            calls = (f"determination.report of {threshold.id}, reached", "gate.check → DENY LEVEL_TOO_LOW")
            fix = f"write {shown(asked[0][1])} out before a model gets there"
            yield note(("thresholds", threshold.id, "asks"), Code.STUB_STOPS, message, fix, calls)


def _contexts(policy: Policy) -> Iterator[Claim]:
    for before, after in zip(policy.contexts, policy.contexts[1:], strict=False):
        missing = [threshold for threshold in before.thresholds if threshold not in after.thresholds]
        if missing:
            message = (
                f"{shown(after.id)} is more exposed than {shown(before.id)} and does not need {shown(missing[0])}."
            )
            calls = (
                f"gate.check in {before.id} → DENY DETERMINATION_MISSING for {missing[0]}",
                f"gate.check in {after.id} → ALLOW",
            )
            fix = "order contexts from the least exposed on, or name the threshold in both"
            yield warning(("contexts", after.index), Code.EXPOSED_IS_EASIER, message, fix, calls)


def _roles(shape: PackShape) -> Iterator[Claim]:
    slots = [slot for rule in (shape.default, *shape.rules) for slot in rule.sign_offs]
    slots += [slot for entry in shape.break_glass for slot in entry.sign_offs]
    asked = {slot.role for slot in slots}
    for role_id, role in shape.roles.items():
        if role.approves and role_id not in asked:
            message = f"{shown(role_id)} approves, and no rule asks for it: it can tighten, and sign nothing."
            calls = (f"change.sign by {role_id} → refused NO_APPROVING_ROLE",)
            fix = "ask for it under `sign_offs:`, or say what it `may:` do instead"
            yield note(("roles", role_id), Code.ROLE_SIGNS_NOTHING, message, fix, calls)
        elif not role.approves and not role.may and role_id not in BUILT_IN_ROLES:
            message = f"Who holds {shown(role_id)} may only look."
            calls = (f"anything but reading, by {role_id} → refused",)
            fix = "say what it `may:` do, or use the built-in `auditor`"
            yield warning(("roles", role_id), Code.ROLE_MAY_NOTHING, message, fix, calls)


def _kinds(shape: PackShape) -> Iterator[Claim]:
    asked = {need.evidence for safeguard in shape.safeguards.values() for need in safeguard.verify_with}
    asked |= {need.kind for rule in (shape.default, *shape.rules) for need in rule.evidence}
    asked |= {obligation.fulfilled_by.evidence for obligation in shape.obligations.values()}
    for index, kind in enumerate(shape.evidence_kinds):
        if kind not in asked:
            message = f"Nothing asks for evidence of the kind {shown(kind)}."
            calls = (f"evidence.upload of {kind}", "change.propose → no rule reads it")
            fix = "leave it in if people are to file it all the same"
            yield note(("evidence_kinds", index), Code.EVIDENCE_KIND_UNUSED, message, fix, calls)


def _jurisdictions(shape: PackShape) -> Iterator[Claim]:
    named = {obligation.jurisdiction for obligation in shape.obligations.values()}
    for index, jurisdiction in enumerate(shape.jurisdictions):
        if jurisdiction not in named:
            known = ", ".join(sorted(name for name in named if name)) or "none"
            message = f"{shown(jurisdiction)} is switched on, and no obligation is of it."
            calls = ("obligations.list → none of that jurisdiction",)
            fix = f"one of those that obligations name: {known}"
            yield warning(("jurisdictions", index), Code.JURISDICTION_UNUSED, message, fix, calls)
