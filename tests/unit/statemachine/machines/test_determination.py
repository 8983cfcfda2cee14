"""The determination machine: every old state by every report, confirm and rule out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.unmet import Code
from tests.support.world import DAY_US, World
from tests.unit.statemachine.steps import MODEL, NOW, outcome, step, with_model

NAME = f"{MODEL}/determinations/misuse"
ORDER = ("ruled_out", "cannot_rule_out", "reached")
SHADES = ("unconfirmed", "confirmed", "lapsed")
NO = Code.NO_SUCH_EDGE.value


def determination(conclusion: str, shade: str) -> r.Determination:
    """Return what is known, in one of its states."""
    if conclusion == "undetermined":
        return r.Determination(NAME)
    ends = {"unconfirmed": None, "confirmed": NOW + 1, "lapsed": NOW}[shade]
    return r.Determination(NAME, conclusion, shade != "unconfirmed", ends, 3, 4, 5)


OLD = [("undetermined", "unconfirmed"), *((conclusion, shade) for conclusion in ORDER for shade in SHADES)]


def reported(old: str, shade: str, new: str) -> str:
    """Return what a report gives, read off the design and not off the table."""
    if old == "undetermined":
        return f"{new}/unconfirmed"
    stricter = max(old, new, key=ORDER.index)
    if shade == "confirmed":
        return f"{new}/confirmed" if stricter != old else "settled"
    if shade == "unconfirmed" and stricter == old:
        return "settled"
    return f"{stricter}/unconfirmed"


@pytest.mark.parametrize(("old", "shade"), OLD)
@pytest.mark.parametrize("new", ORDER)
def test_report(old: str, shade: str, new: str, world: World) -> None:
    """A report only ever makes a determination stricter or less certain."""
    state = with_model(world, determination(old, shade))

    assert outcome(world, state, f.DeterminationReport(NAME, new)) == reported(old, shade, new)


@pytest.mark.parametrize(("old", "shade"), OLD)
@pytest.mark.parametrize("new", ORDER)
def test_report_never_confirms_nor_prolongs(old: str, shade: str, new: str, world: World) -> None:
    """Nobody confirms alone: what was not fresh stays so, and a fresh one keeps its end."""
    before = determination(old, shade)

    result = step(world, with_model(world, before), f.DeterminationReport(NAME, new))

    assert isinstance(result, Moved)
    after = result.state.determination(MODEL, "misuse")
    fresh = shade == "confirmed"
    assert after.confirmed == (fresh or (before.confirmed and after == before))
    assert after.lapses_at == (before.lapses_at if fresh or after == before else None)
    assert not (after.confirmed and not after.lapsed_at(NOW) and not fresh)


CONFIRM = {
    ("ruled_out", "unconfirmed"): "ruled_out/confirmed",
    ("cannot_rule_out", "unconfirmed"): "cannot_rule_out/confirmed",
    ("reached", "unconfirmed"): "reached/confirmed",
    ("cannot_rule_out", "confirmed"): "cannot_rule_out/confirmed",
    ("reached", "confirmed"): "reached/confirmed",
    ("cannot_rule_out", "lapsed"): "cannot_rule_out/confirmed",
    ("reached", "lapsed"): "reached/confirmed",
}


@pytest.mark.parametrize(("old", "shade"), OLD)
def test_confirm(old: str, shade: str, world: World) -> None:
    """Confirm needs an unconfirmed report, or renews what could not be ruled out."""
    state = with_model(world, determination(old, shade))

    assert outcome(world, state, f.DeterminationConfirm(NAME)) == CONFIRM.get((old, shade), NO)


@pytest.mark.parametrize(("old", "shade"), OLD)
def test_rule_out(old: str, shade: str, world: World) -> None:
    """Ruling out gives ruled_out, confirmed and fresh, from wherever it starts."""
    state = with_model(world, determination(old, shade))

    assert outcome(world, state, f.DeterminationRuleOut(NAME)) == "ruled_out/confirmed"


@pytest.mark.parametrize("firing", [f.DeterminationConfirm(NAME), f.DeterminationRuleOut(NAME)])
def test_a_settled_one_lapses_after_the_cadence(firing: f.Firing, world: World) -> None:
    """Confirm and rule out set the lapse instant to the apply time plus the threshold's cadence."""
    state = with_model(world, determination("reached", "unconfirmed"))

    result = step(world, state, firing)

    assert isinstance(result, Moved)
    after = result.state.determination(MODEL, "misuse")
    assert after.lapses_at == NOW + 180 * DAY_US
    assert (after.conclusion_by, after.confirmed_by, after.lapse_by) == (state.size,) * 3


def test_it_has_lapsed_from_that_instant_on(world: World) -> None:
    """Intervals are [from, until): at the lapse instant itself it has lapsed."""
    state = with_model(world, determination("ruled_out", "confirmed"))

    before = outcome(world, state, f.DeterminationReport(NAME, "ruled_out"), NOW)
    after = outcome(world, state, f.DeterminationReport(NAME, "ruled_out"), NOW + 1)

    assert (before, after) == ("settled", "ruled_out/unconfirmed")


def test_a_stricter_report_on_a_fresh_one_keeps_who_confirmed(world: World) -> None:
    """Confirmation and its positions are kept; only the conclusion is of this entry."""
    state = with_model(world, determination("ruled_out", "confirmed"))

    result = step(world, state, f.DeterminationReport(NAME, "reached"))

    assert isinstance(result, Moved)
    after = result.state.determination(MODEL, "misuse")
    assert (after.conclusion_by, after.confirmed_by, after.lapse_by) == (state.size, 4, 5)


def test_compute_at_confirmation_is_the_models(world: World) -> None:
    """A confirmation keeps the effective compute that was known then."""
    state = with_model(world, determination("reached", "unconfirmed"))
    state = state.put(replace(state.need(MODEL, r.Model), effective_compute="1e25"))

    result = step(world, state, f.DeterminationConfirm(NAME))

    assert isinstance(result, Moved)
    assert result.state.determination(MODEL, "misuse").compute_at_confirmation == "1e25"


def test_a_tracked_threshold_never_lapses(wide_world: World) -> None:
    """What is only watched has no cadence."""
    name = f"{MODEL}/determinations/watched"

    result = step(wide_world, with_model(wide_world), f.DeterminationRuleOut(name))

    assert isinstance(result, Moved)
    assert result.state.determination(MODEL, "watched").lapses_at is None


@pytest.mark.parametrize(
    ("firing", "code"),
    [
        (f.DeterminationReport(f"{MODEL}/determinations/unknown", "reached"), Code.THRESHOLD_UNKNOWN),
        (f.DeterminationConfirm("models/nobody/determinations/misuse"), Code.MODEL_UNKNOWN),
        (f.DeterminationRuleOut("models/gone/determinations/misuse"), Code.MODEL_RETIRED),
        (f.DeterminationReport(NAME, "reached", evidence=("evidence/9",)), Code.EVIDENCE_UNKNOWN),
        (f.DeterminationReport(NAME, "reached", "assessments/9"), Code.NOT_FOUND),
        (f.DeterminationReport(NAME, "undetermined"), Code.MALFORMED),
        (f.DeterminationReport(NAME, "unspecified"), Code.MALFORMED),
    ],
)
def test_refused(firing: f.Firing, code: Code, world: World) -> None:
    """Unknown thresholds, models, evidence, assessments and conclusions are refused with a code each."""
    state = with_model(world, r.Model("models/gone", "retired"))

    assert outcome(world, state, firing) == code


def assessment(**parts: object) -> r.Assessment:
    """Return an open assessment of the model by the threshold, or another."""
    return replace(r.Assessment("assessments/1", MODEL, ("misuse",)), **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        assessment(state="concluded"),
        assessment(state="abandoned"),
        assessment(model="models/other"),
        assessment(thresholds=("else",)),
    ],
)
def test_a_report_belongs_to_an_open_assessment_of_it(wrong: r.Assessment, world: World) -> None:
    """A report under an assessment that is over, of another model or of other thresholds is refused."""
    state = with_model(world, wrong)

    result = outcome(world, state, f.DeterminationReport(NAME, "reached", "assessments/1"))

    assert result == Code.REPORT_NOT_OF_ASSESSMENT


@pytest.mark.parametrize(("old", "shade"), [("undetermined", ""), ("reached", "confirmed"), ("reached", "unconfirmed")])
def test_a_report_is_noted_in_its_assessment(old: str, shade: str, world: World) -> None:
    """The assessment keeps the report's position, also where nothing moves."""
    state = with_model(world, determination(old, shade), assessment())

    result = step(world, state, f.DeterminationReport(NAME, "ruled_out", "assessments/1"))

    assert isinstance(result, Moved)
    assert result.state.need("assessments/1", r.Assessment).reports == (state.size,)
