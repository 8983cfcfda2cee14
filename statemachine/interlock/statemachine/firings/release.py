"""Triggers on what stands between a model and its release: safeguards, interim measures, holds, deployments.

What each carries, as frozen values; directions are in ``triggers.py``, edges in ``machines/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlock.statemachine.triggers import Trigger


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
class BreakGlassOpen:
    """``break_glass.open``; ``resource`` is a hold or a safeguard, ``until`` microseconds."""

    trigger: ClassVar[Trigger] = Trigger.BREAK_GLASS_OPEN
    resource: str
    until: int
