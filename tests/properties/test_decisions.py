"""Random commands by random people, checked after every step (``watched.py``): the pure core as a state machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from interlock.statemachine import codec, drafting, rules, verdicts
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import content_of
from interlock.statemachine.decide import Accepted
from interlock.statemachine.log_keys import keys_of
from interlock.statemachine.policy import load_pack
from interlock.statemachine.unmet import Refused
from tests.properties.adoptable import versions_of
from tests.properties.casts import RICH_CAST
from tests.properties.moves import (
    ADMINISTERING,
    CONCLUSIONS,
    LOG_KEYS,
    RECOVERING,
    SPANS,
    a_firing,
    mending,
    names_of,
    possible,
    some_evidence,
)
from tests.properties.parts import check_parts
from tests.properties.released import RICH
from tests.properties.watched import ARTIFACTS, MODELS, WatchedWorld
from tests.support.log_keys import QUORUM, document, hand_in, head, new_key
from tests.support.world import MINIMAL_CAST, REASON, SKETCH, Member, envelope, public_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.properties.moves import Draw

pytestmark = pytest.mark.timeout(600)  # a whole exploration is one test here

DATA = st.data()


class Decisions(RuleBasedStateMachine):
    """The rules; a subclass names a pack and its cast."""

    pack: ClassVar[Path]
    cast: ClassVar[tuple[Member, ...]]
    proposer: ClassVar[str]

    @initialize(released=st.integers(0, 9), conclusions=st.lists(st.sampled_from(CONCLUSIONS), max_size=3))
    def found(self, released: int, conclusions: list[str]) -> None:
        """Found the log; mostly, register the models, report on one of them and bring it out."""
        pack = self.pack.read_bytes()
        world = WatchedWorld.found({"policy.yaml": pack}, self.cast)
        assert isinstance(world, WatchedWorld)
        self.world = world
        self.world.watch(pack)
        self.spent: list[tuple[str, c.Command, bytes]] = []
        for model, artifact in zip(MODELS[: min(released, 2)], ARTIFACTS, strict=False):
            self.world.attempt(self.proposer, c.Fire(f.ModelRegister(model, (artifact,))))
        for threshold, conclusion in zip(self.world.policy.thresholds, conclusions, strict=False):
            report = f.DeterminationReport(f"{MODELS[0]}/determinations/{threshold}", conclusion)
            self.world.attempt(self.proposer, c.Fire(report))
        for context in self.world.policy.contexts:
            firings = mending(self.world, MODELS[0], context.id, self.document) if released > 3 else []
            name = self.propose_these(tuple(firings)) if firings else None
            if name is not None:
                self.sign_in_turn(name, self.approvers())

    def person(self, draw: Draw) -> str:
        """Draw anybody, and rather somebody who may do things."""
        able = [self.proposer, "owner-a", "everything-but-admin"]
        return str(draw(st.sampled_from([*able, *able, *(member.id for member in self.cast)])))

    def open_changes(self) -> list[str]:
        """Return the changes that something can still happen to, and at times one that is done."""
        changes = sorted(self.world.state.all_of(r.Change), key=lambda change: change.proposed_position)
        going = [change.name for change in changes if change.state in {"draft", "in_review"}]
        return [*going, *going, *(change.name for change in changes[:1])]

    def approvers(self) -> list[str]:
        """Return all who hold an approving role."""
        roles = self.world.policy.roles
        return [member.id for member in self.cast if any(roles[role].approves for role, _ in member.grants)]

    def document(self, kind: str) -> str:
        """Upload a fresh document by somebody who does nothing else."""
        return self.world.upload("librarian", kind)

    def content(
        self, triggers: tuple[f.Firing, ...], evidence: Iterable[str], *, separately: bool = False
    ) -> bytes | None:
        """Return a new change's content bytes, where they can be written."""
        drafted = drafting.draft(
            rules.current(), self.world.policy, self.world.state, name=self.world.state.next_name("changes"),
            revision=1, triggers=triggers, evidence=evidence, apply_separately=separately,
            texts=REASON if any(isinstance(firing, f.BreakGlassOpen) for firing in triggers) else (),
        )  # fmt: skip
        return codec.encode_content(drafted) if isinstance(drafted, e.Content) else None

    # What one person does -----------------------------------------------------------------------------------------

    @rule(data=DATA)
    def fire(self, data: st.DataObject) -> None:
        """Anybody fires any trigger."""
        self.world.attempt(self.person(data.draw), c.Fire(a_firing(data.draw, self.world)))

    @rule(data=DATA)
    def fire_what_would_fire(self, data: st.DataObject) -> None:
        """Somebody fires alone what the machines would let them."""
        can = possible(self.world, loosening=False)
        who = data.draw(st.sampled_from(["owner-a", self.proposer, "everything-but-admin"]))
        self.world.attempt(who, c.Fire(data.draw(st.sampled_from(can))))

    @rule(data=DATA)
    def administer(self, data: st.DataObject) -> None:
        """The administrator takes somebody's account, key or role."""
        self.world.attempt("admin", c.Fire(a_firing(data.draw, self.world, ADMINISTERING)))
        self.world.check_quorums()

    @rule(data=DATA, compute=st.sampled_from(["", "1e25", "2.5e25", "4e25"]), ago=st.sampled_from([0, *SPANS]))
    def upload(self, data: st.DataObject, compute: str, ago: int) -> None:
        """Anybody records a document, old or new, known kind or not."""
        kind = (
            "training_run_record" if compute else data.draw(st.sampled_from(sorted(self.world.policy.evidence_kinds)))
        )
        now = max(self.world.now, self.world.state.time + 1)
        authors = data.draw(st.lists(st.sampled_from([member.name for member in self.cast]), max_size=1))
        command = c.RecordEvidence(
            kind, b"t" * 32, "text/plain", data.draw(st.sampled_from(ARTIFACTS)), 1, tuple(authors), now - ago,
            data.draw(st.sampled_from([0, 0, now + 1, now + SPANS[3]])), "internal", "", compute,
        )  # fmt: skip
        self.world.attempt(self.person(data.draw), command)

    @rule(span=st.sampled_from(SPANS))
    def wait(self, span: int) -> None:
        """Time passes."""
        self.world.wait(span)
        self.world.check_verdicts()

    @rule(data=DATA, kind=st.sampled_from([c.AttemptRefused, c.OpenEvidence, c.GrantEvidenceAccess]))
    def leave_a_trace(self, data: st.DataObject, kind: type[c.Command]) -> None:
        """Anybody is refused something, opens a document, or lets somebody else do so."""
        who, before = self.person(data.draw), self.world.state.positions
        if kind is c.AttemptRefused:
            self.world.attempt(who, c.AttemptRefused("Sign", b"d" * 32, ("RIGHT_MISSING",)))
            assert self.world.state.positions == before
            return
        name = data.draw(st.sampled_from(names_of(self.world, r.Evidence, "evidence/99")))
        opened: c.Command = c.OpenEvidence(name)
        shared: c.Command = c.GrantEvidenceAccess(name, f"principals/{self.person(data.draw)}")
        self.world.attempt(who, opened if kind is c.OpenEvidence else shared)

    @rule(data=DATA, digest=st.sampled_from([b"a" * 32, b"b" * 32, b"short"]))
    def erase_a_text(self, data: st.DataObject, digest: bytes) -> None:
        """Somebody wants a text forgotten; no verdict reads it."""
        self.world.attempt(self.person(data.draw), c.EraseText(digest))
        self.world.check_verdicts()

    @rule(data=DATA, off=st.sampled_from([0, 0, 3_600_000_000, 3_600_000_001, -3_600_000_001]))
    def accept_the_clock(self, data: st.DataObject, off: int) -> None:
        """Somebody accepts the clock, whether it is right by theirs or not; it writes nothing and moves no verdict."""
        before = self.world.state.positions
        self.world.attempt(self.person(data.draw), c.AcceptClock(max(self.world.now, self.world.state.time + 1) + off))
        assert self.world.state.positions == before
        self.world.check_verdicts()

    @rule()
    def state_a_digest(self) -> None:
        """The log states its digest; from here on a fold that was begun at it goes along."""
        self.world.check_begun()
        self.world.state_digest()

    @rule(data=DATA, model=st.sampled_from(MODELS), artifact=st.sampled_from(ARTIFACTS), lie=st.integers(0, 3))
    def record_a_decision(self, data: st.DataObject, model: str, artifact: str, lie: int) -> None:
        """The release tool has a decision recorded: the oracle's and no other."""
        context = data.draw(st.sampled_from([place.id for place in self.world.policy.contexts]))
        instant = max(self.world.now, self.world.state.time + 1)
        judged = verdicts.judge(self.world.policy, self.world.state, model, context, artifact, instant)
        assert judged.allowed is self.world.oracle.allows(model, context, artifact, instant)
        assert not judged.allowed or self.world.oracle.allows(model, context, artifact, judged.expires - 1)
        if lie == 0:
            judged = replace(judged, allowed=not judged.allowed)
        decided = self.world.attempt("release-bot", verdicts.command_for(judged), instant=instant)
        assert isinstance(decided, Refused if lie == 0 else Accepted)

    # Changes ------------------------------------------------------------------------------------------------------

    @rule(data=DATA, draft=st.booleans(), separately=st.booleans())
    def propose(self, data: st.DataObject, *, draft: bool, separately: bool) -> None:
        """Anybody proposes any few triggers."""
        firings = tuple(a_firing(data.draw, self.world) for _ in range(data.draw(st.integers(1, 3))))
        content = self.content(firings, some_evidence(data.draw, self.world), separately=separately)
        if content is not None:
            self.world.attempt(self.person(data.draw), c.ProposeChange(content, draft))

    @rule(data=DATA, draft=st.integers(0, 4), separately=st.booleans(), riding=st.integers(0, 4))
    def propose_what_would_fire(self, data: st.DataObject, *, draft: int, separately: bool, riding: int) -> None:
        """Somebody proposes what the machines would let them, sometimes with a trigger that needs no consent."""
        can = possible(self.world, loosening=True)
        firings = [data.draw(st.sampled_from(can))] if can else []
        firings += [data.draw(st.sampled_from(possible(self.world, loosening=False)))] if riding == 0 else []
        content = self.content(tuple(firings), [self.document("evaluation_results")], separately=separately)
        if content is not None:
            who = data.draw(st.sampled_from([self.proposer, self.proposer, self.person(data.draw)]))
            self.world.attempt(who, c.ProposeChange(content, draft=draft == 0))

    @rule(data=DATA, kind=st.sampled_from([c.AmendChange, c.AttachEvidence, c.DetachEvidence, c.RebaseChange]))
    @precondition(lambda self: self.open_changes())
    def revise(self, data: st.DataObject, kind: type[c.Revision]) -> None:
        """Anybody amends, attaches, detaches or rebases."""
        name = data.draw(st.sampled_from(self.open_changes()))
        content = content_of(self.world.state.need(name, r.Change).content)
        evidence = [document for document, _ in content.evidence]
        if kind is c.AmendChange:
            can = possible(self.world, loosening=True) or [a_firing(data.draw, self.world)]
            content = replace(content, triggers=(*content.triggers[1:], data.draw(st.sampled_from(can))))
        if kind is c.AttachEvidence:
            content = drafting.with_evidence(content, [*evidence, *some_evidence(data.draw, self.world)])
        if kind is c.DetachEvidence:
            content = drafting.with_evidence(content, evidence[1:])
        drafted = drafting.revise(rules.current(), self.world.policy, self.world.state, content)
        if isinstance(drafted, e.Content):
            who = data.draw(st.sampled_from([self.proposer, self.person(data.draw)]))
            self.world.attempt(who, kind(name, codec.encode_content(drafted)))

    @rule(data=DATA, decision=st.sampled_from(["approve", "approve", "approve", "reject", "withdraw"]))
    @precondition(lambda self: self.open_changes())
    def sign(self, data: st.DataObject, decision: str) -> None:
        """Anybody signs, as any roles; rarely over another change's content or with another's key."""
        name = data.draw(st.sampled_from(self.open_changes()))
        who = self.person(data.draw)
        roles = data.draw(st.sampled_from([None, None, None, ["owner"], ["owner", "reviewer"]]))
        seen = data.draw(st.sampled_from(["full", "full", "not_opened"]))
        statement = self.world.statement(who, name, decision, roles=roles, seen=seen)
        spoilt = data.draw(st.integers(0, 19))
        if spoilt == 0:
            statement = replace(statement, change=data.draw(st.sampled_from(names_of(self.world, r.Change))))
        key = self.person(data.draw) if spoilt == 1 else who
        self.hand_in(who, name, decision, envelope(key, statement))
        self.world.check_quorums()

    def hand_in(self, who: str, name: str, decision: str, signed: bytes) -> Accepted | Refused:
        """Hand in an envelope and keep it for later."""
        command = (c.WithdrawSignOffOfChange if decision == "withdraw" else c.SignOffChange)(name)
        decided = self.world.attempt(who, command, envelopes=(signed,))
        if isinstance(decided, Accepted):
            self.spent.append((who, command, signed))
        return decided

    @rule(data=DATA)
    @precondition(lambda self: self.spent)
    def replay_an_envelope(self, data: st.DataObject) -> None:
        """An envelope that was accepted once is never accepted again, by nobody."""
        who, command, signed = data.draw(st.sampled_from(self.spent))
        other = data.draw(st.sampled_from([who, self.person(data.draw)]))
        assert isinstance(self.world.attempt(other, command, envelopes=(signed,)), Refused)

    @rule(data=DATA)
    @precondition(lambda self: self.open_changes())
    def move_a_change(self, data: st.DataObject) -> None:
        """Anybody submits, applies or withdraws."""
        name = data.draw(st.sampled_from(self.open_changes()))
        kinds: list[c.Command] = [c.SubmitChange(name), c.ApplyApprovedChange(name), c.WithdrawProposedChange(name)]
        self.world.attempt(self.person(data.draw), data.draw(st.sampled_from(kinds)))

    # What people do together --------------------------------------------------------------------------------------

    @rule(data=DATA, model=st.sampled_from(MODELS), most=st.sampled_from([40, 40, 2]))
    def mend(self, data: st.DataObject, model: str, most: int) -> None:
        """Somebody proposes what would bring a release about, and everybody signs in some order."""
        context = data.draw(st.sampled_from([place.id for place in self.world.policy.contexts]))
        if self.world.state.find(model, r.Model) is None:
            self.world.attempt(self.proposer, c.Fire(f.ModelRegister(model)))
        firings = mending(self.world, model, context, self.document)[:most]
        name = self.propose_these(tuple(firings)) if firings else None
        if name is not None:
            self.sign_in_turn(name, data.draw(st.permutations(self.approvers())))

    @rule(data=DATA)
    def adopt(self, data: st.DataObject) -> None:
        """Somebody proposes another version of the policy; now and then enough people sign it at once."""
        files = data.draw(st.sampled_from(versions_of("rich" if self.pack == RICH else "minimal")))
        if load_pack(files).digest == self.world.policy.digest:
            return
        name = self.world.propose_policy(self.proposer, files)
        if data.draw(st.booleans()):
            self.sign_in_turn(name, data.draw(st.permutations(self.approvers())))

    @rule(data=DATA)
    def recover(self, data: st.DataObject) -> None:
        """The recovery quorum names a key of the log, mostly a new one, accepts a restore, gives back; all is held."""
        world, draw = self.world, data.draw
        had = keys_of(world.state.log)
        words = [word for word in LOG_KEYS if public_of(word, "log") not in had]
        triggers = [a_firing(draw, world, RECOVERING) for _ in range(draw(st.integers(0, 1)))]
        last = head(world, draw(st.sampled_from([None, None, None, 2, world.state.size // 2])))
        named = new_key(draw(st.sampled_from([*words, *words, *LOG_KEYS])), last) if draw(st.integers(0, 3)) else None
        lost = (
            e.TreeHead(world.state.size + draw(st.integers(0, 3)), bytes(32)) if draw(st.integers(0, 2)) == 0 else None
        )
        quorum = draw(st.sampled_from([QUORUM, QUORUM, QUORUM, QUORUM[:1]]))
        hand_in(world, document(world, named, *triggers, lost=lost), *quorum)
        world.check_quorums()

    @rule(data=DATA)
    @precondition(lambda self: self.open_changes())
    def gather(self, data: st.DataObject) -> None:
        """Everybody signs one change in some order."""
        name = data.draw(st.sampled_from(self.open_changes()))
        self.sign_in_turn(name, data.draw(st.permutations(self.approvers())))

    def propose_these(self, firings: tuple[f.Firing, ...]) -> str | None:
        """Propose triggers with all the evidence that a rule may ask for; return the change's name if it is one."""
        content = self.content(firings, [self.document("evaluation_results")])
        name = self.world.state.next_name("changes")
        done = content is not None and self.world.attempt(self.proposer, c.ProposeChange(content))
        return name if isinstance(done, Accepted) else None

    def sign_in_turn(self, name: str, people: Iterable[str]) -> None:
        """Have people sign one after the other until the change is applied."""
        for who in people:
            if self.world.state.need(name, r.Change).state != "in_review":
                break
            self.hand_in(who, name, "approve", envelope(who, self.world.statement(who, name)))
        self.world.check_quorums()

    def teardown(self) -> None:
        """Replay everything from bytes."""
        if hasattr(self, "world"):
            self.world.check_replay()
            self.world.check_begun()
            if len(self.world.entries) % 4 == 0:  # of some logs: it is as dear as all the rest
                check_parts(self.world)


class MinimalDecisions(Decisions):
    """Under the ``minimal`` pack."""

    pack, cast, proposer = SKETCH, (*MINIMAL_CAST, Member("librarian", (("requester", "*"),))), "evaluator"


class RichDecisions(Decisions):
    """Under a pack that has one of each thing."""

    pack, cast, proposer = RICH, RICH_CAST, "evaluator"


TestMinimalDecisions = MinimalDecisions.TestCase
TestRichDecisions = RichDecisions.TestCase
