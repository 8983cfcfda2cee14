"""A selection of a log: whole chains of all that concerns some models, up to an entry that states the whole state.

Each entry that is here is decided again, on a state that has only what these entries wrote. That says the same as the
whole log would as long as nothing is missing that the decision depends on, which is shown in three ways: each entry
names for each resource that it wrote the entry before, and that one is here; the state that comes of it has the very
forms that the digest is over; and what the digest hides can be nothing that concerns these models. Else it is not
decidable. What an entry would have been refused for because of other models can't be seen here.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from interlock.client.verify.partial import PARTIAL_STEP, PartialProcedure
from interlock.client.verify.procedure import Procedure
from interlock.client.verify.report import LOG, Part
from interlock.proofs import merkle
from interlock.statemachine import codec, excerpt, snapshot
from interlock.statemachine import resources as r
from interlock.statemachine.digest import Row, digest_of
from interlock.statemachine.replay import Replay
from interlock.v1 import ledger_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from interlock.client.verify.texts import Text
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.state import State

_NUMBER: Final = re.compile("[1-9][0-9]{0,17}", re.ASCII)
"""Of a resource that numbers itself; those that are not here have numbers too."""


@dataclass(slots=True)
class SelectiveProcedure(PartialProcedure):
    """A verification of a selection; used as any."""

    proven: bool = False

    def take(self, data: bytes, objects: Sequence[bytes], texts: Sequence[Text] = ()) -> None:
        """Judge one entry: decided again, or the one that states the digest."""
        position = self.frontier.size
        self.given += 1
        if position == self.header.digest and position:
            self._take_digest(position, data)
            if objects or texts:
                self.find("digests", position, "OBJECT_UNNAMED", "an object or a text comes with it: it names none")
            return
        if position > self.header.digest:
            self.stop(position, "NOT_DECIDABLE", "it comes after the digest, which says nothing of it")
        if not self.replay.findings:
            self._place(position, data)
        judged = not self.replay.findings
        Procedure.take(self, data, objects, texts)
        if judged and self.replay.findings and position:
            why = "the rules do not give it on what is here: against the rules, or something that led to it is not here"
            self.undecidable(position, why)

    def left_out(self, begin: int, end: int) -> None:
        """Anything may be left out that no chain misses."""

    def close(self) -> None:
        """Also: the digest was there; and that it is a part is accepted."""
        if not self.proven and not self.findings:
            self.undecidable(LOG, f"entry {self.header.digest}, which should state the digest, is not here")
        PartialProcedure.close(self)
        if not self.findings and not self.trust.partial_ok:
            detail = f"it covers {', '.join(self.header.models)} alone; --partial-ok accepts that"
            self.find(PARTIAL_STEP, LOG, "PARTIAL", detail)

    def part(self) -> Part:
        """Return which part of the log was judged."""
        return Part(0, self.header.digest, self.given, len(self.rows.given), tuple(self.header.models))

    @property
    def state_judged(self) -> bool:
        """Whether the entry that states the digest was there, and judged."""
        return self.proven

    def _place(self, position: int, data: bytes) -> None:
        """Put the state where an entry stands in the log, and see that what it wrote before is here."""
        try:
            previous = ledger_pb2.LedgerEntry.FromString(data).prev
        except DecodeError:
            return  # said when it is decided
        state, firsts = self.replay.state, dict[str, int]()
        for row in previous:
            if state.position(row.resource) != row.position:
                detail = f"{row.resource} was written by entry {row.position} before, which is not here"
                self.stop(position, "NOT_DECIDABLE", detail)
                return
            kind, _, number = row.resource.partition("/")
            if row.position == r.NEVER and _NUMBER.fullmatch(number):
                firsts[kind] = min(firsts.get(kind, int(number)), int(number))
        self.replay.state = state.updated(size=position, counters=state.counters.update(firsts))

    def _take_digest(self, position: int, data: bytes) -> None:
        """Judge that the log stated the state that came of these entries, and that nothing is missing in it."""
        self.frontier = self.frontier.append(merkle.leaf_hash(data))
        self.roots.append(self.frontier.root())
        if self.replay.findings:
            return
        try:
            entry = codec.decode_entry(data, self.objects.resolve)
        except (codec.CodecError, LookupError) as error:
            self.find("replay", position, "ENTRY_UNREADABLE", str(error))
            return
        self.rows.end()
        if self.rows.fault:
            self.find(PARTIAL_STEP, LOG, "STATE_ROWS", self.rows.fault)
        elif entry.seq != position or entry.command != self.rows.stated():
            self.find(PARTIAL_STEP, position, "STATE_DIFFERS", "it does not state the digest of the resources given")
        else:
            for why in self._missing(self.replay.state):
                self.undecidable(position, why)
            self._decide_again(position, entry)
        self.proven = True
        if self.visit is not None and not self.findings:
            self.visit(entry, self.replay.state, self.replay.policy)

    def _decide_again(self, position: int, entry: Entry) -> None:
        """Judge all of the entry but the digest, which was held to the rows: when, by whom, under which rules."""
        state = self.replay.state.updated(size=position)
        again = Replay(self.objects.resolve, state, self.replay.policy)
        if again.feed(codec.encode_entry(replace(entry, command=digest_of(state)))) is None:
            found = again.findings[-1]
            self.find("replay", position, found.code, found.detail)
        self.replay.state = again.state

    def _missing(self, state: State) -> Iterator[str]:
        """Yield what the digest has or may have, and the entries that are here have not."""
        models, given = tuple(self.header.models), self.rows.given
        if not models or list(models) != sorted(set(models)) or not all(state.find(name, r.Model) for name in models):
            yield "it does not say which models it covers, or one of them is unknown"
            return
        for before, after in self.rows.hidden:
            if not before or not after or excerpt.may_hide(before, after, models):
                yield f"between {before or 'the begin'} and {after or 'the end'} it hides what may concern {models[0]}"
        made = set()
        for name, form in state.in_order(snapshot.encode):
            made.add(name)
            if name not in given:
                yield f"the digest is not shown to have {name}"
            elif Row(name, state.position(name), hashlib.sha256(form).digest()) != given[name].row:
                last = given[name].row.position
                yield f"{name} was last written by entry {last}, and is then something else than comes of what is here"
        for name, row in given.items():
            if name not in made and excerpt.concerns(name, row.resource, models):
                yield f"{name}, last written by entry {row.row.position}, is not here"
