"""What may be proposed, and by whom."""

from __future__ import annotations

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import World, codes
from tests.unit.statemachine.changes.reviews import ASSIGN, FILTER, LEVEL, MISUSE, MODEL


@pytest.mark.parametrize(
    "firings",
    [
        (f.SafeguardStart(FILTER),),
        (f.AssessmentOpen(MODEL, ("misuse",)), f.SafeguardStart(FILTER)),
        (f.HoldPlace(MODEL),),
        (f.DeterminationReport(MISUSE, "reached"),),
    ],
)
@pytest.mark.parametrize("draft", [True, False])
def test_a_change_that_needs_no_sign_off(firings: tuple[f.Firing, ...], draft: bool, world: World) -> None:  # noqa: FBT001  # a parameter
    """What one person may do is refused as a change."""
    decided = world.decide("everything-but-admin", c.ProposeChange(world.content(*firings), draft))

    assert codes(decided) == [Code.CHANGE_NEEDS_NO_SIGN_OFF]


def test_a_neutral_trigger_that_is_ruled_makes_a_change(wide_world: World) -> None:
    """A neutral trigger that the pack rules is enough for a change."""
    lock = f"{MODEL}/safeguards/weights-lock"
    wide_world.fire("evaluator", f.ModelRegister(MODEL))
    wide_world.fire("engineer", f.SafeguardStart(lock))
    audit = wide_world.upload("engineer", "security_audit")

    change = wide_world.enact(f.SafeguardVerify(lock, (audit,)), by="engineer", signers=("owner-a", "board-a"))

    assert wide_world.state.safeguard(lock).stage == "verified"
    assert wide_world.state.need(change, r.Change).applied_slots == (
        ("safeguard.verify", lock, "owner", "principals/owner-a"),
        ("safeguard.verify", lock, "board", "principals/board-a"),
    )


def test_a_narrowed_rule_and_an_unknown_safeguard(wide_world: World) -> None:
    """Regression: a safeguard that the policy does not know has no standard, and the rule look-up raised."""
    wide_world.fire("evaluator", f.ModelRegister(MODEL))

    for firing in (f.SafeguardActivate(f"{MODEL}/safeguards/unknown"), f.SafeguardVerify("safeguards/unknown")):
        decided = wide_world.decide("engineer", c.ProposeChange(wide_world.content(ASSIGN, firing)))
        assert Code.SAFEGUARD_UNKNOWN in codes(decided)


def test_every_trigger_that_cant_fire_is_refused(world: World) -> None:
    """A trigger that has no edge now is refused when proposed, and named."""
    decided = world.decide("evaluator", c.ProposeChange(world.content(ASSIGN, f.SafeguardRestore(FILTER))))

    assert isinstance(decided, Refused)
    assert [(unmet.code, unmet.trigger) for unmet in decided.unmet] == [(Code.NO_SUCH_EDGE, "safeguard.restore")]


def test_triggers_are_tried_in_order(world: World) -> None:
    """Each trigger is decided against the result of the one before."""
    up, down = f.LevelRaise(LEVEL, "guarded"), f.LevelLower(LEVEL, "basic")

    good = world.decide("evaluator", c.ProposeChange(world.content(ASSIGN, up, down)))
    bad = world.decide("evaluator", c.ProposeChange(world.content(up, ASSIGN, down)))

    assert (codes(good), codes(bad)) == ([], [Code.LEVEL_ORDER])


RIDERS: list[tuple[str, f.Firing, bool]] = [
    ("evaluator", f.SafeguardStart(FILTER), True),
    ("evaluator", f.AssessmentOpen(MODEL, ("misuse",)), True),
    ("evaluator", f.HoldPlace(MODEL), False),
    ("evaluator", f.SafeguardReplan(FILTER), False),
    ("engineer", f.SafeguardStart(FILTER), True),
    ("engineer", f.DeterminationReport(MISUSE, "reached"), False),
    ("everything-but-admin", f.HoldPlace(MODEL), True),
    ("everything-but-admin", f.HoldPlace(EVERYTHING), False),
    ("everything-but-admin", f.ModelRetire("models/other"), True),
]


@pytest.mark.parametrize(("who", "rider", "good"), RIDERS)
def test_what_rides_in_a_change_needs_the_proposers_right(who: str, rider: f.Firing, good: bool, world: World) -> None:  # noqa: FBT001  # a table's column
    """A tightening or neutral trigger may ride along where its proposer could fire it alone."""
    world.fire("evaluator", f.ModelRegister("models/other"))

    decided = world.decide(who, c.ProposeChange(world.content(ASSIGN, rider)))

    expected = [] if good else [Code.RIGHT_MISSING]
    assert [code for code in codes(decided) if code != Code.NO_SUCH_EDGE] == expected
    assert (
        not isinstance(decided, Refused)
        or decided.kind is RefusalKind.NOT_ALLOWED
        or Code.NO_SUCH_EDGE in codes(decided)
    )


def test_proposing_takes_the_right_on_every_model(wide_world: World) -> None:
    """Whoever may propose for some models proposes nothing for others, nor for what is shared."""
    for model in ("models/aurora-1", "models/borealis"):
        wide_world.fire("evaluator", f.ModelRegister(model))
    own, other = (f.LevelAssign(f"models/{m}/levels/deployment", "basic") for m in ("aurora-1", "borealis"))
    wide_world.fire("admin", f.HoldPlace(EVERYTHING))
    tries = ((own,), (own, other), (other,), (own, f.HoldLift("holds/1")))

    found = [codes(wide_world.decide("evaluator-of-aurora", c.ProposeChange(wide_world.content(*t)))) for t in tries]

    assert found == [[], *[[Code.RIGHT_MISSING]] * 3]
