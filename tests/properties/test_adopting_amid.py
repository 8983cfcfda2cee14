"""Versions adopted in the middle of everything: exceptions, measures, waivers, incidents, holds and taint standing.

A model is released under one version of a pack; people loosen and tighten, keys turn out lost, and other versions are
adopted, which swap ids, put them together or drop them (``adoptable.py``). ``WatchedWorld`` compares every verdict, who
is out of compliance and what is tainted with the naive oracle after each step, also at the ends ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.proofs import keys
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import snapshot
from interlock.statemachine.diffing import Way, compare_policies
from interlock.statemachine.policy import load_pack
from interlock.statemachine.simulating import simulate
from tests.properties.adoptable import OFTEN, versions_of
from tests.properties.moves import CONCLUSIONS, SPANS, possible
from tests.properties.released import CASTS, released_under
from tests.properties.watched import WatchedWorld
from tests.support.world import public_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.properties.moves import Draw

pytestmark = pytest.mark.timeout(600)  # a whole exploration is one test here

STANDING: Final = (
    f.BreakGlassOpen, f.InterimMeasurePutInForce, f.ObligationWaive, f.HoldLift, f.IncidentClose, f.IncidentTriage,
    f.ChangeRatify, f.DeterminationConfirm, f.DeterminationRuleOut, f.ObligationFulfil, f.ModelAddArtifact,
)  # fmt: skip
TIGHTENING: Final = (
    f.SafeguardSuspend, f.SafeguardDegrade, f.HoldPlace, f.DeterminationReport, f.IncidentReport, f.FindingConfirm,
    f.FindingRaise,
)  # fmt: skip
NOTED: Final = (
    f.DeploymentRecord, f.ObligationFulfil, f.IncidentReport, f.IncidentClose, f.IncidentTriage, f.AssessmentOpen,
)  # fmt: skip


class Amid:
    """A watched world, and what people do in it."""

    def __init__(self, draw: Draw, pack: str) -> None:
        self.draw, self.pack = draw, pack
        text = draw(st.sampled_from(versions_of(pack)))["policy.yaml"]
        past = released_under(pack, text, draw(st.sampled_from(CONCLUSIONS)))
        self.world = WatchedWorld(
            past.policy, past.cast, past.state, past.now, list(past.entries), dict(past.objects), past.nonces
        )
        self.world.watch(text)

    def sign(self, change: str) -> None:
        """Have everybody sign a change until it is applied."""
        for member in CASTS[self.pack][1]:
            if self.world.state.need(change, r.Change).state == "in_review":
                self.world.sign(member.id, change)

    def loosen(self) -> None:
        """Do something that needs consent; rather what stands for a while."""
        can = possible(self.world, loosening=True)
        near = [firing for firing in can if isinstance(firing, STANDING)] if self.draw(st.integers(0, 3)) else can
        if near:
            document = self.world.upload("engineer", "evaluation_results")
            self.sign(self.world.propose("evaluator", self.one_of(near), evidence=[document]))

    def tighten(self) -> None:
        """Do what one person may; rather what denies."""
        near = [firing for firing in possible(self.world, loosening=False) if isinstance(firing, TIGHTENING)]
        self.world.fire("everything-but-admin", self.one_of(near))

    def note(self) -> None:
        """Do what starts clocks, and what ends them, as far as one person may; with a document of today."""
        self.world.upload("engineer", "evaluation_results")
        near = [firing for firing in possible(self.world, loosening=False) if isinstance(firing, NOTED)]
        if near:
            firing = self.one_of(near)
            who = "release-bot" if isinstance(firing, f.DeploymentRecord) else "everything-but-admin"
            self.world.fire(who, firing)

    def one_of(self, firings: Sequence[f.Firing]) -> f.Firing:
        """Draw a kind, then a trigger of it: there are many more reports than exceptions to be made."""
        kinds = sorted({firing.trigger.value for firing in firings})
        kind = self.draw(st.sampled_from(kinds))
        drawn: f.Firing = self.draw(st.sampled_from([one for one in firings if one.trigger.value == kind]))
        return drawn

    def lose(self) -> None:
        """Learn that a key was lost, at some entry or from the start."""
        who = self.draw(st.sampled_from(["owner-a", "reviewer-a", "both"]))
        fingerprint = keys.fingerprint(public_of(f"principals/{who}", "signoff"))
        since = self.draw(st.sampled_from([1, *(entry.time for entry in self.world.entries[-12:])]))
        self.world.fire("admin", f.CredentialRevoke(f"principals/{who}/credentials/{fingerprint}", since))

    def wait(self) -> None:
        """Let time pass."""
        self.world.wait(self.draw(st.sampled_from(SPANS)))
        self.world.check_verdicts()

    def adopt(self) -> None:
        """Adopt a version; what flips was foreseen, and what opens was said to loosen."""
        every = versions_of(self.pack)
        world, files = self.world, self.draw(st.sampled_from((*every, *every[-1:] * OFTEN)))
        old, new = world.policy, load_pack(files)
        if old.digest == new.digest:
            return
        change = world.propose_policy("evaluator", files)
        foreseen = simulate(old, new, world.state, max(world.now, world.state.time))
        tainted = world.state.tainted
        self.sign(change)
        if world.policy.digest != new.digest or world.state.tainted != tainted:
            return
        assert [
            row
            for row in foreseen.turned
            if world.verdict(row.model, row.context, row.artifact).allowed is not row.allowed
        ] == []
        ways = {row.way for row in compare_policies(old, new)}
        assert Way.LOOSENS in ways or not any(row.allowed for row in foreseen.turned)


@settings(max_examples=25)
@given(data=st.data(), pack=st.sampled_from(["minimal", "rich"]))
def test_whatever_stands_an_adoption_is_judged_as_the_oracle_judges_it(data: st.DataObject, pack: str) -> None:
    """Three to nine moves, every other one an adoption; then the log replays, and the fold is made again from rows."""
    amid = Amid(data.draw, pack)
    moves = [amid.adopt, amid.loosen, amid.loosen, amid.tighten, amid.note, amid.note, amid.adopt, amid.lose, amid.wait]
    for _ in range(data.draw(st.integers(3, 9))):
        data.draw(st.sampled_from(moves))()

    state = amid.world.state
    rows = [(name, state.position(name), item) for name, item in state.items.items()]
    assert snapshot.rebuild(rows, size=state.size, time=state.time) == state
    amid.world.check_replay()
