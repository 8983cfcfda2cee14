"""The ALLOW rule taken apart: one leaf for every thing that a verdict asks for (domain design, "The ALLOW rule").

The one source of verdict and requirement tree: ``explain.py`` sums the leaves up, ``tree.py`` shows where each comes
from. A leaf says what is asked, which fact it read, and whether that is met; words for what is met are the tree's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine import excepting, moments
from interlock.statemachine import resources as r
from interlock.statemachine.blocking import open_duties, open_matters
from interlock.statemachine.leaf import Leaf
from interlock.statemachine.levels import listed_safeguards, required_level
from interlock.statemachine.resting import REQUIREMENT, find_tainted
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Context, Policy
    from interlock.statemachine.state import State


def find_leaves(policy: Policy, state: State, model: str, context: str, artifact: str, instant: int) -> Iterator[Leaf]:
    """Yield everything that a release of ``model`` (with ``artifact``, hex SHA-256 or empty) to ``context`` asks for.

    In the order of the rules. For an unknown context or model rules 4 to 6 have nothing to speak of, the others have.
    """
    leaves = _find_leaves(policy, state, model, context, artifact, instant)
    if not state.tainted:
        return leaves
    return _with_taint(policy, state, model, policy.context(context), tuple(leaves))


def _with_taint(
    policy: Policy, state: State, model: str, place: Context | None, leaves: tuple[Leaf, ...]
) -> Iterator[Leaf]:
    """Rule 8, which is about what the leaves of the others read."""
    yield from leaves
    for resource, position, unmet in find_tainted(policy, state, model, place, leaves):
        yield Leaf(8, "taint", REQUIREMENT, resource, unmet, entry=position)


def _find_leaves(policy: Policy, state: State, model: str, context: str, artifact: str, instant: int) -> Iterator[Leaf]:
    """Rules 1 to 7."""
    place = policy.context(context)
    found = state.find(model, r.Model)
    yield _context(policy, place, context)
    yield from _model(place, found, model, artifact)
    yield from _holds(policy, state, model, instant)
    if place is not None and found is not None:
        yield from _determinations(state, model, place, instant)
        yield from _levels(policy, state, model, place)
        yield from _safeguards(policy, state, model, place, instant)
    yield from open_matters(policy, state, model)
    yield from open_duties(policy, state, instant)


def _context(policy: Policy, place: Context | None, context: str) -> Leaf:
    """Rule 1."""
    if place is not None:
        return Leaf(1, "context", "a context of the policy", context)
    known = ", ".join(entry.id for entry in policy.contexts)
    wish = f"a context of the policy: {known}"
    return Leaf(
        1, "context", wish, context, Unmet(Code.CONTEXT_UNKNOWN, wish, f"{context!r} is none", policy.name, rule=1)
    )


def _model(place: Context | None, model: r.Model | None, name: str, artifact: str) -> Iterator[Leaf]:
    """Rule 2."""
    wish = "a registered model"
    if model is None:
        yield Leaf(2, "model", wish, name, Unmet(Code.MODEL_UNKNOWN, wish, "no such model", name, rule=2))
        return
    retired = Unmet(Code.MODEL_RETIRED, wish, model.state, name, rule=2) if model.state != "registered" else None
    yield Leaf(2, "model", wish, name, retired)
    if artifact:
        wish, resource = f"an artifact of {name}", f"{name}/artifacts/{artifact}"
        unknown = None
        if artifact not in {own.sha256 for own in model.artifacts}:
            unknown = Unmet(Code.ARTIFACT_UNKNOWN, wish, "not one of its own", resource, rule=2)
        yield Leaf(2, "artifact", wish, resource, unknown)
    elif place is not None and place.artifact_required:
        wish = f"an artifact digest: context {place.id} asks for one"
        yield Leaf(2, "artifact", wish, name, Unmet(Code.ARTIFACT_REQUIRED, wish, "none named", name, rule=2))


def _holds(policy: Policy, state: State, model: str, instant: int) -> Iterator[Leaf]:
    """Rule 3: a leaf for every hold that is placed, excepted for a while or not, or one that says that none is."""
    wish = "no hold on it or on everything"
    placed = state.holds_on(model)
    if not placed:
        yield Leaf(3, "hold", wish, model)
    for name in placed:
        exemption = excepting.in_force(policy, state, name, instant)
        if exemption is not None:
            yield from excepting.leaves_of(exemption, 3, wish, exemption.until)
            continue
        hold = state.need(name, r.Hold)
        what = "everything" if hold.target != model else model
        actual = f"placed on {what} since {moments.to_text(hold.placed_at)} by {hold.placed_actor}"
        yield Leaf(3, "hold", wish, name, Unmet(Code.HOLD_PLACED, wish, actual, name, rule=3))


def _determinations(state: State, model: str, place: Context, instant: int) -> Iterator[Leaf]:
    """Rule 4: in the context's order."""
    for threshold in place.thresholds:
        known = state.determination(model, threshold)
        wish = f"{threshold} determined, confirmed and not lapsed"
        unmet = None
        if known.conclusion == "undetermined":
            unmet = Unmet(Code.DETERMINATION_MISSING, wish, "undetermined", known.name, rule=4)
        elif not known.confirmed:
            actual = f"{known.conclusion}, reported and not confirmed"
            unmet = Unmet(Code.DETERMINATION_UNCONFIRMED, wish, actual, known.name, rule=4)
        elif known.lapsed_at(instant):
            actual = f"{known.conclusion}, lapsed at {moments.to_text(known.lapses_at or 0)}"
            unmet = Unmet(Code.DETERMINATION_LAPSED, wish, actual, known.name, rule=4)
        yield Leaf(4, "determination", wish, known.name, unmet, None if unmet else known.lapses_at)


def _levels(policy: Policy, state: State, model: str, place: Context) -> Iterator[Leaf]:
    """Rule 5: a level id that this policy does not know counts as unassigned."""
    for standard in policy.standards.values():
        if place.id not in standard.applies_in:
            continue
        level = state.level(model, standard.id)
        required = required_level(policy, state, model, standard.id)
        wish = f"{standard.id} level {required} or above"
        assigned = policy.level(level.assigned) if level.assigned else None
        unmet = None
        if assigned is None:
            unmet = Unmet(Code.LEVEL_UNASSIGNED, wish, "unassigned", level.name, rule=5)
        elif assigned.index < policy.level_index(required):
            actual = f"{level.assigned} ({level.kind}), below {required}"
            unmet = Unmet(Code.LEVEL_TOO_LOW, wish, actual, level.name, rule=5)
        yield Leaf(5, "level", wish, level.name, unmet)


def _safeguards(policy: Policy, state: State, model: str, place: Context, instant: int) -> Iterator[Leaf]:
    """Rule 6: that it is active, and where it is or was, that its attestation lasts; or that a measure stands in.

    Recommendations never block.
    """
    for spec, name in listed_safeguards(policy, state, model, place.id):
        known = state.safeguard(name)
        blocking = spec.track == "commitment"
        wish = f"{spec.id} active and attested ({spec.standard} {spec.level})"
        exemption = excepting.in_force(policy, state, name, instant)
        attests = known.stage in {"active", "degraded"} or exemption is not None
        until = known.attested_to(spec.attested_for_us) if attests else None
        attested = until is not None and instant < until
        active = known.stage == "active" and attested
        last = _last_measure(state, state.measures_for(model, place.id, spec.id), instant)
        stands_in = last if last is not None and last.holds_at(instant) else None
        if active and stands_in is not None and stands_in.in_force_by in state.tainted:
            stands_in = None
        if exemption is not None and attested:
            over = _excepted_to(state, exemption, known, until or 0, stands_in)
            if over is not None:
                yield from excepting.leaves_of(exemption, 6, wish, over, blocking=blocking)
                continue
        if stands_in is not None and not (active and _is_firm(state, known)):
            yield from _stood_in_for(name, stands_in, wish, blocking=blocking)
            continue
        gone = f"; {last.name} stood in until {moments.to_text(last.until)}" if last is not None else ""
        unmet = None
        if known.stage != "active":
            since = f" since {moments.to_text(known.since)} by {known.since_actor}" if known.since_actor else ""
            unmet = Unmet(Code.SAFEGUARD_NOT_ACTIVE, wish, f"{known.state}{since}{gone}", name, rule=6)
        yield Leaf(6, "safeguard", wish, name, unmet, None, blocking)
        if attested:
            ends = until if stands_in is None else max(until or 0, stands_in.until)
            yield Leaf(6, "attestation", wish, name, None, ends, blocking)
        elif known.stage in {"active", "degraded"}:
            unmet = Unmet(
                Code.ATTESTATION_ENDED, wish, f"attestation ended at {moments.to_text(until or 0)}{gone}", name, rule=6
            )
            yield Leaf(6, "attestation", wish, name, unmet, None, blocking)


def _stood_in_for(name: str, measure: r.InterimMeasure, wish: str, *, blocking: bool) -> Iterator[Leaf]:
    """Yield that a measure meets the rule up to its end, and, as of an exception, an advisory that it is by this."""
    yield Leaf(6, "measure", wish, measure.name, None, measure.until, blocking)
    actual = f"stood in for until {moments.to_text(measure.until)} by {measure.name}"
    told = Unmet(Code.INTERIM_MEASURE, wish, actual, name, rule=6)
    yield Leaf(6, "measure", wish, measure.name, told, None, blocking=False)


def _excepted_to(
    state: State, exemption: r.Exemption, known: r.Safeguard, attested: int, stands_in: r.InterimMeasure | None
) -> int | None:
    """Return up to when a safeguard counts by its exception, the measure beside it told in; None for by the measure.

    What a tainted change gave counts for nothing beside what none did, as of two measures.
    """
    over = min(exemption.until, attested)
    if stands_in is None or stands_in.in_force_by in state.tainted:
        return over
    firm = exemption.opened_by not in state.tainted and _is_firm(state, known)
    return max(over, stands_in.until) if firm else None


def _is_firm(state: State, known: r.Safeguard) -> bool:
    """Say whether no tainted change made a safeguard what it is."""
    return not any(at in state.tainted for at in (known.active_by, known.attested_by, known.resumed_by))


def _last_measure(state: State, measures: tuple[r.InterimMeasure, ...], instant: int) -> r.InterimMeasure | None:
    """Return the measure that stands in longest, or else the one that lasted longest; each began when put in force.

    One of a tainted change counts for nothing beside another: time alone would else allow what is denied now.
    """
    if not measures:
        return None
    holding = tuple(measure for measure in measures if measure.holds_at(instant))
    firm = tuple(measure for measure in holding if measure.in_force_by not in state.tainted)
    return max(firm or holding or measures, key=lambda measure: measure.until)
