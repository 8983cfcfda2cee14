"""Who is to be founded: the same plan for `--dev` and for a reviewed file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.proofs import signature_keys
from interlock.proofs.errors import KeyMaterialError
from interlock.statemachine.entry import (
    FoundingCredential,
    FoundingGrant,
    FoundingPrincipal,
    GenesisDocument,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.entry import PolicyRef
    from interlock.statemachine.policy.model import Policy

EVERYTHING: Final = "*"
MIN_RECOVERY: Final = 2
HUMAN, SERVICE, EXTERNAL = "human", "service", "external"


class PlanError(ValueError):
    """A founding that can't be; the message says all that is wrong."""


@dataclass(frozen=True, slots=True)
class PlannedGrant:
    """A role, and the models that it counts for."""

    role: str
    scope: str = EVERYTHING


@dataclass(frozen=True, slots=True)
class PlannedPrincipal:
    """An account; keys are raw Ed25519 public keys by use (``login``, ``signoff``, ``recovery``)."""

    id: str
    kind: str
    person: str
    grants: tuple[PlannedGrant, ...] = ()
    keys: tuple[tuple[str, bytes], ...] = ()
    recovery: bool = False

    @property
    def name(self) -> str:
        """Resource name."""
        return f"principals/{self.id}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everyone, and how many of the recovery quorum must act together."""

    principals: tuple[PlannedPrincipal, ...]
    recovery_threshold: int = MIN_RECOVERY


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """What makes a log this log: a random id (16 bytes) and two raw public keys."""

    log_id: bytes
    log_key: bytes
    decision_key: bytes


def origin_of(log_id: bytes) -> str:
    """Return the name that a log's checkpoints and its key go by (C2SP tlog-checkpoint, "origin")."""
    return f"interlock/{log_id.hex()}"


def check_plan(plan: Plan, policy: Policy) -> None:
    """Raise PlanError with everything that ``decide`` would refuse one by one, in the words of the file."""
    wrong = tuple(_problems(plan, policy))
    if wrong:
        raise PlanError("; ".join(wrong))


def document_of(plan: Plan, identity: LogIdentity, policy: PolicyRef, *, development: bool) -> GenesisDocument:
    """Return the founding document of a plan."""
    return GenesisDocument(
        log_id=identity.log_id,
        log_key=identity.log_key,
        decision_key=identity.decision_key,
        policy=policy,
        development=development,
        principals=tuple(FoundingPrincipal(p.name, p.kind, p.person, p.recovery) for p in plan.principals),
        credentials=tuple(FoundingCredential(p.name, use, key) for p in plan.principals for use, key in p.keys),
        grants=tuple(FoundingGrant(p.name, g.role, g.scope) for p in plan.principals for g in p.grants),
        recovery_threshold=plan.recovery_threshold,
    )


def approvers(plan: Plan, policy: Policy) -> tuple[PlannedPrincipal, ...]:
    """Return who holds a role that approves: they countersign the founding."""
    return tuple(p for p in plan.principals if any(policy.roles[g.role].approves for g in p.grants))


def _problems(plan: Plan, policy: Policy) -> Iterator[str]:
    ids = [principal.id for principal in plan.principals]
    for twice in sorted({one for one in ids if ids.count(one) > 1}):
        yield f"two principals are called {twice}"
    used: dict[bytes, str] = {}
    for principal in plan.principals:
        yield from _account_problems(principal, policy)
        for use, key in principal.keys:
            if key in used:
                yield f"{principal.id}: its {use} key is already {used[key]}"
            used[key] = f"the {use} key of {principal.id}"
            try:
                signature_keys.algorithm(key)
            except KeyMaterialError as error:
                yield f"{principal.id}: {use} key: {error}"
    recovery = {principal.person for principal in plan.principals if principal.recovery}
    if not MIN_RECOVERY <= plan.recovery_threshold <= len(recovery):
        yield (
            f"the recovery quorum is {plan.recovery_threshold} of {len(recovery)} people; "
            f"it takes at least {MIN_RECOVERY}, and no more than there are"
        )


def _account_problems(principal: PlannedPrincipal, policy: Policy) -> Iterator[str]:
    if principal.kind not in {HUMAN, SERVICE, EXTERNAL}:
        yield f"{principal.id}: {principal.kind!r} is no kind of account"
    if (principal.kind == SERVICE) == bool(principal.person):
        yield f"{principal.id}: people have a person, services have none"
    uses = {use for use, _ in principal.keys}
    if principal.recovery and (principal.grants or uses != {"recovery"}):
        yield f"{principal.id}: a recovery account has a recovery key, and no role and no other key"
    if not principal.recovery and "recovery" in uses:
        yield f"{principal.id}: only a recovery account has a recovery key"
    for grant in principal.grants:
        role = policy.roles.get(grant.role)
        if role is None:
            known = ", ".join(policy.roles)
            yield f"{principal.id}: the policy has no role {grant.role!r}; it has {known}"
        elif role.approves and principal.kind == SERVICE:
            yield f"{principal.id}: a service never fills an approving role such as {grant.role}"
        elif role.approves and any(other.role == "admin" for other in principal.grants):
            yield f"{principal.id}: who administers does not approve ({grant.role})"
