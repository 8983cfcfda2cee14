"""Invariant 1: whatever one person does, with every account and role they have or borrow, no DENY becomes ALLOW.

The worlds are made sharp: a model one signature short of release, changes by others under review without a sign-off,
people who hold every approving role, or two accounts. The person signs with real keys, and only with their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.statemachine import codec, drafting, rules
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import content_of
from interlock.statemachine.decide import Accepted
from tests.properties.moves import SPANS, a_firing, mending, names_of, possible, some_evidence
from tests.properties.released import CASTS, released
from tests.properties.watched import ARTIFACTS, MODELS
from tests.support.world import Member, World, envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.properties.moves import Draw

pytestmark = pytest.mark.timeout(600)  # a whole exploration is one test here

SPOILS = (
    f.HoldPlace(MODELS[0]),
    f.SafeguardDegrade(f"{MODELS[0]}/safeguards/input-filter"),
    f.SafeguardSuspend(f"{MODELS[0]}/safeguards/filter"),
    f.DeterminationReport(f"{MODELS[0]}/determinations/misuse", "cannot_rule_out"),
    f.DeterminationReport(f"{MODELS[0]}/determinations/harm", "reached"),
)
"""What may have happened to the released model, where its pack has it."""


def persons(cast: tuple[Member, ...]) -> dict[str, list[str]]:
    """Return the accounts of each person, services standing for themselves."""
    found: dict[str, list[str]] = {}
    for member in cast:
        found.setdefault(member.person or member.id, []).append(member.id)
    return found


def answers(world: World) -> Iterator[tuple[tuple[str, str, str], bool]]:
    """Yield each question and whether the gate says ALLOW now."""
    for model in MODELS:
        for context in world.policy.contexts:
            for artifact in ("", *ARTIFACTS):
                yield (model, context.id, artifact), world.verdict(model, context.id, artifact).allowed


class Alone:
    """One person with their accounts in a world."""

    def __init__(self, world: World, accounts: list[str], draw: Draw) -> None:
        self.world, self.accounts, self.draw = world, accounts, draw
        self.borrowed: list[tuple[str, str]] = []

    def borrow(self) -> None:
        """Have everybody who can delegate every role of theirs to one of the accounts."""
        for member in self.world.cast.values():
            for role, _ in member.grants:
                account = self.draw(st.sampled_from(self.accounts))
                given = self.world.fire(member.id, self.world.delegation(member.id, role, account))
                if isinstance(given, Accepted):
                    self.borrowed.append((account, member.id))

    def move(self) -> None:
        """Do something, with any account."""
        who = self.draw(st.sampled_from(self.accounts))
        moves = [self.fire, self.propose, self.propose, self.sign, self.sign, self.sign, self.revise, self.other]
        self.draw(st.sampled_from(moves))(who)

    def fire(self, who: str) -> None:
        """Fire what would fire, or anything."""
        can = possible(self.world, loosening=self.draw(st.booleans()))
        firing = self.draw(st.sampled_from(can)) if can else a_firing(self.draw, self.world)
        self.world.attempt(who, c.Fire(firing))

    def propose(self, who: str) -> None:
        """Propose just what would mend the model, or something else that loosens."""
        world, context = self.world, self.draw(st.sampled_from(self.world.policy.contexts)).id
        document = self.draw(st.sampled_from([*names_of(world, r.Evidence), "evidence/99"]))
        can = mending(world, MODELS[0], context, lambda _kind: document)
        others = possible(world, loosening=True)
        if others and (not can or self.draw(st.booleans())):
            can = [self.draw(st.sampled_from(others))]
        drafted = drafting.draft(
            rules.current(), world.policy, world.state, name=world.state.next_name("changes"), revision=1,
            triggers=tuple(can), evidence=some_evidence(self.draw, world), texts=(("summary", bytes(32)),),
        )  # fmt: skip
        if isinstance(drafted, e.Content):
            world.attempt(who, c.ProposeChange(codec.encode_content(drafted)))

    def sign(self, who: str) -> None:
        """Sign a change with each account; rarely as roles not held, or with the key of another account."""
        changes = [change.name for change in self.world.state.all_of(r.Change) if change.state == "in_review"]
        if not changes:
            return
        name = self.draw(st.sampled_from(sorted(changes)))
        approving = tuple(sorted(role.id for role in self.world.policy.roles.values() if role.approves))
        for account, owner in [(who, ""), *((one, "") for one in self.accounts), *self.borrowed]:
            odd = self.draw(st.integers(0, 9))
            decision = "reject" if odd == 0 else "approve"
            statement = self.world.statement(account, name, decision, on_behalf_of=owner)
            if odd == 1:
                statement = replace(statement, roles=approving)
            signed = envelope(self.accounts[-1] if odd == 2 else account, statement)
            self.world.attempt(account, c.SignOffChange(name), envelopes=(signed,))

    def revise(self, who: str) -> None:
        """Rebase or amend somebody's change."""
        changes = [change for change in self.world.state.all_of(r.Change) if change.state == "in_review"]
        if not changes:
            return
        change = self.draw(st.sampled_from(changes))
        content, can = content_of(change.content), possible(self.world, loosening=True)
        amended = bool(can) and self.draw(st.booleans())
        if amended:
            content = replace(content, triggers=(self.draw(st.sampled_from(can)),))
        drafted = drafting.revise(rules.current(), self.world.policy, self.world.state, content)
        if isinstance(drafted, e.Content):
            kind = c.AmendChange if amended else c.RebaseChange
            self.world.attempt(who, kind(change.name, codec.encode_content(drafted)))

    def other(self, who: str) -> None:
        """Upload, apply, take back, or wait."""
        changes = [*names_of(self.world, r.Change), "changes/99"]
        what = self.draw(st.integers(0, 3))
        if what == 0:
            self.world.wait(self.draw(st.sampled_from(SPANS)))
        elif what == 1:
            self.world.attempt(who, c.ApplyApprovedChange(self.draw(st.sampled_from(changes))))
        elif what == 2:
            self.world.attempt(who, c.WithdrawProposedChange(self.draw(st.sampled_from(changes))))
        else:
            kind = self.draw(st.sampled_from(sorted(self.world.policy.evidence_kinds)))
            compute = "9e30" if kind == "training_run_record" else ""
            command = c.RecordEvidence(
                kind, b"t" * 32, "text/plain", ARTIFACTS[0], 1, (), max(1, self.world.state.time), 0, "internal", "",
                compute,
            )  # fmt: skip
            self.world.attempt(who, command)


@pytest.mark.parametrize("pack", sorted(CASTS))
@settings(max_examples=300)
@given(data=st.data())
def test_no_single_person_turns_deny_into_allow(pack: str, data: st.DataObject) -> None:
    """A random sequence by one person, all their accounts and roles included, never opens the gate anywhere."""
    draw: Draw = data.draw
    cast = CASTS[pack][1]
    world = released(pack, draw(st.sampled_from(["ruled_out", "cannot_rule_out"]))).fork()
    for spoil in draw(st.lists(st.sampled_from(SPOILS), min_size=1, max_size=2)):
        world.fire("everything-but-admin", spoil)
    if draw(st.integers(0, 4)) == 0:
        world.wait(draw(st.sampled_from(SPANS)))
    document = world.upload("engineer", "evaluation_results")
    mend = mending(world, MODELS[0], draw(st.sampled_from(world.policy.contexts)).id, lambda _kind: document)
    if mend and draw(st.integers(0, 2)):
        world.attempt("evaluator", c.ProposeChange(world.content(*mend, evidence=[document])))
    sharp = ["owner-a", "both", "everything-but-admin"]
    alone = Alone(world, persons(cast)[draw(st.sampled_from([*sharp, *sharp, *sharp, *persons(cast)]))], draw)
    if draw(st.booleans()):
        alone.borrow()

    before = dict(answers(world))
    for _ in range(draw(st.integers(1, 8))):
        alone.move()
        after = dict(answers(world))
        assert not [question for question in before if after[question] and not before[question]]
        before = after


def test_two_people_do_open_it() -> None:
    """The same worlds do open for two people: the property above is not true for want of a way."""
    world = released("minimal", "cannot_rule_out").fork()
    world.fire("owner-a", f.HoldPlace(MODELS[0]))
    assert not world.verdict(MODELS[0], "api").allowed

    change = world.propose("evaluator", f.HoldLift("holds/1"))
    world.sign("owner-a", change)
    assert not world.verdict(MODELS[0], "api").allowed
    signed = world.sign("reviewer-a", change)

    assert isinstance(signed, Accepted)
    assert world.verdict(MODELS[0], "api").allowed
