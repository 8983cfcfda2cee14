"""The interim measure machine, and what rule 6 makes of one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.tree import grow_tree, unmet_leaves
from interlock.statemachine.unmet import Code
from tests.unit.statemachine.steps import MODEL, NOW, outcome, step, with_model
from tests.unit.statemachine.test_explain import END, ONE, ask, reasons, released

if TYPE_CHECKING:
    from tests.support.world import World

FILTER = f"{MODEL}/safeguards/input-filter"
LATER = END - 100
MEASURE = r.InterimMeasure("interimMeasures/1", MODEL, ("input-filter",), ("api",), LATER)
PUT = f.InterimMeasurePutInForce(MODEL, ("input-filter",), ("api",), LATER)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "in_force"),
        ({"until": NOW}, Code.END_PASSED),
        ({"until": 0}, Code.END_PASSED),
        ({"safeguards": ("input-filter", "nothing")}, Code.SAFEGUARD_UNKNOWN),
        ({"contexts": ("nowhere",)}, Code.CONTEXT_UNKNOWN),
        ({"contexts": ()}, Code.MALFORMED),
        ({"safeguards": (FILTER,)}, Code.MALFORMED),
        ({"model": "models/never"}, Code.MODEL_UNKNOWN),
    ],
)
def test_put_in_force(change: dict[str, Any], expected: str, world: World) -> None:
    """A measure names what the policy knows, a model in use, and an end that has not come."""
    assert outcome(world, with_model(world), replace(PUT, **change)) == expected


def test_the_measure_that_is_written(world: World) -> None:
    """It is in force from the entry that applies the change, until the instant that the change names."""
    before = with_model(world)
    moved = step(world, before, PUT)

    assert isinstance(moved, Moved)
    made = moved.state.need("interimMeasures/1", r.InterimMeasure)
    assert (made.in_force_from, made.in_force_by, made.until) == (NOW, before.size, LATER)
    assert moved.state.next_name("interimMeasures") == "interimMeasures/2"


@pytest.mark.parametrize(("state", "expected"), [("in_force", "ended"), ("ended", "settled"), ("", Code.NOT_FOUND)])
def test_end(state: str, expected: str, world: World) -> None:
    """One in force ends; one that was ended is acknowledged."""
    known = (replace(MEASURE, state=state),) if state else ()

    assert outcome(world, with_model(world, *known), f.InterimMeasureEnd("interimMeasures/1")) == expected


@pytest.mark.parametrize("stage", ["planned", "verified", "degraded", "retired"])
def test_it_stands_in_for_a_safeguard(stage: str, wide_world: World) -> None:
    """Whatever state its safeguard is in the release goes on, until the measure's end."""
    state = released(wide_world, MEASURE, r.Safeguard(FILTER, stage))

    verdict = ask(wide_world, state)

    assert (verdict.allowed, verdict.valid_until) == (True, LATER)
    assert reasons(ask(wide_world, state, instant=LATER))[0] == (6, "SAFEGUARD_NOT_ACTIVE")


def test_that_it_stands_in_is_told(wide_world: World) -> None:
    """An ALLOW by a measure has an advisory that names safeguard and measure; with the safeguard up it has none."""
    by_measure = ask(wide_world, released(wide_world, MEASURE, r.Safeguard(FILTER, "degraded")))
    by_safeguard = ask(wide_world, released(wide_world, MEASURE))

    assert [(row.code, row.resource) for row in by_measure.advisories] == [(Code.INTERIM_MEASURE, FILTER)]
    assert MEASURE.name in by_measure.advisories[0].actual
    assert (by_safeguard.allowed, by_safeguard.advisories) == (True, ())


@pytest.mark.parametrize(
    "other",
    [
        replace(MEASURE, state="ended"),
        replace(MEASURE, until=NOW),
        replace(MEASURE, model="models/other"),
        replace(MEASURE, contexts=("internal",)),
        replace(MEASURE, safeguards=("tips",)),
    ],
    ids=["ended", "run out", "another model", "another context", "another safeguard"],
)
def test_it_stands_in_for_nothing_else(other: r.InterimMeasure, wide_world: World) -> None:
    """A measure that ended, or is about something else, changes nothing."""
    verdict = ask(wide_world, released(wide_world, other, r.Safeguard(FILTER, "planned")))

    assert reasons(verdict) == [(6, "SAFEGUARD_NOT_ACTIVE")]


def test_the_longest_of_several_counts(wide_world: World) -> None:
    """Of two measures for one safeguard the later end decides."""
    other = replace(MEASURE, name="interimMeasures/2", until=LATER + 10)

    verdict = ask(wide_world, released(wide_world, other, MEASURE, r.Safeguard(FILTER, "planned")))

    assert verdict.valid_until == LATER + 10


def test_it_lasts_longer_than_an_attestation(wide_world: World) -> None:
    """Where the safeguard is active and the measure ends later, the verdict lasts as long as the measure."""
    short = r.Safeguard(FILTER, "active", attested_until=NOW + 5)
    state = released(wide_world, MEASURE, short)

    assert ask(wide_world, state).valid_until == LATER
    assert ask(wide_world, state, instant=NOW + 5).allowed
    assert not ask(wide_world, state, instant=LATER).allowed


def test_the_tree_names_the_measure(wide_world: World) -> None:
    """The requirement tree says what stands in, and grows to the same verdict."""
    state = released(wide_world, MEASURE, r.Safeguard(FILTER, "planned"))

    tree = grow_tree(wide_world.policy, state, MODEL, "api", ONE, NOW)

    assert tree.met
    assert not unmet_leaves(tree)
    assert [leaf.resource for leaf in tree.children[5].children if leaf.until == LATER] == ["interimMeasures/1"]
