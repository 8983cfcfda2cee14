"""A whole lint: what the loader found, then every proof, each finding with its place and the calls that show it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interlock.statemachine.policy.findings import Code, Finding, Severity, ordered
from interlock.statemachine.policy.lint.against import check_against, members_of
from interlock.statemachine.policy.lint.calls import calls_of
from interlock.statemachine.policy.lint.doors import Quorum, check_doors, effective_quorums
from interlock.statemachine.policy.lint.machines import check_machines
from interlock.statemachine.policy.lint.product import check_product
from interlock.statemachine.policy.lint.report import placed
from interlock.statemachine.policy.lint.sense import check_sense
from interlock.statemachine.policy.loader import draft_pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State


@dataclass(frozen=True, slots=True)
class Linted:
    """A pack that was looked at and proven: ``policy`` is None where it does not even load."""

    policy: Policy | None
    findings: tuple[Finding, ...]
    quorums: tuple[Quorum, ...]

    @property
    def clean(self) -> bool:
        """Whether there is no error and no warning; notes may stand."""
        return all(finding.severity is Severity.NOTE for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Log:
    """The log whose people a lint counts: its state at an instant (microseconds)."""

    state: State
    instant: int


def lint_pack(files: Mapping[str, bytes], against: Log | None = None) -> Linted:
    """Return everything that is to be said about a pack; never raises for what its files hold.

    ``against`` adds whether the people of a log can meet its rules.
    """
    draft = draft_pack(files)
    loaded = tuple(
        replace(found, calls=calls_of(found, draft.tree)) if found.code is not Code.MORE_FINDINGS else found
        for found in draft.findings
    )
    if draft.policy is None or draft.shape is None or draft.tree is None:
        return Linted(None, loaded, ())
    policy = draft.policy
    quorums = effective_quorums(policy)
    claims = [
        *check_machines(policy),
        *check_doors(policy, quorums),
        *check_product(policy),
        *check_sense(policy, draft.shape),
    ]
    if against is not None:
        claims += check_against(policy, members_of(policy, against.state, against.instant))
    tree = draft.tree
    return Linted(policy, ordered((*loaded, *(placed(tree, claim) for claim in claims))), quorums)
