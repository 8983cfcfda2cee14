"""Policy packs: bytes in, a checked and compiled policy out, or every reason why not.

``load_pack`` for the policy, ``examine_pack`` for the warnings and notes as well, ``pack_digest`` for its name.
Nothing here reads a file: shipped packs are package data (``shipped.py``), and callers read them.
"""

from interlock.statemachine.policy.files import MAX_FILE_BYTES, POLICY_FILE, pack_digest
from interlock.statemachine.policy.findings import Code, Finding, PackError, Severity
from interlock.statemachine.policy.loader import Examined, examine_pack, load_pack
from interlock.statemachine.policy.model import (
    Affiliation,
    Assurance,
    BreakGlass,
    Conflict,
    Context,
    EvidenceNeed,
    Level,
    Obligation,
    Policy,
    Role,
    Rule,
    Safeguard,
    Slot,
    Source,
    Standard,
    Succession,
    Threshold,
    Track,
)
from interlock.statemachine.policy.shipped import shipped_pack_names

__all__ = [
    "MAX_FILE_BYTES",
    "POLICY_FILE",
    "Affiliation",
    "Assurance",
    "BreakGlass",
    "Code",
    "Conflict",
    "Context",
    "EvidenceNeed",
    "Examined",
    "Finding",
    "Level",
    "Obligation",
    "PackError",
    "Policy",
    "Role",
    "Rule",
    "Safeguard",
    "Severity",
    "Slot",
    "Source",
    "Standard",
    "Succession",
    "Threshold",
    "Track",
    "examine_pack",
    "load_pack",
    "pack_digest",
    "shipped_pack_names",
]
