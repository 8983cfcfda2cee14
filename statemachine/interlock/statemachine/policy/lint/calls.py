"""The shortest call sequence that shows what the loader found: what would happen if the pack were in force as written.

Where it would not even load, that is the one call. Templates are filled from the place of the finding.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.statemachine.policy.findings import Code, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.statemachine.policy.findings import Finding
    from interlock.statemachine.policy.yamltree import Path, Tree, Value

_PROPOSED: Final = "change.propose of {trigger} by a requester"

SEQUENCES: Final[Mapping[Code, tuple[str, ...]]] = MappingProxyType(
    {
        Code.TOO_FEW_PEOPLE: (_PROPOSED, "change.sign by {role}, alone → applied: one person loosened alone"),
        Code.TRIGGER_TIGHTENS: ("{what} by one person → waits for sign-offs, and the gate goes on saying ALLOW",),
        Code.CONTEXT_UNGUARDED: (
            "model.register",
            "determination.rule_out of every threshold",
            "level.assign in every standard",
            "gate.check in {what} → ALLOW, with no safeguard active",
        ),
        Code.CONTEXT_GUARDED_AFTER_ALL: ("gate.check in {what} → DENY SAFEGUARD_NOT_ACTIVE",),
        Code.LEVEL_WITHOUT_COMMITMENT: (
            "level.raise to {what}",
            "gate.check → ALLOW, with the safeguards of the level below",
        ),
        Code.LEVEL_ADDS_NOTHING: (
            "level.raise to {what}",
            "gate.check → ALLOW, with the safeguards of the level below",
        ),
        Code.STUB_BASELINE: (
            "level.assign of {what} → refused LEVEL_STUB",
            "gate.check → DENY LEVEL_UNASSIGNED, for ever",
        ),
        Code.SAFEGUARD_AT_STUB: ("level.assign of {what} → refused LEVEL_STUB, so {name} is never asked for",),
        Code.THRESHOLD_ASKS_NOTHING: (
            "determination.report of {name}, reached",
            "determination.confirm",
            "gate.check → as if it had been ruled out",
        ),
        Code.THRESHOLD_TRACKED: ("determination.report of {name}, reached", "gate.check → reads none of it"),
        Code.GUARDS_OUTSIDE_STANDARD: ("gate.check in {what} → never asks for {name}",),
        Code.REPLACES_NOT_LOWER: ("level.assign of the level of {what}", "gate.check → {what} is off its own list"),
        Code.REPLACES_WEAKENS: (
            "gate.check → DENY SAFEGUARD_NOT_ACTIVE for {what}",
            "determination.report, or level.raise, that lists {name}",
            "gate.check → ALLOW: {what} is off the list",
        ),
        Code.BUILT_IN_ROLE: ("grant.give of {name}", "change.sign by them → who administers or operates approves"),
        Code.RIGHT_LOOSENS: ("{what} by {name}, alone → DENY becomes ALLOW",),
        Code.RIGHT_NEEDS_APPROVING: ("change.sign by {name} → fills no slot of any rule",),
        Code.RIGHT_ADMINISTERS: ("{what} by {name}, alone → who approves takes accounts too",),
        Code.ROLE_DOES_NOT_APPROVE: (
            _PROPOSED,
            "change.sign by {what} → refused NO_APPROVING_ROLE: it never applies",
        ),
        Code.UNKNOWN_ROLE: (_PROPOSED, "change.sign by {what} → nobody is one: it never applies"),
        Code.TRIGGER_HAS_NO_STANDARD: ("change.propose of {what} → of no standard: the rule never governs it",),
        Code.TRIGGER_NOT_EXCEPTABLE: ("{what} by break-glass → would not end by itself",),
        Code.RULES_OVERLAP: ("change.propose of {what} → two rules say who signs",),
        Code.WEAKER_THAN_A_GRANT: (
            "{trigger}, signed as its own rule says → a key or an account of somebody who holds a role",
            "change.sign with it → as good as grant.give, for less",
        ),
        Code.OPEN_TO_REQUESTER: (
            "change.propose of {trigger} by {role}",
            "change.sign by the same person → fills a slot",
        ),
        Code.LOGIN_ASSURANCE: ("change.sign of {trigger} with a session, no signature → counts",),
        Code.BREAK_GLASS: ("{trigger} by break-glass → excepted until its end",),
    }
)  # fmt: skip


def calls_of(finding: Finding, tree: Tree | None) -> tuple[str, ...]:
    """Return the calls that show a finding of the loader."""
    templates = SEQUENCES.get(finding.code)
    if templates is None or tree is None:
        return (f"policy.adopt of this pack → refused: {finding.code} at line {finding.line}",)
    facts = _facts(tree.root, finding.path)
    if finding.code is Code.WEAKER_THAN_A_GRANT:  # at the default's place, which names no trigger
        facts["trigger"] = finding.message.split("`")[1]
    return tuple(template.format_map(facts) for template in templates)


def _facts(root: Value, path: Path) -> dict[str, str]:
    section = _at(root, path[:1] if path[:1] == ("default",) else path[:2])
    triggers = _at(section, ("triggers",))
    slot = _at(section, ("sign_offs", path[3] if len(path) > 3 and path[2] == "sign_offs" else 0))  # noqa: PLR2004
    named = path[1] if len(path) > 1 and isinstance(path[1], str) else _word(section)
    if path[:1] == ("rules",) and len(path) > 3 and path[2] == "triggers":  # noqa: PLR2004 - rules/N/triggers/N
        trigger = _word(_at(root, path))
    else:
        trigger = _word(triggers[0]) if isinstance(triggers, list) and triggers else "hold.lift"
    what = _at(root, path)
    return {
        "what": _word(what) or str(path[-1]),
        "name": _safe(str(named)),
        "trigger": trigger,
        "role": _word(_at(slot, ("role",))),
    }


def _at(value: Value, path: Path) -> Value:
    """Return what stands at ``path`` inside a value; None where there is nothing."""
    for part in path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _word(value: Value) -> str:
    if isinstance(value, dict):
        value = value.get("id")
    return _safe(str(value)) if isinstance(value, str | int) else ""


def _safe(text: str) -> str:
    return shown(text).strip("`")
