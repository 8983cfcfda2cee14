"""One trigger, fired: which machine it belongs to, which model it concerns, what it reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from interlock.statemachine import excepting, names
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.forms import malformed
from interlock.statemachine.machines import (
    assessment,
    clocks,
    credential,
    delegation,
    deployment,
    determination,
    exception,
    finding,
    grant,
    hold,
    incident,
    interim_measure,
    issuer,
    level,
    linking,
    log_key,
    model,
    obligation,
    policy_version,
    principal,
    ratification,
    recovery_quorum,
    safeguard,
)
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.state import EVERYTHING, State
from interlock.statemachine.unmet import RefusalKind, Refused

if TYPE_CHECKING:
    from interlock.statemachine.machines.step import Moment
    from interlock.statemachine.policy.model import Policy


def fire(moment: Moment, state: State, firing: f.Firing) -> Moved | Refused:
    """Fire a trigger on its machine. Rights, sign-offs and a rule's evidence are others' business."""
    unmet = malformed(firing)
    if unmet:
        return Refused(RefusalKind.INVALID, unmet)
    moved = _fire(moment, state, firing)
    return excepting.ended_by(moment, moved, firing) if isinstance(moved, Moved) else moved


def _fire(moment: Moment, state: State, firing: f.Firing) -> Moved | Refused:  # one case a machine step
    match firing:
        case f.ModelRegister():
            return model.register(moment, state, firing)
        case f.ModelRetire():
            return model.retire(moment, state, firing)
        case f.ModelAddArtifact():
            return model.add_artifact(moment, state, firing)
        case f.ModelRecordRun():
            return model.record_run(moment, state, firing)
        case f.DeterminationReport():
            return determination.report(moment, state, firing)
        case f.DeterminationConfirm() | f.DeterminationRuleOut():
            return determination.settle(moment, state, firing)
        case f.AssessmentOpen():
            return assessment.open_(moment, state, firing)
        case f.AssessmentConclude() | f.AssessmentAbandon():
            return assessment.close(moment, state, firing)
        case f.LevelAssign() | f.LevelRaise() | f.LevelLower():
            return level.move(moment, state, firing)
        case f.LevelConfirm():
            return level.confirm(moment, state, firing)
        case f.HoldPlace():
            return hold.place(moment, state, firing)
        case f.HoldLift():
            return hold.lift(moment, state, firing)
        case f.DeploymentRecord():
            return deployment.record(moment, state, firing)
        case f.DeploymentEnd():
            return deployment.end(moment, state, firing)
        case f.ChangeRatify():
            return ratification.ratify(moment, state, firing)
        case f.PrincipalLink():
            return linking.link(moment, state, firing)
        case f.PrincipalUnlink():
            return linking.unlink(moment, state, firing)
        case f.PrincipalSuspend():
            return principal.suspend(moment, state, firing)
        case f.PrincipalRemove():
            return principal.remove(moment, state, firing)
        case f.CredentialRevoke():
            return credential.revoke(moment, state, firing)
        case f.GrantEnd():
            return grant.end(moment, state, firing)
        case f.PrincipalCreate():
            return principal.create(moment, state, firing)
        case f.PrincipalRestore():
            return principal.restore(moment, state, firing)
        case f.CredentialRegister():
            return credential.register(moment, state, firing)
        case f.GrantGive():
            return grant.give(moment, state, firing)
        case f.RecoverySuspend():
            return recovery_quorum.suspend(moment, state, firing)
        case f.RecoveryRevoke():
            return recovery_quorum.revoke(moment, state, firing)
        case f.LogRotateKey():
            return log_key.rotate(moment, state, firing)
        case f.DelegationGive():
            return delegation.give(moment, state, firing)
        case f.DelegationEnd():
            return delegation.end(moment, state, firing)
        case f.IssuerTrust():
            return issuer.trust(moment, state, firing)
        case f.IssuerDistrust():
            return issuer.distrust(moment, state, firing)
        case f.CredentialBind():
            return issuer.bind(moment, state, firing)
        case f.BreakGlassOpen():
            return exception.open_(moment, state, firing)
        case f.InterimMeasurePutInForce():
            return interim_measure.put_in_force(moment, state, firing)
        case f.InterimMeasureEnd():
            return interim_measure.end(moment, state, firing)
        case f.ObligationFulfil():
            return obligation.fulfil(moment, state, firing)
        case f.IncidentReport():
            return incident.report(moment, state, firing)
        case f.IncidentTriage():
            return incident.triage(moment, state, firing)
        case f.IncidentMitigate() | f.IncidentClose():
            return incident.mitigate(moment, state, firing)
        case f.FindingRaise():
            return finding.raise_(moment, state, firing)
        case f.FindingConfirm() | f.FindingDismiss():
            return finding.judge(moment, state, firing)
        case f.PolicyAdopt():
            return policy_version.adopt(moment, state, firing)
        case f.ObligationWaive():
            return obligation.waive(moment, state, firing)
        case _:
            return safeguard.fire(moment, state, firing)


def subject_of(firing: f.Firing) -> str:
    """Return the resource that a trigger moves; for one that makes its resource, what it is made on."""
    match firing:
        case f.DeterminationReport() | f.DeterminationConfirm() | f.DeterminationRuleOut():
            return firing.determination
        case (
            f.ModelRegister()
            | f.ModelRetire()
            | f.ModelAddArtifact()
            | f.ModelRecordRun()
            | f.AssessmentOpen()
            | f.DeploymentRecord()
            | f.InterimMeasurePutInForce()
        ):
            return firing.model
        case f.AssessmentConclude() | f.AssessmentAbandon():
            return firing.assessment
        case f.LevelAssign() | f.LevelRaise() | f.LevelLower() | f.LevelConfirm():
            return firing.level
        case f.HoldPlace() | f.IncidentReport() | f.FindingRaise():
            return firing.target
        case f.IncidentTriage() | f.IncidentMitigate() | f.IncidentClose():
            return firing.incident
        case f.FindingConfirm() | f.FindingDismiss():
            return firing.finding
        case f.HoldLift():
            return firing.hold
        case f.ChangeRatify():
            return firing.change
        case f.DeploymentEnd():
            return firing.deployment
        case f.InterimMeasureEnd():
            return firing.interim_measure
        case f.ObligationFulfil() | f.ObligationWaive():
            return firing.period
        case f.PolicyAdopt():
            return firing.policy
        case (
            f.PrincipalLink()
            | f.PrincipalUnlink()
            | f.PrincipalSuspend()
            | f.PrincipalRemove()
            | f.PrincipalCreate()
            | f.PrincipalRestore()
            | f.CredentialRegister()
            | f.CredentialBind()
            | f.GrantGive()
            | f.RecoverySuspend()
        ):
            return firing.principal
        case f.CredentialRevoke() | f.RecoveryRevoke():
            return firing.credential
        case f.LogRotateKey():
            return "log"
        case f.IssuerTrust() | f.IssuerDistrust():
            return firing.issuer
        case f.GrantEnd():
            return firing.grant
        case f.DelegationGive():
            return firing.delegator
        case f.DelegationEnd():
            return firing.delegation
        case f.BreakGlassOpen():
            return firing.resource
        case (
            f.SafeguardStart()
            | f.SafeguardVerify()
            | f.SafeguardActivate()
            | f.SafeguardReattest()
            | f.SafeguardDegrade()
            | f.SafeguardRestore()
            | f.SafeguardSuspend()
            | f.SafeguardResume()
            | f.SafeguardRetire()
            | f.SafeguardReplan()
        ):
            return firing.safeguard
        case _:
            assert_never(firing)


def model_concerned(state: State, firing: f.Firing) -> str | None:
    """Return the one model that a trigger concerns; None for shared safeguards and holds on everything."""
    subject = subject_of(firing)
    match firing:
        case f.HoldLift() | f.BreakGlassOpen():
            held = state.find(subject, r.Hold)
            subject = held.target if held is not None else subject
        case f.AssessmentConclude() | f.AssessmentAbandon():
            assessed = state.find(subject, r.Assessment)
            subject = assessed.model if assessed is not None else subject
        case f.ChangeRatify():
            ratified = state.find(subject, r.Change)
            models = {rule.model for rule in ratified.grounds.rules} if ratified and ratified.grounds else set()
            return next(iter(models)) or None if len(models) == 1 else None
        case f.DeploymentEnd():
            deployed = state.find(subject, r.Deployment)
            subject = deployed.model if deployed is not None else subject
        case f.IncidentTriage() | f.IncidentMitigate() | f.IncidentClose() | f.FindingConfirm() | f.FindingDismiss():
            seen = state.find(subject, r.Incident) or state.find(subject, r.Finding)
            subject = seen.target if seen is not None else subject
        case f.InterimMeasureEnd():
            measure = state.find(subject, r.InterimMeasure)
            subject = measure.model if measure is not None else subject
        case _:
            pass
    return None if subject == EVERYTHING else names.model_of(subject)


def standard_of(policy: Policy, firing: f.Firing) -> str | None:
    """Return the standard that a level or safeguard trigger belongs to; None for the others.

    Empty for a safeguard that the policy does not know: no rule is narrowed to that.
    """
    match firing:
        case f.LevelAssign() | f.LevelRaise() | f.LevelLower() | f.LevelConfirm():
            return names.leaf_of(firing.level)
        case _:
            name = getattr(firing, "safeguard", None)
            if not isinstance(name, str):
                return None
            spec = policy.safeguards.get(names.leaf_of(name))
            return spec.standard if spec is not None else ""


def touched(policy: Policy, state: State, firing: f.Firing) -> frozenset[str]:
    """Return every resource that a trigger writes or whose state its conditions read: a change's base lists these."""
    subject = subject_of(firing)
    found = {subject} - {EVERYTHING} | clocks.touched(policy, state, firing)
    concerned = model_concerned(state, firing)
    if concerned is not None:
        found.add(concerned)
    match firing:
        case f.LevelAssign() | f.LevelRaise() | f.LevelLower() | f.LevelConfirm():
            standard = names.leaf_of(subject)
            found |= {
                names.determination_name(concerned or "", threshold.id)
                for threshold in policy.thresholds.values()
                if not threshold.tracked and standard in threshold.asks
            }
        case f.ModelAddArtifact() | f.ModelRecordRun():
            found |= {
                names.determination_name(firing.model, threshold.id)
                for threshold in policy.thresholds.values()
                if not threshold.tracked
            }
        case f.DeterminationReport():
            found |= {firing.assessment} - {""}
        case f.PolicyAdopt():
            found |= policy_version.touched(policy, state, firing)
        case f.ObligationFulfil() | f.ObligationWaive():
            found.add(names.obligation_of(firing.period))
        case f.DeploymentRecord():
            found |= {firing.decision} - {""}
        case f.PrincipalLink():
            found |= state.accounts(firing.principal) | state.accounts(firing.other)
        case f.PrincipalUnlink():
            found |= state.accounts(firing.principal)
        case f.PrincipalRemove():
            found |= {grant.name for grant in state.grants(firing.principal)}
        case f.CredentialRevoke() | f.RecoverySuspend() | f.RecoveryRevoke():
            found = recovery_quorum.touched(state, subject)
        case f.CredentialBind():
            found.add(firing.issuer)
        case f.IssuerDistrust():
            found |= {account.name for account, _ in issuer.bound_to(state, firing.issuer)}
        case f.GrantGive():  # what the person holds is read, under all of their accounts
            accounts = state.accounts(firing.principal)
            found |= accounts | {grant.name for account in accounts for grant in state.grants(account)}
        case f.BreakGlassOpen():
            used = state.exemptions.get(subject, ())
            found |= {state.need(name, r.Exemption).review for name in used} | set(used)
        case f.DelegationGive():  # what both hold is read, under all of their accounts
            for account in sorted(state.accounts(firing.delegator) | state.accounts(firing.delegate)):
                found |= {account} | {grant.name for grant in state.grants(account)}
        case f.SafeguardRetire():
            spec = policy.safeguards.get(names.leaf_of(subject))
            for leaning in [concerned] if concerned else [m.name for m in state.all_of(r.Model)]:
                found |= {names.level_name(leaning, standard) for standard in policy.standards}
                found |= {names.determination_name(leaning, cause) for cause in (spec.for_thresholds if spec else ())}
        case _:
            pass
    return frozenset(found)
