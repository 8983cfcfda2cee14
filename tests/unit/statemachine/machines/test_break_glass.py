"""Break-glass: what it excepts and until when, what ends it, who reviews it."""

from __future__ import annotations

import pytest

from interlock.proofs import keys
from interlock.statemachine import codec, drafting, rules
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.taint import find_doubts
from interlock.statemachine.tree import grow_tree
from interlock.statemachine.unmet import Code, Refused
from tests.support.world import DAY_US, SKETCH, World, codes, public_of

MODEL = "models/m"
FILTER = f"{MODEL}/safeguards/input-filter"
REVIEW = "obligations/break-glass-review/periods/1"
HALF_A_DAY = DAY_US // 2
ALL = b"triggers: [hold.lift, safeguard.restore, safeguard.resume]"


@pytest.fixture
def world() -> World:
    """Give a released model under a pack that allows break-glass for all that it can be allowed for."""
    made = World.found({"policy.yaml": SKETCH.read_bytes().replace(b"triggers: [hold.lift]", ALL)})
    made.fire("evaluator", f.ModelRegister(MODEL))
    report = made.upload("engineer", "evaluation_results")
    made.enact(f.DeterminationRuleOut(f"{MODEL}/determinations/misuse"), evidence=[report])
    made.fire("engineer", f.SafeguardStart(FILTER))
    made.fire("engineer", f.SafeguardVerify(FILTER, (made.upload("engineer", "red_team_report"),)))
    made.enact(f.LevelAssign(f"{MODEL}/levels/deployment", "guarded"), f.SafeguardActivate(FILTER))
    assert allowed(made)
    return made


def allowed(world: World, instant: int | None = None) -> bool:
    """Ask the gate."""
    return world.verdict(MODEL, "api", instant=instant).allowed


def propose(world: World, resource: str, lasts: int = HALF_A_DAY, *, reason: bool = True) -> str | Refused:
    """Have the evaluator propose a use; return the change's name, or the refusal."""
    name = world.state.next_name("changes")
    content = drafting.draft(
        rules.current(), world.policy, world.state, name=name, revision=1,
        triggers=(f.BreakGlassOpen(resource, max(world.now, world.state.time) + lasts),),
        texts=(("summary", bytes(32)),) if reason else (),
    )  # fmt: skip
    assert isinstance(content, e.Content), content
    decided = world.attempt("evaluator", c.ProposeChange(codec.encode_content(content)))
    return name if isinstance(decided, Accepted) else decided


def use(world: World, resource: str, lasts: int = HALF_A_DAY) -> str:
    """Have two people use break-glass; return the exception's name."""
    name = world.state.next_name("exceptions")
    change = propose(world, resource, lasts)
    assert isinstance(change, str), change
    world.sign("owner-a", change)
    world.sign("reviewer-a", change)
    assert name in world.state.items
    return name


def held(world: World, target: str = MODEL) -> str:
    """Place a hold and return its name."""
    name = world.state.next_name("holds")
    world.fire("admin" if target == EVERYTHING else "owner-a", f.HoldPlace(target))
    assert not allowed(world)
    return name


@pytest.mark.parametrize("spoil", [f.SafeguardDegrade(FILTER), f.SafeguardSuspend(FILTER)], ids=lambda row: row.trigger)
def test_a_safeguard_is_excepted_until_the_end(spoil: f.Firing, world: World) -> None:
    """The verdict turns, the state does not, and the end is the first moment at which time turns it back."""
    world.fire("owner-a", spoil)
    before = world.state.safeguard(FILTER)
    name = use(world, FILTER)

    until = world.state.need(name, r.Exemption).until
    verdict = world.verdict(MODEL, "api")
    assert world.state.safeguard(FILTER) == before
    assert (verdict.allowed, verdict.valid_until) == (True, until)
    assert [(row.code, row.resource) for row in verdict.advisories] == [(Code.BREAK_GLASS, FILTER)]
    assert allowed(world, until - 1)
    assert not allowed(world, until)


@pytest.mark.parametrize("target", [MODEL, EVERYTHING])
def test_a_hold_is_excepted_until_the_end(target: str, world: World) -> None:
    """It stays placed, and is told beside every ALLOW."""
    hold = held(world, target)
    name = use(world, hold)

    verdict = world.verdict(MODEL, "api")
    assert world.state.need(hold, r.Hold).state == "placed"
    assert (verdict.allowed, verdict.valid_until) == (True, world.state.need(name, r.Exemption).until)
    assert [row.code for row in verdict.advisories] == [Code.BREAK_GLASS]


def test_the_tree_shows_it(world: World) -> None:
    """Who explains a release sees the exception, and the change and people that it rests on."""
    hold = held(world)
    use(world, hold)

    tree = grow_tree(world.policy, world.state, MODEL, "api", "", world.now)

    nodes = [node for rule in tree.children for node in rule.children if "break-glass" in node.actual]
    assert {node.met for node in nodes} == {True, False}
    assert {who for node in nodes for who in node.signers} == {"principals/owner-a", "principals/reviewer-a"}


ENDING = {
    "another hold on the model": ("reviewer-b", f.HoldPlace(MODEL)),
    "a hold on everything": ("admin", f.HoldPlace(EVERYTHING)),
}


@pytest.mark.parametrize("what", sorted(ENDING))
def test_what_ends_the_exception_of_a_hold(what: str, world: World) -> None:
    """One person who places another hold takes the exception back, for good."""
    hold = held(world)
    name = use(world, hold)
    who, firing = ENDING[what]

    decided = world.fire(who, firing)

    assert isinstance(decided, Accepted)
    assert world.state.need(name, r.Exemption).state == "ended"
    world.enact(f.HoldLift("holds/2"))
    assert not allowed(world)


@pytest.mark.parametrize("spoil", [f.SafeguardDegrade(FILTER), f.SafeguardSuspend(FILTER)], ids=lambda row: row.trigger)
def test_any_tightening_word_on_a_safeguard_ends_it(spoil: f.Firing, world: World) -> None:
    """Also one that finds the safeguard degraded already."""
    world.fire("owner-a", f.SafeguardDegrade(FILTER))
    name = use(world, FILTER)

    decided = world.fire("filter-monitor", spoil)

    assert isinstance(decided, Accepted)
    assert (name, "ended") in {(row.resource, row.target) for row in decided.entry.transitions}
    assert not allowed(world)


def test_the_ordinary_way_stays(world: World) -> None:
    """It can be restored meanwhile, and a later degrading is not excepted any more."""
    world.fire("owner-a", f.SafeguardDegrade(FILTER))
    use(world, FILTER)
    world.enact(f.SafeguardRestore(FILTER))
    assert world.verdict(MODEL, "api").advisories == ()

    world.fire("owner-a", f.SafeguardDegrade(FILTER))

    assert not allowed(world)


def test_an_attestation_that_ended_is_not_excepted(world: World) -> None:
    """What is excepted is that it is degraded, not that its attestation is over."""
    world.wait(180 * DAY_US - HALF_A_DAY)
    world.fire("owner-a", f.SafeguardDegrade(FILTER))
    name = use(world, FILTER, DAY_US)

    ends = world.state.safeguard(FILTER).attested_until
    assert ends is not None
    assert ends < world.state.need(name, r.Exemption).until
    assert ATTESTED & {row.code for row in world.verdict(MODEL, "api", instant=ends).reasons}


ATTESTED = {Code.ATTESTATION_ENDED}


def test_what_it_can_not_be_used_for(world: World) -> None:
    """Something there that is placed, degraded, or was active when it was suspended; for a while; with a reason."""
    hold = held(world)

    assert codes(propose(world, FILTER)) == [Code.NO_SUCH_EDGE]  # type: ignore[arg-type]  # refused, so no name
    assert codes(propose(world, "holds/9")) == [Code.NOT_FOUND]  # type: ignore[arg-type]  # as above
    assert codes(propose(world, hold, DAY_US + DAY_US // 24)) == [Code.END_TOO_LATE]  # type: ignore[arg-type]  # as above
    assert codes(propose(world, hold, -1)) == [Code.END_PASSED]  # type: ignore[arg-type]  # as above
    assert codes(propose(world, hold, reason=False)) == [Code.REASON_MISSING]  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("spoil", [f.SafeguardDegrade(FILTER), f.HoldPlace(MODEL)], ids=lambda row: row.trigger)
def test_nothing_else_in_the_change_makes_what_it_excepts(spoil: f.Firing, world: World) -> None:
    """Its rule is judged before the change, so a change can't degrade or hold something and except that."""
    resource = FILTER if isinstance(spoil, f.SafeguardDegrade) else "holds/1"
    content = drafting.draft(
        rules.current(), world.policy, world.state, name=world.state.next_name("changes"), revision=1,
        triggers=(spoil, f.BreakGlassOpen(resource, world.now + HALF_A_DAY)), texts=(("summary", bytes(32)),),
    )  # fmt: skip
    assert isinstance(content, e.Content), content

    decided = world.attempt("everything-but-admin", c.ProposeChange(codec.encode_content(content)))

    assert Code.BREAK_GLASS_NOT_ALLOWED in codes(decided)


def test_a_pack_that_does_not_allow_it() -> None:
    """The sketch allows it for holds alone."""
    plain = World.found()
    plain.fire("evaluator", f.ModelRegister(MODEL))
    plain.fire("engineer", f.SafeguardStart(FILTER))
    plain.fire("engineer", f.SafeguardVerify(FILTER, (plain.upload("engineer", "red_team_report"),)))
    plain.enact(f.SafeguardActivate(FILTER))
    plain.fire("owner-a", f.SafeguardDegrade(FILTER))

    assert codes(propose(plain, FILTER)) == [Code.BREAK_GLASS_NOT_ALLOWED]  # type: ignore[arg-type]  # refused


def test_one_person_uses_nothing(world: World) -> None:
    """Nobody fires it, and two people have to sign whoever asks."""
    hold = held(world)

    assert codes(world.fire("both", f.BreakGlassOpen(hold, world.now + HALF_A_DAY))) == [Code.CHANGE_REQUIRED]
    change = propose(world, hold)
    assert isinstance(change, str)
    world.sign("both", change)
    assert not allowed(world)


# The review ----------------------------------------------------------------------------------------------------------


def review(world: World, by: str = "evaluator") -> Accepted | Refused:
    """Have somebody propose that a review is done, by a document of it."""
    document = world.upload("auditor" if by == "auditor" else "evaluator", "break_glass_review")
    content = world.content(f.ObligationFulfil(REVIEW, (document,)))
    return world.attempt(by, c.ProposeChange(content))


def test_a_late_review_blocks_every_release(world: World) -> None:
    """Its time is the policy's, from the use; then rule 7 denies, whatever became of the exception."""
    hold = held(world)
    use(world, hold)
    world.enact(f.HoldLift(hold))
    due = world.state.need(REVIEW, r.Period).due
    assert due is not None
    assert world.verdict(MODEL, "api").valid_until == due

    reasons = world.verdict(MODEL, "api", instant=due).reasons

    assert [(row.rule, row.code, row.resource) for row in reasons] == [(7, Code.OBLIGATION_OVERDUE, REVIEW)]


def test_others_review_it(world: World) -> None:
    """Who signed the use signs no review of it, nor asks for one to be closed; others do."""
    use(world, held(world))
    assert isinstance(review(world), Accepted)
    change = "changes/" + str(int(world.state.next_name("changes").partition("/")[2]) - 1)

    assert codes(world.sign("owner-a", change)) == [Code.BREAK_GLASS_SIGNER]
    assert codes(world.sign("owner-a-again", change, roles=["owner"])) == [Code.BREAK_GLASS_SIGNER]
    world.sign("owner-b", change)
    world.sign("reviewer-b", change)

    assert world.state.need(REVIEW, r.Period).state == "fulfilled"


def test_nobody_waives_the_review_of_their_own_use(world: World) -> None:
    """A waiver is judged like the review."""
    use(world, held(world))
    change = world.propose("evaluator", f.ObligationWaive(REVIEW, world.now + 90 * DAY_US))

    assert codes(world.sign("reviewer-a", change)) == [Code.BREAK_GLASS_SIGNER]


def test_a_use_is_not_reviewed_by_the_change_that_opens_it(world: World) -> None:
    """A review comes afterwards."""
    hold = held(world)
    document = world.upload("evaluator", "break_glass_review")
    fulfil = f.ObligationFulfil(REVIEW, (document,))
    content = drafting.draft(
        rules.current(), world.policy, world.state, name=world.state.next_name("changes"), revision=1,
        triggers=(f.BreakGlassOpen(hold, world.now + HALF_A_DAY), fulfil), texts=(("summary", bytes(32)),),
    )  # fmt: skip
    assert isinstance(content, e.Content), content

    decided = world.attempt("evaluator", c.ProposeChange(codec.encode_content(content)))

    assert Code.BREAK_GLASS_SIGNER in codes(decided)


def test_not_again_before_the_review_is_closed(world: World) -> None:
    """A second use on the same hold waits for the review of the first; one on another resource does not."""
    hold = held(world)
    use(world, hold)
    assert codes(propose(world, hold)) == [Code.REVIEW_OPEN]  # type: ignore[arg-type]  # refused, so no name
    world.fire("owner-a", f.SafeguardDegrade(FILTER))
    assert use(world, FILTER) == "exceptions/2"

    review(world)
    change = "changes/" + str(int(world.state.next_name("changes").partition("/")[2]) - 1)
    world.sign("owner-b", change)
    world.sign("reviewer-b", change)

    assert use(world, hold) == "exceptions/3"


# What is learned later of who signed what --------------------------------------------------------------------------


def closed_review(world: World, *signers: str) -> str:
    """Have the first review closed by some people; return the change's name."""
    name = world.state.next_name("changes")
    assert isinstance(review(world), Accepted)
    for who in signers:
        world.sign(who, name)
    assert world.state.need(REVIEW, r.Period).state == "fulfilled"
    return name


def test_regression_a_reviewer_turns_out_to_have_signed_the_use(world: World) -> None:
    """Once an administrator says so, the review is tainted, with why; parted by a quorum, it stands again."""
    hold = held(world)
    use(world, hold)
    change = closed_review(world, "owner-b", "reviewer-b")

    world.must("admin", c.Fire(f.PrincipalLink("principals/owner-a", "principals/owner-b")))

    assert set(world.state.tainted.values()) == {change}
    doubts = find_doubts(world.state, world.state.need(change, r.Change))
    assert [doubt.code for doubt in doubts] == [Code.BREAK_GLASS_SIGNER]
    assert (8, Code.TAINTED) in [(row.rule, row.code) for row in world.verdict(MODEL, "api").reasons]
    world.enact(f.PrincipalUnlink("principals/owner-b", "persons/another"), signers=("both", "reviewer-b"))
    assert not world.state.tainted


def test_regression_nobody_ratifies_the_review_of_their_own_use(world: World) -> None:
    """Who signed the use neither signs the ratification of a tainted review of it, nor asks for that."""
    use(world, held(world))
    world.enact(f.GrantGive("principals/reviewer-a", "requester", "*"), signers=("owner-b", "reviewer-b"))
    change = closed_review(world, "owner-b", "reviewer-b")
    lost = keys.fingerprint(public_of("principals/owner-b", "signoff"))
    since = world.state.need(change, r.Change).proposed_at
    world.must("admin", c.Fire(f.CredentialRevoke(f"principals/owner-b/credentials/{lost}", since)))
    assert set(world.state.tainted.values()) == {change}

    mine = world.attempt("reviewer-a", c.ProposeChange(world.content(f.ChangeRatify(change))))
    again = world.propose("evaluator", f.ChangeRatify(change))

    assert codes(mine) == [Code.BREAK_GLASS_SIGNER]
    assert codes(world.sign("owner-a", again)) == [Code.BREAK_GLASS_SIGNER]
    assert codes(world.sign("reviewer-a", again)) == [Code.BREAK_GLASS_SIGNER]
    world.sign("both", again, roles=["owner"])
    world.sign("reviewer-b", again)
    assert not world.state.tainted


def test_regression_a_tainted_review_closes_nothing(world: World) -> None:
    """Not again on the same resource while the review of the first use rests on words that do not count."""
    hold = held(world)
    use(world, hold)
    change = closed_review(world, "owner-b", "reviewer-b")
    lost = keys.fingerprint(public_of("principals/owner-b", "signoff"))
    since = world.state.need(change, r.Change).proposed_at
    world.must("admin", c.Fire(f.CredentialRevoke(f"principals/owner-b/credentials/{lost}", since)))

    assert codes(propose(world, hold)) == [Code.REVIEW_OPEN]  # type: ignore[arg-type]  # refused, so no name
