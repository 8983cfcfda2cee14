"""One change at a time, signed, rejected, edited, disturbed and left lying: what is approved, against every quorum.

The naive reading (``naive_quorum.py``) says which slots can be filled, who stands against a change, and whether its
base and age still hold; ``evaluate`` must agree after every step, and what is applied must have been right to apply.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from interlock.statemachine import codec, drafting, rules
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import content_of, evaluate
from interlock.statemachine.decide import Accepted
from tests.properties.moves import possible
from tests.properties.released import CASTS, released
from tests.properties.watched import MODELS, WatchedWorld
from tests.support.naive_quorum import may_be_applied, most_filled, slots_of, standing_rejects
from tests.support.world import DAY_US, World

if TYPE_CHECKING:
    from tests.properties.moves import Draw

pytestmark = pytest.mark.timeout(600)  # a whole exploration is one test here

DATA = st.data()
PROPOSERS = st.sampled_from(["evaluator", "evaluator", "everything-but-admin", "engineer"])
DAYS = st.sampled_from([0, 0, 0, 1, 9, 20])


class Reviews(RuleBasedStateMachine):
    """The rules; a subclass names a pack."""

    pack: ClassVar[str]

    @initialize(conclusion=st.sampled_from(["ruled_out", "cannot_rule_out"]), data=DATA)
    def found(self, conclusion: str, data: st.DataObject) -> None:
        """Begin where a model was released and something happened to it."""
        past = released(self.pack, conclusion)
        pack_yaml = CASTS[self.pack][0].read_bytes()
        self.world = WatchedWorld(
            past.policy, past.cast, past.state, past.now, list(past.entries), dict(past.objects), past.nonces
        )
        self.world.watch(pack_yaml)
        self.world.watch_verdicts = False
        self.approvers = [
            member.id
            for member in CASTS[self.pack][1]
            if any(self.world.policy.roles[role].approves for role, _ in member.grants)
        ]
        self.world.fire("owner-a", f.HoldPlace(MODELS[0]))
        self.change = ""
        self.propose(data, "evaluator", "engineer")

    @rule(data=DATA, who=PROPOSERS, author=st.sampled_from(["engineer", "engineer", "reviewer-a", "owner-a"]))
    def propose(self, data: st.DataObject, who: str, author: str) -> None:
        """Somebody proposes one or two triggers that would fire, with somebody's evidence."""
        can = possible(self.world, loosening=True)
        firings = data.draw(st.lists(st.sampled_from(can), min_size=1, max_size=2, unique=True))
        document = self.world.upload(author, "evaluation_results")
        drafted = drafting.draft(
            rules.current(), self.world.policy, self.world.state, name=self.world.state.next_name("changes"),
            revision=1, triggers=tuple(firings), evidence=[document],
        )  # fmt: skip
        assert isinstance(drafted, e.Content)
        if isinstance(self.world.attempt(who, c.ProposeChange(codec.encode_content(drafted))), Accepted):
            self.change = drafted.change
        self.agree()

    @rule(data=DATA, after=st.sampled_from([0, 0, 0, DAY_US]))
    def approve(self, data: st.DataObject, after: int) -> None:
        """An approver approves, perhaps for a day only."""
        until = max(self.world.now, self.world.state.time) + after if after else 0
        self._decide(self.approver(data.draw), "approve", until)

    @rule(data=DATA)
    def approve_too(self, data: st.DataObject) -> None:
        """Another approver approves."""
        self._decide(self.approver(data.draw), "approve")

    @rule(data=DATA)
    def reject(self, data: st.DataObject) -> None:
        """An approver rejects."""
        self._decide(self.approver(data.draw), "reject")

    @rule(data=DATA)
    def take_back(self, data: st.DataObject) -> None:
        """Whoever decided takes it back."""
        change = self.world.state.find(self.change, r.Change)
        signers = [sign_off.signer for sign_off in change.sign_offs] if change is not None else []
        if signers:
            self._decide(data.draw(st.sampled_from(signers)).removeprefix("principals/"), "withdraw")

    @rule(who=PROPOSERS, author=st.sampled_from(["engineer", "reviewer-b"]), data=DATA)
    def revise(self, who: str, author: str, data: st.DataObject) -> None:
        """Somebody rebases it, amends it, or attaches or detaches a document."""
        change = self.world.state.find(self.change, r.Change)
        if change is None:
            return
        kinds: list[type[c.Revision]] = [c.RebaseChange, c.AmendChange, c.AttachEvidence, c.DetachEvidence]
        kind = data.draw(st.sampled_from(kinds))
        content = content_of(change.content)
        documents = [name for name, _ in content.evidence]
        if kind is c.AmendChange:
            content = replace(content, not_before=content.not_before + 1)
        if kind is c.AttachEvidence:
            more = self.world.upload(author, "evaluation_results")
            content = drafting.with_evidence(content, [*documents, more])
        if kind is c.DetachEvidence:
            content = drafting.with_evidence(content, documents[1:])
        drafted = drafting.revise(rules.current(), self.world.policy, self.world.state, content)
        assert isinstance(drafted, e.Content)
        self.world.attempt(who, kind(self.change, codec.encode_content(drafted)))
        self.agree()

    @rule(data=DATA, days=DAYS)
    def disturb(self, data: st.DataObject, days: int) -> None:
        """Somebody tightens something, or time passes."""
        self.world.wait(days * DAY_US)
        if not days:
            alone = possible(self.world, loosening=False)
            near = [firing for firing in alone if not isinstance(firing, f.ModelRetire)]
            self.world.fire("owner-a", data.draw(st.sampled_from(near)))
        self.agree()

    @rule(data=DATA)
    def link(self, data: st.DataObject) -> None:
        """An administrator says that two who may sign are one person: a reject of the one is not the other's."""
        one, other = (f"principals/{data.draw(st.sampled_from(self.approvers))}" for _ in range(2))
        self.world.fire("admin", f.PrincipalLink(one, other))
        self.agree()

    @rule(who=PROPOSERS)
    def apply(self, who: str) -> None:
        """Somebody asks for what is approved to be applied."""
        self.world.attempt(who, c.ApplyApprovedChange(self.change))
        self.agree()

    def approver(self, draw: Draw) -> str:
        """Draw somebody who may sign; most of all the two who usually do."""
        return str(draw(st.sampled_from(["owner-a", "reviewer-a", *self.approvers])))

    def _decide(self, who: str, decision: str, not_after: int = 0) -> None:
        if self.world.state.find(self.change, r.Change) is not None:
            self.world.sign(who, self.change, decision, not_after=not_after)
            self.agree()

    def agree(self) -> None:
        """Compare every change under review with the naive reading of it."""
        pack = self.world.oracle.pack
        now = max(self.world.now, self.world.state.time)
        naive = World(self.world.policy, self.world.cast, self.world.state, now)
        for change in self.world.state.all_of(r.Change):
            if change.state != "in_review":
                continue
            judged = evaluate(self.world.policy, self.world.state, change, now)
            slots = iter(judged.slots)
            for firing in content_of(change.content).triggers:
                filled = [next(slots).filled_by for _ in slots_of(pack, naive, firing)]
                assert sum(map(bool, filled)) == most_filled(pack, naive, change, firing)
            against = [unmet for unmet in judged.unmet if unmet.code == "SIGN_OFF_REJECTED"]
            assert bool(against) is bool(standing_rejects(naive, change))
            right = may_be_applied(pack, naive, change)
            assert right if judged.approved else not right or judged.blocking

    def teardown(self) -> None:
        """Replay everything from bytes."""
        if hasattr(self, "world"):
            self.world.check_replay()


class MinimalReviews(Reviews):
    """Under the ``minimal`` pack."""

    pack = "minimal"


class RichReviews(Reviews):
    """Under a pack that has one of each thing."""

    pack = "rich"


TestMinimalReviews = MinimalReviews.TestCase
TestRichReviews = RichReviews.TestCase
