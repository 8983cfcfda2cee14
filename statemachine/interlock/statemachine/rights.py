"""What a principal may do: the vocabulary of rights and the built-in roles (identity design, "Authority").

A right to fire a ↓ or = trigger has the trigger's own name. The other rights are listed in ``OTHER_RIGHTS``.
Loosening triggers have no right: they happen only in an applied change that met its rule.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.statemachine.triggers import DIRECTIONS, Direction, Trigger

if TYPE_CHECKING:
    from collections.abc import Mapping

READ: Final = "read"
AUDIT_READ: Final = "audit.read"
EVIDENCE_READ: Final = "evidence.read"
EVIDENCE_UPLOAD: Final = "evidence.upload"
EVIDENCE_GRANT_ACCESS: Final = "evidence.grant_access"
CHANGE_PROPOSE: Final = "change.propose"
CHANGE_SIGN: Final = "change.sign"
CHANGE_APPLY: Final = "change.apply"
GATE_CHECK: Final = "gate.check"
HOLD_EVERYTHING: Final = "hold.everything"
TEXT_ERASE: Final = "text.erase"
CLOCK_ACCEPT: Final = "clock.accept"
WHOAMI: Final = "whoami"

OTHER_RIGHTS: Final = frozenset(
    {
        READ, AUDIT_READ, EVIDENCE_READ, EVIDENCE_UPLOAD, EVIDENCE_GRANT_ACCESS,
        CHANGE_PROPOSE, CHANGE_SIGN, CHANGE_APPLY, GATE_CHECK, HOLD_EVERYTHING, TEXT_ERASE, CLOCK_ACCEPT,
        WHOAMI,
    }
)  # fmt: skip

FIRING_RIGHTS: Final = frozenset(t.value for t, d in DIRECTIONS.items() if d is not Direction.LOOSENS)
ALL_RIGHTS: Final = FIRING_RIGHTS | OTHER_RIGHTS

GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "assessment": frozenset(
            {
                Trigger.ASSESSMENT_OPEN.value,
                Trigger.ASSESSMENT_CONCLUDE.value,
                Trigger.ASSESSMENT_ABANDON.value,
            }
        ),
        "gate": frozenset({GATE_CHECK}),
        "deployments": frozenset({Trigger.DEPLOYMENT_RECORD.value, Trigger.DEPLOYMENT_END.value}),
    }
)
"""Short words that a pack's ``may:`` list can use for several rights."""

READ_SET: Final = frozenset({READ, AUDIT_READ, EVIDENCE_READ, GATE_CHECK, WHOAMI})
"""What every role of people may do: look. Service roles get only what they are for."""

IDENTITY: Final = frozenset(
    {
        Trigger.PRINCIPAL_SUSPEND.value,
        Trigger.PRINCIPAL_REMOVE.value,
        Trigger.PRINCIPAL_LINK.value,
        Trigger.CREDENTIAL_REVOKE.value,
        Trigger.GRANT_END.value,
        Trigger.ISSUER_DISTRUST.value,
    }
)
"""All that tightens identity: an administrator's alone, who in turn approves nothing."""

_TIGHTENING: Final = frozenset(t.value for t, d in DIRECTIONS.items() if d is Direction.TIGHTENS)

APPROVING: Final = (
    READ_SET
    | (_TIGHTENING - IDENTITY)
    | {
        Trigger.LEVEL_CONFIRM.value,
        Trigger.OBLIGATION_FULFIL.value,
        Trigger.DELEGATION_GIVE.value,
        Trigger.INCIDENT_MITIGATE.value,
        Trigger.INCIDENT_CLOSE.value,
        Trigger.FINDING_RAISE.value,
        Trigger.FINDING_DISMISS.value,
        CHANGE_SIGN,
        CHANGE_APPLY,
        EVIDENCE_GRANT_ACCESS,
        EVIDENCE_UPLOAD,
    }
)
"""What every approving role may do besides signing: all tightening but of identity, for anyone may stop a release."""

BUILT_IN_ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "requester": READ_SET
        | GROUPS["assessment"]
        | {
            Trigger.MODEL_REGISTER.value,
            Trigger.SAFEGUARD_START.value,
            Trigger.SAFEGUARD_VERIFY.value,
            CHANGE_PROPOSE,
            CHANGE_APPLY,
            EVIDENCE_UPLOAD,
        },
        "admin": READ_SET
        | IDENTITY
        | {
            TEXT_ERASE,
            CLOCK_ACCEPT,
            HOLD_EVERYTHING,
            Trigger.DELEGATION_END.value,
            Trigger.HOLD_PLACE.value,
            Trigger.SAFEGUARD_REPLAN.value,
        },
        "release-tool": GROUPS["gate"] | GROUPS["deployments"] | {WHOAMI},
        "monitor": frozenset(
            {
                Trigger.SAFEGUARD_DEGRADE.value,
                Trigger.SAFEGUARD_SUSPEND.value,
                Trigger.INCIDENT_REPORT.value,
                Trigger.FINDING_RAISE.value,
                GATE_CHECK,
                WHOAMI,
            }
        ),
        "auditor": READ_SET,
    }
)


def expand(words: tuple[str, ...]) -> frozenset[str]:
    """Rights that a pack's ``may:`` words stand for. Raises KeyError with the first unknown word."""
    rights: set[str] = set()
    for word in words:
        if word in GROUPS:
            rights |= GROUPS[word]
        elif word in ALL_RIGHTS:
            rights.add(word)
        else:
            raise KeyError(word)
    return frozenset(rights)
