"""A world that checks itself: after every command, everything that must hold of one is looked at.

1 a refusal moves nothing and says why in known codes · 2 the entry folds to the state that was decided, survives
its bytes, and names the position before of all that it wrote · 3 explain gives exactly the oracle's reasons, for
every model, context and artifact · 4 walking the clock forward loosens nothing, and an ALLOW holds until its
valid_until · 5 an applied change was signed over these very bytes and base, and its slots can be filled by people ·
6 every deployment was recorded with the oracle's verdict, and exactly those that it denies are out of compliance ·
7 the requirement tree is met where the verdict is ALLOW, and its unmet leaves and ends are the verdict's · 8 what a
preview of a change says the verdicts would be is what they are once it is applied · 9 a fold that was begun at a
state digest, out of canonical forms alone, gives the same entries and the same refusals, and ends in the same state ·
10 exactly those changes are tainted that a naive reading of them on their own day, by what is known now, finds so
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from interlock.statemachine import codec, digest, snapshot
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import content_of, evaluate
from interlock.statemachine.compliance import Compliance, live_deployments
from interlock.statemachine.evolve import evolve
from interlock.statemachine.explain import explain
from interlock.statemachine.flips import find_flips
from interlock.statemachine.replay import Replay
from interlock.statemachine.state import State
from interlock.statemachine.tree import grow_tree, unmet_leaves
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.naive_quorum import may_be_applied, most_filled, slots_of
from tests.support.naive_taint import NaiveTaint
from tests.support.oracle import Oracle
from tests.support.world import World, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.explain import Verdict
    from interlock.statemachine.policy.model import Policy

MODELS: Final = ("models/m", "models/n")
ARTIFACTS: Final = (sha256_of("first weights"), sha256_of("later weights"))


@dataclass
class WatchedWorld(World):
    """A world with an oracle beside it; ``watch_verdicts`` off leaves the gate to other tests."""

    oracle: Oracle = field(default_factory=lambda: Oracle({}))
    watch_verdicts: bool = True
    begun: State | None = None
    """The fold that was begun at the last state digest."""
    taint: NaiveTaint = field(default_factory=NaiveTaint)

    def watch(self, pack_yaml: bytes) -> None:
        """Begin to watch a founded world."""
        self.oracle = Oracle.of(pack_yaml)
        self.taint = NaiveTaint()
        state = State()
        for entry in self.entries:
            self.oracle.feed(entry)
            after = evolve(self.policy, state, entry)
            self.taint.feed(state, entry, after, self.oracle.pack)
            state = after
        assert state == self.state

    def attempt(
        self, who: str | c.Actor, command: c.Command, *, envelopes: tuple[bytes, ...] = (), instant: int | None = None
    ) -> Accepted | Refused:
        """Do a command and check all that must hold after it."""
        before, entries, judged_by = self.state, len(self.entries), (self.policy, self.oracle.pack)
        self._decide_as_begun(who, command, envelopes, instant)
        decided = World.attempt(self, who, command, envelopes=envelopes, instant=instant)
        if not self.oracle.pack:
            return decided
        if isinstance(decided, Refused):
            check_refusal(decided)
            assert self.state is before
            assert len(self.entries) == entries
        else:
            self._check_entry(judged_by[0], before, decided)
            self.oracle.feed(decided.entry)
            self.taint.feed(before, decided.entry, decided.state, judged_by[1])
            self.oracle.tainted = self.taint.tainted(self)
            assert set(self.state.tainted) == self.oracle.tainted
            assert self.oracle.differences == []
            self._check_applied(judged_by, before, decided.entry)
            self._check_deployments()
            looked_at = {item.name: set(item.thresholds) for item in self.state.all_of(r.Assessment)}
            assert looked_at == {name: known["at"] for name, known in self.oracle.assessments.items()}
            if self.watch_verdicts:
                self.check_verdicts()
        return decided

    def state_digest(self) -> None:
        """Have the digest of the fold stated, and begin a fold at it."""
        self.begun = None
        rows = [(name, at, snapshot.encode(self.state.items[name])) for name, at in self.state.positions.items()]
        begun = [(name, at, snapshot.decode(data)) for name, at, data in rows]
        size, time = self.state.size, self.state.time
        stated = self.attempt(c.SYSTEM, digest.digest_of(self.state))
        assert not isinstance(stated, Refused)
        self.begun = snapshot.rebuild(begun, size=size, time=time).after_entry(stated.entry.time)

    def _decide_as_begun(
        self, who: str | c.Actor, command: c.Command, envelopes: tuple[bytes, ...], instant: int | None
    ) -> None:
        """Decide in the fold that was begun at a digest too: the same entry comes of it, or the same refusal."""
        if self.begun is None:
            return
        other = World(self.policy, self.cast, self.begun, self.now)
        decided = other.decide(who, command, envelopes=envelopes, instant=instant)
        whole = self.decide(who, command, envelopes=envelopes, instant=instant)
        if isinstance(whole, Refused):
            assert decided == whole
            return
        assert not isinstance(decided, Refused)
        assert decided.entry == whole.entry
        self.begun = decided.state

    def check_begun(self) -> None:
        """Compare the two folds whole, every index of them."""
        assert self.begun is None or self.begun == self.state

    def questions(self) -> Iterator[tuple[str, str, str]]:
        """Yield every (model, context, artifact) worth asking about, unknown ones too."""
        for model in (*MODELS, "models/never"):
            for context in (*(place.id for place in self.policy.contexts), "nowhere"):
                for artifact in ("", *ARTIFACTS):
                    yield model, context, artifact

    def check_verdicts(self) -> None:
        """Compare every answer with the oracle's, now and at each end ahead."""
        now = max(self.now, self.state.time)
        ends = sorted(end for end in self._ends() if end > now)
        for question in self.questions():
            verdict = self._compared(*question, now)
            if verdict.allowed or question[1:] in {(place.id, ARTIFACTS[0]) for place in self.policy.contexts}:
                self._check_time(question, verdict, ends)
                self._check_tree(question, verdict, now)

    def _check_tree(self, question: tuple[str, str, str], verdict: Verdict, at: int) -> None:
        """Compare the requirement tree with the verdict: it is made of the same leaves."""
        tree = grow_tree(self.policy, self.state, *question, at)
        for blocking, told in ((True, verdict.reasons), (False, verdict.advisories)):
            unmet = [(n.rule, n.code, n.actual, n.resource) for n in unmet_leaves(tree, blocking=blocking)]
            assert unmet == [(u.rule, u.code.value, u.actual, u.resource) for u in told]
        leaves = [leaf for rule in tree.children for leaf in rule.children]
        assert tree.met is verdict.allowed is all(leaf.met for leaf in leaves if leaf.blocking)
        assert tree.until == verdict.valid_until
        assert verdict.stable_until == min((leaf.until for leaf in leaves if leaf.until is not None), default=None)
        assert all(-1 < position < self.state.size for leaf in leaves for position in leaf.entries)
        assert all(self.state.find(name, r.Evidence) for leaf in leaves for name in leaf.evidence)

    def _check_time(self, question: tuple[str, str, str], verdict: Verdict, ends: list[int]) -> None:
        """Walk the clock forward: nothing loosens, and an ALLOW holds until exactly its valid_until."""
        assert verdict.allowed or verdict.valid_until is None
        assert verdict.valid_until in {None, *ends}
        allowed = verdict.allowed
        for end in ends:
            later = self.oracle.allows(*question, end)
            assert allowed or not later, f"time turned {question} to ALLOW at {end}"
            assert later is (verdict.allowed and (verdict.valid_until is None or end < verdict.valid_until))
            allowed = later
        for end in ends[:2]:
            self._compared(*question, end)

    def check_replay(self) -> None:
        """Replay the log from its bytes: no finding, and the same state. Reading the pack is left to other tests."""
        adopted = sum(isinstance(item, r.PolicyVersion) for item in self.state.items.values()) > 1
        replay = Replay(self.resolve, policy=None if adopted else self.policy)
        for data in self.encoded():
            replay.feed(data)
        assert replay.findings == []
        assert replay.state == self.state

    def check_quorums(self) -> None:
        """Compare what is filled of every change under review with every way to fill it."""
        for change in self.state.all_of(r.Change):
            if change.state == "in_review":
                self._check_slots((self.policy, self.oracle.pack), self.state, change, max(self.now, self.state.time))

    def _compared(self, model: str, context: str, artifact: str, at: int) -> Verdict:
        verdict = self.verdict(model, context, artifact, at)
        said = {(reason.rule, reason.resource) for reason in verdict.reasons}
        assert said == self.oracle.failures(model, context, artifact, at), (model, context, artifact, at)
        assert verdict.allowed is (not said)
        return verdict

    def _check_deployments(self) -> None:
        """Compare each deployment's verdict at record, and who is out of compliance now and at the next end."""
        recorded = {item.name: item.allowed for item in self.state.all_of(r.Deployment)}
        assert recorded == {name: known["allowed"] for name, known in self.oracle.deployments.items()}
        at: int | None = max(self.now, self.state.time)
        live = list(live_deployments(self.state))
        for _ in range(2):
            if at is None:
                return
            gate = Compliance(self.policy, self.state, at)
            assert {item.name for item in live if gate.denied(item)} == self.oracle.out_of_compliance(at)
            at = gate.valid_until

    def _ends(self) -> set[int]:
        lapses = {known["lapses"] for known in self.oracle.determinations.values()}
        attested = {self.oracle.attested_to(name) for name in self.oracle.safeguards}
        measures = {row["until"] for row in (*self.oracle.measures.values(), *self.oracle.exceptions.values())}
        owed = self.oracle.dues(max(self.now, self.state.time))
        return {end for end in (lapses | attested | measures | owed) if end is not None}

    def _check_entry(self, policy: Policy, before: State, accepted: Accepted) -> None:
        entry, after = accepted.entry, accepted.state
        assert evolve(policy, before, entry) == after
        assert codec.decode_entry(codec.encode_entry(entry), self.resolve) == entry
        assert after.size == before.size + 1
        assert after.time == entry.time > before.time
        moved = {name for name in after.positions if after.position(name) == entry.seq}
        assert dict(entry.prev) == {name: before.position(name) for name in moved}

    def _check_applied(self, judged_by: tuple[Policy, Any], before: State, entry: Entry) -> None:
        """Check that what was applied was signed: these bytes, this base, by enough people, as was asked before it."""
        policy, pack = judged_by
        for moved in entry.transitions:
            if moved.trigger != "change.apply":
                continue
            change = self.state.need(moved.resource, r.Change)
            content = content_of(change.content)
            assert all(before.position(name) == position for name, position in content.base)
            assert content.policy_digest == policy.digest
            digest = hashlib.sha256(change.content).hexdigest()
            signers = {who for _, _, _, who in change.applied_slots}
            latest = {sign_off.signer: sign_off for sign_off in change.sign_offs}
            for who in signers:
                assert digest == _subject(self.entries[latest[who].position])
            self._check_slots(judged_by, before, change, entry.time)
            under_review = replace(change, state="in_review")
            self._check_preview(policy, before, under_review, entry.time)
            naive = World(policy, self.cast, before.put(under_review), entry.time, objects=self.objects)
            assert may_be_applied(pack, naive, under_review)
            people = {self.state.need(who, r.Principal).person for who in signers}
            asked = [len(slots_of(pack, naive, firing)) for firing in content.triggers]
            assert len(people) >= 2 or max(asked) <= 1

    def _check_preview(self, policy: Policy, before: State, change: r.Change, at: int) -> None:
        """Compare the verdicts that a preview of a change gives with those after it was applied."""
        previewed = evaluate(policy, before.put(change), change, at).after
        assert previewed is not None
        for flip in find_flips(policy, before, previewed, at, self.policy):
            assert flip.allowed is self.oracle.allows(flip.model, flip.context, flip.artifact, at)
        for question in self.questions():
            assert explain(self.policy, previewed, *question, at) == self.verdict(*question, at)

    def _check_slots(self, judged_by: tuple[Policy, Any], state: State, change: r.Change, at: int) -> None:
        """Compare what ``evaluate`` fills of each trigger's rule on ``state`` with the most that can be."""
        policy, pack = judged_by
        slots = iter(evaluate(policy, state.put(change), change, at).slots)
        judged = World(policy, self.cast, state, at, objects=self.objects)
        for firing in content_of(change.content).triggers:
            filled = [next(slots).filled_by for _ in slots_of(pack, judged, firing)]
            given = [who for who in filled if who]
            assert len(given) == most_filled(pack, judged, change, firing)
            assert len(given) == len(set(given)) or isinstance(firing, f.ChangeRatify)  # one rule after the other
            assert change.state != "applied" or len(given) == len(filled)


def check_refusal(refused: Refused) -> None:
    """Check that a refusal says something, in known words."""
    assert refused.unmet
    assert isinstance(refused.kind, RefusalKind)
    for unmet in refused.unmet:
        assert isinstance(unmet.code, Code)
        assert unmet.requirement
        assert unmet.rule == 0


def _subject(entry: Entry) -> str:
    """Return the digest that the statement in an entry's envelope was signed over, read by hand."""
    payload = json.loads(entry.facts.envelopes[0])["payload"]
    return str(json.loads(base64.b64decode(payload))["subject"][0]["digest"]["sha256"])
