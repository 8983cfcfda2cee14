"""The few resolutions that checking and compiling share, so that both mean the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine.policy.vocabulary import COMMON_CATEGORIES, COMMON_EVIDENCE_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.statemachine.policy.schema import LevelShape, PackShape, SafeguardShape


@dataclass(frozen=True, slots=True)
class Names:
    """What the pack declares, for looking names up; orders are indexes from 0."""

    levels: Mapping[str, int]
    contexts: Mapping[str, int]
    standards: frozenset[str]
    thresholds: frozenset[str]
    approving: frozenset[str]  # roles
    evidence_kinds: frozenset[str]  # the common ones too
    level_shapes: tuple[LevelShape, ...]
    severities: tuple[str, ...]
    categories: frozenset[str]  # the common one too

    @classmethod
    def of(cls, shape: PackShape) -> Names:
        """Collect the names of a pack."""
        return cls(
            levels={level.id: index for index, level in enumerate(shape.levels)},
            contexts={context.id: index for index, context in enumerate(shape.contexts)},
            standards=frozenset(shape.standards),
            thresholds=frozenset(shape.thresholds),
            approving=frozenset(role_id for role_id, role in shape.roles.items() if role.approves),
            evidence_kinds=COMMON_EVIDENCE_KINDS | frozenset(shape.evidence_kinds),
            level_shapes=tuple(shape.levels),
            severities=tuple(row.id for row in shape.incidents.severities),
            categories=COMMON_CATEGORIES | frozenset(shape.incidents.categories),
        )

    def level(self, level_id: str) -> LevelShape:
        """Return a level that is known to be there."""
        return self.level_shapes[self.levels[level_id]]


def applied_in(shape: PackShape, standard: str) -> frozenset[str]:
    """Return the contexts where a standard applies."""
    applies_in = shape.standards[standard].applies_in
    return frozenset(context.id for context in shape.contexts) if applies_in is None else frozenset(applies_in)


def covered(shape: PackShape, names: Names, safeguard: SafeguardShape) -> frozenset[str]:
    """Return the contexts that a safeguard covers: ``guards`` and, unless ``only``, every more exposed one.

    Where the safeguard's standard does not apply, the gate never asks for it.
    """
    applies_in = applied_in(shape, safeguard.standard)
    if safeguard.only:
        return applies_in & frozenset(safeguard.guards)
    least = min(names.contexts[context] for context in safeguard.guards)
    return frozenset(context for context, index in names.contexts.items() if index >= least) & applies_in
