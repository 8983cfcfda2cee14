"""The permissions table: every method of the contract, and the right that its caller needs.

This is the first wall. It judges by the caller's roles whatever their scope; ``decide`` judges again with scope,
state and all the rest, by the very code that an auditor runs. A method without a row fails the start and a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.statemachine import rights as r
from interlock.statemachine.triggers import DIRECTIONS, Direction, Trigger

if TYPE_CHECKING:
    from collections.abc import Mapping


class Entrance(Enum):
    """Who gets as far as the right."""

    ANYONE = auto()  # no session
    SESSION = auto()  # any valid session, whatever its rights
    RIGHT = auto()  # a session whose principal holds the right


@dataclass(frozen=True, slots=True)
class Permission:
    """What a method asks of its caller. A refused attempt at a method that mutates is recorded in the log."""

    entrance: Entrance
    right: str = ""
    mutates: bool = False

    @property
    def tightens(self) -> bool:
        """True for a method that fires a trigger which can only tighten: no limit stands in its way."""
        return self.right in _TIGHTENING


_TIGHTENING: Final = frozenset(trigger.value for trigger, way in DIRECTIONS.items() if way is Direction.TIGHTENS)

_PUBLIC: Final = Permission(Entrance.ANYONE)
_SIGNED_IN: Final = Permission(Entrance.SESSION)
_READ: Final = Permission(Entrance.RIGHT, r.READ)
_AUDIT: Final = Permission(Entrance.RIGHT, r.AUDIT_READ)
_GATE: Final = Permission(Entrance.RIGHT, r.GATE_CHECK)


def _does(right: str) -> Permission:
    return Permission(Entrance.RIGHT, right, mutates=True)


def _fires(trigger: Trigger) -> Permission:
    """A tightening or neutral trigger of one person: the right has the trigger's name."""
    return _does(trigger.value)


_PROPOSE: Final = _does(r.CHANGE_PROPOSE)

# Whoever may look gets to `decide` here. Of a sign-off, an application or a withdrawal its refusal lists all that is
# in the way (requester, evidence author, no approving role, …), where this wall could name one thing only; and who
# uploaded a document may let others read it without a further right.
_JUDGED_BY_DECIDE: Final = _does(r.READ)

METHODS: Final[Mapping[str, Permission]] = MappingProxyType(
    {
        f"interlock.v1.{service}/{method}": permission
        for service, methods in {
            "AccountabilityService": {
                "ListObligations": _READ,
                "GetObligation": _READ,
                "FulfilObligation": _fires(Trigger.OBLIGATION_FULFIL),
                "ReportIncident": _fires(Trigger.INCIDENT_REPORT),
                # So that nobody can be found out by it, not even by who runs the server. It affects no verdict.
                "ReportIncidentAnonymously": _PUBLIC,
                "TriageIncident": _fires(Trigger.INCIDENT_TRIAGE),
                "MitigateIncident": _fires(Trigger.INCIDENT_MITIGATE),
                "CloseIncident": _fires(Trigger.INCIDENT_CLOSE),
                "GetIncident": _READ,
                "ListIncidents": _READ,
                "RaiseFinding": _fires(Trigger.FINDING_RAISE),
                "ConfirmFinding": _fires(Trigger.FINDING_CONFIRM),
                "DismissFinding": _fires(Trigger.FINDING_DISMISS),
                "GetFinding": _READ,
                "ListFindings": _READ,
            },
            "AssessmentService": {
                "OpenAssessment": _fires(Trigger.ASSESSMENT_OPEN),
                "ConcludeAssessment": _fires(Trigger.ASSESSMENT_CONCLUDE),
                "AbandonAssessment": _fires(Trigger.ASSESSMENT_ABANDON),
                "GetAssessment": _READ,
                "ListAssessments": _READ,
                "ReportDetermination": _fires(Trigger.DETERMINATION_REPORT),
                "GetDetermination": _READ,
                "ListDeterminations": _READ,
            },
            "AuditService": {
                "ListEntries": _AUDIT,
                "GetEntry": _AUDIT,
                "TailEntries": _AUDIT,
                "GetCheckpoint": _AUDIT,
                "GetInclusionProof": _AUDIT,
                "GetConsistencyProof": _AUDIT,
                "ListCheckpoints": _AUDIT,
                # Proves itself: only what the log's own key and a witness that it knows have signed is kept.
                "AddCosignature": _AUDIT,
                "GetStateAt": _AUDIT,
                "ExportBundle": _AUDIT,
                "EraseText": _does(r.TEXT_ERASE),
                "AcceptClock": _does(r.CLOCK_ACCEPT),
            },
            "ChangeService": {
                "ProposeChange": _PROPOSE,
                "SubmitChange": _PROPOSE,
                "RebaseChange": _PROPOSE,
                "PreviewChange": _READ,
                "GetChange": _READ,
                "ListChanges": _READ,
                "AmendChange": _PROPOSE,
                "AttachEvidence": _PROPOSE,
                "DetachEvidence": _PROPOSE,
                "SignOff": _JUDGED_BY_DECIDE,
                "WithdrawSignOff": _JUDGED_BY_DECIDE,
                "ApplyChange": _JUDGED_BY_DECIDE,
                "WithdrawChange": _JUDGED_BY_DECIDE,
            },
            "EvidenceService": {
                "UploadEvidence": _does(r.EVIDENCE_UPLOAD),
                # Opening a restricted document leaves an entry, and so does a refused attempt at one.
                "DownloadEvidence": _does(r.EVIDENCE_READ),
                "GetEvidence": _READ,
                "ListEvidence": _READ,
                "GrantAccess": _JUDGED_BY_DECIDE,
            },
            "GateService": {
                "CheckRelease": _GATE,
                "BatchCheckRelease": _GATE,
                # About the past it takes the right to read as well, like every method that can be asked about it.
                "ExplainRelease": _GATE,
                "WatchRelease": _GATE,
                "RecordDeployment": _fires(Trigger.DEPLOYMENT_RECORD),
                "EndDeployment": _fires(Trigger.DEPLOYMENT_END),
                # Whoever may ask the gate may see what runs in spite of it; as of the past, whoever may read as well.
                "GetDeployment": _GATE,
                "ListDeployments": _GATE,
                "WatchDeployments": _GATE,
                "EndInterimMeasure": _fires(Trigger.INTERIM_MEASURE_END),
                "GetInterimMeasure": _READ,
                "ListInterimMeasures": _READ,
                "ListBreakGlass": _READ,
            },
            "HoldService": {
                "PlaceHold": _fires(Trigger.HOLD_PLACE),
                "GetHold": _READ,
                "ListHolds": _READ,
            },
            "IdentityService": {
                "Challenge": _PUBLIC,
                "Login": _PUBLIC,
                "LoginWithToken": _PUBLIC,
                # Proves itself: only what the recovery quorum signed offline is done, and its people have no session.
                "Recover": _PUBLIC,
                "Logout": _SIGNED_IN,
                "WhoAmI": _SIGNED_IN,
                "GetPrincipal": _READ,
                "ListPrincipals": _READ,
                "ListGrants": _READ,
                "SuspendPrincipal": _fires(Trigger.PRINCIPAL_SUSPEND),
                "LinkPrincipal": _fires(Trigger.PRINCIPAL_LINK),
                "RemovePrincipal": _fires(Trigger.PRINCIPAL_REMOVE),
                "RevokeCredential": _fires(Trigger.CREDENTIAL_REVOKE),
                "EndGrant": _fires(Trigger.GRANT_END),
                "GiveDelegation": _fires(Trigger.DELEGATION_GIVE),
                # Who gave one may end it; of others' an administrator, which `decide` judges.
                "EndDelegation": _fires(Trigger.DELEGATION_END),
                "ListDelegations": _READ,
                "ListIssuers": _READ,
                "DistrustIssuer": _fires(Trigger.ISSUER_DISTRUST),
            },
            "ModelService": {
                "CreateModel": _fires(Trigger.MODEL_REGISTER),
                "GetModel": _READ,
                "ListModels": _READ,
                "WatchModels": _READ,
                "ConfirmLevel": _fires(Trigger.LEVEL_CONFIRM),
                "RetireModel": _fires(Trigger.MODEL_RETIRE),
                "RecordRun": _fires(Trigger.MODEL_RECORD_RUN),
            },
            "PolicyService": {
                "GetPolicy": _READ,
                "LintPolicy": _READ,
                "DiffPolicies": _READ,
                "SimulatePolicy": _READ,
                "ListPolicies": _READ,
            },
            "SafeguardService": {
                "ListSafeguards": _READ,
                "GetSafeguard": _READ,
                "StartSafeguard": _fires(Trigger.SAFEGUARD_START),
                "VerifySafeguard": _fires(Trigger.SAFEGUARD_VERIFY),
                "ReplanSafeguard": _fires(Trigger.SAFEGUARD_REPLAN),
                "DegradeSafeguard": _fires(Trigger.SAFEGUARD_DEGRADE),
                "SuspendSafeguard": _fires(Trigger.SAFEGUARD_SUSPEND),
                "RetireSafeguard": _fires(Trigger.SAFEGUARD_RETIRE),
            },
        }.items()
        for method, permission in methods.items()
    }
)
"""Permission by full method name, such as ``interlock.v1.ChangeService/SignOff``."""
