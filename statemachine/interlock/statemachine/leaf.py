"""What one leaf of the ALLOW rule is; which there are is in ``leaves.py`` and, for rule 7, in ``blocking.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from interlock.statemachine.resources import NEVER

if TYPE_CHECKING:
    from interlock.statemachine.unmet import Unmet

Kind: TypeAlias = Literal[
    "context",
    "model",
    "artifact",
    "hold",
    "determination",
    "level",
    "safeguard",
    "attestation",
    "measure",
    "taint",
    "obligation",
    "exemption",
    "incident",
    "finding",
]


class Leaf(NamedTuple):
    """One thing that is asked for. A named tuple, since the gate makes dozens for each verdict that it works out.

    ``rule`` is the number of the ALLOW rule; ``name`` the resource to look at (for the context its id); ``until`` the
    first instant (microseconds) at which time alone leaves it unmet, None for never or where it is unmet already;
    ``entry`` the position of the tainted change, where one is what fails.
    """

    rule: int
    kind: Kind
    requirement: str
    name: str
    unmet: Unmet | None = None
    until: int | None = None
    blocking: bool = True
    entry: int = NEVER
