"""One well-formed example of each trigger."""

from __future__ import annotations

from typing import Final

from interlock.statemachine import firings as f

_MODEL: Final = "models/m"
_SHA256: Final = "0a" * 32
_LEVEL: Final = f"{_MODEL}/levels/deployment"
_DETERMINATION: Final = f"{_MODEL}/determinations/misuse"
_SAFEGUARD: Final = f"{_MODEL}/safeguards/input-filter"
_PRINCIPAL: Final = "principals/p"
_REASON: Final = bytes(32)
_EVIDENCE: Final = ("evidence/1", "evidence/2")

_ALL: Final[tuple[f.Firing, ...]] = (
    f.ModelRegister(_MODEL, (_SHA256,)),
    f.ModelRetire(_MODEL, _REASON),
    f.ModelAddArtifact(_MODEL, _SHA256),
    f.ModelRecordRun(_MODEL, "evidence/1"),
    f.DeterminationReport(_DETERMINATION, "reached", "assessments/1", _EVIDENCE),
    f.DeterminationConfirm(_DETERMINATION),
    f.DeterminationRuleOut(_DETERMINATION),
    f.AssessmentOpen(_MODEL, ("misuse",), _REASON),
    f.AssessmentConclude("assessments/1", ("entries/0", "entries/12")),
    f.AssessmentAbandon("assessments/1", _REASON),
    f.LevelAssign(_LEVEL, "basic"),
    f.LevelRaise(_LEVEL, "guarded"),
    f.LevelConfirm(_LEVEL),
    f.LevelLower(_LEVEL, "basic"),
    f.SafeguardStart(_SAFEGUARD),
    f.SafeguardVerify(_SAFEGUARD, _EVIDENCE),
    f.SafeguardActivate(_SAFEGUARD),
    f.SafeguardReattest(_SAFEGUARD, _EVIDENCE),
    f.SafeguardDegrade(_SAFEGUARD, _REASON),
    f.SafeguardRestore(_SAFEGUARD),
    f.SafeguardSuspend(_SAFEGUARD, _REASON),
    f.SafeguardResume(_SAFEGUARD),
    f.SafeguardRetire(_SAFEGUARD, _REASON),
    f.SafeguardReplan(_SAFEGUARD, _REASON),
    f.HoldPlace(_MODEL, _REASON),
    f.HoldLift("holds/1"),
    f.DeploymentRecord(_MODEL, "external", _SHA256, "cluster-a/eu-west:1", "decisions/1"),
    f.DeploymentEnd("deployments/1"),
    f.PrincipalSuspend(_PRINCIPAL, _REASON),
    f.PrincipalRemove(_PRINCIPAL, _REASON),
    f.CredentialRevoke(f"{_PRINCIPAL}/credentials/{_SHA256}", 1, _REASON),
    f.GrantEnd("grants/1", _REASON),
    f.PrincipalCreate(_PRINCIPAL, "human", "persons/p"),
    f.PrincipalRestore(_PRINCIPAL),
    f.ChangeRatify("changes/1", bytes(32)),
    f.IssuerTrust("issuers/ci", "https://id.example/x", "interlock", "RS256"),
    f.IssuerDistrust("issuers/ci", _REASON),
    f.CredentialBind(_PRINCIPAL, "issuers/ci", "subject", ("ref=main",), 1),
    f.PrincipalLink(_PRINCIPAL, "principals/other", _REASON),
    f.PrincipalUnlink(_PRINCIPAL, "persons/p1"),
    f.RecoverySuspend(_PRINCIPAL),
    f.RecoveryRevoke(f"{_PRINCIPAL}/credentials/{_SHA256}"),
    f.LogRotateKey(bytes(32), bytes(64), bytes(64)),
    f.CredentialRegister(_PRINCIPAL, "login", bytes(32), bytes(64), _SHA256, bytes(64), 1),
    f.GrantGive(_PRINCIPAL, "owner", "m-*", 1),
    f.DelegationGive(_PRINCIPAL, "principals/q", "owner", 1, 2, b"{}"),
    f.DelegationEnd("delegations/1", _REASON),
    f.BreakGlassOpen("holds/1", 1),
    f.InterimMeasurePutInForce(_MODEL, ("input-filter", "classifier"), ("api",), 1),
    f.InterimMeasureEnd("interimMeasures/1", _REASON),
    f.ObligationFulfil("obligations/quarterly-report/periods/1", _EVIDENCE),
    f.PolicyAdopt("policies/house-rules/versions/2.0", bytes(32)),
    f.ObligationWaive("obligations/quarterly-report/periods/1", 1),
    f.IncidentReport(_MODEL, "other", "serious", 1, _REASON),
    f.IncidentTriage("incidents/1", "critical", "other", _REASON),
    f.IncidentMitigate("incidents/1", _REASON),
    f.IncidentClose("incidents/1", _REASON),
    f.FindingRaise(_MODEL, "serious", _EVIDENCE, _REASON),
    f.FindingConfirm("findings/1", _REASON),
    f.FindingDismiss("findings/1", _REASON),
)

EXAMPLES: Final[dict[type[f.Firing], f.Firing]] = {type(firing): firing for firing in _ALL}
