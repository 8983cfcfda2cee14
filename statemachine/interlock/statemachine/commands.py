"""Commands and triggers as frozen values; field names are those of the messages of ``proto``.

What lives here: what ``decide`` can be told. Which message each stands for is the codec's business.
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
)
"""Any trigger with its arguments."""


@dataclass(frozen=True, slots=True)
class Genesis:
    """The founding entry; ``document`` is a serialized GenesisDocument."""

    document: bytes


@dataclass(frozen=True, slots=True)
class CloseGenesis:
    """Ends the founding."""


@dataclass(frozen=True, slots=True)
class Fire:
    """One person fires a tightening or neutral trigger."""

    firing: Firing


@dataclass(frozen=True, slots=True)
class ProposeChange:
    """A new change; ``content`` are the bytes that will be signed."""

    content: bytes
    draft: bool = False


@dataclass(frozen=True, slots=True)
class SubmitChange:
    """A draft is put to review."""

    change: str


@dataclass(frozen=True, slots=True)
class AmendChange:
    """A new revision with other triggers, texts or times."""

    change: str
    content: bytes


@dataclass(frozen=True, slots=True)
class AttachEvidence:
    """A new revision with more evidence."""

    change: str
    content: bytes


@dataclass(frozen=True, slots=True)
class DetachEvidence:
    """A new revision with less evidence."""

    change: str
    content: bytes


@dataclass(frozen=True, slots=True)
class RebaseChange:
    """A new revision on the present base."""

    change: str
    content: bytes


Revision = AmendChange | AttachEvidence | DetachEvidence | RebaseChange
"""Any command that makes a new revision of a change."""


@dataclass(frozen=True, slots=True)
class SignOffChange:
    """A sign-off; the envelope is in the facts."""

    change: str


@dataclass(frozen=True, slots=True)
class WithdrawSignOffOfChange:
    """A signed withdrawal of one's own sign-off; the envelope is in the facts."""

    change: str


@dataclass(frozen=True, slots=True)
class ApplyApprovedChange:
    """An approved change is applied."""

    change: str


@dataclass(frozen=True, slots=True)
class WithdrawProposedChange:
    """A change is taken back."""

    change: str


@dataclass(frozen=True, slots=True)
class RecordEvidence:
    """A document is recorded."""

    kind: str
    title_digest: bytes
    media_type: str
    sha256: str
    size: int
    authors: tuple[str, ...]
    made_at: int
    valid_until: int
    classification: str
    redacts: str
    effective_compute: str


@dataclass(frozen=True, slots=True)
class GrantEvidenceAccess:
    """Someone may read a restricted document."""

    evidence: str
    principal: str


@dataclass(frozen=True, slots=True)
class OpenEvidence:
    """A restricted document was opened by the actor."""

    evidence: str


@dataclass(frozen=True, slots=True)
class AttemptRefused:
    """Somebody known tried what was refused."""

    method: str
    request_digest: bytes
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordDecision:
    """A decision of the gate is handed out, signed; ``artifact`` is the hex SHA-256 of a weights manifest."""

    model: str
    context: str
    artifact: str
    allowed: bool
    statement_digest: bytes


Command = (
    Genesis
    | CloseGenesis
    | Fire
    | ProposeChange
    | SubmitChange
    | AmendChange
    | AttachEvidence
    | DetachEvidence
    | RebaseChange
    | SignOffChange
    | WithdrawSignOffOfChange
    | ApplyApprovedChange
    | WithdrawProposedChange
    | RecordEvidence
    | GrantEvidenceAccess
    | OpenEvidence
    | AttemptRefused
    | RecordDecision
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who commands, and the fingerprint of the credential behind the session."""

    principal: str
    credential: str = ""


SYSTEM = Actor("principals/system")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is in neither the fold nor the command: the instant (microseconds) and signed envelopes.

    ``serving`` is what could be relied on when a verdict was given (``verdicts.SERVING``), empty where none was.
    """

    instant: int
    envelopes: tuple[bytes, ...] = ()
    serving: tuple[str, ...] = ()
