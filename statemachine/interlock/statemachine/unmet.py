"""Refusals as values: every unmet requirement at once, each with a stable code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Reason codes, all of them; part of the rules manifest."""

    # the gate (domain design, "The ALLOW rule")
    CONTEXT_UNKNOWN = "CONTEXT_UNKNOWN"
    CLOCK = "CLOCK"
    LEDGER = "LEDGER"
    LOG_ROLLED_BACK = "LOG_ROLLED_BACK"
    MODEL_UNKNOWN = "MODEL_UNKNOWN"
    MODEL_RETIRED = "MODEL_RETIRED"
    ARTIFACT_REQUIRED = "ARTIFACT_REQUIRED"
    ARTIFACT_UNKNOWN = "ARTIFACT_UNKNOWN"
    HOLD_PLACED = "HOLD_PLACED"
    DETERMINATION_MISSING = "DETERMINATION_MISSING"
    DETERMINATION_UNCONFIRMED = "DETERMINATION_UNCONFIRMED"
    DETERMINATION_LAPSED = "DETERMINATION_LAPSED"
    LEVEL_UNASSIGNED = "LEVEL_UNASSIGNED"
    LEVEL_TOO_LOW = "LEVEL_TOO_LOW"
    SAFEGUARD_NOT_ACTIVE = "SAFEGUARD_NOT_ACTIVE"
    ATTESTATION_ENDED = "ATTESTATION_ENDED"
    OBLIGATION_OVERDUE = "OBLIGATION_OVERDUE"
    TAINTED = "TAINTED"
    # machines
    MALFORMED = "MALFORMED"
    NO_SUCH_EDGE = "NO_SUCH_EDGE"
    NAME_TAKEN = "NAME_TAKEN"
    ARTIFACT_TAKEN = "ARTIFACT_TAKEN"
    NOT_FOUND = "NOT_FOUND"
    THRESHOLD_UNKNOWN = "THRESHOLD_UNKNOWN"
    STANDARD_UNKNOWN = "STANDARD_UNKNOWN"
    LEVEL_UNKNOWN = "LEVEL_UNKNOWN"
    LEVEL_STUB = "LEVEL_STUB"
    LEVEL_ORDER = "LEVEL_ORDER"
    LEVEL_STILL_PROVISIONAL = "LEVEL_STILL_PROVISIONAL"
    SAFEGUARD_UNKNOWN = "SAFEGUARD_UNKNOWN"
    SAFEGUARD_LEANED_ON = "SAFEGUARD_LEANED_ON"
    REPORT_NOT_OF_ASSESSMENT = "REPORT_NOT_OF_ASSESSMENT"
    END_PASSED = "END_PASSED"
    POLICY_NOT_ALONE = "POLICY_NOT_ALONE"
    POLICY_PACK = "POLICY_PACK"
    POLICY_IMMUTABLE = "POLICY_IMMUTABLE"
    # evidence
    EVIDENCE_UNKNOWN = "EVIDENCE_UNKNOWN"
    EVIDENCE_MISSING = "EVIDENCE_MISSING"
    EVIDENCE_STALE = "EVIDENCE_STALE"
    EVIDENCE_EXPIRED = "EVIDENCE_EXPIRED"
    EVIDENCE_KIND_UNKNOWN = "EVIDENCE_KIND_UNKNOWN"
    EVIDENCE_MADE_LATER = "EVIDENCE_MADE_LATER"
    EVIDENCE_FIELD = "EVIDENCE_FIELD"
    EVIDENCE_USED = "EVIDENCE_USED"
    # changes and sign-offs
    CHANGE_STATE = "CHANGE_STATE"
    CHANGE_EXPIRED = "CHANGE_EXPIRED"
    CHANGE_NEEDS_NO_SIGN_OFF = "CHANGE_NEEDS_NO_SIGN_OFF"
    CHANGE_TOO_LARGE = "CHANGE_TOO_LARGE"
    CHANGE_REQUIRED = "CHANGE_REQUIRED"
    CONTENT = "CONTENT"
    NOT_BEFORE = "NOT_BEFORE"
    BASE_MOVED = "BASE_MOVED"
    SIGN_OFF_MISSING = "SIGN_OFF_MISSING"
    SIGN_OFF_REJECTED = "SIGN_OFF_REJECTED"
    SIGN_OFF_FORMAT = "SIGN_OFF_FORMAT"
    SIGN_OFF_SUBJECT = "SIGN_OFF_SUBJECT"
    SIGN_OFF_SIGNER = "SIGN_OFF_SIGNER"
    SIGN_OFF_KEY = "SIGN_OFF_KEY"
    SIGN_OFF_SIGNATURE = "SIGN_OFF_SIGNATURE"
    SIGN_OFF_REPLAYED = "SIGN_OFF_REPLAYED"
    SIGN_OFF_ENDED = "SIGN_OFF_ENDED"
    SIGN_OFF_EVIDENCE = "SIGN_OFF_EVIDENCE"
    SIGN_OFF_CHECKPOINT = "SIGN_OFF_CHECKPOINT"
    SIGN_OFF_NONE = "SIGN_OFF_NONE"
    NO_APPROVING_ROLE = "NO_APPROVING_ROLE"
    ROLE_NOT_ASKED = "ROLE_NOT_ASKED"
    REQUESTER_CONFLICT = "REQUESTER_CONFLICT"
    EVIDENCE_AUTHOR_CONFLICT = "EVIDENCE_AUTHOR_CONFLICT"
    ADMIN_CONFLICT = "ADMIN_CONFLICT"
    AFFILIATION = "AFFILIATION"
    EVIDENCE_NOT_OPENED = "EVIDENCE_NOT_OPENED"
    GRANT_TOO_NEW = "GRANT_TOO_NEW"
    NO_DELEGATION = "NO_DELEGATION"
    DELEGATE_SELF = "DELEGATE_SELF"
    NOT_TAINTED = "NOT_TAINTED"
    # why a sign-off is void
    REVISION_CHANGED = "REVISION_CHANGED"
    SUPERSEDED = "SUPERSEDED"
    WITHDRAWN = "WITHDRAWN"
    GRANT_ENDED = "GRANT_ENDED"
    DELEGATION_ENDED = "DELEGATION_ENDED"
    CREDENTIAL_COMPROMISED = "CREDENTIAL_COMPROMISED"
    # decisions
    DECISION_DIFFERS = "DECISION_DIFFERS"
    DECISION_OF_ANOTHER = "DECISION_OF_ANOTHER"
    SERVING = "SERVING"
    # authority and the log
    RIGHT_MISSING = "RIGHT_MISSING"
    PRINCIPAL_INACTIVE = "PRINCIPAL_INACTIVE"
    CREDENTIAL_INACTIVE = "CREDENTIAL_INACTIVE"
    RECOVERY_QUORUM = "RECOVERY_QUORUM"
    PERSON_MISSING = "PERSON_MISSING"
    KEY_TAKEN = "KEY_TAKEN"
    KEY_CUSTODY = "KEY_CUSTODY"
    POSSESSION = "POSSESSION"
    ROLE_UNKNOWN = "ROLE_UNKNOWN"
    GRANT_EXPIRED = "GRANT_EXPIRED"
    GENESIS = "GENESIS"
    TIME_ORDER = "TIME_ORDER"
    STATE_DIGEST = "STATE_DIGEST"


class RefusalKind(StrEnum):
    """What sort of no it is; the service gives each its status code."""

    INVALID = "invalid"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    UNMET = "unmet"
    STALE = "stale"
    NOT_ALLOWED = "not_allowed"
    SIGN_OFF_INVALID = "sign_off_invalid"


@dataclass(frozen=True, slots=True)
class Unmet:
    """One requirement that is not met: what is asked, what is there, where to look.

    ``rule`` is the number of the ALLOW rule, 0 outside the gate; ``trigger`` is set inside a change.
    """

    code: Code
    requirement: str
    actual: str
    resource: str = ""
    trigger: str = ""
    rule: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A no, with everything that is unmet."""

    kind: RefusalKind
    unmet: tuple[Unmet, ...]


def refused(  # one keyword for each part of a requirement
    kind: RefusalKind, code: Code, requirement: str, actual: str, resource: str = "", trigger: str = ""
) -> Refused:
    """Return a refusal for a single unmet requirement."""
    return Refused(kind, (Unmet(code, requirement, actual, resource, trigger),))
