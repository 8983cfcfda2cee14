"""The founding of `init --dev`: one account for each thing that people do, with keys made here and now.

The genesis says `development`, and every verifier shows it: whoever made all keys could have signed for everyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.proofs import keys
from interlock.service.genesis.plan import (
    EXTERNAL,
    HUMAN,
    SERVICE,
    Plan,
    PlanError,
    PlannedGrant,
    PlannedPrincipal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.statemachine.policy.model import Policy

RECOVERY_IDS: Final = ("recovery-1", "recovery-2")


@dataclass(frozen=True, slots=True)
class DevelopmentPrincipal:
    """An account to make."""

    id: str
    roles: tuple[str, ...]
    is_service: bool = False


# The cast of the main story, named by what they do (scenario "precautionary activation").
_CASTS: Final[Mapping[str, tuple[DevelopmentPrincipal, ...]]] = MappingProxyType(
    {
        "rsp-2.2": (
            DevelopmentPrincipal("rso", ("rso",)),
            DevelopmentPrincipal("ceo", ("ceo",)),
            DevelopmentPrincipal("safeguards-lead", ("safeguards-lead",)),
            DevelopmentPrincipal("security-lead", ("security-lead",)),
            DevelopmentPrincipal("board", ("board",)),
            DevelopmentPrincipal("evals-lead", ("requester", "evaluator")),
            DevelopmentPrincipal("safeguards-engineer", ("engineer",)),
            DevelopmentPrincipal("security-engineer", ("engineer",)),
            DevelopmentPrincipal("release-bot", ("release-tool",), is_service=True),
            DevelopmentPrincipal("classifier-monitor", ("monitor",), is_service=True),
            DevelopmentPrincipal("auditor", ("auditor",)),
            DevelopmentPrincipal("admin", ("admin",)),
        )
    }
)

_BUILT_IN: Final = (
    DevelopmentPrincipal("requester", ("requester",)),
    DevelopmentPrincipal("release-bot", ("release-tool",), is_service=True),
    DevelopmentPrincipal("monitor-bot", ("monitor",), is_service=True),
    DevelopmentPrincipal("auditor", ("auditor",)),
    DevelopmentPrincipal("admin", ("admin",)),
)


def cast_of(policy: Policy) -> tuple[DevelopmentPrincipal, ...]:
    """Return who acts under a policy: the pack's own cast, or one account a role. Raises PlanError."""
    cast = _CASTS.get(policy.id)
    if cast is None:
        own = (DevelopmentPrincipal(role.id, (role.id,)) for role in policy.roles.values() if not role.built_in)
        cast = (*own, *_BUILT_IN)
    taken = [principal.id for principal in cast]
    clash = {*taken} & {*RECOVERY_IDS} or {one for one in taken if taken.count(one) > 1}
    if clash:
        raise PlanError(f"a role of the pack has the name of a built-in account: {', '.join(sorted(clash))}")
    return cast


def development_plan(policy: Policy) -> tuple[Plan, Mapping[str, Mapping[str, Ed25519PrivateKey]]]:
    """Return the plan, and everyone's private keys by principal id and use."""
    secrets: dict[str, dict[str, Ed25519PrivateKey]] = {}
    principals = []
    for member in cast_of(policy):
        uses = ("login",) if member.is_service else ("login", "signoff")
        secrets[member.id] = {use: Ed25519PrivateKey.generate() for use in uses}
        external = any(policy.roles[role].affiliation == EXTERNAL for role in member.roles)
        kind = SERVICE if member.is_service else EXTERNAL if external else HUMAN
        principals.append(
            PlannedPrincipal(
                id=member.id,
                kind=kind,
                person="" if member.is_service else member.id,
                grants=tuple(map(PlannedGrant, member.roles)),
                keys=_public(secrets[member.id]),
            )
        )
    for recovery_id in RECOVERY_IDS:
        secrets[recovery_id] = {"recovery": Ed25519PrivateKey.generate()}
        principals.append(
            PlannedPrincipal(recovery_id, HUMAN, recovery_id, keys=_public(secrets[recovery_id]), recovery=True)
        )
    return Plan(tuple(principals)), secrets


def _public(secrets: Mapping[str, Ed25519PrivateKey]) -> tuple[tuple[str, bytes], ...]:
    return tuple((use, keys.public_bytes(key)) for use, key in secrets.items())
