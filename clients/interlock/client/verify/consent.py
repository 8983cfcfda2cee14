"""Whose word a loosening step rests on: *signed* or *asserted by the server* (ledger design, "Offline verification").

Signed: the sign-offs that fill the slots of its rule were verified (replay did that) against keys of a founding that
somebody countersigned, or of changes that were signed themselves. Asserted: everything else that loosens. Commands
that tighten or loosen nothing, uploads and the instant are the server's word by nature and are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.triggers import Direction, can_loosen, direction_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.statemachine.decide import Accepted

_APPLIED = "change.apply"


@dataclass(slots=True)
class Consent:
    """Counts as the entries come. ``first_asserted`` is the position of the first such entry, -1 for none."""

    signed: int = 0
    asserted: int = 0
    first_asserted: int = -1

    def take(self, accepted: Accepted) -> None:
        """Label what an accepted entry loosened. The founding has a step of its own."""
        entry = accepted.entry
        if isinstance(entry.command, c.Genesis | c.CloseGenesis):
            return
        slots = _slots(accepted)
        for row in entry.transitions:
            if not _loosens(row.trigger, slots):
                continue
            if slots.get(row.trigger) and accepted.state.log.countersigned:
                self.signed += 1
                continue
            self.asserted += 1
            if self.first_asserted < 0:
                self.first_asserted = entry.seq


def _loosens(trigger: str, governed: Mapping[str, bool]) -> bool:
    return direction_of(trigger) is Direction.LOOSENS or (can_loosen(trigger) and trigger in governed)


def _slots(accepted: Accepted) -> dict[str, bool]:
    """Return the triggers of the change that was applied that a rule governed, and whether all their slots are filled.

    That is: by somebody who signed for it. What loosens only in places is governed there: ``decide`` has seen to it.
    """
    if isinstance(accepted.entry.command, c.Recover):  # replay checked the signatures, by keys of the founding
        return dict.fromkeys((row.trigger for row in accepted.entry.transitions), True)
    applied = next((row.resource for row in accepted.entry.transitions if row.trigger == _APPLIED), "")
    change = accepted.state.find(applied, r.Change) if applied else None
    if change is None:
        return {}
    signers = {row.signer for row in change.sign_offs if row.decision == "approve" and row.envelope_digest}
    found: dict[str, bool] = {}
    for trigger, _, _, holder in change.applied_slots:
        found[trigger] = found.get(trigger, True) and holder in signers
    return found
