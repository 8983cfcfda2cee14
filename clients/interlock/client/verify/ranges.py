"""A range of a log: the state that an entry states, the entries that gave its facts, and every entry from there on.

From the `state_digest` entry on each entry is decided again, just as in a full bundle: `decide` makes the digest of the
state that was given, and refuses any but the one that the entry states. What comes before is judged by `givers.py`. A
range from the founding has no state to begin with: it is a full bundle that ends before the head.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from interlock.client.verify.givers import Givers
from interlock.client.verify.partial import PartialProcedure
from interlock.client.verify.procedure import Procedure
from interlock.client.verify.report import LOG, Part
from interlock.proofs import merkle
from interlock.statemachine import codec, log_keys, recovery, snapshot
from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine import rules as rulebook
from interlock.statemachine.changes import content_of
from interlock.statemachine.decide import Accepted
from interlock.statemachine.excerpt import LOG as LOG_NAME
from interlock.statemachine.policy.files import pack_digest
from interlock.statemachine.policy.findings import PackError
from interlock.statemachine.policy.loader import load_pack
from interlock.statemachine.replay import Replay
from interlock.statemachine.unmet import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock.client.verify.texts import Text
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State

FOUNDING: Final = 2
"""How many entries found a log; they are decided again in every bundle."""


@dataclass(slots=True)
class RangeProcedure(PartialProcedure):
    """A verification of a range; used as any."""

    givers: Givers | None = None
    founding: Replay = field(init=False)
    pack: dict[str, bytes] = field(default_factory=dict)
    judged: int = 0

    def __post_init__(self) -> None:
        PartialProcedure.__post_init__(self)
        self.founding = Replay(self.objects.resolve)

    @property
    def log(self) -> r.Log | None:
        """The log's own resource: as the entries before the begin left it, until it is judged from there on."""
        known = (replay.state for replay in (self.replay, self.founding) if replay.state.size)
        return next((state.log for state in known), None)

    def take(self, data: bytes, objects: Sequence[bytes], texts: Sequence[Text] = ()) -> None:
        """Judge one entry: held to the state before the begin, decided again from there on."""
        position, begin = self.frontier.size, self.header.digest
        self.given += 1
        if position == 0:
            self._open_state(begin)
        if position < begin:
            self._take_giver(position, data, objects, texts)
            return
        if begin and position == begin and not self.replay.findings:
            self._begin(begin, data)
        Procedure.take(self, data, objects, texts)
        self.judged = position + 1

    def left_out(self, begin: int, end: int) -> None:
        """Between its begin and its end a range leaves nothing out."""
        if end > self.header.digest and begin < self.header.end:
            self.stop(begin, "NOT_DECIDABLE", f"the entries from {begin} to {end - 1} are left out")

    def close(self) -> None:
        """Also: it goes to where it says that it goes."""
        if not self.findings and self.judged != self.header.end:
            self.undecidable(LOG, f"it says that it goes to entry {self.header.end - 1}, and goes to {self.judged - 1}")
        self.keys.cut = self.judged if self.judged < self.size else None
        PartialProcedure.close(self)

    def part(self) -> Part:
        """Return which part of the log was judged."""
        return Part(self.header.digest, self.judged - 1, self.given, len(self.rows.given))

    @property
    def state_judged(self) -> bool:
        """Whether the entry that states its digest was decided again on it; there may be none to hold to it."""
        return not self.header.digest or self.replay.state.size > self.header.digest

    # The state it begins with ---------------------------------------------------------------------------------------

    def _open_state(self, begin: int) -> None:
        """Make the state of the rows, all of which stand before the first entry."""
        self.rows.end()
        if self.rows.fault or (self.rows.given and not begin):
            self.stop(LOG, "STATE_ROWS", self.rows.fault or "it has a state, and begins with the founding")
            return
        if self.rows.hidden:
            self.stop(LOG, "NOT_DECIDABLE", "resources of the state that it begins with are left out")
            return
        if not begin:
            return
        rows = [(name, row.row.position, row.resource) for name, row in self.rows.given.items() if row.resource]
        try:
            if len(rows) < len(self.rows.given):
                raise snapshot.SnapshotError("of a resource only the digest is given")
            state = snapshot.rebuild(rows, size=begin, time=0)
            state.need(LOG_NAME, r.Log)  # which every log has, and all that follows reads
            for change in state.all_of(r.Change):
                content_of(change.content)
        except (ValueError, LookupError, OverflowError) as error:  # the last of a position below nothing
            self.stop(LOG, "STATE_ROWS", f"it is no state: {error}")
            return
        self.givers = Givers(state, self.find)
        for document in state.all_of(r.Evidence):
            self.documents.recorded += 1
            self.fold.note_document(document.sha256, document.name, document.size)

    def _begin(self, begin: int, data: bytes) -> None:
        """Judge that the state is one to go on from, and go on from it: the entry at ``begin`` states its digest."""
        givers = self.givers
        if givers is None:
            return
        for position, why in givers.end(self.founding.state):
            self.undecidable(position, why)
        state = givers.state
        if state.items.get(LOG_NAME) != self.founding.state.items.get(LOG_NAME):
            self.stop(
                begin, "STATE_DIFFERS", "it says other things of the log than founding, recoveries and rotations do"
            )
            return
        policy = self._policy_of(state)
        if policy is None:
            self.stop(begin, "NOT_DECIDABLE", "the pack of the policy in force is not here, or can't be read")
            return
        if not _states_a_digest(data):
            self.stop(begin, "STATE_DIFFERS", "it states no digest, and a range begins with an entry that does")
            return
        self.replay.state, self.replay.policy = self.fold.begin_with(replace(state, time=givers.time)), policy

    def _policy_of(self, state: State) -> Policy | None:
        try:
            policy = load_pack(self.pack)
        except PackError:
            return None
        return policy if state.policy is not None and policy.digest == state.policy.digest else None

    # Before the begin -----------------------------------------------------------------------------------------------

    def _take_giver(self, position: int, data: bytes, objects: Sequence[bytes], texts: Sequence[Text]) -> None:
        """Judge an entry before the begin."""
        self.frontier = self.frontier.append(merkle.leaf_hash(data))
        self.roots.append(self.frontier.root())
        if self.replay.findings or self.givers is None:
            return
        self.objects.load(objects)
        state = self.givers.state
        entry = self._found(position, data) if position < FOUNDING else self._decoded(position, data)
        if entry is None:
            return
        self._check_heads(entry)
        self._retrace(entry)
        self.givers.take(entry)
        self.consent.take(Accepted(entry, state))
        self._keep_pack(objects, state)
        if not self.objects.settle():
            self.find("digests", position, "OBJECT_UNNAMED", "an object comes with it that it does not name")
        self.texts.take(entry, texts, self._find_digest)

    def _found(self, position: int, data: bytes) -> Entry | None:
        """Decide an entry of the founding again."""
        accepted = self.founding.feed(data)
        if accepted is None:
            found = self.founding.findings[-1]
            self.find("replay", position, found.code, found.detail)
            self.replay.findings.append(found)
            return None
        if position == 0:
            self._check_genesis(accepted.state.log)
        return accepted.entry

    def _decoded(self, position: int, data: bytes) -> Entry | None:
        """Read an entry that can't be decided again."""
        try:
            entry = codec.decode_entry(data, self.objects.resolve)
        except (codec.CodecError, LookupError) as error:
            self.find("replay", position, "ENTRY_UNREADABLE", str(error))
            return None
        rules = rulebook.rules_for(entry.rules_version)
        if rules is None or entry.rules_digest != rules.digest:
            self.find("replay", position, "RULES_UNKNOWN", rulebook.unknown(entry.rules_version, entry.rules_digest))
            return None
        if entry.seq != position:
            self.find("replay", position, "ENTRY_DIFFERS", f"it says that it is entry {entry.seq}")
            return None
        return entry

    def _retrace(self, entry: Entry) -> None:
        """Hold a recovery to the quorum of the founding, a rotation to the keys before it, the log to what both say."""
        at = self.founding.state.updated(size=entry.seq)
        if isinstance(entry.command, c.Recover):
            log = recovery.log_after(at, entry.command, entry.facts.envelopes)
            if isinstance(log, Refused):
                found = ", ".join(row.code for row in log.unmet)
                self.find("sign-offs", entry.seq, "RECOVERY_DIFFERS", f"no recovery by the founding's quorum: {found}")
                return
            self.founding.state = at.put(log)
        for firing in self.givers.rotations(entry) if self.givers is not None else ():
            faults = tuple(log_keys.rotation_faults(at, firing))
            if faults or not any(row.trigger == firing.trigger for row in entry.transitions):
                found = ", ".join(row.code for row in faults) or "the entry says nothing of it"
                self.find("sign-offs", entry.seq, "ROTATION_DIFFERS", f"no new log key by the old one's word: {found}")
                return
            at = at.put(log_keys.rotated(at, firing))
            self.founding.state = at

    def _keep_pack(self, objects: Sequence[bytes], state: State) -> None:
        """Keep the pack that is in force at the begin."""
        for item in objects:
            try:
                files = codec.decode_pack(item)
                digest = pack_digest(files)
            except (codec.CodecError, PackError):
                continue
            if state.policy is not None and digest == state.policy.digest:
                self.pack = files


def _states_a_digest(data: bytes) -> bool:
    try:
        return codec.is_state_digest(data)
    except codec.CodecError:
        return False
