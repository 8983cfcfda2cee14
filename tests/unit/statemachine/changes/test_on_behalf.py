"""Sign-offs on behalf of somebody: one person with them on that change, and every rule must hold for both."""

from __future__ import annotations

import hashlib

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import evaluate, waiting_for
from interlock.statemachine.decide import Accepted
from interlock.statemachine.names import credential_name
from interlock.statemachine.unmet import Code
from tests.support.world import DAY_US, World, codes, public_of
from tests.unit.statemachine.changes.reviews import ASSIGN

LIFT = f.HoldLift("holds/1")
_KEY = hashlib.sha256(public_of("principals/owner-a", "signoff")).hexdigest()


@pytest.fixture
def held(world: World) -> World:
    """Give a world with a hold that a change by the evaluator would lift: an owner and a reviewer have to sign."""
    world.fire("owner-b", f.HoldPlace("models/m"))
    return world


def state_of(world: World, change: str) -> str:
    """Return the state of a change."""
    return world.state.need(change, r.Change).state


def void_of(world: World, change: str) -> list[str]:
    """Return why sign-offs of a change are void, in the order of positions."""
    found = evaluate(world.policy, world.state, world.state.need(change, r.Change), world.now + 1)
    return [found.void[position] for position in sorted(found.void)]


def test_a_delegate_signs(held: World) -> None:
    """Who was delegated a role fills its slot, and the change is applied."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "engineer")

    held.sign("engineer", change, on_behalf_of="owner-a")
    held.sign("reviewer-a", change)

    assert state_of(held, change) == "applied"
    assert held.state.need(change, r.Change).sign_offs[0].on_behalf_of == "principals/owner-a"


def test_delegate_and_delegator_fill_one_slot(held: World) -> None:
    """They are one person: the delegate's own role and the borrowed one are not two signatures."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "reviewer-a")

    held.sign("reviewer-a", change, on_behalf_of="owner-a")
    held.sign("reviewer-a", change)
    held.sign("owner-a", change)

    assert state_of(held, change) == "in_review"
    held.sign("reviewer-b", change)
    assert state_of(held, change) == "applied"


def test_one_delegate_of_two_people(held: World) -> None:
    """A delegate of both approvers is one person with both."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "engineer")
    held.delegate("reviewer-a", "reviewer", "engineer")

    held.sign("engineer", change, on_behalf_of="owner-a")
    held.sign("engineer", change, on_behalf_of="reviewer-a")
    assert state_of(held, change) == "in_review"

    held.sign("reviewer-a", change)
    assert state_of(held, change) == "in_review"
    held.sign("reviewer-b", change)
    assert state_of(held, change) == "applied"


def test_ending_it_parts_nobody(held: World) -> None:
    """A delegation that was used unites for good: its end, which only tightens, must not make two of one."""
    change = held.propose("evaluator", LIFT)
    name = held.delegate("owner-a", "owner", "reviewer-a")
    held.sign("reviewer-a", change, on_behalf_of="owner-a")
    held.sign("reviewer-a", change)
    held.sign("owner-a", change)

    held.fire("admin", f.DelegationEnd(name))

    found = evaluate(held.policy, held.state, held.state.need(change, r.Change), held.now + 1)
    assert not found.approved


@pytest.mark.parametrize(
    ("requester", "delegator", "delegate"),
    [("everything-but-admin", "everything-but-admin", "engineer"), ("evaluator", "owner-a", "evaluator")],
)
def test_requesters_by_either_way(requester: str, delegator: str, delegate: str, held: World) -> None:
    """A requester signs neither through a delegate nor as one."""
    change = held.propose(requester, LIFT)
    held.delegate(delegator, "owner", delegate)

    decided = held.sign(delegate, change, on_behalf_of=delegator)

    assert codes(decided) == [Code.REQUESTER_CONFLICT]


def test_evidence_authors_by_either_way(world: World) -> None:
    """Who made the evidence signs it neither through a delegate nor as one."""
    world.fire("evaluator", f.ModelRegister("models/m"))
    document = world.upload("engineer", "evaluation_results", authors=["reviewer-b"])
    world.fire("evaluator", f.DeterminationReport("models/m/determinations/misuse", "ruled_out"))
    change = world.propose("evaluator", f.DeterminationConfirm("models/m/determinations/misuse"), evidence=[document])
    world.delegate("reviewer-a", "reviewer", "engineer")
    world.delegate("reviewer-b", "reviewer", "auditor")

    assert codes(world.sign("engineer", change, on_behalf_of="reviewer-a")) == [Code.EVIDENCE_AUTHOR_CONFLICT]
    assert codes(world.sign("auditor", change, on_behalf_of="reviewer-b")) == [Code.EVIDENCE_AUTHOR_CONFLICT]


def test_no_delegation_no_sign_off(held: World) -> None:
    """Without one that stands, of a role that is named, the statement is refused."""
    change = held.propose("evaluator", LIFT)
    held.delegate("both", "owner", "engineer")

    assert codes(held.sign("engineer", change, on_behalf_of="owner-a")) == [Code.NO_DELEGATION]
    assert codes(held.sign("engineer", change, on_behalf_of="both", roles=["reviewer"])) == [Code.NO_DELEGATION]
    assert codes(held.sign("auditor", change, on_behalf_of="both")) == [Code.NO_DELEGATION]


def test_a_role_that_is_not_delegated_is_not_signed_in(held: World) -> None:
    """Of the roles named, those that were delegated count, and no other of the delegator's."""
    change = held.propose("evaluator", LIFT)
    held.delegate("both", "owner", "engineer")

    held.sign("engineer", change, on_behalf_of="both", roles=["owner", "reviewer"])

    assert held.state.need(change, r.Change).sign_offs[0].roles == ("owner",)


VOIDING: dict[str, tuple[str, f.Firing, Code]] = {
    "its delegator ends it": ("owner-a", f.DelegationEnd("delegations/1"), Code.DELEGATION_ENDED),
    "an admin ends it": ("admin", f.DelegationEnd("delegations/1"), Code.DELEGATION_ENDED),
    "its delegator is suspended": ("admin", f.PrincipalSuspend("principals/owner-a"), Code.PRINCIPAL_INACTIVE),
    "its delegate is suspended": ("admin", f.PrincipalSuspend("principals/engineer"), Code.PRINCIPAL_INACTIVE),
    "the role ends": ("admin", f.GrantEnd("grants/1"), Code.GRANT_ENDED),
    "its delegator's key was lost before": (
        "admin",
        f.CredentialRevoke(credential_name("principals/owner-a", _KEY), 1),
        Code.CREDENTIAL_COMPROMISED,
    ),
}


@pytest.mark.parametrize("what", sorted(VOIDING))
def test_what_voids_it(what: str, held: World) -> None:
    """An approval by a delegation counts while delegation, delegator, role and key stand, judged when applied."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "engineer")
    held.sign("engineer", change, on_behalf_of="owner-a")
    who, firing, code = VOIDING[what]

    assert isinstance(held.fire(who, firing), Accepted)

    assert void_of(held, change) == [code]
    held.sign("reviewer-a", change)
    assert state_of(held, change) == "in_review"


def test_its_window_passes(held: World) -> None:
    """After its end it counts no more, without an entry that says so."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "engineer")
    held.sign("engineer", change, on_behalf_of="owner-a")

    held.wait(DAY_US)

    assert void_of(held, change) == [Code.DELEGATION_ENDED]


def test_a_new_one_revives_no_old_sign_off(held: World) -> None:
    """What was signed by a delegation that ended stays void when another is given."""
    change = held.propose("evaluator", LIFT)
    name = held.delegate("owner-a", "owner", "engineer")
    held.sign("engineer", change, on_behalf_of="owner-a")
    held.fire("owner-a", f.DelegationEnd(name))

    held.delegate("owner-a", "owner", "engineer")

    assert void_of(held, change) == [Code.DELEGATION_ENDED]
    held.sign("engineer", change, on_behalf_of="owner-a")
    held.sign("reviewer-a", change)
    assert state_of(held, change) == "applied"


def test_a_role_given_anew_was_not_delegated(held: World) -> None:
    """A role that ended and was given again has to be delegated again."""
    held.delegate("owner-a", "owner", "engineer")
    held.fire("admin", f.GrantEnd("grants/1"))
    held.enact(f.GrantGive("principals/owner-a", "owner", "*"), signers=("owner-b", "reviewer-a"))
    change = held.propose("evaluator", LIFT)

    assert codes(held.sign("engineer", change, on_behalf_of="owner-a")) == [Code.NO_APPROVING_ROLE]


def test_the_scope_is_the_delegators(world: World) -> None:
    """A role on one model is delegated on that model alone."""
    for model in ("models/m", "models/n"):
        world.fire("evaluator", f.ModelRegister(model))
    world.delegate("owner-of-m", "owner", "engineer")
    other = world.propose("evaluator", f.LevelAssign("models/n/levels/deployment", "basic"))
    own = world.propose("evaluator", ASSIGN)

    assert codes(world.sign("engineer", other, on_behalf_of="owner-of-m")) == [Code.NO_APPROVING_ROLE]
    assert isinstance(world.sign("engineer", own, on_behalf_of="owner-of-m"), Accepted)


def test_a_reject_of_the_delegator_stands(held: World) -> None:
    """What a delegate approves takes back no reject of the delegator's own."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "engineer")
    held.sign("owner-a", change, "reject")

    held.sign("engineer", change, on_behalf_of="owner-a")
    held.sign("owner-b", change)
    held.sign("reviewer-a", change)

    assert state_of(held, change) == "in_review"


def test_a_delegate_rejects_and_takes_it_back(held: World) -> None:
    """A reject by a delegation stands until its author takes it back, in their own name."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "engineer")
    held.sign("engineer", change, "reject", on_behalf_of="owner-a")
    held.fire("owner-a", f.DelegationEnd("delegations/1"))
    held.sign("owner-b", change)
    held.sign("reviewer-a", change)
    assert state_of(held, change) == "in_review"

    assert codes(held.sign("engineer", change, "withdraw", on_behalf_of="owner-a")) == [Code.NO_DELEGATION]
    assert isinstance(held.sign("engineer", change, "withdraw"), Accepted)

    assert evaluate(held.policy, held.state, held.state.need(change, r.Change), held.now + 1).approved


def test_taking_back_takes_all_back(held: World) -> None:
    """A withdrawal is of everything that its author said, in every name."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "reviewer-a")
    held.sign("reviewer-a", change)
    held.sign("reviewer-a", change, on_behalf_of="owner-a")

    held.sign("reviewer-a", change, "withdraw")

    assert void_of(held, change) == [Code.WITHDRAWN, Code.WITHDRAWN]


def test_an_admin_counts_neither_way(held: World) -> None:
    """A delegate who became an administrator signs for nobody."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "engineer")
    held.sign("engineer", change, on_behalf_of="owner-a")
    held.enact(f.GrantGive("principals/engineer", "admin", "*"), signers=("owner-b", "reviewer-a"))

    assert void_of(held, change) == [Code.ADMIN_CONFLICT]
    assert codes(held.sign("engineer", change, on_behalf_of="owner-a")) == [Code.ADMIN_CONFLICT]


def test_what_waits_by_a_delegation(held: World) -> None:
    """An inbox tells in whose names a change waits for somebody."""
    change = held.propose("evaluator", LIFT)
    held.delegate("owner-a", "owner", "reviewer-a")
    held.delegate("owner-a", "owner", "engineer")
    stored = held.state.need(change, r.Change)

    def waits(who: str) -> tuple[str, ...]:
        return waiting_for(held.policy, held.state, stored, f"principals/{who}", held.now + 1)

    assert waits("reviewer-a") == ("", "principals/owner-a")
    assert waits("engineer") == ("principals/owner-a",)
    assert waits("evaluator") == waits("auditor") == ()
