"""Triggers on accounts, keys and roles.

What each carries, as frozen values; directions are in ``triggers.py``, edges in ``machines/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlock.statemachine.triggers import Trigger


@dataclass(frozen=True, slots=True)
class PrincipalSuspend:
    """``principal.suspend``."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_SUSPEND
    principal: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class PrincipalRemove:
    """``principal.remove``."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_REMOVE
    principal: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class CredentialRevoke:
    """``credential.revoke``; ``compromised_since`` is microseconds, 0 where nothing is wrong with what it signed."""

    trigger: ClassVar[Trigger] = Trigger.CREDENTIAL_REVOKE
    credential: str
    compromised_since: int = 0
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class GrantEnd:
    """``grant.end``."""

    trigger: ClassVar[Trigger] = Trigger.GRANT_END
    grant: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class PrincipalCreate:
    """``principal.create``; ``person`` is empty for a service."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_CREATE
    principal: str
    kind: str
    person: str = ""


@dataclass(frozen=True, slots=True)
class PrincipalLink:
    """``principal.link``."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_LINK
    principal: str
    other: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class PrincipalUnlink:
    """``principal.unlink``."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_UNLINK
    principal: str
    person: str


@dataclass(frozen=True, slots=True)
class PrincipalRestore:
    """``principal.restore``."""

    trigger: ClassVar[Trigger] = Trigger.PRINCIPAL_RESTORE
    principal: str


@dataclass(frozen=True, slots=True)
class CredentialRegister:
    """``credential.register``; ``replaces`` is the fingerprint of the key that it takes the place of, empty for none.

    ``proof`` is the new key's signature over ``possession.registration_bytes``, ``replaces_proof`` the old one's over
    ``rotation_bytes``; ``until`` is microseconds, 0 for no end of its own; ``held_in`` says where its
    private half is: empty for a file, `ssh-agent`, or `signer` for an HSM or KMS.
    """

    trigger: ClassVar[Trigger] = Trigger.CREDENTIAL_REGISTER
    principal: str
    use: str
    public_key: bytes
    proof: bytes
    replaces: str = ""
    replaces_proof: bytes = b""
    until: int = 0
    held_in: str = ""


@dataclass(frozen=True, slots=True)
class GrantGive:
    """``grant.give``; ``until`` is microseconds, 0 for no end of its own."""

    trigger: ClassVar[Trigger] = Trigger.GRANT_GIVE
    principal: str
    role: str
    scope: str
    until: int = 0


@dataclass(frozen=True, slots=True)
class DelegationGive:
    """``delegation.give``; instants are microseconds, ``start`` 0 for at once.

    ``envelope`` is the delegator's signed statement of just this (``delegating.py``).
    """

    trigger: ClassVar[Trigger] = Trigger.DELEGATION_GIVE
    delegator: str
    delegate: str
    role: str
    start: int
    until: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class DelegationEnd:
    """``delegation.end``."""

    trigger: ClassVar[Trigger] = Trigger.DELEGATION_END
    delegation: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class IssuerTrust:
    """``issuer.trust``; ``url`` is its own word for itself, ``algorithm`` the only one that it may sign with."""

    trigger: ClassVar[Trigger] = Trigger.ISSUER_TRUST
    issuer: str
    url: str
    audience: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class IssuerDistrust:
    """``issuer.distrust``."""

    trigger: ClassVar[Trigger] = Trigger.ISSUER_DISTRUST
    issuer: str
    reason_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class CredentialBind:
    """``credential.bind``: a subject of an issuer logs in; ``claims`` are ``name=value``, for services alone.

    ``until`` is microseconds, 0 for no end of its own.
    """

    trigger: ClassVar[Trigger] = Trigger.CREDENTIAL_BIND
    principal: str
    issuer: str
    subject: str = ""
    claims: tuple[str, ...] = ()
    until: int = 0


@dataclass(frozen=True, slots=True)
class RecoverySuspend:
    """``recovery.suspend``."""

    trigger: ClassVar[Trigger] = Trigger.RECOVERY_SUSPEND
    principal: str


@dataclass(frozen=True, slots=True)
class RecoveryRevoke:
    """``recovery.revoke``."""

    trigger: ClassVar[Trigger] = Trigger.RECOVERY_REVOKE
    credential: str
