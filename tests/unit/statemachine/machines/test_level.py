"""The level machine: every move between every pair of levels, provisional or confirmed."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.unmet import Code
from tests.unit.statemachine.steps import MODEL, outcome, with_model

if TYPE_CHECKING:
    from tests.support.world import World

NAME = f"{MODEL}/levels/deployment"
LEVELS = ("basic", "guarded", "strict", "sealed")
MOVES: Final[dict[str, type[f.LevelAssign | f.LevelRaise | f.LevelLower]]] = {
    "assign": f.LevelAssign,
    "raise": f.LevelRaise,
    "lower": f.LevelLower,
}


def expected(move: str, old: str, new: str) -> str:
    """Return where a move leads, read off the design, while nothing is determined."""
    if new == "sealed":
        return Code.LEVEL_STUB
    good = {
        "assign": not old,
        "raise": bool(old) and LEVELS.index(new) > LEVELS.index(old),
        "lower": bool(old) and LEVELS.index(new) < LEVELS.index(old),
    }
    return f"confirmed({new})" if good[move] else Code.LEVEL_ORDER


@pytest.mark.parametrize(
    ("move", "kind", "old", "new"),
    [
        *((move, "unassigned", "", new) for move, new in product(MOVES, LEVELS)),
        *product(MOVES, ("provisional", "confirmed"), LEVELS[:3], LEVELS),
    ],
)
def test_move(move: str, kind: str, old: str, new: str, wide_world: World) -> None:
    """Assign from nothing, raise upwards, lower downwards, to anything but a stub."""
    state = with_model(wide_world, r.Level(NAME, kind, old))

    assert outcome(wide_world, state, MOVES[move](NAME, new)) == expected(move, old, new)


def determined(**conclusions: str) -> tuple[r.Determination, ...]:
    """Return determinations by threshold."""
    return tuple(
        r.Determination(f"{MODEL}/determinations/{t}", said, confirmed=True, lapses_at=1)
        for t, said in conclusions.items()
    )


KINDS = [
    # to guarded: misuse asks for it, autonomy and extreme ask for more; theft asks in another standard
    ({}, "guarded", "confirmed"),
    ({"misuse": "ruled_out"}, "guarded", "confirmed"),
    ({"misuse": "cannot_rule_out"}, "guarded", "provisional"),
    ({"misuse": "reached"}, "guarded", "confirmed"),
    ({"autonomy": "cannot_rule_out"}, "guarded", "provisional"),
    ({"misuse": "cannot_rule_out", "autonomy": "reached"}, "guarded", "confirmed"),
    ({"misuse": "reached", "autonomy": "cannot_rule_out"}, "guarded", "confirmed"),
    ({"misuse": "reached", "autonomy": "cannot_rule_out"}, "strict", "provisional"),
    ({"misuse": "cannot_rule_out"}, "strict", "confirmed"),
    ({"extreme": "cannot_rule_out"}, "strict", "provisional"),
    ({"extreme": "reached", "autonomy": "cannot_rule_out"}, "strict", "confirmed"),
    ({"theft": "cannot_rule_out"}, "guarded", "confirmed"),
    ({"watched": "cannot_rule_out"}, "guarded", "confirmed"),
    ({"misuse": "cannot_rule_out"}, "basic", "provisional"),
]


@pytest.mark.parametrize(
    ("move", "conclusions", "to", "kind"),
    [(move, *row) for move in ("assign", "raise") for row in KINDS if (move, row[1]) != ("raise", "basic")],
)
def test_provisional_is_precautionary(
    move: str, conclusions: dict[str, str], to: str, kind: str, wide_world: World
) -> None:
    """A level is provisional while one that asks for it or more can't be ruled out and none is reached."""
    before = r.Level(NAME, "confirmed", "basic") if move == "raise" else r.Level(NAME)
    state = with_model(wide_world, before, *determined(**conclusions))

    assert outcome(wide_world, state, MOVES[move](NAME, to)) == f"{kind}({to})"


@pytest.mark.parametrize(
    ("level", "conclusions", "result"),
    [
        (r.Level(NAME, "provisional", "guarded"), {"misuse": "reached"}, "confirmed(guarded)"),
        (r.Level(NAME, "provisional", "guarded"), {"misuse": "ruled_out"}, "confirmed(guarded)"),
        (r.Level(NAME, "provisional", "guarded"), {"misuse": "cannot_rule_out"}, Code.LEVEL_STILL_PROVISIONAL),
        (r.Level(NAME, "confirmed", "guarded"), {}, Code.NO_SUCH_EDGE),
        (r.Level(NAME), {}, Code.NO_SUCH_EDGE),
    ],
)
def test_confirm(level: r.Level, conclusions: dict[str, str], result: str, wide_world: World) -> None:
    """A provisional level is confirmed once it is no longer a mere precaution."""
    state = with_model(wide_world, level, *determined(**conclusions))

    assert outcome(wide_world, state, f.LevelConfirm(NAME)) == result


def test_later_determinations_do_not_move_it(wide_world: World) -> None:
    """A report changes what is required and leaves the assigned level alone."""
    state = with_model(wide_world, r.Level(NAME, "confirmed", "basic"))

    outcome(wide_world, state, f.DeterminationReport(f"{MODEL}/determinations/misuse", "reached"))

    assert state.level(MODEL, "deployment").state == "confirmed(basic)"


@pytest.mark.parametrize(
    ("firing", "code"),
    [
        (f.LevelAssign(f"{MODEL}/levels/unknown", "basic"), Code.STANDARD_UNKNOWN),
        (f.LevelAssign(NAME, "unknown"), Code.LEVEL_UNKNOWN),
        (f.LevelRaise("models/nobody/levels/deployment", "basic"), Code.MODEL_UNKNOWN),
        (f.LevelConfirm("models/gone/levels/deployment"), Code.MODEL_RETIRED),
        (f.LevelConfirm(f"{MODEL}/levels/unknown"), Code.STANDARD_UNKNOWN),
    ],
)
def test_refused(firing: f.Firing, code: Code, wide_world: World) -> None:
    """Unknown standards, levels and models are refused."""
    state = with_model(wide_world, r.Model("models/gone", "retired"))

    assert outcome(wide_world, state, firing) == code


def test_a_level_of_another_policy_is_a_dead_end(wide_world: World) -> None:
    """An assigned level that the policy does not know has no edge, and nothing raises."""
    state = with_model(wide_world, r.Level(NAME, "confirmed", "legacy"))

    results = [outcome(wide_world, state, firing(NAME, "guarded")) for firing in MOVES.values()]

    assert results == [Code.LEVEL_ORDER] * 3
    assert outcome(wide_world, state, f.LevelConfirm(NAME)) == Code.NO_SUCH_EDGE
