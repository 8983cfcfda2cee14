"""What a reader sees: the fold at one position, with the policy and rules in force there. Frozen, so it may be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interlock.statemachine.policy import Policy
    from interlock.statemachine.rules import Rules
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class View:
    """The log after its first ``state.size`` entries; ``root`` is their Merkle root, computed by this process."""

    state: State
    policy: Policy
    rules: Rules
    root: bytes

    @property
    def position(self) -> int:
        """Position of the last entry; -1 for an empty log."""
        return self.state.head
