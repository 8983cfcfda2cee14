"""Triggers with their arguments, as frozen values; field names are those of the messages of ``proto``.

What lives here: what a command or a change can fire. Directions are in ``triggers.py``, edges in ``machines/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlock.statemachine.triggers import Trigger


@dataclass(frozen=True, slots=True)
class ModelRegister:
    """``model.register``."""

    trigger: ClassVar[Trigger] = Trigger.MODEL_REGISTER
    model: str
    artifacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelRetire:
    """``model.retire``."""

    trigger: ClassVar[Trigger] = Trigger.MODEL_RETIRE
    model: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class ModelAddArtifact:
    """``model.add_artifact``."""

    trigger: ClassVar[Trigger] = Trigger.MODEL_ADD_ARTIFACT
    model: str
    artifact: str


@dataclass(frozen=True, slots=True)
class ModelRecordRun:
    """``model.record_run``."""

    trigger: ClassVar[Trigger] = Trigger.MODEL_RECORD_RUN
    model: str
    evidence: str


@dataclass(frozen=True, slots=True)
class DeterminationReport:
    """``determination.report``."""

    trigger: ClassVar[Trigger] = Trigger.DETERMINATION_REPORT
    determination: str
    conclusion: str
    assessment: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeterminationConfirm:
    """``determination.confirm``."""

    trigger: ClassVar[Trigger] = Trigger.DETERMINATION_CONFIRM
    determination: str


@dataclass(frozen=True, slots=True)
class DeterminationRuleOut:
    """``determination.rule_out``."""

    trigger: ClassVar[Trigger] = Trigger.DETERMINATION_RULE_OUT
    determination: str


@dataclass(frozen=True, slots=True)
class AssessmentOpen:
    """``assessment.open``."""

    trigger: ClassVar[Trigger] = Trigger.ASSESSMENT_OPEN
    model: str
    thresholds: tuple[str, ...]
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class AssessmentConclude:
    """``assessment.conclude``."""

    trigger: ClassVar[Trigger] = Trigger.ASSESSMENT_CONCLUDE
    assessment: str
    reports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssessmentAbandon:
    """``assessment.abandon``."""

    trigger: ClassVar[Trigger] = Trigger.ASSESSMENT_ABANDON
    assessment: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class LevelAssign:
    """``level.assign``."""

    trigger: ClassVar[Trigger] = Trigger.LEVEL_ASSIGN
    level: str
    to: str


@dataclass(frozen=True, slots=True)
class LevelRaise:
    """``level.raise``."""

    trigger: ClassVar[Trigger] = Trigger.LEVEL_RAISE
    level: str
    to: str


@dataclass(frozen=True, slots=True)
class LevelConfirm:
    """``level.confirm``."""

    trigger: ClassVar[Trigger] = Trigger.LEVEL_CONFIRM
    level: str


@dataclass(frozen=True, slots=True)
class LevelLower:
    """``level.lower``."""

    trigger: ClassVar[Trigger] = Trigger.LEVEL_LOWER
    level: str
    to: str


@dataclass(frozen=True, slots=True)
class SafeguardStart:
    """``safeguard.start``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_START
    safeguard: str


@dataclass(frozen=True, slots=True)
class SafeguardVerify:
    """``safeguard.verify``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_VERIFY
    safeguard: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SafeguardActivate:
    """``safeguard.activate``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_ACTIVATE
    safeguard: str


@dataclass(frozen=True, slots=True)
class SafeguardReattest:
    """``safeguard.reattest``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_REATTEST
    safeguard: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SafeguardDegrade:
    """``safeguard.degrade``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_DEGRADE
    safeguard: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class SafeguardRestore:
    """``safeguard.restore``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_RESTORE
    safeguard: str


@dataclass(frozen=True, slots=True)
class SafeguardSuspend:
    """``safeguard.suspend``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_SUSPEND
    safeguard: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class SafeguardResume:
    """``safeguard.resume``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_RESUME
    safeguard: str


@dataclass(frozen=True, slots=True)
class SafeguardRetire:
    """``safeguard.retire``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_RETIRE
    safeguard: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class SafeguardReplan:
    """``safeguard.replan``."""

    trigger: ClassVar[Trigger] = Trigger.SAFEGUARD_REPLAN
    safeguard: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class HoldPlace:
    """``hold.place``."""

    trigger: ClassVar[Trigger] = Trigger.HOLD_PLACE
    target: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class HoldLift:
    """``hold.lift``."""

    trigger: ClassVar[Trigger] = Trigger.HOLD_LIFT
    hold: str


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """``deployment.record``; ``artifact`` and ``decision`` are empty for none. The verdict is judged, never told."""

    trigger: ClassVar[Trigger] = Trigger.DEPLOYMENT_RECORD
    model: str
    context: str
    artifact: str
    location: str
    decision: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentEnd:
    """``deployment.end``."""

    trigger: ClassVar[Trigger] = Trigger.DEPLOYMENT_END
    deployment: str


@dataclass(frozen=True, slots=True)
class PrincipalSuspend:
    """``principal.suspend``."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_SUSPEND
    principal: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class PrincipalRemove:
    """``principal.remove``."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_REMOVE
    principal: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class CredentialRevoke:
    """``credential.revoke``; ``compromised_since`` is microseconds, 0 where nothing is wrong with what it signed."""

    trigger: ClassVar[Trigger] = Trigger.CREDENTIAL_REVOKE
    credential: str
    compromised_since: int = 0
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class GrantEnd:
    """``grant.end``."""

    trigger: ClassVar[Trigger] = Trigger.GRANT_END
    grant: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class PrincipalCreate:
    """``principal.create``; ``person`` is empty for a service."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_CREATE
    principal: str
    kind: str
    person: str = ""


@dataclass(frozen=True, slots=True)
class PrincipalRestore:
    """``principal.restore``."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_RESTORE
    principal: str


@dataclass(frozen=True, slots=True)
class CredentialRegister:
    """``credential.register``; ``replaces`` is the fingerprint of the key that it takes the place of, empty for none.

    ``proof`` is the new key's signature over ``possession.registration_bytes``, ``replaces_proof`` the old one's over
    ``rotation_bytes``; ``until`` is microseconds, 0 for no end of its own.
    """

    trigger: ClassVar[Trigger] = Trigger.CREDENTIAL_REGISTER
    principal: str
    use: str
    public_key: bytes
    proof: bytes
    replaces: str = ""
    replaces_proof: bytes = b""
    until: int = 0


@dataclass(frozen=True, slots=True)
class GrantGive:
    """``grant.give``; ``until`` is microseconds, 0 for no end of its own."""

    trigger: ClassVar[Trigger] = Trigger.GRANT_GIVE
    principal: str
    role: str
    scope: str
    until: int = 0


@dataclass(frozen=True, slots=True)
class InterimMeasurePutInForce:
    """``interim_measure.put_in_force``; ``safeguards`` and ``contexts`` by id, ``until`` in microseconds."""

    trigger: ClassVar[Trigger] = Trigger.INTERIM_MEASURE_PUT_IN_FORCE
    model: str
    safeguards: tuple[str, ...]
    contexts: tuple[str, ...]
    until: int


@dataclass(frozen=True, slots=True)
class InterimMeasureEnd:
    """``interim_measure.end``."""

    trigger: ClassVar[Trigger] = Trigger.INTERIM_MEASURE_END
    interim_measure: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class ObligationFulfil:
    """``obligation.fulfil``."""

    trigger: ClassVar[Trigger] = Trigger.OBLIGATION_FULFIL
    period: str
    evidence: tuple[str, ...]


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
    | InterimMeasurePutInForce
    | InterimMeasureEnd
    | ObligationFulfil
)
"""Any trigger with its arguments."""
