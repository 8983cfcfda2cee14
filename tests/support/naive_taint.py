"""A second opinion on taint: every applied change, asked again on its own day with what is known today.

Nothing of ``taint.py`` or of what it keeps is read. Each change is kept with the state of the log before it was
applied; then that state is given today's word on keys and persons, what tainted changes gave is taken out of it, and
``naive_quorum.py`` says whether the rule was met by every way to fill it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from immutables import Map

from interlock.statemachine import codec
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from tests.support.naive_quorum import most_filled, slots_of
from tests.support.world import World

if TYPE_CHECKING:
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.state import State

_MADE = ("principal.create", "principal.restore")


@dataclass(frozen=True)
class Applied:
    """A change with the log before the entry that applied it."""

    change: r.Change
    before: State
    position: int
    time: int
    pack: Any
    """What was in force that day, as YAML; ``adopted_by`` is the entry that put it in force."""
    adopted_by: int


@dataclass
class NaiveTaint:
    """All that was applied, in order, and which entries made or brought back each account."""

    applied: list[Applied] = field(default_factory=list)
    made: dict[str, list[int]] = field(default_factory=dict)
    ratified: dict[str, list[int]] = field(default_factory=dict)
    answers: dict[object, bool] = field(default_factory=dict)
    """What was found before, by all that it depends on: it is asked after every step."""

    def feed(self, before: State, entry: Entry, after: State, pack: Any) -> None:  # noqa: ANN401  # parsed YAML
        """Take in one entry, which was judged by a pack."""
        for moved in entry.transitions:
            if moved.trigger in _MADE:
                self.made.setdefault(moved.resource, []).append(entry.seq)
            if moved.trigger == "change.ratify":
                self.ratified.setdefault(moved.resource, []).append(entry.seq)
            if moved.trigger == "change.apply":
                change = replace(after.need(moved.resource, r.Change), state="in_review", grounds=None)
                adopted_by = before.policy.adopted_by if before.policy is not None else r.NEVER
                self.applied.append(Applied(change, before, entry.seq, entry.time, pack, adopted_by))

    def tainted(self, world: World) -> set[int]:
        """Return the positions of all applied changes that do not stand today."""
        stand: set[int] = set()
        while True:
            bad = {item.position for item in self.applied} - stand
            more = {item.position for item in self.applied if item.position in bad and self._known(world, item, bad)}
            if not more:
                return bad
            stand |= more

    def _known(self, world: World, item: Applied, bad: set[int]) -> bool:
        today = tuple(
            (account.name, account.person, account.person_was, account.unlinked_by, account.credentials)
            for account in sorted(world.state.all_of(r.Principal), key=lambda one: one.name)
        )
        asked = (item.position, frozenset(bad), today, repr(self.made), repr(self.ratified))
        if asked not in self.answers:
            self.answers[asked] = self._stands(world, item, bad)
        return self.answers[asked]

    def _stands(self, world: World, item: Applied, bad: set[int]) -> bool:
        if any(position not in bad for position in self.ratified.get(item.change.name, [])):
            return True
        if self._adoptions(item) & bad:
            return False
        past = World(world.policy, world.cast, self._corrected(world, item, bad), item.time, objects=world.objects)
        voices = tuple(
            replace(sign_off, decision="void") if self._is_void(past, item, sign_off, bad) else sign_off
            for sign_off in item.change.sign_offs
        )
        change = replace(item.change, sign_offs=voices)
        rejects = [row for row in item.change.sign_offs if row.decision == "reject"]
        if not all(_was_taken_back(past, change, row) for row in rejects):
            return False
        return all(
            most_filled(item.pack, past, change, firing) == len(slots_of(item.pack, past, firing))
            for firing in codec.decode_content(change.content).triggers
        )

    def _adoptions(self, item: Applied) -> set[int]:
        """Return which entries adopted the policies whose rules a change was asked: ratifying, those of that day."""
        firings = codec.decode_content(item.change.content).triggers
        inner = {row.change for row in firings if isinstance(row, f.ChangeRatify)}
        found = set() if inner and not self._names_ratifying(item.pack) else {item.adopted_by}
        for other in self.applied:
            if other.change.name in inner:
                found |= self._adoptions(other)
        return found

    @staticmethod
    def _names_ratifying(pack: Any) -> bool:  # noqa: ANN401  # parsed YAML
        return any("change.ratify" in rule["triggers"] for rule in pack.get("rules", []))

    def _corrected(self, world: World, item: Applied, bad: set[int]) -> State:
        """Return the state of that day with today's word on keys and persons, less the roles that were badly given."""
        state = item.before.put(item.change).updated(tainted=Map())
        for account in list(state.all_of(r.Principal)):
            today = world.state.need(account.name, r.Principal)
            known = {key.fingerprint: key.compromised_since for key in today.credentials}
            keys = tuple(replace(key, compromised_since=known[key.fingerprint]) for key in account.credentials)
            person = today.person_was if today.unlinked_by in bad else today.person
            state = state.put(replace(account, credentials=keys, person=person, person_was="", unlinked_by=-1))
        for grant in list(state.all_of(r.Grant)):
            if grant.given_position in bad:
                state = state.put(replace(grant, state="ended"))
        return state

    def _is_void(self, past: World, item: Applied, sign_off: r.SignOff, bad: set[int]) -> bool:
        """Say whether the key or the account that signed was there by a tainted change."""
        [key] = [
            key
            for key in past.state.need(sign_off.signer, r.Principal).credentials
            if key.fingerprint == sign_off.credential
        ]
        made = [at for at in self.made.get(sign_off.signer, []) if at < item.position]
        earlier = [at for at in made if at < sign_off.position]
        return bool({key.registered_by, *earlier[-1:], *(at for at in made if at > sign_off.position)} & bad)


def _was_taken_back(past: World, change: r.Change, reject: r.SignOff) -> bool:
    """Say whether somebody's own word took a reject back: its author's, or that of its role on a newer revision."""
    own = [row for row in change.sign_offs if row.position > reject.position and row.decision != "void"]
    own = [row for row in own if _is_good(past, row)]
    authors = [row for row in own if row.signer == reject.signer or row.person == reject.person]
    again = [
        row
        for row in own
        if reject.revision < row.revision == change.revision and row.decision != "withdraw" and row not in authors
    ]
    return bool(authors or [row for row in again if set(row.roles) & set(reject.roles)])


def _is_good(past: World, row: r.SignOff) -> bool:
    """Say whether the key was its owner's alone when it signed."""
    found = [key for key in past.state.need(row.signer, r.Principal).credentials if key.fingerprint == row.credential]
    return all(key.compromised_since is None or row.at < key.compromised_since for key in found)
