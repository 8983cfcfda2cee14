"""An entry of the ledger and what it is made of, as frozen values (ledger design, "Entry")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interlock.statemachine.commands import Actor, Command, Facts
    from interlock.statemachine.firings import Firing


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """A policy version by name and content."""

    name: str
    version: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Transition:
    """One edge taken."""

    resource: str
    trigger: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted command. ``prev`` gives for each resource written the position of its previous entry."""

    seq: int
    time: int
    rules_version: int
    rules_digest: bytes
    policy: PolicyRef
    actor: Actor
    request_id: str
    command: Command
    facts: Facts
    transitions: tuple[Transition, ...] = ()
    prev: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What a change's content bytes say (domain design, "Changes"); sorted as the message's comments say."""

    log_id: bytes
    change: str
    revision: int
    policy_digest: bytes
    rules_digest: bytes
    base: tuple[tuple[str, int], ...]
    triggers: tuple[Firing, ...]
    evidence: tuple[tuple[str, str], ...] = ()
    not_before: int = 0
    texts: tuple[tuple[str, bytes], ...] = ()
    apply_separately: bool = False
    named_evidence: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FoundingPrincipal:
    """An account at the founding."""

    name: str
    kind: str
    person: str
    recovery: bool = False


@dataclass(frozen=True, slots=True)
class FoundingCredential:
    """A key at the founding; ``public_key`` as in ``proofs.signature_keys``."""

    principal: str
    use: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class FoundingGrant:
    """A role at the founding."""

    principal: str
    role: str
    scope: str


@dataclass(frozen=True, slots=True)
class TreeHead:
    """How many entries, and the RFC 6962 root over them."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class NewLogKey:
    """A new key of the log, the proof that whoever names it has it, and the last head that the old one may sign."""

    public_key: bytes
    proof: bytes
    last: TreeHead


@dataclass(frozen=True, slots=True)
class RecoveryDocument:
    """What the recovery quorum signs; ``not_after`` is microseconds, ``nonce`` makes no two the same.

    ``log_key`` is None where the log's key stays; ``lost`` the head of which a restored database has nothing.
    """

    log_id: bytes
    triggers: tuple[Firing, ...]
    not_after: int
    nonce: bytes
    log_key: NewLogKey | None = None
    lost: TreeHead | None = None


@dataclass(frozen=True, slots=True)
class GenesisDocument:
    """Everything that is true without a sign-off."""

    log_id: bytes
    log_key: bytes
    decision_key: bytes
    policy: PolicyRef
    development: bool
    principals: tuple[FoundingPrincipal, ...] = field(default=())
    credentials: tuple[FoundingCredential, ...] = field(default=())
    grants: tuple[FoundingGrant, ...] = field(default=())
    recovery_threshold: int = 2
