"""The gate: the ALLOW rule by its numbers, every reason at once (domain design, "The ALLOW rule").

    1 context known · 2 model registered, artifact its own · 3 no hold · 4 determinations confirmed and not lapsed
    5 assigned level >= required · 6 listed commitments active and attested · 7 nothing blocking open · 8 no taint

A verdict is a function of (position, instant) and nothing else: ``state`` is the position, ``instant`` is given.
The serving conditions of rule 1 (clock, ledger) are the server's to add; an answer about the past leaves them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine import moments
from interlock.statemachine import resources as r
from interlock.statemachine.levels import listed_safeguards, required_level
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Context, Policy
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says.

    ``valid_until`` is the first instant at which the verdict could change by time alone (None: never; a DENY never
    turns by time). ``stable_until`` is the first at which even a reason or an advisory could.
    """

    allowed: bool
    reasons: tuple[Unmet, ...]
    advisories: tuple[Unmet, ...]
    valid_until: int | None
    stable_until: int | None


def explain(policy: Policy, state: State, model: str, context: str, artifact: str, instant: int) -> Verdict:
    """Judge a release of ``model`` (with ``artifact``, hex SHA-256 or empty) to ``context`` at ``instant``.

    Raises nothing for unknown names: they are reasons to deny.
    """
    place = policy.context(context)
    found = state.find(model, r.Model)
    if place is None or found is None:  # rules 4 to 6 have nothing to speak of, rule 3 has
        reasons = (*_context(policy, place, context), *_model(place, found, model, artifact), *_holds(state, model))
        return Verdict(allowed=False, reasons=reasons, advisories=(), valid_until=None, stable_until=None)
    safeguards, advisories = _safeguards(policy, state, model, place, instant)
    reasons = (
        *_model(place, found, model, artifact),
        *_holds(state, model),
        *_determinations(state, model, place, instant),
        *_levels(policy, state, model, place),
        *safeguards,
        # Rule 7: these rules have no incidents or findings, and refuse packs with blocking obligations.
        # Rule 8: these rules have no trigger that taints an applied change.
    )
    ends = tuple((end, blocks) for end, blocks in _ends(policy, state, model, place) if end > instant)
    return Verdict(
        allowed=not reasons,
        reasons=reasons,
        advisories=advisories,
        valid_until=None if reasons else min((end for end, blocks in ends if blocks), default=None),
        stable_until=min((end for end, _ in ends), default=None),
    )


def _context(policy: Policy, place: Context | None, context: str) -> Iterator[Unmet]:
    """Rule 1."""
    if place is None:
        known = ", ".join(entry.id for entry in policy.contexts)
        yield Unmet(Code.CONTEXT_UNKNOWN, f"a context of the policy: {known}", f"{context!r} is none", rule=1)


def _model(place: Context | None, model: r.Model | None, name: str, artifact: str) -> Iterator[Unmet]:
    """Rule 2."""
    if model is None:
        yield Unmet(Code.MODEL_UNKNOWN, "a registered model", "no such model", name, rule=2)
        return
    if model.state != "registered":
        yield Unmet(Code.MODEL_RETIRED, "a registered model", model.state, model.name, rule=2)
    if place is not None and place.artifact_required and not artifact:
        yield Unmet(
            Code.ARTIFACT_REQUIRED,
            f"an artifact digest: context {place.id} asks for one",
            "none named",
            model.name,
            rule=2,
        )
    if artifact and artifact not in {own.sha256 for own in model.artifacts}:
        yield Unmet(
            Code.ARTIFACT_UNKNOWN,
            f"an artifact of {model.name}",
            "not one of its own",
            f"{model.name}/artifacts/{artifact}",
            rule=2,
        )


def _holds(state: State, model: str) -> Iterator[Unmet]:
    """Rule 3."""
    for name in state.holds_on(model):
        hold = state.need(name, r.Hold)
        what = "everything" if hold.target != model else model
        actual = f"placed on {what} since {moments.to_text(hold.placed_at)} by {hold.placed_actor}"
        yield Unmet(Code.HOLD_PLACED, "no hold on it or on everything", actual, name, rule=3)


def _determinations(state: State, model: str, place: Context, instant: int) -> Iterator[Unmet]:
    """Rule 4: in the context's order."""
    for threshold in place.thresholds:
        known = state.determination(model, threshold)
        wish = f"{threshold} determined, confirmed and not lapsed"
        if known.conclusion == "undetermined":
            yield Unmet(Code.DETERMINATION_MISSING, wish, "undetermined", known.name, rule=4)
        elif not known.confirmed:
            actual = f"{known.conclusion}, reported and not confirmed"
            yield Unmet(Code.DETERMINATION_UNCONFIRMED, wish, actual, known.name, rule=4)
        elif known.lapsed_at(instant):
            actual = f"{known.conclusion}, lapsed at {moments.to_text(known.lapses_at or 0)}"
            yield Unmet(Code.DETERMINATION_LAPSED, wish, actual, known.name, rule=4)


def _levels(policy: Policy, state: State, model: str, place: Context) -> Iterator[Unmet]:
    """Rule 5: a level id that this policy does not know counts as unassigned."""
    for standard in policy.standards.values():
        if place.id not in standard.applies_in:
            continue
        level = state.level(model, standard.id)
        required = required_level(policy, state, model, standard.id)
        wish = f"{standard.id} level {required} or above"
        assigned = policy.level(level.assigned) if level.assigned else None
        if assigned is None:
            yield Unmet(Code.LEVEL_UNASSIGNED, wish, "unassigned", level.name, rule=5)
        elif assigned.index < policy.level_index(required):
            yield Unmet(
                Code.LEVEL_TOO_LOW,
                wish,
                f"{level.assigned} ({level.kind}), below {required}",
                level.name,
                rule=5,
            )


def _safeguards(
    policy: Policy, state: State, model: str, place: Context, instant: int
) -> tuple[tuple[Unmet, ...], tuple[Unmet, ...]]:
    """Rule 6: commitments block, recommendations are advisories and nothing else."""
    blocking: list[Unmet] = []
    advisory: list[Unmet] = []
    for spec, name in listed_safeguards(policy, state, model, place.id):
        known = state.safeguard(name)
        into = blocking if spec.track == "commitment" else advisory
        wish = f"{spec.id} active and attested ({spec.standard} {spec.level})"
        if known.stage != "active":
            since = f" since {moments.to_text(known.since)} by {known.since_actor}" if known.since_actor else ""
            into.append(Unmet(Code.SAFEGUARD_NOT_ACTIVE, wish, f"{known.state}{since}", name, rule=6))
        if known.stage in {"active", "degraded"} and (known.attested_until is None or instant >= known.attested_until):
            actual = f"attestation ended at {moments.to_text(known.attested_until or 0)}"
            into.append(Unmet(Code.ATTESTATION_ENDED, wish, actual, name, rule=6))
    return tuple(blocking), tuple(advisory)


def _ends(policy: Policy, state: State, model: str, place: Context) -> Iterator[tuple[int, bool]]:
    """Yield every instant at which time alone changes what rules 4 and 6 read, and whether it can turn the verdict."""
    for threshold in place.thresholds:
        known = state.determination(model, threshold)
        if known.confirmed and known.lapses_at is not None:
            yield known.lapses_at, True
    for spec, name in listed_safeguards(policy, state, model, place.id):
        until = state.safeguard(name).attested_until
        if until is not None:
            yield until, spec.track == "commitment"
