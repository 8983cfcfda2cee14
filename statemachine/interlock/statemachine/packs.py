"""The packs that a state knows: what changes propose to adopt, and the policy that comes of one. Pure.

A pack is kept beside the log under its digest; the entry of the revision that names it first brings it into the state,
so that whoever has the fold, server or auditor, can judge by it without asking anyone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from interlock.statemachine import codec
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.policy.findings import PackError
from interlock.statemachine.policy.loader import load_pack
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State

_KEPT: Final = 16


def pack_name(policy: str, digest: bytes) -> str:
    """Return the resource name of a pack that a change proposes for a version."""
    return f"{policy}/packs/{digest.hex()}"


@lru_cache(maxsize=_KEPT)
def load(data: bytes) -> Policy:
    """Return the policy of a pack as it is kept. Raises CodecError, PackError."""
    return load_pack(codec.decode_pack(data))


def find_policy(state: State, policy: str, digest: bytes) -> Policy | None:
    """Return the policy of a pack that some change brought; None where none did."""
    pack = state.find(pack_name(policy, digest), r.Pack)
    return load(pack.data) if pack is not None else None


def in_force(policy: Policy, state: State) -> Policy:
    """Return the policy in force after an entry that was judged by ``policy``. Raises LookupError for one unknown."""
    version = state.policy
    if version is None or version.digest == policy.digest:
        return policy
    found = find_policy(state, version.name, version.digest)
    if found is None:
        msg = f"the pack of {version.name}, {version.digest.hex()}, is in no entry before"
        raise LookupError(msg)
    return found


def shelve(state: State, triggers: Iterable[f.Firing], data: bytes) -> State | Refused:
    """Return the state that knows the pack which a change's triggers propose to adopt.

    ``data`` is given just where the state does not know it yet: so every entry has one form.
    """
    wanted = next((firing for firing in triggers if isinstance(firing, f.PolicyAdopt)), None)
    if wanted is None:
        return state if not data else _no("no pack: nothing is to be adopted", f"{len(data)} bytes", "")
    name = pack_name(wanted.policy, wanted.pack_digest)
    if name in state.items:
        return state if not data else _no("no pack: this one is known", f"{len(data)} bytes", wanted.policy)
    if not data:
        return _no(f"the pack with digest {wanted.pack_digest.hex()}", "none came with the change", wanted.policy)
    try:
        digest = pack_digest(codec.decode_pack(data))
        policy = load(data)
    except (codec.CodecError, PackError) as error:
        return _no("a policy pack that loads", str(error)[:2000], wanted.policy)
    if (policy.name, digest) != (wanted.policy, wanted.pack_digest):
        wish = f"the pack of {wanted.policy} with digest {wanted.pack_digest.hex()}"
        return _no(wish, f"{policy.name} with {digest.hex()}", wanted.policy)
    return state.put(r.Pack(name, data))


def new_to(state: State, triggers: Iterable[f.Firing], data: bytes) -> bytes:
    """Return the pack as a command must carry it: nothing where a trigger names it and the state knows it."""
    named = (pack_name(one.policy, one.pack_digest) for one in triggers if isinstance(one, f.PolicyAdopt))
    return b"" if any(name in state.items for name in named) else data


def _no(requirement: str, actual: str, resource: str) -> Refused:
    return refused(RefusalKind.INVALID, Code.POLICY_PACK, requirement, actual, resource, "policy.adopt")
