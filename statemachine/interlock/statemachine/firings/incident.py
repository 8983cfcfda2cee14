"""Triggers on incidents and on findings of analysers of activity records.

What each carries, as frozen values; directions are in ``triggers.py``, edges in ``machines/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlock.statemachine.triggers import Trigger


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """``incident.report``; ``severity`` is empty until judged, ``discovered_at`` microseconds, 0 for now."""

    trigger: ClassVar[Trigger] = Trigger.INCIDENT_REPORT
    target: str
    category: str
    severity: str = ""
    discovered_at: int = 0
    title_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class IncidentTriage:
    """``incident.triage``; an empty ``category`` keeps the one that it has."""

    trigger: ClassVar[Trigger] = Trigger.INCIDENT_TRIAGE
    incident: str
    severity: str
    category: str = ""
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class IncidentMitigate:
    """``incident.mitigate``."""

    trigger: ClassVar[Trigger] = Trigger.INCIDENT_MITIGATE
    incident: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class IncidentClose:
    """``incident.close``."""

    trigger: ClassVar[Trigger] = Trigger.INCIDENT_CLOSE
    incident: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class FindingRaise:
    """``finding.raise``."""

    trigger: ClassVar[Trigger] = Trigger.FINDING_RAISE
    target: str
    severity: str
    evidence: tuple[str, ...] = ()
    title_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class FindingConfirm:
    """``finding.confirm``."""

    trigger: ClassVar[Trigger] = Trigger.FINDING_CONFIRM
    finding: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class FindingDismiss:
    """``finding.dismiss``."""

    trigger: ClassVar[Trigger] = Trigger.FINDING_DISMISS
    finding: str
    reason_digest: bytes = b""
