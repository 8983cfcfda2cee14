"""The assessment and hold machines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code
from tests.unit.statemachine.steps import MODEL, NOW, outcome, step, with_model

if TYPE_CHECKING:
    from tests.support.world import World

OPEN = r.Assessment("assessments/1", MODEL, ("misuse",), reports=(3, 5))
ENDS: Final[dict[str, f.Firing]] = {
    "conclude": f.AssessmentConclude("assessments/1"),
    "abandon": f.AssessmentAbandon("assessments/1"),
}


@pytest.mark.parametrize(
    ("state", "end", "expected"),
    [
        ("open", "conclude", "concluded"),
        ("open", "abandon", "abandoned"),
        *((state, end, Code.NO_SUCH_EDGE) for state in ("concluded", "abandoned") for end in ENDS),
        ("", "conclude", Code.NOT_FOUND),
        ("", "abandon", Code.NOT_FOUND),
    ],
)
def test_an_assessment_ends_once(state: str, end: str, expected: str, world: World) -> None:
    """Only an open assessment ends, and only once."""
    resources = (replace(OPEN, state=state),) if state else ()

    assert outcome(world, with_model(world, *resources), ENDS[end]) == expected


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ((), "concluded"),
        (("entries/3",), "concluded"),
        (("entries/5", "entries/3"), "concluded"),
        (("entries/4",), Code.REPORT_NOT_OF_ASSESSMENT),
        (("entries/3", "entries/4"), Code.REPORT_NOT_OF_ASSESSMENT),
        (("entries/x",), Code.MALFORMED),
        (("entries/03",), Code.MALFORMED),
        (("entries/\u0663",), Code.MALFORMED),
        (("3",), Code.MALFORMED),
        (("entries/3", "entries/3"), Code.MALFORMED),
    ],
)
def test_conclude_names_reports_made_under_it(reports: tuple[str, ...], expected: str, world: World) -> None:
    """Conclude names reports by entry, each made under this assessment and named once."""
    assert outcome(world, with_model(world, OPEN), f.AssessmentConclude("assessments/1", reports)) == expected


@pytest.mark.parametrize(
    ("firing", "expected"),
    [
        (f.AssessmentOpen(MODEL, ("misuse",)), "open"),
        (f.AssessmentOpen(MODEL, ("unknown",)), Code.THRESHOLD_UNKNOWN),
        (f.AssessmentOpen(MODEL, ("misuse", "misuse")), Code.MALFORMED),
        (f.AssessmentOpen(MODEL, ()), Code.MALFORMED),
        (f.AssessmentOpen("models/nobody", ("misuse",)), Code.MODEL_UNKNOWN),
        (f.AssessmentOpen("models/gone", ("misuse",)), Code.MODEL_RETIRED),
    ],
)
def test_open(firing: f.Firing, expected: str, world: World) -> None:
    """An assessment is of a registered model, by thresholds of the policy."""
    assert outcome(world, with_model(world, r.Model("models/gone", "retired")), firing) == expected


def test_an_open_assessment_leaves_determinations_standing(world: World) -> None:
    """Opening one changes nothing about what is determined."""
    known = r.Determination(f"{MODEL}/determinations/misuse", "ruled_out", confirmed=True, lapses_at=NOW + 1)

    result = step(world, with_model(world, known), f.AssessmentOpen(MODEL, ("misuse",)))

    assert isinstance(result, Moved)
    assert result.state.determination(MODEL, "misuse") == known


def test_numbers_are_dense(world: World) -> None:
    """Assessments and holds number themselves from 1, without gaps."""
    state = with_model(world)
    for _ in range(2):
        for firing in (f.AssessmentOpen(MODEL, ("misuse",)), f.HoldPlace(MODEL)):
            result = step(world, state, firing)
            assert isinstance(result, Moved)
            state = result.state.after_entry(NOW)

    assert [state.next_name(kind) for kind in ("assessments", "holds")] == ["assessments/3", "holds/3"]
    assert state.find("holds/2", r.Hold) is not None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (MODEL, "placed"),
        ("models/gone", "placed"),
        (EVERYTHING, "placed"),
        ("models/nobody", Code.MODEL_UNKNOWN),
        ("", Code.MALFORMED),
        ("safeguards/classifier", Code.MALFORMED),
    ],
)
def test_place(target: str, expected: str, world: World) -> None:
    """A hold is on a model, retired or not, or on everything."""
    assert outcome(world, with_model(world, r.Model("models/gone", "retired")), f.HoldPlace(target)) == expected


def test_each_hold_is_its_own(world: World) -> None:
    """A second hold on the same model is another resource; lifting one leaves the other."""
    state = with_model(world, r.Hold("holds/1", MODEL), r.Hold("holds/2", MODEL), r.Hold("holds/3", EVERYTHING))

    result = step(world, state, f.HoldLift("holds/1"))

    assert isinstance(result, Moved)
    assert result.state.holds_on(MODEL) == ("holds/2", "holds/3")
    assert result.state.holds_on("models/other") == ("holds/3",)


@pytest.mark.parametrize(
    ("hold", "expected"), [("holds/1", "lifted"), ("holds/2", Code.NO_SUCH_EDGE), ("holds/3", Code.NOT_FOUND)]
)
def test_lift(hold: str, expected: str, world: World) -> None:
    """Only a placed hold is lifted."""
    state = with_model(world, r.Hold("holds/1", MODEL), r.Hold("holds/2", MODEL, "lifted"))

    assert outcome(world, state, f.HoldLift(hold)) == expected
