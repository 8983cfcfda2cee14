"""Somebody whom no founding knew, brought into a running log as it is done: keys, proofs, one signed change.

bring_in(people, "kim", person="evaluator", roles=["reviewer"])
people["kim"].sign(change.name, "reviewer")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from interlock.client.keymaking import create_keys
from interlock.client.registering import registration
from interlock.client.signers import FileKey
from interlock.v1 import trigger_pb2
from tests.support.people import trigger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.v1 import change_pb2
    from tests.support.people import People

PASSPHRASE = b"newcomer"


def new_keys(people: People, who: str) -> dict[str, Ed25519PrivateKey]:
    """Make keys for an account where ``people`` look for them; by use."""
    folder = people.server.home / who
    made = create_keys(folder, ("login", "signoff"), PASSPHRASE)
    (folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
    found = {}
    for key in made:
        private = load_pem_private_key(key.path.read_bytes(), PASSPHRASE)
        assert isinstance(private, Ed25519PrivateKey)
        found[key.use] = private
    return found


def registrations(people: People, who: str, owner: str | None = None) -> list[trigger_pb2.Trigger]:
    """Make keys, and return the triggers that register them for ``owner`` (else for who has them)."""
    log_id = bytes.fromhex(people.server.profile("auditor").log_id)
    keys = new_keys(people, who)
    return [registration(log_id, owner or who, use, FileKey(key)) for use, key in keys.items()]


def give(who: str, role: str, scope: str = "*") -> trigger_pb2.Trigger:
    """Return the trigger that gives an account a role."""
    return trigger(grant_give=trigger_pb2.GrantGive(principal=f"principals/{who}", role=role, scope=scope))


def bring_in(
    people: People, who: str, *, person: str = "", roles: Iterable[str] = (), kind: str = "human"
) -> change_pb2.Change:
    """Have an account made, with keys and roles, by the quorum of the pack ``minimal``."""
    account = trigger_pb2.PrincipalCreate(
        principal=f"principals/{who}", kind=kind, person="" if kind == "service" else person or who
    )
    return people.enact(
        trigger(principal_create=account), *registrations(people, who), *(give(who, role) for role in roles)
    )
