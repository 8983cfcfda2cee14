"""Triggers on models: their artifacts and runs, determinations, assessments and levels.

What each carries, as frozen values; directions are in ``triggers.py``, edges in ``machines/``.
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
