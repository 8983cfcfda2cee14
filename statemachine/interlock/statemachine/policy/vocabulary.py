"""The words that every pack may use without declaring them, and which triggers take which treatment."""

from __future__ import annotations

from typing import Final

from interlock.statemachine.triggers import DIRECTIONS, Trigger

COMMON_EVIDENCE_KINDS: Final = frozenset(
    {
        "board_notice",
        "break_glass_review",
        "capability_report",
        "evaluation_results",
        "external_review",
        "insider_risk_analysis",
        "internal_feedback",
        "rapid_response_plan",
        "red_team_report",
        "risk_report",
        "safeguards_report",
        "security_audit",
        "training_run_record",
        "vulnerability_disclosure",
    }
)
"""Kinds of evidence known to every pack; ``evidence_kinds:`` adds to them."""

COMMON_CATEGORIES: Final = frozenset({"other"})
"""Categories of incidents known to every pack; ``incidents: {categories: […]}`` adds to them."""

NARROWABLE: Final = frozenset(t.value for t in DIRECTIONS if t.value.startswith(("level.", "safeguard.")))
"""Triggers that act on something of one standard, so that a rule may be narrowed to it."""

EXCEPTABLE: Final = frozenset(
    {Trigger.HOLD_LIFT.value, Trigger.SAFEGUARD_RESTORE.value, Trigger.SAFEGUARD_RESUME.value}
)
"""Triggers that break-glass may stand in for, for a while."""

MIN_PEOPLE: Final = 2
"""How many people, at least, must sign for anything that loosens. No pack can ask for fewer."""

GRANT: Final = Trigger.GRANT_GIVE.value
AS_DEAR_AS_A_GRANT: Final = (
    Trigger.CREDENTIAL_REGISTER.value,
    Trigger.PRINCIPAL_CREATE.value,
    Trigger.PRINCIPAL_RESTORE.value,
    Trigger.ISSUER_TRUST.value,
    Trigger.CREDENTIAL_BIND.value,
    Trigger.PRINCIPAL_UNLINK.value,
    Trigger.RECOVERY_SUSPEND.value,
    Trigger.RECOVERY_REVOKE.value,
    Trigger.LOG_ROTATE_KEY.value,
)
"""Triggers whose rule asks for all that the rule for grants asks for (identity design, "People, principals")."""

BREAK_GLASS_REVIEW: Final = "break-glass-review"
"""Id of the obligation that every use of break-glass opens a period of."""
