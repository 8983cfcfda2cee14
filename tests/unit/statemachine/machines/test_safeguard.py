"""The safeguard machine, edge by edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines.step import Moved
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import DAY_US, World, codes
from tests.unit.statemachine.steps import MODEL, NOW, outcome, step, with_model

NAME = f"{MODEL}/safeguards/input-filter"
SHARED = "safeguards/classifier"
NO = Code.NO_SUCH_EDGE.value
SETTLED = "settled"

STATES = {
    "planned": r.Safeguard(NAME),
    "implementing": r.Safeguard(NAME, "implementing"),
    "verified": r.Safeguard(NAME, "verified"),
    "active": r.Safeguard(NAME, "active", attested_until=NOW + DAY_US),
    "degraded": r.Safeguard(NAME, "degraded", attested_until=NOW + DAY_US),
    "suspended(implementing)": r.Safeguard(NAME, "suspended", "implementing"),
    "suspended(verified)": r.Safeguard(NAME, "suspended", "verified"),
    "suspended(active)": r.Safeguard(NAME, "suspended", "active", NOW + DAY_US),
    "suspended(degraded)": r.Safeguard(NAME, "suspended", "degraded", NOW + DAY_US),
    "retired": r.Safeguard(NAME, "retired"),
}
TRIGGERS: Final[dict[str, f.Firing]] = {
    "start": f.SafeguardStart(NAME),
    "verify": f.SafeguardVerify(NAME, ("evidence/1",)),
    "activate": f.SafeguardActivate(NAME),
    "reattest": f.SafeguardReattest(NAME, ("evidence/1",)),
    "degrade": f.SafeguardDegrade(NAME),
    "restore": f.SafeguardRestore(NAME),
    "suspend": f.SafeguardSuspend(NAME),
    "resume": f.SafeguardResume(NAME),
    "retire": f.SafeguardRetire(NAME),
    "replan": f.SafeguardReplan(NAME),
}
REMEMBERED = ("implementing", "verified", "active", "degraded")
EXPECTED = {
    "planned": {"start": "implementing", "retire": "retired"},
    "implementing": {"verify": "verified", "retire": "retired", "replan": "planned"},
    "verified": {
        "activate": "active",
        "degrade": "implementing",
        "suspend": "suspended(verified)",
        "retire": "retired",
        "replan": "planned",
    },
    "active": {
        "reattest": "active",
        "degrade": "degraded",
        "suspend": "suspended(active)",
        "retire": "retired",
    },
    "degraded": {
        "reattest": "degraded",
        "degrade": SETTLED,
        "restore": "active",
        "suspend": "suspended(degraded)",
        "retire": "retired",
    },
    **{
        f"suspended({stage})": {
            "resume": stage,
            "suspend": SETTLED,
            "retire": "retired",
            "replan": "planned",
            "degrade": {"active": "suspended(degraded)", "verified": "suspended(implementing)"}.get(stage, SETTLED),
        }
        for stage in REMEMBERED
    },
    "retired": {"retire": SETTLED, "replan": "planned"},
}
CASES = [(state, trigger, EXPECTED[state].get(trigger, NO)) for state in STATES for trigger in TRIGGERS]


def report(kind: str = "red_team_report", made_at: int = NOW) -> r.Evidence:
    """Return a document that shows that something works."""
    return r.Evidence(
        "evidence/1", kind, b"", "text/plain", "00" * 32, 1, "principals/engineer", (), made_at, 0,
        "internal", "", "", made_at, made_at,
    )  # fmt: skip


@pytest.mark.parametrize(("state", "trigger", "expected"), CASES)
def test_edge(state: str, trigger: str, expected: str, world: World) -> None:
    """From each state each trigger leads where the design says, or is refused."""
    known = replace(STATES[state], evidence=("evidence/1",))

    result = outcome(world, with_model(world, known, report()), TRIGGERS[trigger])

    assert result == expected


def test_a_refused_edge_says_from_where_it_leads(world: World) -> None:
    """Regression: "needs safeguard.degrade needs …". What is asked for names the states, and nobody asks twice."""
    result = step(world, with_model(world, STATES["planned"]), TRIGGERS["degrade"])

    assert isinstance(result, Refused)
    [unmet] = result.unmet
    assert (unmet.code, unmet.actual) == (Code.NO_SUCH_EDGE, "planned")
    assert "needs" not in unmet.requirement
    assert unmet.requirement == "it to be active, verified, suspended (was active) or suspended (was verified)"


@pytest.mark.parametrize("stage", ["verified", "active", "degraded"])
def test_suspended_remembers_and_resumes_never_further(stage: str, world: World) -> None:
    """What is suspended returns to what it was, with the same end of its attestation."""
    known = replace(STATES[stage], evidence=("evidence/1",))
    suspended = step(world, with_model(world, known), TRIGGERS["suspend"])
    assert isinstance(suspended, Moved)

    resumed = step(world, suspended.state.after_entry(NOW), TRIGGERS["resume"], NOW + 1)

    assert isinstance(resumed, Moved)
    after = resumed.state.safeguard(NAME)
    assert (after.stage, after.remembers, after.attested_until) == (stage, "", known.attested_until)


def test_degraded_while_suspended_is_degraded_when_resumed(world: World) -> None:
    """A degrade while suspended is remembered: resume gives degraded, not active."""
    state = with_model(world, STATES["suspended(active)"])
    degraded = step(world, state, TRIGGERS["degrade"])
    assert isinstance(degraded, Moved)

    assert outcome(world, degraded.state.after_entry(NOW), TRIGGERS["resume"], NOW + 1) == "degraded"


def test_activation_attests_for_as_long_as_the_policy_says(world: World) -> None:
    """The attestation of an activated safeguard ends at the entry's instant plus the pack's figure."""
    known = replace(STATES["verified"], evidence=("evidence/1",))

    result = step(world, with_model(world, known, report()), TRIGGERS["activate"])

    assert isinstance(result, Moved)
    assert result.state.safeguard(NAME).attested_until == NOW + 180 * DAY_US


@pytest.mark.parametrize("state", ["active", "degraded"])
def test_reattest_gives_a_new_end_and_the_same_state(state: str, world: World) -> None:
    """A new attestation replaces evidence and end, also where the old one had run out."""
    known = replace(STATES[state], attested_until=NOW - 1, evidence=("evidence/9",))

    result = step(world, with_model(world, known, report()), TRIGGERS["reattest"])

    assert isinstance(result, Moved)
    after = result.state.safeguard(NAME)
    assert (after.stage, after.attested_until, after.evidence) == (state, NOW + 180 * DAY_US, ("evidence/1",))


def test_restore_keeps_the_end(world: World) -> None:
    """Restoring does not attest anew."""
    result = step(world, with_model(world, STATES["degraded"]), TRIGGERS["restore"])

    assert isinstance(result, Moved)
    assert result.state.safeguard(NAME).attested_until == STATES["degraded"].attested_until


@pytest.mark.parametrize("trigger", ["degrade", "suspend"])
def test_tightening_keeps_who_activated(trigger: str, world: World) -> None:
    """A tightening trigger keeps the positions of the loosening entries that gave the facts."""
    known = replace(STATES["active"], active_by=7, attested_by=8)

    result = step(world, with_model(world, known), TRIGGERS[trigger])

    assert isinstance(result, Moved)
    after = result.state.safeguard(NAME)
    assert (after.active_by, after.attested_by) == (7, 8)


@pytest.mark.parametrize("trigger", ["verify", "reattest"])
@pytest.mark.parametrize(
    ("documents", "named", "expected"),
    [
        ((), (), {Code.EVIDENCE_MISSING}),
        ((), ("evidence/1",), {Code.EVIDENCE_MISSING, Code.EVIDENCE_UNKNOWN}),
        ((report("risk_report"),), ("evidence/1",), {Code.EVIDENCE_MISSING}),
        ((report(made_at=NOW - 90 * DAY_US),), ("evidence/1",), {Code.EVIDENCE_STALE}),
        ((report(made_at=NOW - 90 * DAY_US + 1),), ("evidence/1",), set()),
        ((replace(report(), valid_until=NOW),), ("evidence/1",), {Code.EVIDENCE_EXPIRED}),
        ((replace(report(), valid_until=NOW + 1),), ("evidence/1",), set()),
    ],
)
def test_what_shows_that_it_works(
    trigger: str, documents: tuple[r.Evidence, ...], named: tuple[str, ...], expected: set[Code], world: World
) -> None:
    """Verify and reattest take evidence of the right kind that is fresh at the instant."""
    state = with_model(world, STATES["implementing" if trigger == "verify" else "active"], *documents)
    firing = f.SafeguardVerify(NAME, named) if trigger == "verify" else f.SafeguardReattest(NAME, named)

    result = step(world, state, firing)

    found = {unmet.code for unmet in result.unmet} if isinstance(result, Refused) else set()
    assert found == expected


def test_evidence_is_judged_again_when_activated(world: World) -> None:
    """What was fresh when it verified may be too old when it activates."""
    known = replace(STATES["verified"], evidence=("evidence/1",))

    result = outcome(world, with_model(world, known, report(made_at=NOW - 90 * DAY_US)), TRIGGERS["activate"])

    assert result == Code.EVIDENCE_STALE


def test_retire_is_refused_while_a_level_leans_on_it(world: World) -> None:
    """A commitment of an assigned level can't be retired, and the refusal names the model."""
    level = r.Level(f"{MODEL}/levels/deployment", "confirmed", "guarded")

    result = step(world, with_model(world, level, STATES["active"]), TRIGGERS["retire"])

    assert isinstance(result, Refused)
    assert [unmet.code for unmet in result.unmet] == [Code.SAFEGUARD_LEANED_ON]
    assert MODEL in result.unmet[0].actual


def test_a_shared_safeguard_leans_on_all_models(wide_world: World) -> None:
    """Retiring a shared safeguard names every model whose level lists it, and no other."""
    state = with_model(wide_world, r.Level(f"{MODEL}/levels/deployment", "confirmed", "guarded"))
    state = state.put(r.Model("models/n")).put(r.Level("models/n/levels/deployment", "provisional", "strict"))
    state = state.put(r.Model("models/o")).put(r.Level("models/o/levels/deployment", "confirmed", "basic"))
    state = state.put(r.Model("models/p", "retired")).put(r.Level("models/p/levels/deployment", "confirmed", "guarded"))

    result = step(wide_world, state, f.SafeguardRetire(SHARED))

    assert isinstance(result, Refused)
    assert result.unmet[0].code is Code.SAFEGUARD_LEANED_ON
    assert result.unmet[0].actual.endswith("models/m, models/n")


def test_a_recommendation_is_leaned_on_by_nobody(wide_world: World) -> None:
    """What only recommends can be retired whatever the level."""
    name = f"{MODEL}/safeguards/tips"
    level = r.Level(f"{MODEL}/levels/deployment", "confirmed", "guarded")

    assert outcome(wide_world, with_model(wide_world, level), f.SafeguardRetire(name)) == "retired"


def test_a_replaced_safeguard_is_leaned_on_by_nobody(wide_world: World) -> None:
    """Where a higher level's safeguard replaces a lower one's, the lower one can go."""
    level = r.Level(f"{MODEL}/levels/deployment", "confirmed", "strict")

    assert outcome(wide_world, with_model(wide_world, level), f.SafeguardRetire(NAME)) == "retired"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (f"{MODEL}/safeguards/unknown", Code.SAFEGUARD_UNKNOWN),
        ("safeguards/input-filter", Code.SAFEGUARD_UNKNOWN),
        (f"{MODEL}/safeguards/classifier", Code.SAFEGUARD_UNKNOWN),
        ("safeguards/unknown", Code.SAFEGUARD_UNKNOWN),
        ("models/nobody/safeguards/input-filter", Code.MODEL_UNKNOWN),
        ("models/gone/safeguards/input-filter", Code.MODEL_RETIRED),
    ],
)
def test_names_that_are_no_safeguard(name: str, code: Code, wide_world: World) -> None:
    """A shared one is not a model's, a model's is not shared, and models must be in use."""
    state = with_model(wide_world, r.Model("models/gone", "retired"))

    assert outcome(wide_world, state, f.SafeguardStart(name)) == code


def test_retired_starts_over_with_nothing(world: World) -> None:
    """Replanned after retirement it has no evidence, no attestation and no memory."""
    known = replace(STATES["retired"], evidence=("evidence/1",), attested_until=NOW, remembers="active")

    result = step(world, with_model(world, known), TRIGGERS["replan"])

    assert isinstance(result, Moved)
    after = result.state.safeguard(NAME)
    assert (after.stage, after.evidence, after.attested_until, after.remembers) == ("planned", (), None, "")


def test_settled_writes_nothing(world: World) -> None:
    """A degrade of what is degraded is an entry that writes no resource."""
    state = with_model(world, STATES["degraded"])

    result = step(world, state, TRIGGERS["degrade"])

    assert isinstance(result, Moved)
    assert result.state.writes == ()


def test_refusal_of_a_missing_edge_says_what_is_there(world: World) -> None:
    """The refusal names where the trigger can fire and where the resource is."""
    result = step(world, with_model(world), TRIGGERS["restore"])

    assert isinstance(result, Refused)
    assert (result.kind, codes(result)) == (RefusalKind.UNMET, [NO])
    assert (result.unmet[0].resource, result.unmet[0].actual) == (NAME, "planned")
