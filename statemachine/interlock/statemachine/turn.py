"""What every command is decided with: who, when, under which rules and policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interlock.statemachine import commands as c
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.rules import Rules


@dataclass(frozen=True, slots=True)
class Turn:
    """What a command is decided with beside the state; ``judged`` off is for a fold of entries that were accepted."""

    rules: Rules
    policy: Policy
    actor: c.Actor
    facts: c.Facts
    judged: bool = True

    @property
    def instant(self) -> int:
        """When, in microseconds."""
        return self.facts.instant
