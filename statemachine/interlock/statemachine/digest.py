"""The state digest: one root over every resource of the fold, which an entry of the log itself states.

An RFC 6962 tree whose leaves stand in the order of the resources' names. A leaf says a name, the position of the last
entry that wrote it, and the SHA-256 of its canonical form (``snapshot.encode``). Nothing derived at an instant is in
it, and no index: each is a function of the resources (docs/decisions/0033). Whoever holds the rows of a digest can go
on from there instead of from entry 0.
Lives here: the leaves, the root, and the rule that an entry states the right one. Not here: when one is written.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.proofs.merkle import Frontier, leaf_hash
from interlock.statemachine import commands as c
from interlock.statemachine import snapshot
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.state import State

POSITION_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One leaf: a resource, the position of the last entry that wrote it, and the digest of its canonical form."""

    name: str
    position: int
    sha256: bytes

    def leaf(self) -> bytes:
        """Return the leaf's hash: over position (8 bytes, big-endian), digest, and name (UTF-8)."""
        return leaf_hash(self.position.to_bytes(POSITION_BYTES) + self.sha256 + self.name.encode())


def rows_of(state: State) -> Iterator[Row]:
    """Yield the leaves of a state's digest in their order: by name, as UTF-8 and as code points alike."""
    for name, form in state.in_order(snapshot.encode):
        yield Row(name, state.positions[name], hashlib.sha256(form).digest())


def digest_of(state: State) -> c.StateDigest:
    """Return what an entry at the head ``state`` would state. It takes time in proportion to the resources."""
    tree = Frontier().extend(row.leaf() for row in rows_of(state))
    return c.StateDigest(tree.root(), tree.size)


def record(state: State, command: c.StateDigest) -> Moved | Refused:
    """Take a digest where it is that of the fold before its entry; nothing moves."""
    known = digest_of(state)
    if command == known:
        return Moved(state)
    told = f"{command.root.hex()[:80]} over {command.resources}"
    wish = f"the digest of this fold, {known.root.hex()} over {known.resources}"
    return Refused(RefusalKind.INVALID, (Unmet(Code.STATE_DIGEST, wish, told, "log"),))
