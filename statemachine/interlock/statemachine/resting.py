"""Which facts the leaves of a verdict read, by the entries that gave them: rule 8 denies those of tainted changes.

Asked only while some change is tainted; the gate pays nothing for it otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.statemachine import codec, names, owed
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.taint import find_doubts
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from interlock.statemachine.leaf import Leaf
    from interlock.statemachine.policy.model import Context, Policy
    from interlock.statemachine.state import State

REQUIREMENT: Final = "no fact that rests on a tainted change"

Fact = tuple[str, str, int]
"""What it is in words, the resource that it is a fact of, the position of the entry that gave it."""


def find_tainted(
    policy: Policy, state: State, model: str, place: Context | None, leaves: Iterable[Leaf]
) -> Iterator[tuple[str, int, Unmet]]:
    """Yield (resource, position of the tainted change, what fails) for each resource that a verdict's leaves rest on.

    A recommendation turns no verdict, so what it rests on is left out.
    """
    words: dict[tuple[str, int], list[str]] = {}
    for fact, resource, position in _facts(policy, state, model, place, leaves):
        if position in state.tainted:
            words.setdefault((resource, position), []).append(fact)
    for (resource, position), facts in words.items():
        change = state.need(state.tainted[position], r.Change)
        doubts = "; ".join(doubt.actual for doubt in find_doubts(state, change))
        actual = f"{' and '.join(dict.fromkeys(facts))} given by {change.name}, which is tainted: {doubts}"
        yield resource, position, Unmet(Code.TAINTED, REQUIREMENT, actual, resource, rule=8)


def _facts(policy: Policy, state: State, model: str, place: Context | None, leaves: Iterable[Leaf]) -> Iterator[Fact]:
    if state.policy is not None:
        yield "policy", state.policy.name, state.policy.adopted_by
    if state.log.retired:
        yield "log key", state.log.name, state.log.retired[-1].retired_by
    yield from _cleared(policy, state, model)
    for leaf in leaves:
        if leaf.blocking:
            yield from _of_leaf(policy, state, leaf)
    if place is not None:
        yield from _conditions(policy, state, model, place)


def _cleared(policy: Policy, state: State, model: str) -> Iterator[Fact]:
    """Yield what a tainted change took out of the way: it leaves no leaf, so it is found by the change."""
    for position, name in state.tainted.items():
        for firing in codec.decode_content(state.need(name, r.Change).content).triggers:
            match firing:
                case f.HoldLift():
                    hold = state.need(firing.hold, r.Hold)
                    if hold.target in {model, EVERYTHING}:
                        yield "lift", hold.name, position
                case f.IncidentTriage() | f.IncidentClose():
                    incident = state.need(firing.incident, r.Incident)
                    if incident.target in {model, EVERYTHING}:
                        yield "severity", incident.name, incident.lowered_by
                        if not incident.is_open:
                            yield "closing", incident.name, incident.closed_by
                    yield from _ended(policy, state, incident.name)
                case f.FindingDismiss():
                    finding = state.need(firing.finding, r.Finding)
                    if finding.target in {model, EVERYTHING} and finding.state == "dismissed":
                        yield "dismissal", finding.name, finding.dismissed_by
                case f.ObligationFulfil() | f.ObligationWaive() if owed.blocks(policy, firing.period):
                    period = owed.period_of(state, firing.period)
                    yield "fulfilment", period.name, period.fulfilled_by
                    if period.state != "fulfilled":
                        yield "waiver", period.name, period.waived_by
                case _:
                    pass


def _ended(policy: Policy, state: State, incident: str) -> Iterator[Fact]:
    """Yield what ended periods of an incident that would block by now: under another policy they did not."""
    for name in state.caused.get(incident, ()):
        if owed.blocks(policy, name):
            yield "end", name, owed.period_of(state, name).ended_by


def _of_leaf(policy: Policy, state: State, leaf: Leaf) -> Iterator[Fact]:
    """Yield the facts that one leaf reads."""
    name = leaf.name
    match leaf.kind:
        case "artifact":
            model, _, sha256 = name.partition("/artifacts/")
            found = state.find(model, r.Model)
            for own in found.artifacts if found is not None else ():
                if own.sha256 == sha256:
                    yield "artifact", name, own.added_by
        case "determination":
            known = state.find(name, r.Determination)
            if known is not None:
                yield "conclusion", name, known.conclusion_by
                yield "confirmation", name, known.confirmed_by
                yield "lapse instant", name, known.lapse_by
                yield from (("conclusion", name, position) for position in known.merged_by)
        case "level":
            model, standard = names.model_of(name) or "", names.leaf_of(name)
            yield "level", name, state.level(model, standard).assigned_by
            for threshold in policy.thresholds.values():
                if not threshold.tracked and standard in threshold.asks:
                    asking = state.determination(model, threshold.id)
                    yield from _conclusion(asking)
        case "safeguard":
            yield "activation", name, state.safeguard(name).active_by
            yield "resumption", name, state.safeguard(name).resumed_by
        case "attestation":
            yield "attestation", name, state.safeguard(name).attested_by
        case "exemption":
            use = state.need(name, r.Exemption)
            yield "exception", name, use.opened_by
            known_safeguard = state.find(use.resource, r.Safeguard)
            if known_safeguard is not None:
                yield "activation", use.resource, known_safeguard.active_by
                yield "resumption", use.resource, known_safeguard.resumed_by
                yield "attestation", use.resource, known_safeguard.attested_by
        case "measure":
            yield "interim measure", name, state.need(name, r.InterimMeasure).in_force_by
        case _:
            pass


def _conditions(policy: Policy, state: State, model: str, place: Context) -> Iterator[Fact]:
    """Yield the conclusions by which a commitment that is listed only for some thresholds is not asked for here."""
    for spec in policy.safeguards.values():
        if spec.track == "commitment" and place.id in spec.covers:
            for threshold in spec.for_thresholds:
                known = state.determination(model, threshold)
                if not policy.thresholds[threshold].tracked:
                    yield from _conclusion(known)


def _conclusion(known: r.Determination) -> Iterator[Fact]:
    """Yield what gave a conclusion, and what was merged in it."""
    for position in (known.conclusion_by, *known.merged_by):
        yield "conclusion", known.name, position
