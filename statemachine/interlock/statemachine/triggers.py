"""The directions table: every trigger of every machine, and whether it may loosen a verdict.

What lives here: names and directions, nothing else. The edges are in ``machines/``, the rights in ``rights.py``.
A policy pack can make a loosening trigger harder; it can never add one or change its direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Direction(StrEnum):
    """What firing a trigger can do to the gate's verdicts."""

    LOOSENS = "loosens"  # may turn some DENY into ALLOW, now or later: only in an applied change
    TIGHTENS = "tightens"  # can only turn ALLOW into DENY: one principal with the right
    NEUTRAL = "neutral"  # can affect no verdict: one principal with the right


class Trigger(StrEnum):
    """Every trigger that a command or a change can fire; the value is its name in packs, entries and listings."""

    MODEL_REGISTER = "model.register"
    MODEL_RETIRE = "model.retire"
    MODEL_ADD_ARTIFACT = "model.add_artifact"
    MODEL_RECORD_RUN = "model.record_run"
    DETERMINATION_REPORT = "determination.report"
    DETERMINATION_CONFIRM = "determination.confirm"
    DETERMINATION_RULE_OUT = "determination.rule_out"
    ASSESSMENT_OPEN = "assessment.open"
    ASSESSMENT_CONCLUDE = "assessment.conclude"
    ASSESSMENT_ABANDON = "assessment.abandon"
    LEVEL_ASSIGN = "level.assign"
    LEVEL_RAISE = "level.raise"
    LEVEL_CONFIRM = "level.confirm"
    LEVEL_LOWER = "level.lower"
    SAFEGUARD_START = "safeguard.start"
    SAFEGUARD_VERIFY = "safeguard.verify"
    SAFEGUARD_ACTIVATE = "safeguard.activate"
    SAFEGUARD_REATTEST = "safeguard.reattest"
    SAFEGUARD_DEGRADE = "safeguard.degrade"
    SAFEGUARD_RESTORE = "safeguard.restore"
    SAFEGUARD_SUSPEND = "safeguard.suspend"
    SAFEGUARD_RESUME = "safeguard.resume"
    SAFEGUARD_RETIRE = "safeguard.retire"
    SAFEGUARD_REPLAN = "safeguard.replan"
    HOLD_PLACE = "hold.place"
    HOLD_LIFT = "hold.lift"
    DEPLOYMENT_RECORD = "deployment.record"
    DEPLOYMENT_END = "deployment.end"
    PRINCIPAL_SUSPEND = "principal.suspend"
    PRINCIPAL_REMOVE = "principal.remove"
    CREDENTIAL_REVOKE = "credential.revoke"
    GRANT_END = "grant.end"
    PRINCIPAL_LINK = "principal.link"
    PRINCIPAL_UNLINK = "principal.unlink"
    CHANGE_RATIFY = "change.ratify"
    PRINCIPAL_CREATE = "principal.create"
    PRINCIPAL_RESTORE = "principal.restore"
    CREDENTIAL_REGISTER = "credential.register"
    GRANT_GIVE = "grant.give"
    DELEGATION_GIVE = "delegation.give"
    DELEGATION_END = "delegation.end"
    ISSUER_TRUST = "issuer.trust"
    ISSUER_DISTRUST = "issuer.distrust"
    CREDENTIAL_BIND = "credential.bind"
    RECOVERY_SUSPEND = "recovery.suspend"
    RECOVERY_REVOKE = "recovery.revoke"
    LOG_ROTATE_KEY = "log.rotate_key"
    BREAK_GLASS_OPEN = "break_glass.open"
    INTERIM_MEASURE_PUT_IN_FORCE = "interim_measure.put_in_force"
    INTERIM_MEASURE_END = "interim_measure.end"
    OBLIGATION_FULFIL = "obligation.fulfil"
    POLICY_ADOPT = "policy.adopt"
    OBLIGATION_WAIVE = "obligation.waive"
    INCIDENT_REPORT = "incident.report"
    INCIDENT_TRIAGE = "incident.triage"
    INCIDENT_MITIGATE = "incident.mitigate"
    INCIDENT_CLOSE = "incident.close"
    FINDING_RAISE = "finding.raise"
    FINDING_CONFIRM = "finding.confirm"
    FINDING_DISMISS = "finding.dismiss"


_LOOSENS, _TIGHTENS, _NEUTRAL = Direction.LOOSENS, Direction.TIGHTENS, Direction.NEUTRAL

DIRECTIONS: Mapping[Trigger, Direction] = MappingProxyType(
    {
        Trigger.MODEL_REGISTER: _NEUTRAL,
        Trigger.MODEL_RETIRE: _TIGHTENS,
        Trigger.MODEL_ADD_ARTIFACT: _LOOSENS,
        Trigger.MODEL_RECORD_RUN: _TIGHTENS,
        Trigger.DETERMINATION_REPORT: _TIGHTENS,
        Trigger.DETERMINATION_CONFIRM: _LOOSENS,
        Trigger.DETERMINATION_RULE_OUT: _LOOSENS,
        Trigger.ASSESSMENT_OPEN: _NEUTRAL,
        Trigger.ASSESSMENT_CONCLUDE: _NEUTRAL,
        Trigger.ASSESSMENT_ABANDON: _NEUTRAL,
        Trigger.LEVEL_ASSIGN: _LOOSENS,
        Trigger.LEVEL_RAISE: _LOOSENS,
        Trigger.LEVEL_CONFIRM: _NEUTRAL,
        Trigger.LEVEL_LOWER: _LOOSENS,
        Trigger.SAFEGUARD_START: _NEUTRAL,
        Trigger.SAFEGUARD_VERIFY: _NEUTRAL,
        Trigger.SAFEGUARD_ACTIVATE: _LOOSENS,
        Trigger.SAFEGUARD_REATTEST: _LOOSENS,
        Trigger.SAFEGUARD_DEGRADE: _TIGHTENS,
        Trigger.SAFEGUARD_RESTORE: _LOOSENS,
        Trigger.SAFEGUARD_SUSPEND: _TIGHTENS,
        Trigger.SAFEGUARD_RESUME: _LOOSENS,
        Trigger.SAFEGUARD_RETIRE: _TIGHTENS,
        Trigger.SAFEGUARD_REPLAN: _NEUTRAL,
        Trigger.HOLD_PLACE: _TIGHTENS,
        Trigger.HOLD_LIFT: _LOOSENS,
        Trigger.DEPLOYMENT_RECORD: _NEUTRAL,
        Trigger.DEPLOYMENT_END: _NEUTRAL,
        Trigger.PRINCIPAL_SUSPEND: _TIGHTENS,
        Trigger.PRINCIPAL_REMOVE: _TIGHTENS,
        Trigger.CREDENTIAL_REVOKE: _TIGHTENS,
        Trigger.GRANT_END: _TIGHTENS,
        Trigger.PRINCIPAL_LINK: _TIGHTENS,
        Trigger.PRINCIPAL_UNLINK: _LOOSENS,
        Trigger.CHANGE_RATIFY: _LOOSENS,
        Trigger.PRINCIPAL_CREATE: _LOOSENS,
        Trigger.PRINCIPAL_RESTORE: _LOOSENS,
        Trigger.CREDENTIAL_REGISTER: _LOOSENS,
        Trigger.GRANT_GIVE: _LOOSENS,
        Trigger.DELEGATION_GIVE: _NEUTRAL,
        Trigger.DELEGATION_END: _TIGHTENS,
        Trigger.ISSUER_TRUST: _LOOSENS,
        Trigger.ISSUER_DISTRUST: _TIGHTENS,
        Trigger.CREDENTIAL_BIND: _LOOSENS,
        Trigger.RECOVERY_SUSPEND: _LOOSENS,
        Trigger.RECOVERY_REVOKE: _LOOSENS,
        Trigger.LOG_ROTATE_KEY: _LOOSENS,
        Trigger.BREAK_GLASS_OPEN: _LOOSENS,
        Trigger.INTERIM_MEASURE_PUT_IN_FORCE: _LOOSENS,
        Trigger.INTERIM_MEASURE_END: _TIGHTENS,
        Trigger.OBLIGATION_FULFIL: _NEUTRAL,
        Trigger.POLICY_ADOPT: _LOOSENS,
        Trigger.OBLIGATION_WAIVE: _LOOSENS,
        Trigger.INCIDENT_REPORT: _TIGHTENS,
        Trigger.INCIDENT_TRIAGE: _TIGHTENS,
        Trigger.INCIDENT_MITIGATE: _NEUTRAL,
        Trigger.INCIDENT_CLOSE: _NEUTRAL,
        Trigger.FINDING_RAISE: _NEUTRAL,
        Trigger.FINDING_CONFIRM: _TIGHTENS,
        Trigger.FINDING_DISMISS: _NEUTRAL,
    }
)

LOOSENS_WHERE: Mapping[Trigger, str] = MappingProxyType(
    {
        Trigger.OBLIGATION_FULFIL: "the obligation blocks",
        Trigger.INCIDENT_TRIAGE: "it lowers the severity",
        Trigger.INCIDENT_CLOSE: "the incident blocks",
        Trigger.FINDING_DISMISS: "the finding is confirmed and blocks",
    }
)
"""Triggers that loosen where this is so, and have the direction of the table everywhere else (``ruling.py`` asks)."""


@dataclass(frozen=True, slots=True)
class ReservedTrigger:
    """A trigger that packs may already name in a rule although no machine of these rules fires it yet.

    Packs are immutable once adopted, so one written today must be able to say who will sign for these; until a
    rules version brings the machine, nothing can fire them, which is the strictest reading.
    """

    name: str
    direction: Direction


RESERVED: Mapping[str, ReservedTrigger] = MappingProxyType(
    {
        name: ReservedTrigger(name, direction)
        for name, direction in {
            "rules.adopt": _LOOSENS,
            "risk_report.publish": _NEUTRAL,
            "roadmap_goal.grade": _NEUTRAL,
        }.items()
    }
)


_BY_NAME: Mapping[str, Direction] = MappingProxyType(
    {name: row.direction for name, row in RESERVED.items()} | {t.value: way for t, way in DIRECTIONS.items()}
)


def loosening() -> tuple[str, ...]:
    """Names of every trigger that a rule or the pack's default must cover, in table order.

    Break-glass has rules of its own in a pack, or is not allowed.
    """
    own = tuple(t.value for t, d in DIRECTIONS.items() if d is Direction.LOOSENS and t is not Trigger.BREAK_GLASS_OPEN)
    return own + tuple(r.name for r in RESERVED.values() if r.direction is Direction.LOOSENS)


def direction_of(name: str) -> Direction | None:
    """Direction of the trigger called ``name``; None when there is no such trigger."""
    return _BY_NAME.get(name)


def can_loosen(name: str) -> bool:
    """Say whether the trigger called ``name`` loosens, always or somewhere: a rule for it needs two people."""
    return _BY_NAME.get(name) is Direction.LOOSENS or name in LOOSENS_WHERE
