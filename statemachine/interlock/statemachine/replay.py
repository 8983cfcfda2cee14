"""Replay: re-decide every entry of a log from nothing (ledger design, "Replay").

Used by the server when it starts and by an auditor offline; both get findings, never an exception for bad data. Leaf
hashes and roots are ``interlock.proofs.merkle``'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock.statemachine import codec, packs
from interlock.statemachine import commands as c
from interlock.statemachine import rules as rulebook
from interlock.statemachine.decide import Accepted, decide
from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.policy.findings import PackError
from interlock.statemachine.policy.loader import load_pack
from interlock.statemachine.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.statemachine.entry import Entry
    from interlock.statemachine.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an entry, and what differs."""

    position: int
    code: str
    detail: str


@dataclass(slots=True)
class Replay:
    """Folds a log entry by entry and re-decides each. ``resolve`` gives stored objects by SHA-256 or pack digest.

    ``state`` and ``policy`` are those after the last good entry. After the first finding nothing more is judged: what
    follows an entry that should not be there has no meaning.
    """

    resolve: Callable[[bytes], bytes]
    state: State = field(default_factory=State)
    policy: Policy | None = None
    findings: list[Finding] = field(default_factory=list)

    def feed(self, data: bytes) -> Accepted | None:
        """Judge the next entry's stored bytes; None when it has a finding (then in ``findings``)."""
        position = self.state.size
        if self.findings:
            return None
        try:
            entry = codec.decode_entry(data, self.resolve)
        except (codec.CodecError, LookupError) as error:
            self._find(position, "ENTRY_UNREADABLE", str(error))
            return None
        accepted = self._redecide(entry)
        if accepted is None:
            return None
        if accepted.entry != entry:
            self._find(position, "ENTRY_DIFFERS", _difference(accepted.entry, entry))
            return None
        if not self._follow_policy(accepted):
            return None
        self.state = accepted.state
        return accepted

    def _find(self, position: int, code: str, detail: str) -> None:
        self.findings.append(Finding(position, code, detail))

    def _redecide(self, entry: Entry) -> Accepted | None:
        rules = rulebook.rules_for(entry.rules_version)
        if rules is None or entry.rules_digest != rules.digest:
            self._find(self.state.size, "RULES_UNKNOWN", rulebook.unknown(entry.rules_version, entry.rules_digest))
            return None
        if self.policy is None and not self._load_policy(entry):
            return None
        if self.policy is None:
            self._find(self.state.size, "POLICY_UNREADABLE", "no policy before the genesis")
            return None
        decided = decide(rules, self.policy, self.state, entry.command, entry.facts, entry.actor, entry.request_id)
        if isinstance(decided, Accepted):
            return decided
        why = "; ".join(f"{unmet.code} ({unmet.requirement}: {unmet.actual})" for unmet in decided.unmet)
        self._find(self.state.size, "NOT_DECIDABLE_SO", f"the rules refuse it: {why}")
        return None

    def _follow_policy(self, accepted: Accepted) -> bool:
        """Judge what comes next by the version that this entry put in force."""
        if self.policy is None:
            return True
        try:
            self.policy = packs.in_force(self.policy, accepted.state)
        except LookupError as error:
            self._find(accepted.entry.seq, "POLICY_UNREADABLE", str(error))
            return False
        return True

    def _load_policy(self, entry: Entry) -> bool:
        """Load the pack that the genesis names, by its digest."""
        if not isinstance(entry.command, c.Genesis):
            self._find(self.state.size, "NO_GENESIS", "the first entry is no genesis")
            return False
        try:
            digest = codec.decode_genesis(entry.command.document).policy.digest
            files = codec.decode_pack(self.resolve(digest))
            if pack_digest(files) != digest:
                self._find(self.state.size, "PACK_DIGEST", f"the pack is not the one with digest {digest.hex()}")
                return False
            self.policy = load_pack(files)
        except (codec.CodecError, LookupError, PackError) as error:
            self._find(self.state.size, "POLICY_UNREADABLE", str(error))
            return False
        return True


def _difference(wanted: Entry, found: Entry) -> str:
    """Name the fields in which an entry differs from what the rules give."""
    fields = [name for name in wanted.__slots__ if getattr(wanted, name) != getattr(found, name)]
    return f"it says other {', '.join(fields)} than the rules give"
