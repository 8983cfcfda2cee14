"""Delegations over a real server, signed with their delegators' own keys.

delegate(people, "owner", "owner", "kim")
people["kim"].sign(change.name, "owner", on_behalf_of="principals/owner")
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from interlock.proofs import dsse
from interlock.statemachine import delegating
from interlock.v1 import identity_pb2

if TYPE_CHECKING:
    from tests.support.people import People

DAY_US: Final = 86_400_000_000


def delegation(people: People, who: str, role: str, to: str) -> bytes:
    """Return the envelope by which somebody lets another act in a role until tomorrow; no two are the same."""
    now = time.time_ns() // 1000
    statement = delegating.DelegationStatement(
        people.server.profile("auditor").genesis_digest, f"principals/{who}", f"principals/{to}", role, 0,
        now + DAY_US, f"{now:032x}",
    )  # fmt: skip
    payload = delegating.build_delegation(statement)
    return dsse.sign(dsse.IN_TOTO_TYPE, payload, people.server.key(who, "signoff")).to_json()


def delegate(people: People, who: str, role: str, to: str) -> identity_pb2.Delegation:
    """Have somebody let another act in a role of theirs until tomorrow."""
    request = identity_pb2.GiveDelegationRequest(envelope=delegation(people, who, role, to))
    reply: identity_pb2.Delegation = people[who].identity.GiveDelegation(request)
    return reply
