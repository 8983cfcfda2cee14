"""What stands against an approval, and what applying does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.decide import Accepted
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import DAY_US, SECOND_US, World, codes, envelope
from tests.unit.statemachine.changes.reviews import ASSIGN, FILTER, LEVEL, MISUSE, MODEL, judged, stored


def test_no_approval_while_evidence_is_missing(world: World) -> None:
    """An approval is refused while evidence is missing, with everything else that is unmet listed too."""
    change = world.propose("evaluator", f.DeterminationRuleOut(MISUSE), ASSIGN)

    decided = world.sign("owner-a", change)

    assert isinstance(decided, Refused)
    assert [(unmet.code, unmet.trigger) for unmet in decided.unmet] == [
        (Code.EVIDENCE_MISSING, "determination.rule_out"),
        *[(Code.SIGN_OFF_MISSING, "determination.rule_out")] * 2,
        *[(Code.SIGN_OFF_MISSING, "level.assign")] * 2,
    ]
    assert stored(world, change).sign_offs == ()


AGES = [
    # made so long before the upload, uploaded before by so long, signed so long after, good
    (0, 0, 29, True),
    (0, 0, 30, False),
    (29, 0, 0, True),
    (30, 0, 0, False),
    (0, 29, 0, True),
    (0, 30, 0, False),
    (10, 25, 6, False),
]


@pytest.mark.parametrize(("made", "uploaded", "waited", "good"), AGES)
def test_freshness(made: int, uploaded: int, waited: int, good: bool, world: World) -> None:  # noqa: FBT001  # a table's column
    """Freshness counts from when it was made or first uploaded, whichever came first, to the moment of signing."""
    if uploaded:
        world.upload("evaluator", "internal_feedback", word="the same bytes")
        world.wait(uploaded * DAY_US)
    document = world.upload("evaluator", "evaluation_results", word="the same bytes", made_at=world.now - made * DAY_US)
    change = world.propose("evaluator", f.DeterminationRuleOut(MISUSE), evidence=[document])
    for _ in range(waited):
        world.wait(DAY_US)
        if waited > 13:
            world.must("evaluator", c.RebaseChange(change, world.revised(change)))
    if waited:
        world.wait(-SECOND_US if good else 0)

    decided = world.decide(
        "owner-a", c.SignOffChange(change), envelopes=(envelope("owner-a", world.statement("owner-a", change)),)
    )

    assert (Code.EVIDENCE_STALE in codes(decided)) == (not good)


def test_freshness_is_judged_again_when_applied(world: World) -> None:
    """What was fresh when it was signed may be too old when it would be applied."""
    document = world.upload("evaluator", "evaluation_results", made_at=world.now - 29 * DAY_US)
    change = world.propose("evaluator", f.DeterminationRuleOut(MISUSE), evidence=[document], apply_separately=True)
    for who in ("owner-a", "reviewer-a"):
        assert isinstance(world.sign(who, change), Accepted)
    assert judged(world, change).approved
    world.wait(DAY_US)

    assert Code.EVIDENCE_STALE in codes(world.decide("owner-a", c.ApplyApprovedChange(change)))


def test_stale_says_what_moved(world: World) -> None:
    """A change whose base has moved is refused as stale, with every resource that moved."""
    change = world.propose("evaluator", ASSIGN)
    world.fire("evaluator", f.DeterminationReport(MISUSE, "reached"))

    decided = world.sign("owner-a", change)

    assert isinstance(decided, Refused)
    assert decided.kind is RefusalKind.STALE
    assert [unmet.resource for unmet in decided.unmet if unmet.code is Code.BASE_MOVED] == [MISUSE]
    assert judged(world, change).moved == (MISUSE,)


def test_what_moves_between_signing_and_applying(world: World) -> None:
    """A change that was approved and waits is stale as soon as its base moves; a rebase must be signed anew."""
    change = world.propose("evaluator", ASSIGN, apply_separately=True)
    for who in ("owner-a", "reviewer-a"):
        world.sign(who, change)
    world.fire("evaluator", f.DeterminationReport(MISUSE, "reached"))

    decided = world.attempt("owner-a", c.ApplyApprovedChange(change))

    assert isinstance(decided, Refused)
    assert decided.kind is RefusalKind.STALE
    world.must("evaluator", c.RebaseChange(change, world.revised(change)))
    assert not judged(world, change).approved


def test_two_changes_that_are_each_fine(world: World) -> None:
    """Of two approved changes over the same level the first is applied and the second is stale."""
    changes = [
        world.propose("evaluator", f.LevelAssign(LEVEL, to), apply_separately=True) for to in ("basic", "guarded")
    ]
    for change in changes:
        for who in ("owner-a", "reviewer-a"):
            world.sign(who, change)

    first, second = (world.attempt("owner-a", c.ApplyApprovedChange(change)) for change in changes)

    assert codes(first) == []
    assert isinstance(second, Refused)
    assert second.kind is RefusalKind.STALE
    assert world.state.level(MODEL, "deployment").assigned == "basic"


def test_applied_at_once_and_in_order(world: World) -> None:
    """The sign-off that completes the quorum applies every trigger in order, in its own entry."""
    change = world.propose(
        "everything-but-admin", f.SafeguardStart(FILTER), ASSIGN, f.LevelRaise(LEVEL, "guarded"), f.HoldPlace(MODEL)
    )
    world.sign("owner-a", change)

    decided = world.sign("reviewer-a", change)

    assert isinstance(decided, Accepted)
    assert [(t.trigger, t.target) for t in decided.entry.transitions] == [
        ("change.sign", "in_review"),
        ("safeguard.start", "implementing"),
        ("level.assign", "confirmed(basic)"),
        ("level.raise", "confirmed(guarded)"),
        ("hold.place", "placed"),
        ("change.apply", "applied"),
    ]
    assert stored(world, change).applied_position == decided.entry.seq
    assert {name for name, _ in decided.entry.prev} == {change, FILTER, LEVEL, "holds/1"}


def test_all_or_nothing(world: World) -> None:
    """Where one trigger can't fire any more nothing of the change happens."""
    change = world.propose("everything-but-admin", ASSIGN, f.SafeguardStart(FILTER), apply_separately=True)
    for who in ("owner-a", "reviewer-a"):
        world.sign(who, change)
    world.fire("engineer", f.SafeguardStart(FILTER))
    before = world.state

    decided = world.attempt("owner-a", c.ApplyApprovedChange(change))

    assert set(codes(decided)) == {Code.BASE_MOVED, Code.NO_SUCH_EDGE}
    assert world.state is before
    assert world.state.level(MODEL, "deployment").state == "unassigned"


@pytest.mark.parametrize("way", ["apply_separately", "not_before"])
def test_approved_and_not_yet_applied(way: str, world: World) -> None:
    """A change that says so waits for somebody to apply it, and is applied once."""
    start = world.now + DAY_US
    if way == "not_before":
        change = world.propose("evaluator", ASSIGN, not_before=start)
    else:
        change = world.propose("evaluator", ASSIGN, apply_separately=True)
    for who in ("owner-a", "reviewer-a"):
        world.sign(who, change)
    assert (stored(world, change).state, judged(world, change).approved) == ("in_review", True)

    early = world.decide("owner-a", c.ApplyApprovedChange(change), instant=start - 1)
    assert codes(early) == ([Code.NOT_BEFORE] if way == "not_before" else [])
    assert codes(world.decide("owner-a", c.ApplyApprovedChange(change), instant=start)) == []
    world.now = start
    world.must("owner-a", c.ApplyApprovedChange(change))
    assert codes(world.decide("owner-a", c.ApplyApprovedChange(change))) == [Code.NO_SUCH_EDGE]


def test_signed_after_its_earliest_moment(world: World) -> None:
    """A change whose earliest moment has passed is applied by the sign-off that completes it."""
    change = world.propose("evaluator", ASSIGN, not_before=world.now + 10)
    world.sign("owner-a", change)
    world.wait(10)

    world.sign("reviewer-a", change)

    assert stored(world, change).state == "applied"


def test_time_passing_applies_nothing(world: World) -> None:
    """Nothing loosening happens by time: an approved change whose moment comes stays as it is."""
    change = world.propose("evaluator", ASSIGN, not_before=world.now + 10)
    for who in ("owner-a", "reviewer-a"):
        world.sign(who, change)
    world.wait(DAY_US)

    world.fire("admin", f.HoldPlace(EVERYTHING))

    assert stored(world, change).state == "in_review"
    assert world.state.level(MODEL, "deployment").state == "unassigned"


@pytest.mark.parametrize("who", ["auditor", "admin", "engineer", "release-bot"])
def test_who_may_not_apply(who: str, world: World) -> None:
    """Applying takes a right, also where the change is approved."""
    change = world.propose("evaluator", ASSIGN, apply_separately=True)
    for signer in ("owner-a", "reviewer-a"):
        world.sign(signer, change)

    assert codes(world.decide(who, c.ApplyApprovedChange(change))) == [Code.RIGHT_MISSING]


def test_the_proposers_rights_are_judged_again(world: World) -> None:
    """What rides in a change needs its proposer's right when it is applied, too."""
    change = world.propose("engineer", ASSIGN, f.SafeguardStart(FILTER))
    world.sign("owner-a", change)
    grant = world.state.grants("principals/engineer")[0]
    world.state = replace(world.state.put(replace(grant, state="revoked")), writes=())

    decided = world.sign("reviewer-a", change)

    assert Code.RIGHT_MISSING in codes(decided)


@pytest.mark.parametrize("people", [("owner-a",), ("both",), ("owner-a", "owner-a-again"), ("everything-but-admin",)])
def test_nobody_loosens_alone(people: tuple[str, ...], world: World) -> None:
    """No account of one person, and no role of one, applies a change, whoever proposed it."""
    for proposer in ("evaluator", "everything-but-admin"):
        one = world.fork()
        change = one.propose(proposer, ASSIGN)
        for who in people:
            one.sign(who, change)
        one.attempt(people[0], c.ApplyApprovedChange(change))
        assert stored(one, change).state == "in_review"
