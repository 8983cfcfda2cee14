"""Random things to do: triggers with arguments, known and unknown; and the change that would mend what the gate says.

``draw`` is Hypothesis's ``data.draw``; nothing here decides what is right.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.levels import required_level
from interlock.statemachine.machines.fire import fire
from interlock.statemachine.machines.step import Moment
from interlock.statemachine.names import (
    credential_name,
    determination_name,
    leaf_of,
    level_name,
    safeguard_name,
)
from interlock.statemachine.owed import spec_of, unfulfilled
from interlock.statemachine.ruling import direction_at
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.triggers import Direction
from interlock.statemachine.unmet import Code, Refused
from tests.properties.watched import ARTIFACTS, MODELS
from tests.support.log_keys import rotation
from tests.support.world import DAY_US, LOG_ID, public_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.unmet import Unmet
    from tests.support.world import World

Draw = Any
"""``data.draw``: its own type is private to Hypothesis."""

SPARE = ("principals/owner-b", "principals/reviewer-b", "principals/owner-of-m", "principals/requester")
"""Accounts that tests here can do without."""

NEWCOMERS = ("principals/newcomer", "principals/new-bot")
"""Accounts that no founding made."""

LOG_KEYS = ("log", "second", "third", "fourth")
"""The log's first key, and others that it may come to have, by their words."""

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


def a_spare_account(draw: Draw, world: World) -> str:
    """Draw an account that the tests can do without, now and then one that there is none of."""
    spare = [name for name in (*SPARE, *NEWCOMERS) if name in world.state.items]
    return str(draw(st.sampled_from([*spare, *spare, "principals/never", "principals/recovery-1"])))


def a_recovery_account(draw: Draw, world: World) -> str:
    """Draw a member of the recovery quorum, now and then somebody else."""
    members = [account.name for account in world.state.all_of(r.Principal) if account.recovery]
    return str(draw(st.sampled_from([*members, *members, "principals/never", "principals/owner-a"])))


def a_recovery_key(draw: Draw, world: World) -> str:
    """Draw a key of such an account."""
    owner = a_recovery_account(draw, world)
    account = world.state.find(owner, r.Principal)
    keys = [key.fingerprint for key in account.credentials] if account is not None else []
    return credential_name(owner, draw(st.sampled_from([*keys, "0" * 64])))


def log_key_of(world: World) -> str:
    """Return the word for the log's key in force; the first for a log whose keys nobody here has."""
    return next((word for word in LOG_KEYS if public_of(word, "log") == world.state.log.log_key), LOG_KEYS[0])


def a_rotation(draw: Draw, world: World) -> f.Firing:
    """Draw another key of the log, now and then one that it had, or without a word that holds."""
    old = log_key_of(world)
    said = draw(st.sampled_from([old, old, old, *LOG_KEYS]))
    firing = rotation(draw(st.sampled_from(LOG_KEYS)), said, proven_in=world.state.log.log_id)
    return replace(firing, proof=bytes(64)) if draw(st.integers(0, 9)) == 0 else firing


def a_key(draw: Draw, world: World) -> str:
    """Draw a key of such an account."""
    owner = a_spare_account(draw, world)
    account = world.state.find(owner, r.Principal)
    keys = [key.fingerprint for key in account.credentials] if account is not None else []
    return credential_name(owner, draw(st.sampled_from([*keys, "0" * 64])))


def a_registration(draw: Draw, world: World) -> f.Firing:
    """Draw a new key of such an account; now and then without a proof that holds."""
    who = a_spare_account(draw, world).removeprefix("principals/")
    use, word = draw(st.sampled_from(["login", "signoff"])), draw(st.sampled_from(["", "-2", "-3"]))
    firing = world.registration(who, use, word=word, replaces=draw(st.sampled_from(["", "", "-", "-2"])))
    return replace(firing, proof=bytes(64)) if draw(st.integers(0, 9)) == 0 else firing


def a_grant(draw: Draw, world: World) -> str:
    """Draw a role of such an account."""
    return str(draw(st.sampled_from([*(g.name for name in SPARE for g in world.state.grants(name)), "grants/999"])))


def some_evidence(draw: Draw, world: World) -> tuple[str, ...]:
    """Draw a few documents; mostly recorded ones."""
    known = names_of(world, r.Evidence)
    if not known or draw(st.integers(0, 19)) == 0:
        return ("evidence/99",)
    return tuple(draw(st.lists(st.sampled_from(known), max_size=3, unique=True)))


def _to(make: Callable[..., f.Firing], name: str, draw: Draw, policy: Policy) -> f.Firing:
    return make(name, draw(st.sampled_from([*(level.id for level in policy.levels), "nothing"])))


def a_firing(draw: Draw, world: World, kinds: tuple[type[f.Firing], ...] | None = None) -> f.Firing:
    """Draw a trigger with arguments."""
    policy = world.policy
    kind: Any = draw(st.sampled_from(list(MAKERS) if kinds is None else kinds))
    firing: f.Firing = MAKERS[kind](draw, world, policy)
    return firing


MAKERS: dict[type, Callable[[Draw, World, Policy], f.Firing]] = {
    f.ModelRegister: lambda draw, _w, _p: f.ModelRegister(
        a_model(draw), tuple(draw(st.lists(st.sampled_from(ARTIFACTS), max_size=2, unique=True)))
    ),
    f.ModelRetire: lambda draw, _w, _p: f.ModelRetire(a_model(draw)),
    f.ModelAddArtifact: lambda draw, _w, _p: f.ModelAddArtifact(a_model(draw), draw(st.sampled_from(ARTIFACTS))),
    f.ModelRecordRun: lambda draw, w, _p: f.ModelRecordRun(
        a_model(draw), draw(st.sampled_from(names_of(w, r.Evidence, "evidence/99")))
    ),
    f.DeterminationReport: lambda draw, w, p: f.DeterminationReport(
        a_determination(draw, p),
        draw(st.sampled_from(CONCLUSIONS)),
        draw(st.sampled_from(["", "", *names_of(w, r.Assessment)])),
    ),
    f.DeterminationConfirm: lambda draw, _w, p: f.DeterminationConfirm(a_determination(draw, p)),
    f.DeterminationRuleOut: lambda draw, _w, p: f.DeterminationRuleOut(a_determination(draw, p)),
    f.AssessmentOpen: lambda draw, _w, p: f.AssessmentOpen(
        a_model(draw), tuple(draw(st.lists(st.sampled_from(list(p.thresholds)), min_size=1, unique=True)))
    ),
    f.AssessmentConclude: lambda draw, w, _p: f.AssessmentConclude(
        draw(st.sampled_from(names_of(w, r.Assessment, "assessments/99"))),
        tuple(draw(st.lists(st.integers(2, 9).map("entries/{}".format), max_size=1))),
    ),
    f.AssessmentAbandon: lambda draw, w, _p: f.AssessmentAbandon(
        draw(st.sampled_from(names_of(w, r.Assessment, "assessments/99")))
    ),
    f.LevelAssign: lambda draw, _w, p: _to(f.LevelAssign, a_level(draw, p), draw, p),
    f.LevelRaise: lambda draw, _w, p: _to(f.LevelRaise, a_level(draw, p), draw, p),
    f.LevelLower: lambda draw, _w, p: _to(f.LevelLower, a_level(draw, p), draw, p),
    f.LevelConfirm: lambda draw, _w, p: f.LevelConfirm(a_level(draw, p)),
    f.SafeguardStart: lambda draw, _w, p: f.SafeguardStart(a_safeguard(draw, p)),
    f.SafeguardVerify: lambda draw, w, p: f.SafeguardVerify(a_safeguard(draw, p), some_evidence(draw, w)),
    f.SafeguardActivate: lambda draw, _w, p: f.SafeguardActivate(a_safeguard(draw, p)),
    f.SafeguardReattest: lambda draw, w, p: f.SafeguardReattest(a_safeguard(draw, p), some_evidence(draw, w)),
    f.SafeguardDegrade: lambda draw, _w, p: f.SafeguardDegrade(a_safeguard(draw, p)),
    f.SafeguardRestore: lambda draw, _w, p: f.SafeguardRestore(a_safeguard(draw, p)),
    f.SafeguardSuspend: lambda draw, _w, p: f.SafeguardSuspend(a_safeguard(draw, p)),
    f.SafeguardResume: lambda draw, _w, p: f.SafeguardResume(a_safeguard(draw, p)),
    f.SafeguardRetire: lambda draw, _w, p: f.SafeguardRetire(a_safeguard(draw, p)),
    f.SafeguardReplan: lambda draw, _w, p: f.SafeguardReplan(a_safeguard(draw, p)),
    f.HoldPlace: lambda draw, _w, _p: f.HoldPlace(draw(st.sampled_from((*MODELS, EVERYTHING, "models/never")))),
    f.HoldLift: lambda draw, w, _p: f.HoldLift(draw(st.sampled_from(names_of(w, r.Hold, "holds/99")))),
    f.DeploymentRecord: lambda draw, w, p: f.DeploymentRecord(
        a_model(draw),
        draw(st.sampled_from([*(place.id for place in p.contexts), "nowhere"])),
        draw(st.sampled_from(["", *ARTIFACTS])),
        "cluster-a/eu-west",
        draw(st.sampled_from(["", "", *names_of(w, r.Decision, "decisions/99")])),
    ),
    f.DeploymentEnd: lambda draw, w, _p: f.DeploymentEnd(
        draw(st.sampled_from(names_of(w, r.Deployment, "deployments/99")))
    ),
    f.PrincipalSuspend: lambda draw, w, _p: f.PrincipalSuspend(a_spare_account(draw, w)),
    f.PrincipalRemove: lambda draw, w, _p: f.PrincipalRemove(a_spare_account(draw, w)),
    f.CredentialRevoke: lambda draw, w, _p: f.CredentialRevoke(
        a_key(draw, w), draw(st.sampled_from([0, 0, 1, max(1, w.state.time), w.state.time + DAY_US]))
    ),
    f.GrantEnd: lambda draw, w, _p: f.GrantEnd(a_grant(draw, w)),
    f.PrincipalCreate: lambda draw, _w, _p: f.PrincipalCreate(
        draw(st.sampled_from([*NEWCOMERS, "principals/admin"])),
        draw(st.sampled_from(["human", "human", "external", "service"])),
        draw(st.sampled_from(["persons/new", "persons/owner-a", ""])),
    ),
    f.PrincipalLink: lambda draw, w, _p: f.PrincipalLink(a_spare_account(draw, w), a_spare_account(draw, w)),
    f.PrincipalUnlink: lambda draw, w, _p: f.PrincipalUnlink(
        a_spare_account(draw, w), draw(st.sampled_from(["persons/parted", "persons/parted-2", "persons/owner-a"]))
    ),
    f.RecoverySuspend: lambda draw, w, _p: f.RecoverySuspend(a_recovery_account(draw, w)),
    f.RecoveryRevoke: lambda draw, w, _p: f.RecoveryRevoke(a_recovery_key(draw, w)),
    f.LogRotateKey: lambda draw, w, _p: a_rotation(draw, w),
    f.ChangeRatify: lambda draw, w, _p: ratifying(w, draw(st.sampled_from(names_of(w, r.Change, "changes/99")))),
    f.PrincipalRestore: lambda draw, w, _p: f.PrincipalRestore(a_spare_account(draw, w)),
    f.CredentialRegister: lambda draw, w, _p: a_registration(draw, w),
    f.GrantGive: lambda draw, w, p: f.GrantGive(
        draw(st.sampled_from([*NEWCOMERS, *SPARE, "principals/admin", "principals/never"])),
        draw(st.sampled_from([*p.roles, "nothing"])),
        draw(st.sampled_from(["*", "*", "m"])),
        draw(st.sampled_from([0, 0, 1, w.state.time + DAY_US])),
    ),
    f.DelegationGive: lambda draw, w, p: w.delegation(
        draw(st.sampled_from(["owner-a", "reviewer-a", *(name.removeprefix("principals/") for name in SPARE)])),
        draw(st.sampled_from([*p.roles, "nothing"])),
        draw(st.sampled_from(["engineer", "both", "admin", *(name.removeprefix("principals/") for name in SPARE)])),
        start=draw(st.sampled_from([0, 0, max(w.now, w.state.time) + DAY_US // 2])),
    ),
    f.DelegationEnd: lambda draw, w, _p: f.DelegationEnd(
        draw(st.sampled_from(names_of(w, r.Delegation, "delegations/99")))
    ),
    f.BreakGlassOpen: lambda draw, w, p: f.BreakGlassOpen(
        draw(st.sampled_from([*names_of(w, r.Hold, "holds/99"), a_safeguard(draw, p)])),
        max(w.now, w.state.time) + draw(st.sampled_from([1, DAY_US // 2, DAY_US, 2 * DAY_US])),
    ),
    f.InterimMeasurePutInForce: lambda draw, w, p: f.InterimMeasurePutInForce(
        a_model(draw),
        tuple(draw(st.lists(st.sampled_from([*p.safeguards, *p.safeguards, "nothing"]), min_size=1, unique=True))),
        tuple(draw(st.lists(st.sampled_from([place.id for place in p.contexts]), min_size=1, unique=True))),
        draw(st.sampled_from([1, *(max(w.now, w.state.time) + span for span in SPANS)])),
    ),
    f.InterimMeasureEnd: lambda draw, w, _p: f.InterimMeasureEnd(
        draw(st.sampled_from(names_of(w, r.InterimMeasure, "interimMeasures/99")))
    ),
    f.ObligationFulfil: lambda draw, w, p: f.ObligationFulfil(
        draw(st.sampled_from([*(f"obligations/{name}/periods/{n}" for name in p.obligations for n in (1, 2)), "x"])),
        some_evidence(draw, w),
    ),
    f.IncidentReport: lambda draw, w, p: f.IncidentReport(
        draw(st.sampled_from((*MODELS, EVERYTHING, "models/never"))),
        draw(st.sampled_from(["other", "other", "nothing"])),
        draw(st.sampled_from(["", *(row.id for row in p.severities), "nothing"])),
        draw(st.sampled_from([0, 0, 1, w.state.time + 400 * DAY_US])),
    ),
    f.IncidentTriage: lambda draw, w, p: f.IncidentTriage(
        draw(st.sampled_from(names_of(w, r.Incident, "incidents/99"))),
        draw(st.sampled_from([*(row.id for row in p.severities), "nothing"])),
        draw(st.sampled_from(["", "other"])),
    ),
    f.IncidentMitigate: lambda draw, w, _p: f.IncidentMitigate(
        draw(st.sampled_from(names_of(w, r.Incident, "incidents/99")))
    ),
    f.IncidentClose: lambda draw, w, _p: f.IncidentClose(
        draw(st.sampled_from(names_of(w, r.Incident, "incidents/99")))
    ),
    f.FindingRaise: lambda draw, w, p: f.FindingRaise(
        draw(st.sampled_from((*MODELS, EVERYTHING, "models/never"))),
        draw(st.sampled_from([*(row.id for row in p.severities), "nothing"])),
        some_evidence(draw, w),
    ),
    f.FindingConfirm: lambda draw, w, _p: f.FindingConfirm(
        draw(st.sampled_from(names_of(w, r.Finding, "findings/99")))
    ),
    f.FindingDismiss: lambda draw, w, _p: f.FindingDismiss(
        draw(st.sampled_from(names_of(w, r.Finding, "findings/99")))
    ),
    f.ObligationWaive: lambda draw, w, p: f.ObligationWaive(
        draw(st.sampled_from([*(f"obligations/{name}/periods/{n}" for name in p.obligations for n in (1, 2)), "x"])),
        draw(st.sampled_from([1, *(max(w.now, w.state.time) + span for span in SPANS)])),
    ),
}
"""How each trigger is drawn."""

ADMINISTERING = (f.PrincipalLink, f.PrincipalSuspend, f.PrincipalRemove, f.CredentialRevoke, f.GrantEnd)
"""What one administrator does to accounts."""

RECOVERING = (f.PrincipalRestore, f.CredentialRegister, f.GrantGive)
"""What the recovery quorum may fire."""

LOOSENING = (
    f.ModelAddArtifact, f.DeterminationConfirm, f.DeterminationRuleOut, f.LevelAssign, f.LevelRaise, f.LevelLower,
    f.SafeguardActivate, f.SafeguardReattest, f.SafeguardRestore, f.SafeguardResume, f.HoldLift,
    f.PrincipalCreate, f.PrincipalRestore, f.CredentialRegister, f.GrantGive, f.InterimMeasurePutInForce,
    f.ObligationWaive, f.ChangeRatify, f.PrincipalUnlink, f.BreakGlassOpen, f.IncidentTriage, f.IncidentClose,
    f.RecoverySuspend, f.RecoveryRevoke, f.LogRotateKey,
    f.FindingDismiss,
)  # fmt: skip
"""The triggers that random changes are mostly made of."""


def ratifying(world: World, name: str) -> f.ChangeRatify:
    """Return the trigger that ratifies a change, bound to what it applied."""
    known = world.state.find(name, r.Change)
    return f.ChangeRatify(name, known.content_digest if known is not None else bytes(32))


def possible(world: World, *, loosening: bool) -> list[f.Firing]:
    """Return every ↑ trigger, or every other one, that would fire now on what is there."""
    moment = Moment(world.policy, max(world.now, world.state.time + 1), "principals/someone")
    return [
        firing
        for firing in _thinkable(world)
        if (direction_at(world.policy, world.state, firing) is Direction.LOOSENS) is loosening
        and not isinstance(fire(moment, world.state, firing), Refused)
    ]


def _thinkable(world: World) -> Iterator[f.Firing]:
    """Yield triggers on what is there; what ends most of it comes last, for early choices are made more often."""
    policy, documents = world.policy, names_of(world, r.Evidence)[-2:]
    models = names_of(world, r.Model)
    unshared = [spec.id for spec in policy.safeguards.values() if not spec.shared]
    own = {safeguard_name(model, spec, shared=False) for model, spec in product(models, unshared)}
    shared = {safeguard_name("", spec.id, shared=True) for spec in policy.safeguards.values() if spec.shared}
    for name in sorted(shared | own):
        yield from (f.SafeguardDegrade(name), f.SafeguardSuspend(name), f.SafeguardRestore(name))
        yield from (f.SafeguardResume(name), f.SafeguardReattest(name, tuple(documents)), f.SafeguardActivate(name))
        yield from (f.SafeguardVerify(name, tuple(documents)), f.SafeguardStart(name), f.SafeguardReplan(name))
        yield f.SafeguardRetire(name)
    for model, threshold in product(models, policy.thresholds):
        name = determination_name(model, threshold)
        yield from (f.DeterminationReport(name, conclusion) for conclusion in CONCLUSIONS)
        yield from (f.DeterminationConfirm(name), f.DeterminationRuleOut(name))
    for model, standard in product(models, policy.standards):
        name = level_name(model, standard)
        yield f.LevelConfirm(name)
        for level in policy.levels:
            yield from (f.LevelRaise(name, level.id), f.LevelLower(name, level.id), f.LevelAssign(name, level.id))
    yield from (f.HoldLift(hold) for hold in names_of(world, r.Hold))
    for name in names_of(world, r.Assessment):
        yield from (f.AssessmentConclude(name), f.AssessmentAbandon(name))
    for model in models:
        yield from (f.ModelRecordRun(model, document) for document in documents)
        yield from (f.ModelAddArtifact(model, artifact) for artifact in ARTIFACTS)
        yield from (f.DeploymentRecord(model, place.id, ARTIFACTS[0], "cluster-a") for place in policy.contexts)
        if policy.safeguards:
            every = tuple(place.id for place in policy.contexts)
            yield f.InterimMeasurePutInForce(model, tuple(policy.safeguards), every, world.now + 30 * DAY_US)
        yield from (f.AssessmentOpen(model, tuple(policy.thresholds)), f.HoldPlace(model), f.ModelRetire(model))
    for incident in names_of(world, r.Incident):
        yield from (f.IncidentTriage(incident, row.id) for row in policy.severities)
        yield from (f.IncidentMitigate(incident), f.IncidentClose(incident))
    for finding in names_of(world, r.Finding):
        yield from (f.FindingConfirm(finding), f.FindingDismiss(finding))
    for model in models:
        yield from (f.FindingRaise(model, row.id) for row in policy.severities)
        yield from (f.IncidentReport(model, "other", row.id) for row in policy.severities)
    for obligation in (*policy.obligations, "break-glass-review"):
        for period in unfulfilled(world.state, f"obligations/{obligation}", max(world.now, world.state.time)):
            yield f.ObligationWaive(period, world.now + 30 * DAY_US)
            yield from (f.ObligationFulfil(period, (document,)) for document in names_of(world, r.Evidence))
    for name in sorted({*names_of(world, r.Hold), *shared, *own}):
        yield f.BreakGlassOpen(name, max(world.now, world.state.time) + DAY_US // 2)
    for name in NEWCOMERS[:1]:
        yield from (f.PrincipalCreate(name, "human", "persons/new"), f.GrantGive(name, "owner", "*"))
        yield world.registration(name.removeprefix("principals/"))
    yield from (f.PrincipalRestore(name) for name in (*SPARE, *NEWCOMERS) if name in world.state.items)
    yield from (f.DelegationEnd(delegation) for delegation in names_of(world, r.Delegation))
    linked = [account for account in world.state.all_of(r.Principal) if len(world.state.accounts(account.name)) > 1]
    yield from (f.PrincipalUnlink(account.name, f"persons/parted-{world.state.size}") for account in linked)
    yield from (ratifying(world, name) for name in sorted(set(world.state.tainted.values())))
    yield from (rotation(word, log_key_of(world)) for word in LOG_KEYS[1:3] if world.state.log.log_id == LOG_ID)
    yield from (f.InterimMeasureEnd(measure) for measure in names_of(world, r.InterimMeasure))
    yield from (f.DeploymentEnd(deployment) for deployment in names_of(world, r.Deployment))
    yield f.HoldPlace(EVERYTHING)


def mending(world: World, model: str, context: str, document: Callable[[str], str]) -> list[f.Firing]:
    """Return triggers that mend what the gate says of a model; ``document`` gives fresh evidence of a kind."""
    firings: list[f.Firing] = []
    for reason in world.verdict(model, context).reasons:
        firings += _mend(world, reason, document)
    return firings


def _mend(world: World, reason: Unmet, document: Callable[[str], str]) -> list[f.Firing]:
    name = reason.resource
    match reason.code:
        case Code.MODEL_UNKNOWN:
            return [f.ModelRegister(name, ARTIFACTS[:1])] if name in MODELS else []
        case Code.DETERMINATION_MISSING | Code.DETERMINATION_LAPSED:
            return [f.DeterminationRuleOut(name)]
        case Code.DETERMINATION_UNCONFIRMED:
            return [f.DeterminationConfirm(name)]
        case Code.LEVEL_UNASSIGNED | Code.LEVEL_TOO_LOW:
            wanted = required_level(world.policy, world.state, name.split("/levels/")[0], leaf_of(name))
            return [(f.LevelAssign if reason.code is Code.LEVEL_UNASSIGNED else f.LevelRaise)(name, wanted)]
        case Code.HOLD_PLACED:
            return [f.HoldLift(name)]
        case Code.INCIDENT_OPEN:
            triaged = world.state.need(name, r.Incident).state != "reported"
            first = [] if triaged else [f.IncidentTriage(name, world.state.need(name, r.Incident).severity)]
            return [*first, f.IncidentClose(name)]
        case Code.FINDING_CONFIRMED:
            return [f.FindingDismiss(name)]
        case Code.OBLIGATION_OVERDUE:
            spec = spec_of(world.policy, name)
            return [f.ObligationFulfil(name, (document(spec.fulfilled_by.kind),))] if spec is not None else []
        case Code.SAFEGUARD_NOT_ACTIVE | Code.ATTESTATION_ENDED:
            return _mend_safeguard(world, name, reason.code, document)
        case _:
            return []


def _mend_safeguard(world: World, name: str, code: Code, document: Callable[[str], str]) -> list[f.Firing]:
    needs = world.policy.safeguards[leaf_of(name)].verify_with
    stage = world.state.safeguard(name).stage
    if stage in {"degraded", "suspended"} and code is Code.SAFEGUARD_NOT_ACTIVE:
        return [f.SafeguardRestore(name) if stage == "degraded" else f.SafeguardResume(name)]
    documents = tuple(dict.fromkeys(document(need.kind) for need in needs))
    if code is Code.ATTESTATION_ENDED:
        return [f.SafeguardReattest(name, documents)]
    steps: list[f.Firing] = [f.SafeguardReplan(name)] if stage in {"retired", "verified"} else []
    steps += [f.SafeguardStart(name)] if stage != "implementing" else []
    return [*steps, f.SafeguardVerify(name, documents), f.SafeguardActivate(name)]
