"""The leaves of a state digest that a bundle gives, in their order, with hidden ones between them.

Lives here: reading them, and the root that they give. Not here: whether an entry of the log states that root, and what
may be hidden (`ranges.py`, `selections.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock.proofs.errors import ProofError
from interlock.proofs.merkle import MAX_SIZE, Frontier
from interlock.statemachine import commands as c
from interlock.statemachine import digest, snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock.statemachine import resources as r

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Given:
    """A leaf that is given: what it is over, and the resource where its form came along."""

    row: digest.Row
    resource: r.Resource | None


@dataclass(slots=True)
class Rows:
    """Takes leaves and gaps. ``fault`` says what was wrong first; nothing after it is looked at."""

    tree: Frontier = field(default_factory=Frontier)
    given: dict[str, Given] = field(default_factory=dict)
    hidden: list[tuple[str, str]] = field(default_factory=list)
    """For each gap, the names between which it is; empty for the begin or the end."""
    fault: str = ""
    _last: str = ""
    _open: bool = False

    def take(self, name: str, position: int, form: bytes, sha256: bytes) -> None:
        """Take the next leaf: its form, or only the digest of it."""
        if self.fault:
            return
        if bool(form) == bool(sha256) or (sha256 and len(sha256) != _DIGEST_BYTES) or not 0 <= position <= MAX_SIZE:
            self.fault = f"{name[:80]} comes with neither its form nor its digest, or with both, or at no position"
            return
        if name <= self._last:
            self.fault = f"{name[:80]} comes after {self._last[:80]}"
            return
        try:
            resource = snapshot.decode(form) if form else None
        except snapshot.SnapshotError as error:
            self.fault = f"{name[:80]} is no resource: {error}"
            return
        if resource is not None and resource.name != name:
            self.fault = f"{name[:80]} is called {resource.name[:80]}"
            return
        row = digest.Row(name, position, sha256 or hashlib.sha256(form).digest())
        self.tree = self.tree.append(row.leaf())
        self.given[name] = Given(row, resource)
        if self._open:
            self.hidden.append((self._last, name))
        self._last, self._open = name, False

    def skip(self, size: int, hashes: Sequence[bytes]) -> None:
        """Go over leaves that are not given."""
        if self.fault:
            return
        try:
            self.tree = self.tree.skip(size, hashes)
        except ProofError as error:
            self.fault = f"a gap of {size} resources: {error.detail}"
            return
        self._open = True

    def end(self) -> None:
        """Note a gap that nothing comes after."""
        if self._open:
            self.hidden.append((self._last, ""))
            self._open = False

    def stated(self) -> c.StateDigest:
        """Return what an entry would have to state of them."""
        return c.StateDigest(self.tree.root(), self.tree.size)
