"""The requirement tree: what a verdict rests on, rule by rule; every no is explained, and every yes.

Grown from the same leaves as the verdict (``leaves.py``): the unmet blocking leaves are the verdict's reasons, in their
order, the unmet others its advisories, the tree is met if and only if the verdict is ALLOW. What lives here is what the
gate never needs: the words for what is met, the entries that gave each fact, the documents it rests on, who signed.
A function of (position, instant) like the verdict; the server adds its serving conditions to rule 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from interlock.statemachine import moments, names, owed
from interlock.statemachine import resources as r
from interlock.statemachine.bound import documents_of
from interlock.statemachine.changes import content_of
from interlock.statemachine.leaves import find_leaves
from interlock.statemachine.levels import attestation_end

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.statemachine.leaf import Leaf
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State

RULES: Final = {
    1: "the policy in force knows the context",
    2: "the model is registered, and the artifact is one of its own",
    3: "no hold is placed on it or on everything",
    4: "every threshold that the context needs is determined, confirmed and not lapsed",
    5: "for every standard that applies in the context: assigned level at or above the required one",
    6: "every safeguard that the assigned levels list for the context is active and attested, or stood in for",
    7: "nothing of blocking severity is open, no blocking obligation overdue",
    8: "no fact that rules 2 to 7 read, nor the log's key, comes from a tainted change",
}
"""The ALLOW rule by its numbers, in words."""

_NOTHING_SAID: Final = {
    4: "the context needs none",
    5: "no standard applies",
    6: "the assigned levels list none",
    7: "nothing that could block is open, and the policy in force obliges to nothing",
    8: "every change that it rests on stands",
}
"""What a rule says that finds nothing to judge."""


@dataclass(frozen=True, slots=True)
class Node:
    """One requirement, met or not; a group is met if and only if all its blocking children are.

    ``rule`` is 0 for the root. ``code`` is empty while it is met, and for a group. ``entries`` are positions,
    ascending, of the entries that gave the facts that it reads; ``evidence`` what these facts and the changes that gave
    them rest on; ``until`` the first instant (microseconds) at which time alone would leave it unmet. A rule of which
    nothing can be judged (its model or context is unknown) is not ``judged``, is not met, has no children and no code.
    """

    rule: int
    requirement: str
    met: bool
    blocking: bool = True
    code: str = ""
    actual: str = ""
    resource: str = ""
    entries: tuple[int, ...] = ()
    evidence: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    until: int | None = None
    children: tuple[Node, ...] = ()
    judged: bool = True


def grow_tree(
    policy: Policy,
    state: State,
    model: str,
    context: str,
    artifact: str,
    instant: int,
    serving: tuple[Node, ...] = (),
) -> Node:
    """Return the tree of what a release of ``model`` (with ``artifact``, or empty) to ``context`` asks for.

    ``serving`` are the server's own conditions for an answer that is given now; they come first in rule 1.
    """
    by_rule: dict[int, list[Node]] = {1: list(serving)}
    for leaf in find_leaves(policy, state, model, context, artifact, instant):
        by_rule.setdefault(leaf.rule, []).append(_grown(policy, state, leaf))
    rules = tuple(_rule(number, by_rule.get(number, [])) for number in RULES)
    if policy.context(context) is None or state.find(model, r.Model) is None:
        rules = tuple(_unjudged(node) if node.rule in {4, 5, 6} else node for node in rules)
    what = f"{model} may be released to {context}" + (f" with {artifact}" if artifact else "")
    return _group(0, what, rules)


def unmet_leaves(node: Node, *, blocking: bool = True) -> tuple[Node, ...]:
    """Return the requirements under a node that are not met, in order: the verdict's reasons, or its advisories."""
    own = (node,) if node.code and node.blocking is blocking else ()
    return own + tuple(found for child in node.children for found in unmet_leaves(child, blocking=blocking))


def _group(rule: int, requirement: str, children: tuple[Node, ...]) -> Node:
    blocking = [child for child in children if child.blocking]
    met = all(child.met for child in blocking)
    until = min((child.until for child in blocking if child.until is not None), default=None)
    return Node(rule, requirement, met, until=until if met else None, children=children)


def _rule(number: int, leaves: list[Node]) -> Node:
    if not leaves and number in _NOTHING_SAID:
        return Node(number, RULES[number], met=True, actual=_NOTHING_SAID[number])
    return _group(number, RULES[number], tuple(leaves))


def _unjudged(node: Node) -> Node:
    return Node(node.rule, node.requirement, met=False, actual="the context or the model is unknown", judged=False)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a met leaf found, in words, and where all that it read comes from (``NEVER`` among the entries: nowhere).

    ``about`` are the resources whose sign-offs gave these facts.
    """

    actual: str
    entries: tuple[int, ...] = ()
    evidence: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


def _grown(policy: Policy, state: State, leaf: Leaf) -> Node:
    facts = _facts(policy, state, leaf)
    entries = tuple(sorted({position for position in facts.entries if position != r.NEVER}))
    applied = _applied(state, entries)
    documents = (name for change in applied for name, _ in documents_of(content_of(change.content)))
    unmet = leaf.unmet
    return Node(
        leaf.rule,
        leaf.requirement,
        met=unmet is None,
        blocking=leaf.blocking,
        code=unmet.code.value if unmet else "",
        actual=unmet.actual if unmet else facts.actual,
        resource=unmet.resource if unmet else policy.name if leaf.kind == "context" else leaf.name,
        entries=entries,
        evidence=tuple(dict.fromkeys((*facts.evidence, *documents))),
        signers=_signers(applied, facts.about),
        until=leaf.until,
    )


def _facts(policy: Policy, state: State, leaf: Leaf) -> _Facts:
    """Return what a leaf read."""
    name = leaf.name
    match leaf.kind:
        case "context":
            adopted = state.policy.adopted_by if state.policy else r.NEVER
            written = state.position(state.policy.name) if state.policy else r.NEVER
            return _Facts(name, (adopted, written))
        case "model":
            return _Facts("registered", (state.position(name),), about=(name,))
        case "artifact":
            return _artifact(state, name)
        case "hold":
            return _Facts("none is placed", (state.position(name),) if state.find(name, r.Hold) else ())
        case "determination":
            return _determination(state, name)
        case "level":
            return _level(policy, state, name)
        case "safeguard":
            known = state.safeguard(name)
            since = f" since {moments.to_text(known.since)}" if known.since_actor else ""
            entries = (known.active_by, state.position(name))
            return _Facts(f"{known.state}{since}", entries, known.evidence, (name,))
        case "attestation":
            known = state.safeguard(name)
            end = attestation_end(policy, known)
            until = "no end" if end is None else moments.to_text(end)
            longer = "" if leaf.until in {None, end} else ", and an interim measure stands in after"
            return _Facts(f"attested until {until}{longer}", (known.attested_by,), known.evidence, (name,))
        case "measure":
            measure = state.need(name, r.InterimMeasure)
            stands = f"{name} stands in until {moments.to_text(measure.until)}"
            return _Facts(stands, (measure.in_force_by, state.position(name)), about=(measure.model,))
        case "obligation":
            return _obligation(state, leaf)
        case "taint":
            return _Facts("", (leaf.entry,))
        case "exemption":
            return _exemption(state, name)
        case "incident":
            seen = state.need(name, r.Incident)
            return _Facts(seen.state, (seen.lowered_by, state.position(name)), about=(name,))
        case "finding":
            finding = state.need(name, r.Finding)
            return _Facts(finding.state, (state.position(name),), finding.evidence, (name,))
        case _:
            assert_never(leaf.kind)


def _exemption(state: State, name: str) -> _Facts:
    """An exception reads the change that opened it, and what it excepts."""
    known = state.need(name, r.Exemption)
    actual = f"{known.resource} is excepted until {moments.to_text(known.until)} by break-glass"
    return _Facts(actual, (known.opened_by, state.position(known.resource)), about=(known.resource,))


def _obligation(state: State, leaf: Leaf) -> _Facts:
    """A period reads its own entries, and that of the adoption that began the grid."""
    period = owed.period_of(state, leaf.name)
    of = names.obligation_of(leaf.name)
    by = f"due by {moments.to_text(owed.span_of(state, leaf.name)[1])}"
    if period.waived_until is not None:
        by += f", waived until {moments.to_text(period.waived_until)}"
    return _Facts(by, (state.position(of), period.waived_by), period.evidence, (leaf.name,))


def _artifact(state: State, name: str) -> _Facts:
    model, _, sha256 = name.partition("/artifacts/")
    found = state.find(model, r.Model)
    own = next((own for own in found.artifacts if own.sha256 == sha256), None) if found else None
    return _Facts("one of its own", (own.added_by,) if own else (), about=(model,))


def _determination(state: State, name: str) -> _Facts:
    known = state.find(name, r.Determination)
    if known is None:
        return _Facts("undetermined")
    lapse = "" if known.lapses_at is None else f" until {moments.to_text(known.lapses_at)}"
    entries = (known.conclusion_by, known.confirmed_by, known.lapse_by, state.position(name))
    return _Facts(f"{known.conclusion}, confirmed{lapse}", entries, known.evidence, (name,))


def _level(policy: Policy, state: State, name: str) -> _Facts:
    """A level leaf reads the level, and what was determined by every threshold that asks for one in its standard."""
    model, standard = names.model_of(name) or "", names.leaf_of(name)
    level = state.level(model, standard)
    asking = [
        state.determination(model, threshold.id)
        for threshold in policy.thresholds.values()
        if not threshold.tracked and standard in threshold.asks
    ]
    entries = (level.assigned_by, state.position(name), *(known.conclusion_by for known in asking))
    evidence = tuple(dict.fromkeys(document for known in asking for document in known.evidence))
    return _Facts(f"{level.assigned} ({level.kind})", entries, evidence, (name, *(known.name for known in asking)))


def _applied(state: State, entries: Iterable[int]) -> tuple[r.Change, ...]:
    """Return the changes that were applied by these entries."""
    found = (state.find(state.applied.get(position, ""), r.Change) for position in entries)
    return tuple(change for change in found if change is not None)


def _signers(applied: Iterable[r.Change], about: tuple[str, ...]) -> tuple[str, ...]:
    """Return who signed for these resources in changes; of a change that names none of them, all who signed."""
    signers: set[str] = set()
    for change in applied:
        filled = [(resource, who) for _, resource, _, who in change.applied_slots if who]
        named = {who for resource, who in filled if resource in about}
        signers |= named or {who for _, who in filled}
    return tuple(sorted(signers))
