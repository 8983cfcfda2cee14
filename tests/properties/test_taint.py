"""Random quorums, keys that turn out lost, and what these gave: which changes are tainted, against the naive reading.

``WatchedWorld`` compares the tainted changes and every verdict after each step; here is what makes them likely. One
more thing is looked at: what is learned loosens nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.proofs import keys
from interlock.statemachine import commands as c
from interlock.statemachine import drafting, rules, snapshot
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.codec import encode_content
from interlock.statemachine.decide import Accepted
from tests.properties.moves import NEWCOMERS, possible
from tests.properties.released import CASTS, released
from tests.properties.test_one_person import answers
from tests.properties.watched import MODELS, WatchedWorld
from tests.support.world import public_of

if TYPE_CHECKING:
    from tests.properties.moves import Draw

pytestmark = pytest.mark.timeout(600)  # a whole exploration is one test here

OWNERS: Final = ("owner-a", "owner-b", "both", "newcomer")
REVIEWERS: Final = ("reviewer-a", "reviewer-b", "both", "newcomer")
SIGNERS: Final = (*OWNERS, *REVIEWERS, "owner-a-again")


class Doubted:
    """A watched world, and the moves that people and their keys make in it."""

    def __init__(self, draw: Draw) -> None:
        past = released("minimal", draw(st.sampled_from(["ruled_out", "cannot_rule_out"])))
        self.draw = draw
        self.world = WatchedWorld(
            past.policy, past.cast, past.state, past.now, list(past.entries), dict(past.objects), past.nonces
        )
        self.world.watch(CASTS["minimal"][0].read_bytes())

    def enact(self) -> None:
        """Have something that loosens signed by two or three who may or may not fill its slots."""
        world, draw = self.world, self.draw
        identity = (f.GrantGive, f.CredentialRegister, f.PrincipalCreate, f.PrincipalRestore, f.PrincipalUnlink)
        can = possible(world, loosening=True)
        near: list[f.Firing] = (
            [firing for firing in can if isinstance(firing, identity)] if draw(st.booleans()) else can
        )
        ratifying: list[f.Firing] = [firing for firing in can if isinstance(firing, f.ChangeRatify)]
        near = ratifying if ratifying and draw(st.booleans()) else near
        if not near:
            return
        drafted = drafting.draft(
            rules.current(), world.policy, world.state, name=world.state.next_name("changes"), revision=1,
            triggers=(draw(st.sampled_from(near)),), evidence=[world.upload("engineer", "evaluation_results")],
        )  # fmt: skip
        if not isinstance(drafted, e.Content):
            return
        if not isinstance(world.attempt("evaluator", c.ProposeChange(encode_content(drafted))), Accepted):
            return
        signers = [draw(st.sampled_from(OWNERS)), draw(st.sampled_from(REVIEWERS)), draw(st.sampled_from(SIGNERS))]
        if draw(st.integers(0, 3)) == 0 and f"principals/{signers[-1]}" in world.state.items:
            world.sign(signers[-1], drafted.change, "reject")  # and perhaps takes that back, with whosever key it is
        for who in dict.fromkeys(signers):
            if f"principals/{who}" in world.state.items:
                world.sign(who, drafted.change)

    def lose(self) -> None:
        """Learn that a sign-off key was lost, at some entry or from the start."""
        who = self.draw(st.sampled_from([*SIGNERS, "owner-a", "reviewer-a"]))
        fingerprint = keys.fingerprint(public_of(f"principals/{who}", "signoff"))
        since = self.draw(st.sampled_from([1, *(entry.time for entry in self.world.entries[-12:])]))
        before = dict(answers(self.world))
        revoked = self.world.fire("admin", f.CredentialRevoke(f"principals/{who}/credentials/{fingerprint}", since))
        if isinstance(revoked, Accepted):
            after = dict(answers(self.world))
            assert not [question for question in before if after[question] and not before[question]]

    def link(self) -> None:
        """Learn that two accounts are one person's: signers, who requested, who made evidence, who administers."""
        who = st.sampled_from([*SIGNERS, "owner-a", "reviewer-a", "evaluator", "engineer", "admin"])
        one, other = (f"principals/{self.draw(who)}" for _ in range(2))
        before = dict(answers(self.world))
        if isinstance(self.world.fire("admin", f.PrincipalLink(one, other)), Accepted):
            after = dict(answers(self.world))
            assert not [question for question in before if after[question] and not before[question]]

    def tighten(self) -> None:
        """Suspend, hold, degrade or report something, as one person may."""
        kinds = (f.SafeguardSuspend, f.SafeguardDegrade, f.HoldPlace, f.DeterminationReport, f.LevelConfirm)
        near = [firing for firing in possible(self.world, loosening=False) if isinstance(firing, kinds)]
        self.world.fire("everything-but-admin", self.draw(st.sampled_from(near)))

    def suspend(self) -> None:
        """Suspend somebody, so that there is an account to restore."""
        who = self.draw(st.sampled_from(["owner-b", "reviewer-b", *(name.split("/")[1] for name in NEWCOMERS)]))
        self.world.fire("admin", f.PrincipalSuspend(f"principals/{who}"))


@settings(max_examples=60)
@given(data=st.data())
def test_taint_is_what_a_naive_reading_finds(data: st.DataObject) -> None:
    """Whatever was signed by whom, and whatever is learned of keys in which order."""
    doubted = Doubted(data.draw)
    moves = [doubted.enact, doubted.enact, doubted.enact, doubted.lose, doubted.link, doubted.tighten, doubted.suspend]
    for _ in range(data.draw(st.integers(2, 9))):
        data.draw(st.sampled_from(moves))()

    state = doubted.world.state
    rows = [(name, state.position(name), item) for name, item in state.items.items()]
    assert snapshot.rebuild(rows, size=state.size, time=state.time) == state
    assert all(state.need(name, r.Change).applied_position == position for position, name in state.tainted.items())
    assert MODELS[0] in state.items
    doubted.world.check_replay()
