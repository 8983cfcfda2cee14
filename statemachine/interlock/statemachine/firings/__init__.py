"""Triggers with their arguments, as frozen values; field names are those of the messages of ``proto``.

What lives here: what a command or a change can fire. Directions are in ``triggers.py``, edges in ``machines/``.
"""

from __future__ import annotations

from interlock.statemachine.firings.change import (
    ChangeRatify,
)
from interlock.statemachine.firings.duty import (
    ObligationFulfil,
    ObligationWaive,
)
from interlock.statemachine.firings.identity import (
    CredentialBind,
    CredentialRegister,
    CredentialRevoke,
    DelegationEnd,
    DelegationGive,
    GrantEnd,
    GrantGive,
    IssuerDistrust,
    IssuerTrust,
    PrincipalCreate,
    PrincipalLink,
    PrincipalRemove,
    PrincipalRestore,
    PrincipalSuspend,
    PrincipalUnlink,
    RecoveryRevoke,
    RecoverySuspend,
)
from interlock.statemachine.firings.incident import (
    FindingConfirm,
    FindingDismiss,
    FindingRaise,
    IncidentClose,
    IncidentMitigate,
    IncidentReport,
    IncidentTriage,
)
from interlock.statemachine.firings.log import (
    LogRotateKey,
)
from interlock.statemachine.firings.model import (
    AssessmentAbandon,
    AssessmentConclude,
    AssessmentOpen,
    DeterminationConfirm,
    DeterminationReport,
    DeterminationRuleOut,
    LevelAssign,
    LevelConfirm,
    LevelLower,
    LevelRaise,
    ModelAddArtifact,
    ModelRecordRun,
    ModelRegister,
    ModelRetire,
)
from interlock.statemachine.firings.policy import (
    PolicyAdopt,
)
from interlock.statemachine.firings.release import (
    BreakGlassOpen,
    DeploymentEnd,
    DeploymentRecord,
    HoldLift,
    HoldPlace,
    InterimMeasureEnd,
    InterimMeasurePutInForce,
    SafeguardActivate,
    SafeguardDegrade,
    SafeguardReattest,
    SafeguardReplan,
    SafeguardRestore,
    SafeguardResume,
    SafeguardRetire,
    SafeguardStart,
    SafeguardSuspend,
    SafeguardVerify,
)

__all__ = [
    "AssessmentAbandon",
    "AssessmentConclude",
    "AssessmentOpen",
    "BreakGlassOpen",
    "ChangeRatify",
    "CredentialBind",
    "CredentialRegister",
    "CredentialRevoke",
    "DelegationEnd",
    "DelegationGive",
    "DeploymentEnd",
    "DeploymentRecord",
    "DeterminationConfirm",
    "DeterminationReport",
    "DeterminationRuleOut",
    "FindingConfirm",
    "FindingDismiss",
    "FindingRaise",
    "Firing",
    "GrantEnd",
    "GrantGive",
    "HoldLift",
    "HoldPlace",
    "IncidentClose",
    "IncidentMitigate",
    "IncidentReport",
    "IncidentTriage",
    "InterimMeasureEnd",
    "InterimMeasurePutInForce",
    "IssuerDistrust",
    "IssuerTrust",
    "LevelAssign",
    "LevelConfirm",
    "LevelLower",
    "LevelRaise",
    "LogRotateKey",
    "ModelAddArtifact",
    "ModelRecordRun",
    "ModelRegister",
    "ModelRetire",
    "ObligationFulfil",
    "ObligationWaive",
    "PolicyAdopt",
    "PrincipalCreate",
    "PrincipalLink",
    "PrincipalRemove",
    "PrincipalRestore",
    "PrincipalSuspend",
    "PrincipalUnlink",
    "RecoveryRevoke",
    "RecoverySuspend",
    "SafeguardActivate",
    "SafeguardDegrade",
    "SafeguardReattest",
    "SafeguardReplan",
    "SafeguardRestore",
    "SafeguardResume",
    "SafeguardRetire",
    "SafeguardStart",
    "SafeguardSuspend",
    "SafeguardVerify",
]

Firing = (
    ModelRegister
    | ModelRetire
    | ModelAddArtifact
    | ModelRecordRun
    | DeterminationReport
    | DeterminationConfirm
    | DeterminationRuleOut
    | AssessmentOpen
    | AssessmentConclude
    | AssessmentAbandon
    | LevelAssign
    | LevelRaise
    | LevelConfirm
    | LevelLower
    | SafeguardStart
    | SafeguardVerify
    | SafeguardActivate
    | SafeguardReattest
    | SafeguardDegrade
    | SafeguardRestore
    | SafeguardSuspend
    | SafeguardResume
    | SafeguardRetire
    | SafeguardReplan
    | HoldPlace
    | HoldLift
    | DeploymentRecord
    | DeploymentEnd
    | PrincipalSuspend
    | PrincipalRemove
    | CredentialRevoke
    | GrantEnd
    | PrincipalCreate
    | PrincipalRestore
    | CredentialRegister
    | GrantGive
    | DelegationGive
    | DelegationEnd
    | IssuerTrust
    | IssuerDistrust
    | CredentialBind
    | BreakGlassOpen
    | InterimMeasurePutInForce
    | InterimMeasureEnd
    | ObligationFulfil
    | PolicyAdopt
    | ObligationWaive
    | ChangeRatify
    | PrincipalLink
    | PrincipalUnlink
    | RecoverySuspend
    | RecoveryRevoke
    | LogRotateKey
    | IncidentReport
    | IncidentTriage
    | IncidentMitigate
    | IncidentClose
    | FindingRaise
    | FindingConfirm
    | FindingDismiss
)
"""Any trigger with its arguments."""
