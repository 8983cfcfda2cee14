"""Taint: what is denied once it is learned that a change was applied by words that do not count (domain, rule 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from interlock.proofs import keys
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import snapshot
from interlock.statemachine.decide import Accepted
from interlock.statemachine.taint import find_doubts
from interlock.statemachine.tree import grow_tree, unmet_leaves
from tests.properties.moves import mending
from tests.support.world import DAY_US, World, codes, public_of

if TYPE_CHECKING:
    from interlock.statemachine.unmet import Refused

MODEL: Final = "models/m"
FILTER: Final = f"{MODEL}/safeguards/input-filter"
LEVEL: Final = f"{MODEL}/levels/deployment"


@pytest.fixture(scope="module")
def _released() -> World:
    world = World.found()
    world.fire("evaluator", f.ModelRegister(MODEL))
    world.fire("evaluator", f.DeterminationReport(f"{MODEL}/determinations/misuse", "cannot_rule_out"))
    for context in (*world.policy.contexts, *world.policy.contexts):
        firings = mending(world, MODEL, context.id, lambda kind: world.upload("evaluator", kind))
        if firings:
            world.enact(*firings, evidence=[world.upload("engineer", "evaluation_results")])
    return world


@pytest.fixture
def open_world(_released: World) -> World:
    """Return a world whose model is released everywhere, by changes that owner-a and reviewer-a signed."""
    return _released.fork()


def lose(world: World, who: str, since: int = 1, use: str = "signoff") -> None:
    """Have a key revoked as compromised."""
    fingerprint = keys.fingerprint(public_of(f"principals/{who}", use))
    name = f"principals/{who}/credentials/{fingerprint}"
    assert isinstance(world.fire("admin", f.CredentialRevoke(name, since)), Accepted)


def denied(world: World, context: str = "internal") -> list[tuple[str, str]]:
    """Return what rule 8 says, by resource and code; nothing else fails in these tests."""
    reasons = world.verdict(MODEL, context).reasons
    assert all(reason.rule == 8 for reason in reasons)
    return [(reason.resource, reason.code.value) for reason in reasons]


def test_a_key_lost_before_it_signed_taints_what_was_applied(open_world: World) -> None:
    """The gate denies with the change, why, and each resource whose facts it gave; no entry is rewritten."""
    before = open_world.encoded()

    lose(open_world, "owner-a")

    assert open_world.encoded()[:-1] == before
    assert sorted(denied(open_world, "api")) == [
        (resource, "TAINTED") for resource in (f"{MODEL}/determinations/misuse", LEVEL, FILTER)
    ]
    [level] = [reason for reason in open_world.verdict(MODEL, "internal").reasons if reason.resource == LEVEL]
    assert "changes/" in level.actual
    assert "the key of principals/owner-a was compromised by then" in level.actual


def test_a_key_lost_after_it_signed_taints_nothing(open_world: World) -> None:
    """What it signed before counts."""
    open_world.wait(DAY_US)
    lose(open_world, "owner-a", since=open_world.now)

    assert not open_world.state.tainted
    assert denied(open_world, "api") == []


def test_a_lost_key_whose_word_was_not_needed_taints_nothing(open_world: World) -> None:
    """The words that still count fill the rule."""
    change = open_world.propose("evaluator", f.HoldLift(_held(open_world)), apply_separately=True)
    for who in ("owner-a", "owner-b", "reviewer-a"):
        assert isinstance(open_world.sign(who, change), Accepted)
    open_world.must("owner-a", c.ApplyApprovedChange(change))
    position = open_world.state.head
    lose(open_world, "owner-a", since=open_world.state.need(change, r.Change).proposed_at)

    assert position not in open_world.state.tainted
    lose(open_world, "owner-b", since=open_world.state.need(change, r.Change).proposed_at)
    assert position in open_world.state.tainted


def _held(world: World) -> str:
    assert isinstance(world.fire("owner-a", f.HoldPlace(MODEL)), Accepted)
    return f"holds/{len(list(world.state.all_of(r.Hold)))}"


def test_a_tainted_lift_denies(open_world: World) -> None:
    """A hold that was lifted by words that do not count is as good as there."""
    hold = _held(open_world)
    since = open_world.now + 1
    open_world.enact(f.HoldLift(hold), signers=("owner-b", "reviewer-b"))

    lose(open_world, "owner-b", since=since)

    assert denied(open_world) == [(hold, "TAINTED")]


def test_what_one_person_puts_on_top_washes_nothing(open_world: World) -> None:
    """A lone report, confirmation or degradation keeps what a tainted change gave."""
    lose(open_world, "owner-a")
    before = denied(open_world, "api")

    for who, firing in (
        ("evaluator", f.DeterminationReport(f"{MODEL}/determinations/misuse", "reached")),
        ("owner-b", f.LevelConfirm(LEVEL)),
        ("owner-b", f.SafeguardDegrade(FILTER)),
    ):
        moved = open_world.fire(who, firing)
        assert isinstance(moved, Accepted)
        assert moved.entry.transitions

    reasons = open_world.verdict(MODEL, "api").reasons
    assert [(reason.resource, reason.code.value) for reason in reasons if reason.rule == 8] == before


def test_an_untainted_change_that_sets_the_fact_anew_replaces_it(open_world: World) -> None:
    """Confirming anew, by people whose words count, gives conclusion, confirmation and lapse instant anew."""
    lose(open_world, "owner-a")
    name = f"{MODEL}/determinations/misuse"
    assert (name, "TAINTED") in denied(open_world)

    document = open_world.upload("engineer", "evaluation_results")
    open_world.enact(f.DeterminationConfirm(name), signers=("owner-b", "reviewer-b"), evidence=[document])

    assert (name, "TAINTED") not in denied(open_world)


def test_what_is_signed_under_a_tainted_role_is_tainted_in_turn(open_world: World) -> None:
    """A grant that was given by words that do not count makes no approver, on the day or later."""
    since = open_world.now + 1
    open_world.enact(f.GrantGive("principals/engineer", "owner", "*"), signers=("owner-b", "reviewer-b"))
    grant = open_world.state.size - 1
    hold = _held(open_world)
    open_world.enact(f.HoldLift(hold), signers=("engineer", "reviewer-a"))
    lift = open_world.state.size - 1

    lose(open_world, "reviewer-b", since=since)

    assert set(open_world.state.tainted) == {grant, lift}
    assert denied(open_world) == [(hold, "TAINTED")]
    again = open_world.propose("evaluator", f.HoldLift(_held(open_world)))
    refused = open_world.sign("engineer", again)
    assert not isinstance(refused, Accepted)
    assert [unmet.code.value for unmet in refused.unmet] == ["TAINTED"]


def test_what_is_signed_with_a_tainted_key_is_tainted_in_turn(open_world: World) -> None:
    """A key that was registered by words that do not count signs nothing that does."""
    since = open_world.now + 1
    open_world.enact(f.PrincipalCreate("principals/newcomer", "human", "persons/new"))
    open_world.enact(open_world.registration("newcomer", "login"))
    open_world.enact(open_world.registration("newcomer"), signers=("owner-b", "reviewer-b"))
    key = open_world.state.size - 1
    open_world.enact(f.GrantGive("principals/newcomer", "owner", "*"))
    hold = _held(open_world)
    open_world.enact(f.HoldLift(hold), signers=("newcomer", "reviewer-a"))
    lift = open_world.state.size - 1

    lose(open_world, "owner-b", since=since)

    assert set(open_world.state.tainted) == {key, lift}
    change = open_world.state.need(open_world.state.tainted[lift], r.Change)
    assert [doubt.code.value for doubt in find_doubts(open_world.state, change)] == ["TAINTED"]


def test_a_suspension_that_a_tainted_change_ended_stays_so(open_world: World) -> None:
    """Restoring or attesting anew does not consent to the end of a suspension; another resumption does."""
    open_world.fire("owner-a", f.SafeguardSuspend(FILTER))
    since = open_world.now + 1
    open_world.enact(f.SafeguardResume(FILTER), signers=("owner-b", "reviewer-b"))
    lose(open_world, "owner-b", since=since)
    assert denied(open_world, "api") == [(FILTER, "TAINTED")]

    document = open_world.upload("evaluator", "red_team_report")
    open_world.enact(f.SafeguardReattest(FILTER, (document,)))
    assert denied(open_world, "api") == [(FILTER, "TAINTED")]

    open_world.fire("owner-a", f.SafeguardSuspend(FILTER))
    open_world.enact(f.SafeguardResume(FILTER))
    assert denied(open_world, "api") == []


def test_a_measure_stands_in_for_a_tainted_safeguard(open_world: World) -> None:
    """Else time alone, which ends the attestation, would turn DENY into ALLOW."""
    since = open_world.now + 1
    document = open_world.upload("evaluator", "red_team_report")
    open_world.enact(f.SafeguardReattest(FILTER, (document,)), signers=("owner-b", "reviewer-b"))
    lose(open_world, "owner-b", since=since)
    assert denied(open_world, "api") == [(FILTER, "TAINTED")]

    until = open_world.now + 400 * DAY_US
    open_world.enact(f.InterimMeasurePutInForce(MODEL, ("input-filter",), ("api",), until))

    assert denied(open_world, "api") == []


def test_a_state_built_from_its_resources_has_the_same_taint(open_world: World) -> None:
    """Which changes are tainted is a function of the resources, not of how they came to be."""
    lose(open_world, "owner-a")
    state = open_world.state

    rows = [(name, state.position(name), item) for name, item in state.items.items()]

    assert state.tainted
    assert snapshot.rebuild(rows, size=state.size, time=state.time) == state


def test_the_tree_says_the_same(open_world: World) -> None:
    """Rule 8 has a leaf for each resource, with the entry that gave the fact and who signed."""
    lose(open_world, "owner-a")

    tree = grow_tree(open_world.policy, open_world.state, MODEL, "internal", "", open_world.now)

    leaves = unmet_leaves(tree)
    assert [(leaf.rule, leaf.code, leaf.resource) for leaf in leaves] == [
        (8, code, resource) for resource, code in denied(open_world)
    ]
    assert all(leaf.entries and "principals/owner-a" in leaf.signers for leaf in leaves)


# Ratified --------------------------------------------------------------------------------------------------------


def tainted_names(world: World) -> list[str]:
    """Return the tainted changes, by number."""
    return sorted(world.state.tainted.values(), key=lambda name: int(name.split("/")[1]))


def test_ratified_by_the_same_rule_it_counts_again(open_world: World) -> None:
    """Another quorum by the rule of that day clears a tainted change; its entry stays as it is."""
    hold = _held(open_world)
    since = open_world.now + 1
    lifted = open_world.enact(f.HoldLift(hold), signers=("owner-b", "reviewer-b"))
    lose(open_world, "owner-b", since=since)
    before = open_world.encoded()

    open_world.enact(f.ChangeRatify(lifted))

    assert denied(open_world) == []
    assert open_world.encoded()[: len(before)] == before
    assert open_world.state.need(lifted, r.Change).ratified_by == (open_world.state.head,)


def test_a_change_that_stands_is_not_ratified(open_world: World) -> None:
    """There is nothing to ratify in it, nor in one that was never applied."""
    standing = open_world.state.applied[max(open_world.state.applied)]

    assert codes(_proposed(open_world, standing)) == ["NOT_TAINTED"]
    assert codes(_proposed(open_world, "changes/99")) == ["NOT_FOUND"]


def _proposed(world: World, change: str) -> Accepted | Refused:
    return world.attempt("evaluator", c.ProposeChange(world.content(f.ChangeRatify(change))))


def test_a_ratification_that_is_tainted_clears_nothing(open_world: World) -> None:
    """What a lost key helped to ratify is tainted again, until somebody ratifies either."""
    hold = _held(open_world)
    since = open_world.now + 1
    lifted = open_world.enact(f.HoldLift(hold), signers=("owner-b", "reviewer-b"))
    lose(open_world, "owner-b", since=since)
    again = open_world.now + 1
    ratified = open_world.enact(f.ChangeRatify(lifted), signers=("both", "reviewer-a"))
    assert denied(open_world) == []

    lose(open_world, "both", since=again)
    assert tainted_names(open_world) == [lifted, ratified]

    open_world.enact(f.ChangeRatify(ratified))
    assert denied(open_world) == []


def test_who_requested_it_ratifies_nothing(open_world: World) -> None:
    """Requesters and evidence authors of the tainted change are those of its ratification too."""
    open_world.enact(f.GrantGive("principals/reviewer-b", "requester", "*"))
    hold = _held(open_world)
    since = open_world.now + 1
    lifted = open_world.enact(f.HoldLift(hold), by="reviewer-b", signers=("owner-b", "reviewer-a"))
    lose(open_world, "owner-b", since=since)

    change = open_world.propose("evaluator", f.ChangeRatify(lifted))
    refused = open_world.sign("reviewer-b", change)

    assert codes(refused) == ["REQUESTER_CONFLICT"]


def test_a_ratified_role_gives_back_what_was_signed_under_it(open_world: World) -> None:
    """Ratifying the first of a row clears all that was tainted for its sake."""
    since = open_world.now + 1
    given = open_world.enact(f.GrantGive("principals/engineer", "owner", "*"), signers=("owner-b", "reviewer-b"))
    hold = _held(open_world)
    open_world.enact(f.HoldLift(hold), signers=("engineer", "reviewer-a"))
    lose(open_world, "reviewer-b", since=since)
    assert denied(open_world) == [(hold, "TAINTED")]

    open_world.enact(f.ChangeRatify(given))

    assert not open_world.state.tainted


# Linked ----------------------------------------------------------------------------------------------------------


def link(world: World, one: str, other: str) -> None:
    """Have an administrator say that two accounts are one person's."""
    assert isinstance(world.fire("admin", f.PrincipalLink(f"principals/{one}", f"principals/{other}")), Accepted)


def test_two_signers_who_are_one_person_taint_what_needed_both(open_world: World) -> None:
    """One person fills one slot, on the day as well; what did not lean on both stands."""
    hold = _held(open_world)
    joint = open_world.enact(f.HoldLift(hold), signers=("owner-b", "reviewer-b"))

    link(open_world, "owner-b", "reviewer-b")

    assert tainted_names(open_world) == [joint]
    assert denied(open_world) == [(hold, "TAINTED")]
    assert "principals/owner-b is one person with a later signer" in open_world.verdict(MODEL, "api").reasons[0].actual


def test_joint_approvals_under_review_are_void(open_world: World) -> None:
    """The later word of the two counts, the earlier one does not."""
    change = open_world.propose("evaluator", f.HoldLift(_held(open_world)), apply_separately=True)
    open_world.sign("owner-b", change)
    open_world.sign("reviewer-b", change)

    link(open_world, "owner-b", "reviewer-b")

    refused = open_world.attempt("owner-a", c.ApplyApprovedChange(change))
    assert codes(refused) == ["SIGN_OFF_MISSING"]


@pytest.mark.parametrize(
    ("signer", "other"), [("owner-a", "evaluator"), ("reviewer-a", "engineer"), ("owner-a", "admin")]
)
def test_a_signer_who_is_somebody_that_does_not_approve(open_world: World, signer: str, other: str) -> None:
    """Who requested it, who made its evidence, or who administers is no approver of it under another name."""
    link(open_world, signer, other)

    assert (LEVEL, "TAINTED") in denied(open_world)


def test_linking_takes_no_reject_away(open_world: World) -> None:
    """A reject stands although its author turns out to be the person who approved later."""
    change = open_world.propose("evaluator", f.HoldLift(_held(open_world)), apply_separately=True)
    open_world.sign("reviewer-b", change, "reject")
    open_world.sign("owner-b", change)
    open_world.sign("reviewer-a", change)

    link(open_world, "owner-b", "reviewer-b")

    assert "SIGN_OFF_REJECTED" in codes(open_world.attempt("owner-a", c.ApplyApprovedChange(change)))


def test_parted_again_by_a_change_it_counts_again(open_world: World) -> None:
    """Linking is taken back by a quorum as dear as that for grants."""
    open_world.enact(f.HoldLift(_held(open_world)), signers=("owner-b", "reviewer-b"))
    link(open_world, "owner-b", "reviewer-b")
    assert open_world.state.tainted

    open_world.enact(f.PrincipalUnlink("principals/reviewer-b", "persons/somebody-else"))

    assert not open_world.state.tainted
    assert denied(open_world) == []


def test_parted_by_a_tainted_change_they_are_still_one(open_world: World) -> None:
    """What a tainted change parted is one person, for what was signed before and since."""
    joint = open_world.enact(f.HoldLift(_held(open_world)), signers=("owner-b", "reviewer-b"))
    link(open_world, "owner-b", "reviewer-b")
    since = open_world.now + 1
    parted = open_world.enact(
        f.PrincipalUnlink("principals/reviewer-b", "persons/somebody-else"), signers=("both", "reviewer-a")
    )
    assert not open_world.state.tainted

    lose(open_world, "both", since=since)

    assert tainted_names(open_world) == [joint, parted]
    change = open_world.propose("evaluator", f.HoldLift(_held(open_world)))
    open_world.sign("owner-b", change)
    open_world.sign("reviewer-b", change)
    assert open_world.state.need(change, r.Change).state == "in_review"


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        ("recovery-1", "owner-a", "RECOVERY_QUORUM"),
        ("owner-a", "recovery-1", "RECOVERY_QUORUM"),
        ("owner-a", "release-bot", "PERSON_MISSING"),
        ("owner-a", "nobody", "NOT_FOUND"),
    ],
)
def test_who_is_not_linked(open_world: World, one: str, other: str, code: str) -> None:
    """The recovery quorum, services, and who is not there."""
    assert codes(open_world.fire("admin", f.PrincipalLink(f"principals/{one}", f"principals/{other}"))) == [code]


def test_linked_already(open_world: World) -> None:
    """A link that is there is acknowledged with no transition."""
    linked = open_world.fire("admin", f.PrincipalLink("principals/owner-a", "principals/owner-a-again"))

    assert isinstance(linked, Accepted)
    assert linked.entry.transitions == ()


def test_who_is_not_parted(open_world: World) -> None:
    """An account that is alone, and a person who has accounts of their own."""
    alone = world_says(open_world, f.PrincipalUnlink("principals/owner-b", "persons/p9"))
    taken = world_says(open_world, f.PrincipalUnlink("principals/owner-a-again", "persons/owner-b"))

    assert (alone, taken) == (["NOT_LINKED"], ["PERSON_TAKEN"])


def world_says(world: World, firing: f.Firing) -> list[str]:
    """Return why nobody can propose a trigger."""
    return codes(world.attempt("evaluator", c.ProposeChange(world.content(firing))))


def test_a_word_in_somebodys_name_rests_on_both(open_world: World) -> None:
    """A delegation that was signed with a lost key lends nothing, on the day either."""
    since = open_world.now + 1
    given = open_world.attempt("owner-b", c.Fire(open_world.delegation("owner-b", "owner", "engineer")))
    assert isinstance(given, Accepted)
    hold = _held(open_world)
    change = open_world.propose("evaluator", f.HoldLift(hold))
    statement = open_world.statement("engineer", change, roles=["owner"])
    open_world.submit("engineer", change, replace(statement, on_behalf_of="principals/owner-b"))
    open_world.sign("reviewer-a", change)
    assert open_world.state.need(change, r.Change).state == "applied"

    lose(open_world, "owner-b", since=since)

    assert denied(open_world) == [(hold, "TAINTED")]
