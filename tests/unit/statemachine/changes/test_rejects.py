"""Approvals that become void, and rejects that do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.proofs import keys
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import snapshot
from interlock.statemachine.decide import Accepted
from interlock.statemachine.taint import find_doubts
from interlock.statemachine.unmet import Code
from tests.support.world import DAY_US, SECOND_US, World, codes, envelope, public_of
from tests.unit.statemachine.changes.reviews import ASSIGN, LEVEL, MISUSE, judged, stored, voids


def test_an_edit_voids_approvals(world: World) -> None:
    """Any revision voids what was approved before, and says why."""
    change = world.propose("evaluator", ASSIGN)
    world.sign("owner-a", change)

    world.must("evaluator", c.AmendChange(change, world.revised(change, texts=(("title", bytes(32)),))))

    assert voids(world, change) == {"owner-a": Code.REVISION_CHANGED}
    assert codes(world.sign("reviewer-a", change)) == []
    assert stored(world, change).state == "in_review"


def test_an_approval_that_ends(world: World) -> None:
    """An approval counts until the end that its signer gave it."""
    change = world.propose("evaluator", ASSIGN)
    world.sign("owner-a", change, not_after=world.now + 10 * SECOND_US)
    world.wait(10 * SECOND_US)

    assert voids(world, change) == {"owner-a": Code.SIGN_OFF_ENDED}
    world.sign("reviewer-a", change)
    assert stored(world, change).state == "in_review"


@pytest.mark.parametrize("how", ["suspended", "grant"])
def test_an_approval_of_who_is_no_longer_there(how: str, world: World) -> None:
    """The approval of a suspended account, or of one whose role ended, fills no slot."""
    change = world.propose("evaluator", ASSIGN)
    world.sign("owner-a", change)
    account, grant = world.state.need("principals/owner-a", r.Principal), world.state.grants("principals/owner-a")[0]
    gone = replace(account, state="suspended") if how == "suspended" else replace(grant, state="revoked")
    world.state = replace(world.state.put(gone), writes=())

    assert {s.filled_by for s in judged(world, change).slots} == {""}
    world.sign("reviewer-a", change)
    assert stored(world, change).state == "in_review"


@pytest.mark.parametrize("who", ["owner-b", "reviewer-b", "owner-of-m"])
def test_a_reject_stands(who: str, world: World) -> None:
    """While a reject stands nothing is approved, whoever signs."""
    change = world.propose("evaluator", ASSIGN)
    assert isinstance(world.sign(who, change, "reject"), Accepted)

    for signer in ("owner-a", "reviewer-a"):
        assert isinstance(world.sign(signer, change), Accepted)

    assert stored(world, change).state == "in_review"
    assert Code.SIGN_OFF_REJECTED in {unmet.code for unmet in judged(world, change).unmet}
    assert codes(world.decide("owner-a", c.ApplyApprovedChange(change))) == [Code.SIGN_OFF_REJECTED]


def test_a_reject_taken_back_lets_it_pass(world: World) -> None:
    """Its author withdraws a reject by a signed statement; the change is then applied by who may."""
    change = world.propose("evaluator", ASSIGN)
    world.sign("owner-b", change, "reject")
    for signer in ("owner-a", "reviewer-a"):
        world.sign(signer, change)

    assert isinstance(world.sign("owner-b", change, "withdraw"), Accepted)

    assert judged(world, change).approved
    assert isinstance(world.attempt("owner-a", c.ApplyApprovedChange(change)), Accepted)


@pytest.mark.parametrize("way", ["suspended", "removed", "grant", "key"])
def test_voiding_only_ever_removes_approvals(way: str, world: World) -> None:
    """A reject stands also when its author is suspended or loses role or key."""
    change = world.propose("evaluator", ASSIGN)
    world.sign("owner-b", change, "reject")
    account, grant = world.state.need("principals/owner-b", r.Principal), world.state.grants("principals/owner-b")[0]
    lost: dict[str, r.Resource] = {
        "suspended": replace(account, state="suspended"),
        "removed": replace(account, state="removed", credentials=()),
        "grant": replace(grant, state="revoked"),
        "key": replace(account, credentials=()),
    }
    world.state = replace(world.state.put(lost[way]), writes=())

    for signer in ("owner-a", "reviewer-a"):
        world.sign(signer, change)

    assert stored(world, change).state == "in_review"


REVIEWS = [
    # what happens on the next revision, and whether the reject by owner-b still stands then
    ([], True),
    ([("reviewer-a", "approve")], True),
    ([("owner-a", "approve")], False),
    ([("owner-a", "approve"), ("owner-a", "withdraw")], True),
    ([("owner-a", "reject")], False),
    ([("owner-a", "reject"), ("owner-a", "withdraw")], True),
    ([("both", "approve")], False),
    ([("owner-b", "approve")], False),
    ([("owner-b", "withdraw")], False),
]


@pytest.mark.parametrize(("then", "stands"), REVIEWS)
def test_a_reject_of_an_earlier_revision(then: list[tuple[str, str]], stands: bool, world: World) -> None:  # noqa: FBT001  # a table's column
    """It stands until its author takes it back or that role has looked at the new revision, and stands by that."""
    change = world.propose("evaluator", ASSIGN)
    world.sign("owner-b", change, "reject")
    world.must("evaluator", c.RebaseChange(change, world.revised(change)))

    for who, decision in then:
        assert isinstance(world.sign(who, change, decision), Accepted)

    first = stored(world, change).sign_offs[0]
    assert (first.position not in judged(world, change).void) == stands


def test_regression_a_reject_is_not_taken_away_by_naming_its_role(world: World) -> None:
    """A reviewer who names the role of owner, without holding it, has not reviewed as an owner."""
    change = world.propose("evaluator", ASSIGN)
    world.sign("owner-b", change, "reject")
    world.must("evaluator", c.RebaseChange(change, world.revised(change)))

    assert isinstance(world.sign("reviewer-a", change, roles=["owner", "reviewer"]), Accepted)

    assert [unmet.code for unmet in judged(world, change).unmet if unmet.code is Code.SIGN_OFF_REJECTED]


@pytest.mark.parametrize(("who", "state"), [("owner-b", "rejected"), ("reviewer-a", "in_review")])
def test_a_veto_ends_the_review(who: str, state: str, wide: World) -> None:
    """The reject of a role with a veto is final; others' rejects are not."""
    wide.enact(ASSIGN)
    change = wide.propose("evaluator", f.LevelRaise(LEVEL, "guarded"))

    decided = wide.sign(who, change, "reject")

    assert isinstance(decided, Accepted)
    assert [(t.trigger, t.target) for t in decided.entry.transitions] == [("change.reject", state)]
    later = wide.decide("evaluator", c.RebaseChange(change, wide.revised(change)))
    assert (codes(later) == []) == (state == "in_review")


@pytest.mark.parametrize("who", ["auditor", "admin", "evaluator", "engineer"])
def test_who_has_no_approving_role_does_not_reject(who: str, world: World) -> None:
    """A reject takes an approving role on the change."""
    change = world.propose("evaluator", ASSIGN)

    assert codes(world.sign(who, change, "reject", roles=["owner"])) == [Code.NO_APPROVING_ROLE]


@pytest.mark.parametrize("why", ["stale", "expired", "evidence missing", "requester"])
def test_a_reject_is_always_accepted(why: str, world: World) -> None:
    """Whatever stands against an approval does not stand against a reject."""
    confirms = f.DeterminationRuleOut(MISUSE)
    by = "everything-but-admin" if why == "requester" else "evaluator"
    change = world.propose(by, confirms if why == "evidence missing" else ASSIGN)
    if why == "stale":
        world.fire("evaluator", f.DeterminationReport(MISUSE, "reached"))
    if why == "expired":
        world.wait(15 * DAY_US)

    signer = by if why == "requester" else "owner-a"
    assert isinstance(world.sign(signer, change, "reject"), Accepted)


@pytest.mark.parametrize("decision", ["approve", "withdraw"])
def test_regression_an_administrator_lends_nobody_a_reject(decision: str, world: World) -> None:
    """Linking who rejected with somebody who signs after that takes no reject away: linking only tightens."""
    change = world.propose("evaluator", ASSIGN, apply_separately=True)
    world.sign("owner-b", change, "reject")
    if decision == "withdraw":
        world.sign("owner-a", change)
    world.must("admin", c.Fire(f.PrincipalLink("principals/owner-b", "principals/owner-a")))

    world.sign("owner-a", change, decision)
    world.sign("both", change, roles=["owner"])
    world.sign("reviewer-a", change)

    assert codes(world.attempt("reviewer-a", c.ApplyApprovedChange(change))) == [Code.SIGN_OFF_REJECTED]
    world.sign("owner-b", change, "withdraw")
    world.sign("both", change, roles=["owner"])
    assert isinstance(world.attempt("reviewer-a", c.ApplyApprovedChange(change)), Accepted)


def lose(world: World, who: str, since: int) -> None:
    """Learn that somebody's sign-off key was lost at an instant."""
    fingerprint = keys.fingerprint(public_of(f"principals/{who}", "signoff"))
    world.must("admin", c.Fire(f.CredentialRevoke(f"principals/{who}/credentials/{fingerprint}", since)))


@pytest.mark.parametrize("decision", ["approve", "withdraw"])
def test_regression_a_stolen_key_takes_no_reject_back(decision: str, world: World) -> None:
    """What a thief signed in the name of whoever had rejected is void, and the reject stands again."""
    change = world.propose("evaluator", ASSIGN, apply_separately=True)
    world.sign("owner-b", change, "reject")
    stolen = world.now + 1
    world.sign("owner-b", change, decision)
    world.sign("owner-a", change)
    world.sign("reviewer-a", change)
    assert judged(world, change).approved

    lose(world, "owner-b", stolen)

    assert codes(world.attempt("reviewer-a", c.ApplyApprovedChange(change))) == [Code.SIGN_OFF_REJECTED]


@pytest.mark.parametrize("decision", ["approve", "withdraw"])
def test_regression_a_reject_that_a_stolen_key_took_back_taints(decision: str, world: World) -> None:
    """Applied since, the change is tainted, with who had rejected; others ratify it, or it stays so."""
    change = world.propose("evaluator", ASSIGN)
    world.sign("owner-b", change, "reject")
    stolen = world.now + 1
    world.sign("owner-b", change, decision)
    world.sign("owner-a", change)
    if stored(world, change).state == "in_review":
        world.sign("reviewer-a", change)
    assert stored(world, change).state == "applied"

    lose(world, "owner-b", stolen)

    assert set(world.state.tainted.values()) == {change}
    doubts = find_doubts(world.state, stored(world, change))
    assert Code.SIGN_OFF_REJECTED in [doubt.code for doubt in doubts]
    rows = [(name, world.state.position(name), item) for name, item in world.state.items.items()]
    assert snapshot.rebuild(rows, size=world.state.size, time=world.state.time) == world.state
    world.enact(f.ChangeRatify(change))
    assert not world.state.tainted


def test_a_key_lost_before_the_reject_too(world: World) -> None:
    """Who rejected may have been the thief as well: a reject stands, whoever signed it, until it is taken back."""
    change = world.propose("evaluator", ASSIGN, apply_separately=True)
    stolen = world.now + 1
    world.sign("owner-b", change, "reject")
    world.sign("owner-a", change)
    world.sign("reviewer-a", change)

    lose(world, "owner-b", stolen)

    assert codes(world.attempt("reviewer-a", c.ApplyApprovedChange(change))) == [Code.SIGN_OFF_REJECTED]


def test_who_was_one_person_before_takes_a_reject_back(world: World) -> None:
    """Two accounts of one person speak for each other, where they were that when the reject was signed."""
    change = world.propose("evaluator", ASSIGN, apply_separately=True)
    world.sign("owner-a", change, "reject")

    world.sign("owner-a-again", change, roles=["owner"])
    world.sign("reviewer-a", change)

    assert isinstance(world.attempt("reviewer-a", c.ApplyApprovedChange(change)), Accepted)


def test_withdrawing_nothing(world: World) -> None:
    """There must be a sign-off of one's own to take back, and it is taken back once."""
    change = world.propose("evaluator", ASSIGN)

    assert codes(world.sign("owner-a", change, "withdraw")) == [Code.SIGN_OFF_NONE]
    world.sign("owner-a", change)
    assert codes(world.sign("owner-b", change, "withdraw")) == [Code.SIGN_OFF_NONE]
    assert codes(world.sign("owner-a", change, "withdraw")) == []
    assert codes(world.sign("owner-a", change, "withdraw")) == [Code.SIGN_OFF_NONE]
    assert voids(world, change) == {"owner-a": Code.WITHDRAWN}


def test_a_withdrawal_is_no_sign_off(world: World) -> None:
    """An approval handed in as a withdrawal is refused, and the other way round."""
    change = world.propose("evaluator", ASSIGN)
    signed = envelope("owner-a", world.statement("owner-a", change))

    decided = world.decide("owner-a", c.WithdrawSignOffOfChange(change), envelopes=(signed,))

    assert codes(decided) == [Code.SIGN_OFF_FORMAT]
