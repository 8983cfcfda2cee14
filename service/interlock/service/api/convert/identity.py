"""Accounts, keys and grants as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.times import from_microseconds
from interlock.statemachine import delegating, names
from interlock.v1 import identity_pb2

if TYPE_CHECKING:
    from interlock.service.ledger.view import View
    from interlock.statemachine import resources as r


def principal_message(view: View, account: r.Principal, instant: int) -> identity_pb2.Principal:
    """Return an account with its keys and the grants that hold at ``instant`` (microseconds)."""
    message = identity_pb2.Principal(
        name=account.name,
        kind=account.kind,
        state=account.state,
        recovery=account.recovery,
        person=account.person,
        position=view.state.position(account.name),
    )
    message.credentials.extend(credential_message(account, key) for key in account.credentials)
    message.grants.extend(
        grant_message(view, grant) for grant in view.state.grants(account.name) if holds(grant, instant)
    )
    return message


def credential_message(account: r.Principal, key: r.Credential) -> identity_pb2.Credential:
    """Return a key of an account."""
    message = identity_pb2.Credential(
        name=names.credential_name(account.name, key.fingerprint),
        use=key.use,
        public_key=key.public_key,
        state=key.state,
        create_time=from_microseconds(key.valid_from),
        held_in=key.held_in,
        issuer=key.issuer,
        subject=key.subject,
        claims=key.claims,
    )
    if key.revoked_at is not None:
        message.revoke_time.CopyFrom(from_microseconds(key.revoked_at))
    if key.until is not None:
        message.expire_time.CopyFrom(from_microseconds(key.until))
    if key.compromised_since is not None:
        message.compromised_since.CopyFrom(from_microseconds(key.compromised_since))
    return message


def grant_message(view: View, grant: r.Grant) -> identity_pb2.Grant:
    """Return a role of an account."""
    role = view.policy.roles.get(grant.role)
    message = identity_pb2.Grant(
        name=grant.name,
        principal=grant.principal,
        role=grant.role,
        scope=grant.scope,
        approves=role is not None and role.approves,
        state=grant.state,
        create_time=from_microseconds(grant.given_at),
        position=view.state.position(grant.name),
    )
    if grant.until is not None:
        message.expire_time.CopyFrom(from_microseconds(grant.until))
    if grant.ended_at is not None:
        message.end_time.CopyFrom(from_microseconds(grant.ended_at))
    return message


def delegation_message(view: View, delegation: r.Delegation, instant: int) -> identity_pb2.Delegation:
    """Return a delegation as it stands at ``instant`` (microseconds)."""
    message = identity_pb2.Delegation(
        name=delegation.name,
        delegator=delegation.delegator,
        delegate=delegation.delegate,
        role=delegation.role,
        state=delegation.state,
        in_force=delegating.fault_of(view.state, delegation, instant) is None,
        create_time=from_microseconds(delegation.given_at),
        start_time=from_microseconds(delegation.start),
        expire_time=from_microseconds(delegation.until),
        ender=delegation.ender,
        credential=delegation.credential,
        position=view.state.position(delegation.name),
    )
    if delegation.ended_at is not None:
        message.end_time.CopyFrom(from_microseconds(delegation.ended_at))
    return message


def holds(grant: r.Grant, instant: int) -> bool:
    """Say whether a grant holds at ``instant`` (microseconds), whatever its account's state."""
    return grant.state == "active" and (grant.until is None or instant < grant.until)


def issuer_message(view: View, issuer: r.Issuer) -> identity_pb2.Issuer:
    """Return an OpenID provider."""
    return identity_pb2.Issuer(
        name=issuer.name,
        url=issuer.url,
        audience=issuer.audience,
        algorithm=issuer.algorithm,
        state=issuer.state,
        position=view.state.position(issuer.name),
    )
