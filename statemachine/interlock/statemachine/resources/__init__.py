"""What the fold knows of each resource: frozen values, one class a kind.

A field named ``*_by`` is the position of the loosening entry that gave the fact beside it; it is what taint
follows (identity design, "Taint"), so tightening, neutral triggers and carry-over keep it. Times are Unix
microseconds UTC. Nothing here is derived: whether something has lapsed or expired is asked at an instant.
"""

from __future__ import annotations

from interlock.statemachine.resources.change import (
    AskedRule,
    AskedSlot,
    Change,
    Evidence,
    Grounds,
    SignOff,
    Word,
)
from interlock.statemachine.resources.duty import (
    Finding,
    Incident,
    Obligation,
    Period,
)
from interlock.statemachine.resources.identity import (
    Credential,
    Delegation,
    Grant,
    Issuer,
    Principal,
)
from interlock.statemachine.resources.log import (
    ErasedText,
    Log,
    Pack,
    PolicyVersion,
    Restore,
    RetiredKey,
)
from interlock.statemachine.resources.model import (
    Artifact,
    Assessment,
    Decision,
    Deployment,
    Determination,
    Exemption,
    Hold,
    InterimMeasure,
    Level,
    Model,
    Safeguard,
)
from interlock.statemachine.resources.never import NEVER

__all__ = [
    "NEVER",
    "Artifact",
    "AskedRule",
    "AskedSlot",
    "Assessment",
    "Change",
    "Credential",
    "Decision",
    "Delegation",
    "Deployment",
    "Determination",
    "ErasedText",
    "Evidence",
    "Exemption",
    "Finding",
    "Grant",
    "Grounds",
    "Hold",
    "Incident",
    "InterimMeasure",
    "Issuer",
    "Level",
    "Log",
    "Model",
    "Obligation",
    "Pack",
    "Period",
    "PolicyVersion",
    "Principal",
    "Resource",
    "Restore",
    "RetiredKey",
    "Safeguard",
    "SignOff",
    "Word",
]

Resource = (
    Model
    | Determination
    | Level
    | Safeguard
    | Hold
    | Assessment
    | Evidence
    | Change
    | Principal
    | Grant
    | Delegation
    | Issuer
    | Exemption
    | Log
    | PolicyVersion
    | Pack
    | Decision
    | Deployment
    | InterimMeasure
    | Obligation
    | Period
    | ErasedText
    | Incident
    | Finding
)
