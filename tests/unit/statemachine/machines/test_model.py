"""The model machine: register, add_artifact, record_run, retire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import DAY_US, World, sha256_of
from tests.unit.statemachine.steps import MODEL, NOW, outcome, step, with_model

ONE, TWO = sha256_of("one"), sha256_of("two")
GONE = r.Model("models/gone", "retired", (r.Artifact(TWO, 1),))
RUN = "evidence/1"


@pytest.mark.parametrize(
    ("firing", "expected"),
    [
        (f.ModelRegister("models/new"), "registered"),
        (f.ModelRegister("models/new", (sha256_of("new"),)), "registered"),
        (f.ModelRegister(MODEL), Code.NAME_TAKEN),
        (f.ModelRegister("models/gone"), Code.NAME_TAKEN),
        (f.ModelRegister("models/new", (ONE,)), Code.ARTIFACT_TAKEN),
        (f.ModelRegister("models/new", (TWO,)), Code.ARTIFACT_TAKEN),
        (f.ModelRegister("models/new", (ONE, TWO)), f"{Code.ARTIFACT_TAKEN} {Code.ARTIFACT_TAKEN}"),
        (f.ModelRegister("models/new", (sha256_of("x"), sha256_of("x"))), Code.MALFORMED),
        (f.ModelAddArtifact(MODEL, sha256_of("new")), "registered"),
        (f.ModelAddArtifact(MODEL, ONE), Code.ARTIFACT_TAKEN),
        (f.ModelAddArtifact(MODEL, TWO), Code.ARTIFACT_TAKEN),
        (f.ModelAddArtifact("models/gone", sha256_of("new")), Code.MODEL_RETIRED),
        (f.ModelAddArtifact("models/nobody", sha256_of("new")), Code.MODEL_UNKNOWN),
        (f.ModelRetire(MODEL), "retired"),
        (f.ModelRetire("models/gone"), "settled"),
        (f.ModelRetire("models/nobody"), Code.MODEL_UNKNOWN),
        (f.ModelRecordRun(MODEL, RUN), "registered"),
        (f.ModelRecordRun("models/gone", RUN), Code.MODEL_RETIRED),
        (f.ModelRecordRun("models/nobody", RUN), Code.MODEL_UNKNOWN),
        (f.ModelRecordRun(MODEL, "evidence/9"), Code.EVIDENCE_UNKNOWN),
        (f.ModelRecordRun(MODEL, "evidence/2"), Code.EVIDENCE_MISSING),
        (f.ModelRecordRun(MODEL, "evidence/3"), Code.EVIDENCE_MISSING),
    ],
)
def test_edge(firing: f.Firing, expected: str, world: World) -> None:
    """Each trigger leads where the design says, or is refused: names and digests belong to one model for ever."""
    documents = (
        run("1e25"),
        replace(run("1e25", "risk_report"), name="evidence/2"),
        replace(run(""), name="evidence/3"),
    )
    state = with_model(world, GONE, *documents, artifacts=(ONE,))

    assert outcome(world, state, firing) == expected


def run(compute: str, kind: str = "training_run_record") -> r.Evidence:
    """Return the record of a training run."""
    return r.Evidence(
        RUN,
        kind,
        b"",
        "text/plain",
        "00" * 32,
        1,
        "principals/evaluator",
        (),
        NOW,
        0,
        "internal",
        "",
        compute,
        NOW,
        NOW,
    )


def known(threshold: str, shade: str, compute: str = "") -> r.Determination:
    """Return a determination that is confirmed, lapsed or unconfirmed."""
    ends = {"unconfirmed": None, "confirmed": NOW + DAY_US, "lapsed": NOW - 1}[shade]
    name = f"{MODEL}/determinations/{threshold}"
    return r.Determination(name, "cannot_rule_out", shade != "unconfirmed", ends, 1, 1, 1, compute)


def test_a_name_taken_is_an_already_exists(world: World) -> None:
    """A taken name is its own kind of refusal."""
    result = step(world, with_model(world), f.ModelRegister(MODEL))

    assert isinstance(result, Refused)
    assert result.kind is RefusalKind.ALREADY_EXISTS


def test_a_later_artifact_lapses_what_was_confirmed(wide_world: World) -> None:
    """Every untracked, confirmed determination lapses at once: it was of other weights."""
    state = with_model(
        wide_world, known("misuse", "confirmed"), known("theft", "lapsed"), known("autonomy", "unconfirmed"),
        known("watched", "confirmed"),
    )  # fmt: skip

    result = step(wide_world, state, f.ModelAddArtifact(MODEL, ONE))

    assert isinstance(result, Moved)
    after = {name: result.state.determination(MODEL, name) for name in ("misuse", "theft", "autonomy", "watched")}
    assert after["misuse"].lapses_at == NOW
    assert after["misuse"].lapsed_at(NOW)
    assert after["theft"] == known("theft", "lapsed")
    assert after["autonomy"] == known("autonomy", "unconfirmed")
    assert after["watched"] == known("watched", "confirmed")


GROWTH = [
    # threshold, at confirmation, new run, lapses (misuse grows by 4, autonomy by 2.5, theft by nothing)
    ("misuse", "1e25", "3.999999e25", False),
    ("misuse", "1e25", "4e25", True),
    ("misuse", "1e25", "40000000000000000000000000", True),
    ("misuse", "1e25", "1e24", False),
    ("misuse", "", "1", True),
    ("misuse", "0", "0", True),
    ("autonomy", "1e25", "2.4999999999999999999999999999e25", False),
    ("autonomy", "1e25", "2.5e25", True),
    ("autonomy", "0.3", "0.75", True),
    ("theft", "1e25", "1e30", False),
]


@pytest.mark.parametrize(("threshold", "before", "now", "lapses"), GROWTH)
def test_compute_that_has_grown_lapses(threshold: str, before: str, now: str, lapses: bool, wide_world: World) -> None:  # noqa: FBT001  # a table's column
    """A run at or past the pack's growth lapses the determination, exactly; no figure then is growth."""
    state = with_model(wide_world, known(threshold, "confirmed", before), run(now))

    result = step(wide_world, state, f.ModelRecordRun(MODEL, RUN))

    assert isinstance(result, Moved)
    assert result.state.determination(MODEL, threshold).lapsed_at(NOW) == lapses


@pytest.mark.parametrize("shade", ["lapsed", "unconfirmed"])
def test_a_run_leaves_what_is_not_fresh(shade: str, wide_world: World) -> None:
    """A lapse instant that has passed is not moved, and what is unconfirmed has none."""
    state = with_model(wide_world, known("misuse", shade, "1"), run("1e30"))

    result = step(wide_world, state, f.ModelRecordRun(MODEL, RUN))

    assert isinstance(result, Moved)
    assert result.state.determination(MODEL, "misuse") == known("misuse", shade, "1")


def test_a_tightening_lapse_keeps_who_gave_the_lapse_instant(wide_world: World) -> None:
    """The run's entry is not what taint follows; a later artifact's is."""
    state = with_model(wide_world, known("misuse", "confirmed", "1"), run("1e30"))

    lapsed = step(wide_world, state, f.ModelRecordRun(MODEL, RUN))
    other = step(wide_world, state, f.ModelAddArtifact(MODEL, ONE))

    assert isinstance(lapsed, Moved)
    assert isinstance(other, Moved)
    assert lapsed.state.determination(MODEL, "misuse").lapse_by == 1
    assert other.state.determination(MODEL, "misuse").lapse_by == state.size


@pytest.mark.parametrize(
    ("first", "then", "kept"), [("1e25", "1e24", "1e25"), ("1e24", "1e25", "1e25"), ("1", "1.0", "1")]
)
def test_the_model_keeps_the_most(first: str, then: str, kept: str, wide_world: World) -> None:
    """Effective compute never goes down."""
    state = with_model(wide_world, run(then))
    state = state.put(replace(state.need(MODEL, r.Model), effective_compute=first))

    result = step(wide_world, state, f.ModelRecordRun(MODEL, RUN))

    assert isinstance(result, Moved)
    assert result.state.need(MODEL, r.Model).effective_compute == kept
