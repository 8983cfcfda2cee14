"""Random commands by random people at a real server over gRPC: each verdict is the oracle's, each refusal typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.authority import rights_of
from interlock.statemachine.triggers import DIRECTIONS, Direction
from interlock.v1 import change_pb2
from tests.properties.moves import ADMINISTERING, CONCLUSIONS, a_firing, mending, possible, some_evidence
from tests.properties.server_side import CALLS, DEV_CAST, ServerSide
from tests.properties.watched import ARTIFACTS, MODELS
from tests.support.server import ServerThread, copy_of, install

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.timeout(600)  # a whole exploration is one test here

DATA = st.data()
PEOPLE = st.sampled_from(["owner", "reviewer", "requester", *(member.id for member in DEV_CAST)])
SIGNERS = st.sampled_from(["owner", "owner", "reviewer", "reviewer", "requester", "admin"])
PROPOSERS = st.sampled_from(["requester", "requester", "requester", "engineer", "owner"])
EXAMPLES, STEPS = 15, 30


class AtAServer(RuleBasedStateMachine):
    """The rules; each example has a server and a log of its own."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self._server = ServerThread(data)
        self.side = ServerSide(self._server.start())

    @initialize(conclusion=st.sampled_from(CONCLUSIONS), released=st.booleans())
    def begin(self, conclusion: str, *, released: bool) -> None:
        """Register a model and report on it; often, bring it out."""
        self.side.fire("requester", f.ModelRegister(MODELS[0], ARTIFACTS[:1]))
        self.side.fire("evaluator", f.DeterminationReport(f"{MODELS[0]}/determinations/misuse", conclusion))
        for context in ("internal", "api") if released else ():
            self._bring_out(MODELS[0], context, ["owner", "reviewer"])

    @rule(who=PEOPLE, data=DATA)
    def fire(self, who: str, data: st.DataObject) -> None:
        """Anybody fires any trigger; what loosens can only be proposed."""
        self.side.fire(who, a_firing(data.draw, self.side.world))

    @rule(data=DATA)
    def fire_what_would_fire(self, data: st.DataObject) -> None:
        """Somebody with the right fires alone what the machines would let them."""
        world = self.side.world
        firing = data.draw(st.sampled_from(possible(world, loosening=False)))
        able = [
            member.id
            for member in DEV_CAST
            if firing.trigger.value in rights_of(world.policy, world.state, member.name, world.now)
        ]
        self.side.fire(data.draw(st.sampled_from(able)), firing)

    @rule(data=DATA)
    def administer(self, data: st.DataObject) -> None:
        """The administrator takes somebody's account, key or role, at once."""
        self.side.fire("admin", a_firing(data.draw, self.side.world, ADMINISTERING))

    @rule(who=PEOPLE, kind=st.sampled_from(["evaluation_results", "red_team_report", "nonsense"]), old=st.booleans())
    def upload(self, who: str, kind: str, *, old: bool) -> None:
        """Anybody uploads a document."""
        data = b"the same bytes" if old else str(self.side.world.state.size).encode()
        self.side.attempt(lambda: self.side.people[who].upload(kind, data))

    @rule(who=PROPOSERS, data=DATA, draft=st.integers(0, 4), separately=st.booleans())
    def propose(self, who: str, data: st.DataObject, *, draft: int, separately: bool) -> None:
        """Somebody proposes what would fire, sometimes with a trigger that needs no consent."""
        can, riding = possible(self.side.world, loosening=True), possible(self.side.world, loosening=False)
        firings = [data.draw(st.sampled_from(can or riding))]
        firings += data.draw(st.lists(st.sampled_from(riding), max_size=1))
        documents = (self._document("evaluation_results"), *some_evidence(data.draw, self.side.world))
        self.side.propose(
            who, tuple(firings), tuple(dict.fromkeys(documents)), draft=draft == 0, apply_separately=separately
        )

    @rule(who=SIGNERS, decision=st.sampled_from(["approve", "approve", "reject", "withdraw"]), data=DATA)
    @precondition(lambda self: self.changes())
    def sign(self, who: str, decision: str, data: st.DataObject) -> None:
        """Somebody who has a sign-off key signs."""
        self.side.sign(who, data.draw(st.sampled_from(self.changes())), decision)

    @rule(order=st.permutations(["owner", "reviewer", "requester"]), data=DATA)
    @precondition(lambda self: self.changes())
    def gather(self, order: list[str], data: st.DataObject) -> None:
        """All who could sign a change do, in some order."""
        name = data.draw(st.sampled_from(self.changes()))
        for who in order:
            self.side.sign(who, name, "approve")

    @rule(who=PROPOSERS, what=st.integers(0, 5), data=DATA)
    @precondition(lambda self: self.changes())
    def move_a_change(self, who: str, what: int, data: st.DataObject) -> None:
        """Somebody submits, applies, withdraws, rebases, amends, or attaches to a change."""
        name = data.draw(st.sampled_from(self.changes()))
        changes = self.side.people[who].changes
        calls = (
            lambda: changes.SubmitChange(change_pb2.SubmitChangeRequest(name=name)),
            lambda: changes.ApplyChange(change_pb2.ApplyChangeRequest(name=name)),
            lambda: changes.WithdrawChange(change_pb2.WithdrawChangeRequest(name=name)),
            lambda: changes.RebaseChange(change_pb2.RebaseChangeRequest(name=name)),
            lambda: changes.AmendChange(change_pb2.AmendChangeRequest(name=name, summary="In other words.")),
            lambda: changes.AttachEvidence(
                change_pb2.AttachEvidenceRequest(name=name, evidence=[self._document("capability_report")])
            ),
        )
        self.side.attempt(calls[what])

    @rule(model=st.sampled_from(MODELS), context=st.sampled_from(["internal", "api"]), data=DATA)
    def mend(self, model: str, context: str, data: st.DataObject) -> None:
        """Somebody proposes what would bring a release about, and those asked sign, in some order."""
        if self.side.world.state.find(model, r.Model) is None:
            self.side.fire("requester", f.ModelRegister(model))
        self._bring_out(model, context, data.draw(st.permutations(["owner", "reviewer"])))

    @rule(
        model=st.sampled_from(MODELS), context=st.sampled_from(["internal", "api"]), artifact=st.sampled_from(ARTIFACTS)
    )
    def ask_for_a_decision(self, model: str, context: str, artifact: str) -> None:
        """The release tool asks for a signed decision."""
        self.side.check_decision(model, context, artifact)

    def changes(self) -> list[str]:
        """Return the changes, those under review more than once."""
        known = sorted(self.side.world.state.all_of(r.Change), key=lambda change: change.proposed_position)
        going = [change.name for change in known if change.state in {"draft", "in_review"}]
        return [*going, *going, *(change.name for change in known[:1])]

    def _document(self, kind: str) -> str:
        data = f"{kind} {self.side.world.state.size}".encode()
        return str(self.side.attempt(lambda: self.side.people["engineer"].upload(kind, data)).name)

    def _bring_out(self, model: str, context: str, signers: list[str]) -> None:
        firings = mending(self.side.world, model, context, self._document)
        if not firings:
            return
        change = self.side.propose("requester", tuple(firings), (self._document("evaluation_results"),))
        for who in signers if change is not None else ():
            self.side.sign(who, change.name, "approve")

    def teardown(self) -> None:
        """Compare the checkpoint with what was read, and stop the server without an internal error."""
        self.side.check_root()
        self.side.people.channel.close()
        self._server.__exit__(None, None, None)


def test_every_trigger_that_does_not_loosen_has_a_call() -> None:
    """Each ↓ and = trigger can be fired by one person over gRPC, and no ↑ trigger can."""
    alone = {trigger.value for trigger, way in DIRECTIONS.items() if way is not Direction.LOOSENS}
    assert set(CALLS) == {name.replace(".", "_") for name in alone}


def test_random_people_at_a_real_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever random people call, every verdict is the oracle's, and every entry replays."""
    installed = install(tmp_path_factory.mktemp("installed") / "data")

    class AtACopy(AtAServer):
        """At a server of a fresh copy of the log."""

        def __init__(self) -> None:
            super().__init__(copy_of(installed, tmp_path_factory.mktemp("served") / "data"))

    run_state_machine_as_test(AtACopy, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS))
