"""Random things to do: triggers with arguments, known and unknown; and the change that would mend what the gate says.

``draw`` is Hypothesis's ``data.draw``; nothing here decides what is right.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.levels import required_level
from interlock.statemachine.machines.fire import fire
from interlock.statemachine.machines.step import Moment
from interlock.statemachine.names import determination_name, leaf_of, level_name, safeguard_name
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.triggers import DIRECTIONS, Direction
from interlock.statemachine.unmet import Code, Refused
from tests.properties.watched import ARTIFACTS, MODELS
from tests.support.world import DAY_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.unmet import Unmet
    from tests.support.world import World

Draw = Any
"""``data.draw``: its own type is private to Hypothesis."""

CONCLUSIONS = ("ruled_out", "cannot_rule_out", "reached")
SPANS = (1, 3_600_000_000, 20 * DAY_US, 60 * DAY_US, 100 * DAY_US, 400 * DAY_US)


def names_of(world: World, kind: type[r.Resource], *more: str) -> list[str]:
    """Return the names of all resources of a kind, and some that may not exist."""
    return [*sorted(item.name for item in world.state.all_of(kind)), *more]


def a_model(draw: Draw) -> str:
    """Draw a model; mostly one of the two that the tests use."""
    return str(draw(st.sampled_from((*MODELS, *MODELS, *MODELS, "models/never"))))


def a_determination(draw: Draw, policy: Policy) -> str:
    """Draw the name of a determination."""
    return (
        f"{a_model(draw)}/determinations/{draw(st.sampled_from([*policy.thresholds, *policy.thresholds, 'nothing']))}"
    )


def a_level(draw: Draw, policy: Policy) -> str:
    """Draw the name of a level in a standard."""
    return f"{a_model(draw)}/levels/{draw(st.sampled_from([*policy.standards, *policy.standards, 'nothing']))}"


def a_safeguard(draw: Draw, policy: Policy) -> str:
    """Draw the name of a safeguard, sometimes of the wrong scope."""
    known = draw(st.sampled_from(list(policy.safeguards.values())))
    shared = known.shared is not draw(st.integers(0, 9).map(lambda n: n == 0))
    return safeguard_name(a_model(draw), draw(st.sampled_from([*[known.id] * 9, "nothing"])), shared=shared)


def some_evidence(draw: Draw, world: World) -> tuple[str, ...]:
    """Draw a few documents; mostly recorded ones."""
    known = names_of(world, r.Evidence)
    if not known or draw(st.integers(0, 19)) == 0:
        return ("evidence/99",)
    return tuple(draw(st.lists(st.sampled_from(known), max_size=3, unique=True)))


def _to(make: Callable[..., c.Firing], name: str, draw: Draw, policy: Policy) -> c.Firing:
    return make(name, draw(st.sampled_from([*(level.id for level in policy.levels), "nothing"])))


def a_firing(draw: Draw, world: World, kinds: tuple[type[c.Firing], ...] | None = None) -> c.Firing:
    """Draw a trigger with arguments."""
    policy = world.policy
    kind: Any = draw(st.sampled_from(list(MAKERS) if kinds is None else kinds))
    firing: c.Firing = MAKERS[kind](draw, world, policy)
    return firing


MAKERS: dict[type, Callable[[Draw, World, Policy], c.Firing]] = {
    c.ModelRegister: lambda draw, _w, _p: c.ModelRegister(
        a_model(draw), tuple(draw(st.lists(st.sampled_from(ARTIFACTS), max_size=2, unique=True)))
    ),
    c.ModelRetire: lambda draw, _w, _p: c.ModelRetire(a_model(draw)),
    c.ModelAddArtifact: lambda draw, _w, _p: c.ModelAddArtifact(a_model(draw), draw(st.sampled_from(ARTIFACTS))),
    c.ModelRecordRun: lambda draw, w, _p: c.ModelRecordRun(
        a_model(draw), draw(st.sampled_from(names_of(w, r.Evidence, "evidence/99")))
    ),
    c.DeterminationReport: lambda draw, w, p: c.DeterminationReport(
        a_determination(draw, p),
        draw(st.sampled_from(CONCLUSIONS)),
        draw(st.sampled_from(["", "", *names_of(w, r.Assessment)])),
    ),
    c.DeterminationConfirm: lambda draw, _w, p: c.DeterminationConfirm(a_determination(draw, p)),
    c.DeterminationRuleOut: lambda draw, _w, p: c.DeterminationRuleOut(a_determination(draw, p)),
    c.AssessmentOpen: lambda draw, _w, p: c.AssessmentOpen(
        a_model(draw), tuple(draw(st.lists(st.sampled_from(list(p.thresholds)), min_size=1, unique=True)))
    ),
    c.AssessmentConclude: lambda draw, w, _p: c.AssessmentConclude(
        draw(st.sampled_from(names_of(w, r.Assessment, "assessments/99"))),
        tuple(draw(st.lists(st.integers(2, 9).map("entries/{}".format), max_size=1))),
    ),
    c.AssessmentAbandon: lambda draw, w, _p: c.AssessmentAbandon(
        draw(st.sampled_from(names_of(w, r.Assessment, "assessments/99")))
    ),
    c.LevelAssign: lambda draw, _w, p: _to(c.LevelAssign, a_level(draw, p), draw, p),
    c.LevelRaise: lambda draw, _w, p: _to(c.LevelRaise, a_level(draw, p), draw, p),
    c.LevelLower: lambda draw, _w, p: _to(c.LevelLower, a_level(draw, p), draw, p),
    c.LevelConfirm: lambda draw, _w, p: c.LevelConfirm(a_level(draw, p)),
    c.SafeguardStart: lambda draw, _w, p: c.SafeguardStart(a_safeguard(draw, p)),
    c.SafeguardVerify: lambda draw, w, p: c.SafeguardVerify(a_safeguard(draw, p), some_evidence(draw, w)),
    c.SafeguardActivate: lambda draw, _w, p: c.SafeguardActivate(a_safeguard(draw, p)),
    c.SafeguardReattest: lambda draw, w, p: c.SafeguardReattest(a_safeguard(draw, p), some_evidence(draw, w)),
    c.SafeguardDegrade: lambda draw, _w, p: c.SafeguardDegrade(a_safeguard(draw, p)),
    c.SafeguardRestore: lambda draw, _w, p: c.SafeguardRestore(a_safeguard(draw, p)),
    c.SafeguardSuspend: lambda draw, _w, p: c.SafeguardSuspend(a_safeguard(draw, p)),
    c.SafeguardResume: lambda draw, _w, p: c.SafeguardResume(a_safeguard(draw, p)),
    c.SafeguardRetire: lambda draw, _w, p: c.SafeguardRetire(a_safeguard(draw, p)),
    c.SafeguardReplan: lambda draw, _w, p: c.SafeguardReplan(a_safeguard(draw, p)),
    c.HoldPlace: lambda draw, _w, _p: c.HoldPlace(draw(st.sampled_from((*MODELS, EVERYTHING, "models/never")))),
    c.HoldLift: lambda draw, w, _p: c.HoldLift(draw(st.sampled_from(names_of(w, r.Hold, "holds/99")))),
    c.DeploymentRecord: lambda draw, w, p: c.DeploymentRecord(
        a_model(draw),
        draw(st.sampled_from([*(place.id for place in p.contexts), "nowhere"])),
        draw(st.sampled_from(["", *ARTIFACTS])),
        "cluster-a/eu-west",
        draw(st.sampled_from(["", "", *names_of(w, r.Decision, "decisions/99")])),
    ),
    c.DeploymentEnd: lambda draw, w, _p: c.DeploymentEnd(
        draw(st.sampled_from(names_of(w, r.Deployment, "deployments/99")))
    ),
}
"""How each trigger is drawn."""

LOOSENING = (
    c.ModelAddArtifact, c.DeterminationConfirm, c.DeterminationRuleOut, c.LevelAssign, c.LevelRaise, c.LevelLower,
    c.SafeguardActivate, c.SafeguardReattest, c.SafeguardRestore, c.SafeguardResume, c.HoldLift,
)  # fmt: skip
"""The triggers that random changes are mostly made of."""


def possible(world: World, *, loosening: bool) -> list[c.Firing]:
    """Return every ↑ trigger, or every other one, that would fire now on what is there."""
    moment = Moment(world.policy, max(world.now, world.state.time + 1), "principals/someone")
    return [
        firing
        for firing in _thinkable(world)
        if (DIRECTIONS[firing.trigger] is Direction.LOOSENS) is loosening
        and not isinstance(fire(moment, world.state, firing), Refused)
    ]


def _thinkable(world: World) -> Iterator[c.Firing]:
    """Yield triggers on what is there; what ends most of it comes last, for early choices are made more often."""
    policy, documents = world.policy, names_of(world, r.Evidence)[-2:]
    models = names_of(world, r.Model)
    unshared = [spec.id for spec in policy.safeguards.values() if not spec.shared]
    own = {safeguard_name(model, spec, shared=False) for model, spec in product(models, unshared)}
    shared = {safeguard_name("", spec.id, shared=True) for spec in policy.safeguards.values() if spec.shared}
    for name in sorted(shared | own):
        yield from (c.SafeguardDegrade(name), c.SafeguardSuspend(name), c.SafeguardRestore(name))
        yield from (c.SafeguardResume(name), c.SafeguardReattest(name, tuple(documents)), c.SafeguardActivate(name))
        yield from (c.SafeguardVerify(name, tuple(documents)), c.SafeguardStart(name), c.SafeguardReplan(name))
        yield c.SafeguardRetire(name)
    for model, threshold in product(models, policy.thresholds):
        name = determination_name(model, threshold)
        yield from (c.DeterminationReport(name, conclusion) for conclusion in CONCLUSIONS)
        yield from (c.DeterminationConfirm(name), c.DeterminationRuleOut(name))
    for model, standard in product(models, policy.standards):
        name = level_name(model, standard)
        yield c.LevelConfirm(name)
        for level in policy.levels:
            yield from (c.LevelRaise(name, level.id), c.LevelLower(name, level.id), c.LevelAssign(name, level.id))
    yield from (c.HoldLift(hold) for hold in names_of(world, r.Hold))
    for name in names_of(world, r.Assessment):
        yield from (c.AssessmentConclude(name), c.AssessmentAbandon(name))
    for model in models:
        yield from (c.ModelRecordRun(model, document) for document in documents)
        yield from (c.ModelAddArtifact(model, artifact) for artifact in ARTIFACTS)
        yield from (c.DeploymentRecord(model, place.id, ARTIFACTS[0], "cluster-a") for place in policy.contexts)
        yield from (c.AssessmentOpen(model, tuple(policy.thresholds)), c.HoldPlace(model), c.ModelRetire(model))
    yield from (c.DeploymentEnd(deployment) for deployment in names_of(world, r.Deployment))
    yield c.HoldPlace(EVERYTHING)


def mending(world: World, model: str, context: str, document: Callable[[str], str]) -> list[c.Firing]:
    """Return triggers that mend what the gate says of a model; ``document`` gives fresh evidence of a kind."""
    firings: list[c.Firing] = []
    for reason in world.verdict(model, context).reasons:
        firings += _mend(world, reason, document)
    return firings


def _mend(world: World, reason: Unmet, document: Callable[[str], str]) -> list[c.Firing]:
    name = reason.resource
    match reason.code:
        case Code.MODEL_UNKNOWN:
            return [c.ModelRegister(name, ARTIFACTS[:1])] if name in MODELS else []
        case Code.DETERMINATION_MISSING | Code.DETERMINATION_LAPSED:
            return [c.DeterminationRuleOut(name)]
        case Code.DETERMINATION_UNCONFIRMED:
            return [c.DeterminationConfirm(name)]
        case Code.LEVEL_UNASSIGNED | Code.LEVEL_TOO_LOW:
            wanted = required_level(world.policy, world.state, name.split("/levels/")[0], leaf_of(name))
            return [(c.LevelAssign if reason.code is Code.LEVEL_UNASSIGNED else c.LevelRaise)(name, wanted)]
        case Code.HOLD_PLACED:
            return [c.HoldLift(name)]
        case Code.SAFEGUARD_NOT_ACTIVE | Code.ATTESTATION_ENDED:
            return _mend_safeguard(world, name, reason.code, document)
        case _:
            return []


def _mend_safeguard(world: World, name: str, code: Code, document: Callable[[str], str]) -> list[c.Firing]:
    needs = world.policy.safeguards[leaf_of(name)].verify_with
    stage = world.state.safeguard(name).stage
    if stage in {"degraded", "suspended"} and code is Code.SAFEGUARD_NOT_ACTIVE:
        return [c.SafeguardRestore(name) if stage == "degraded" else c.SafeguardResume(name)]
    documents = tuple(dict.fromkeys(document(need.kind) for need in needs))
    if code is Code.ATTESTATION_ENDED:
        return [c.SafeguardReattest(name, documents)]
    steps: list[c.Firing] = [c.SafeguardReplan(name)] if stage in {"retired", "verified"} else []
    steps += [c.SafeguardStart(name)] if stage != "implementing" else []
    return [*steps, c.SafeguardVerify(name, documents), c.SafeguardActivate(name)]
