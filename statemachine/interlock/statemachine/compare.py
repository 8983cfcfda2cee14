"""What changed between two moments of one log, by model: for whoever writes the next report. Pure.

Lives here: which resources entries wrote between the two, what they were before and after in one phrase, who signed
meanwhile, and which verdicts differ. Not here: why a verdict is what it is (``tree.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

from interlock.statemachine import moments
from interlock.statemachine import resources as r
from interlock.statemachine.concerned import models_concerned
from interlock.statemachine.explain import explain
from interlock.statemachine.state import State

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy

NOTHING: Final = "-"
"""What a resource was before an entry wrote it first."""

WHOLE_LOG: Final = ""
"""The subject of what is no one model's: shared safeguards, holds on everything, people, policies, documents."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The log after ``position``, judged at ``instant`` (microseconds). Before the founding there is no policy."""

    position: int
    instant: int
    state: State
    policy: Policy | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A resource that entries wrote between the two moments, the last of them at ``position``."""

    kind: str
    resource: str
    before: str
    after: str
    position: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A sign-off between the two moments."""

    change: str
    signer: str
    decision: str
    roles: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Turned:
    """A context in which the gate's verdict differs, with the codes of what was unmet (empty: ALLOW)."""

    context: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None


@dataclass(slots=True)
class Difference:
    """All that changed for one model, or for none (``WHOLE_LOG``), each list in the order of positions."""

    subject: str
    moved: list[Moved] = field(default_factory=list)
    signed: list[Signed] = field(default_factory=list)
    turned: list[Turned] = field(default_factory=list)


def compare(before: Moment, after: Moment) -> tuple[Difference, ...]:
    """Return what changed, by model in the order of names; what is no one model's comes last.

    Raises ValueError where ``before`` lies after ``after``, also with no entry between them: verdicts change with time.
    """
    if before.position > after.position:
        raise ValueError(f"position {before.position} comes after position {after.position}")
    if before.instant > after.instant:
        raise ValueError(f"{moments.to_text(before.instant)} comes after {moments.to_text(after.instant)}")
    found: dict[str, Difference] = {}
    written = sorted((at, name) for name, at in after.state.positions.items() if at > before.position)
    for position, name in written:
        now, then = after.state.items[name], before.state.items.get(name)
        moved = Moved(type(now).__name__.lower(), name, in_words(then) if then else NOTHING, in_words(now), position)
        for subject in models_concerned(after.state, (name,)) or (WHOLE_LOG,):
            of = found.setdefault(subject, Difference(subject))
            of.moved.append(moved)
            if isinstance(now, r.Change):
                of.signed += [
                    Signed(name, row.signer, row.decision, row.roles, row.position)
                    for row in now.sign_offs
                    if row.position > before.position
                ]
    for model in sorted(item.name for item in after.state.all_of(r.Model)):
        if turned := _turned(before, after, model):
            found.setdefault(model, Difference(model)).turned += turned
    for difference in found.values():
        difference.signed.sort(key=lambda row: row.position)
    return tuple(sorted(found.values(), key=lambda row: (row.subject == WHOLE_LOG, row.subject)))


def in_words(resource: r.Resource) -> str:
    """Say in one phrase what a resource is."""
    match resource:
        case r.Model():
            artifacts = f", {len(resource.artifacts)} artifacts" if resource.artifacts else ""
            return f"{resource.state}{artifacts}"
        case r.Determination():
            return resource.state + _until(", lapses", resource.lapses_at)
        case r.Safeguard():
            return resource.state + _until(", attested until", resource.attested_until)
        case r.Level() | r.Assessment() | r.Change() | r.PolicyVersion():
            return resource.state
        case r.Pack():
            return f"{len(resource.data)} bytes"
        case r.Principal():
            keys, revoked = len(resource.credentials), sum(key.state == "revoked" for key in resource.credentials)
            who = f", person {resource.person}" if resource.person else ""
            return f"{resource.state}, {keys} keys{f', {revoked} of them revoked' if revoked else ''}{who}"
        case r.Hold():
            on = "everything" if resource.target == "-" else resource.target
            return f"{resource.state} on {on}"
        case r.Evidence():
            return f"{resource.kind}, {resource.classification}"
        case r.Grant():
            return f"{resource.state}: {resource.principal} {resource.role} on {resource.scope}"
        case r.Delegation():
            return f"{resource.state}: {resource.delegate} for {resource.delegator} as {resource.role}"
        case r.Issuer():
            return f"{resource.state}: {resource.url}"
        case r.Exemption():
            return f"{resource.state}: {resource.resource} for {resource.trigger}{_until(', until', resource.until)}"
        case r.Decision():
            return f"{'ALLOW' if resource.allowed else 'DENY'} for {resource.context}"
        case r.Deployment():
            allowed = "ALLOW" if resource.allowed else "DENY"
            return f"{resource.state} in {resource.context} at {resource.location}, recorded under {allowed}"
        case r.Obligation():
            return f"{len(resource.grids)} grids" if len(resource.grids) > 1 else "one grid"
        case r.Incident():
            return f"{resource.state}, {resource.severity or 'no severity yet'}, {resource.category}"
        case r.Finding():
            return f"{resource.state}, {resource.severity}"
        case r.Period():
            return resource.state + _until(", until", resource.waived_until if resource.state == "waived" else None)
        case r.ErasedText():
            return resource.state
        case r.InterimMeasure():
            stands = f"for {', '.join(resource.safeguards)} in {', '.join(resource.contexts)}"
            return f"{resource.state} {stands}{_until(', until', resource.until)}"
        case r.Log():
            return "closed" if resource.closed else "open"
        case _:
            assert_never(resource)


def _until(word: str, instant: int | None) -> str:
    return f"{word} {moments.to_text(instant)}" if instant else ""


def _turned(before: Moment, after: Moment, model: str) -> list[Turned]:
    """Return the contexts in which the verdict, or why it is DENY, differs."""
    places = {
        place.id: place.artifact_required
        for moment in (before, after)
        if moment.policy is not None
        for place in moment.policy.contexts
    }
    rows = [Turned(context, _codes(before, model, context), _codes(after, model, context)) for context in places]
    return [row for row in rows if row.before != row.after]


def _codes(moment: Moment, model: str, context: str) -> tuple[str, ...] | None:
    """Return the codes of what is unmet, of the newest artifact where one is asked for; None for no such question."""
    place = moment.policy.context(context) if moment.policy is not None else None
    found = moment.state.find(model, r.Model)
    if moment.policy is None or place is None or found is None:
        return None
    artifact = newest_artifact(moment, model) if place.artifact_required else ""
    verdict = explain(moment.policy, moment.state, model, context, artifact, moment.instant)
    return tuple(dict.fromkeys(reason.code.value for reason in verdict.reasons))


def newest_artifact(moment: Moment, model: str) -> str:
    """Return the SHA-256 of the newest artifact that a model had; empty for none."""
    found = moment.state.find(model, r.Model)
    return found.artifacts[-1].sha256 if found is not None and found.artifacts else ""


def before_the_founding(instant: int) -> Moment:
    """Return the moment of a log in which nothing was founded yet."""
    return Moment(r.NEVER, instant, State(), None)
