"""The ALLOW rule by its numbers: each alone, all at once, and what time does to it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from interlock.statemachine import resources as r
from interlock.statemachine.blocking import open_duties
from interlock.statemachine.explain import Verdict, explain
from interlock.statemachine.levels import leaning_models, required_level
from interlock.statemachine.policy.model import EvidenceNeed, Obligation
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.unmet import Code
from tests.support.world import DAY_US, sha256_of
from tests.unit.statemachine.steps import MODEL, NOW, with_model

if TYPE_CHECKING:
    from interlock.statemachine.state import State
    from tests.support.world import World

ONE = sha256_of("one")
END = NOW + 1000
THRESHOLDS = ("misuse", "theft", "autonomy", "extreme")


def released(world: World, *others: r.Resource) -> State:
    """Return a state in which the model may be released to ``api`` at guarded, with some resources as given."""
    resources: list[r.Resource] = [
        r.Determination(f"{MODEL}/determinations/{t}", "ruled_out", confirmed=True, lapses_at=END) for t in THRESHOLDS
    ]
    resources += [r.Level(f"{MODEL}/levels/{s}", "confirmed", "guarded") for s in ("deployment", "security")]
    resources += [
        r.Safeguard(name, "active", attested_until=END)
        for name in (f"{MODEL}/safeguards/input-filter", "safeguards/classifier", f"{MODEL}/safeguards/weights-lock")
    ]
    resources.append(r.Safeguard(f"{MODEL}/safeguards/tips", "active", attested_until=END - 10))
    return with_model(world, *resources, *others, artifacts=(ONE,))


def ask(world: World, state: State, context: str = "api", artifact: str = ONE, instant: int = NOW) -> Verdict:
    """Ask about the model."""
    return explain(world.policy, state, MODEL, context, artifact, instant)


def reasons(verdict: Verdict) -> list[tuple[int, str]]:
    """Return rule number and code of every reason."""
    return [(reason.rule, reason.code.value) for reason in verdict.reasons]


def determination(
    threshold: str, conclusion: str, ends: int | None = END, *, confirmed: bool = True
) -> r.Determination:
    """Return what is determined by a threshold."""
    return r.Determination(f"{MODEL}/determinations/{threshold}", conclusion, confirmed=confirmed, lapses_at=ends)


def test_allow(wide_world: World) -> None:
    """Where every rule holds there is no reason, and no advice."""
    verdict = ask(wide_world, released(wide_world))

    assert (verdict.allowed, verdict.reasons, verdict.advisories) == (True, (), ())


FILTER, CLASSIFIER = f"{MODEL}/safeguards/input-filter", "safeguards/classifier"
ONE_BY_ONE: list[tuple[r.Resource, list[tuple[int, str]]]] = [
    (r.Model(MODEL, "retired", (r.Artifact(ONE, 2),)), [(2, Code.MODEL_RETIRED)]),
    (r.Model(MODEL), [(2, Code.ARTIFACT_UNKNOWN)]),
    (r.Hold("holds/1", MODEL), [(3, Code.HOLD_PLACED)]),
    (r.Hold("holds/1", EVERYTHING), [(3, Code.HOLD_PLACED)]),
    (r.Hold("holds/1", "models/other"), []),
    (r.Hold("holds/1", MODEL, "lifted"), []),
    (determination("misuse", "undetermined", None, confirmed=False), [(4, Code.DETERMINATION_MISSING)]),
    (determination("misuse", "ruled_out", None, confirmed=False), [(4, Code.DETERMINATION_UNCONFIRMED)]),
    (determination("misuse", "ruled_out", NOW), [(4, Code.DETERMINATION_LAPSED)]),
    (determination("misuse", "ruled_out", NOW + 1), []),
    (determination("misuse", "cannot_rule_out"), []),
    (determination("autonomy", "cannot_rule_out"), [(5, Code.LEVEL_TOO_LOW), (5, Code.LEVEL_TOO_LOW)]),
    (determination("autonomy", "reached"), [(5, Code.LEVEL_TOO_LOW), (5, Code.LEVEL_TOO_LOW)]),
    (determination("extreme", "reached"), [(5, Code.LEVEL_TOO_LOW)]),
    (determination("watched", "reached"), []),
    (r.Level(f"{MODEL}/levels/security", "confirmed", "basic"), []),
    (r.Level(f"{MODEL}/levels/security"), [(5, Code.LEVEL_UNASSIGNED)]),
    (r.Level(f"{MODEL}/levels/security", "confirmed", "legacy"), [(5, Code.LEVEL_UNASSIGNED)]),
    (r.Level(f"{MODEL}/levels/security", "provisional", "guarded"), []),
    (r.Safeguard(FILTER), [(6, Code.SAFEGUARD_NOT_ACTIVE)]),
    (r.Safeguard(FILTER, "degraded", attested_until=END), [(6, Code.SAFEGUARD_NOT_ACTIVE)]),
    (
        r.Safeguard(FILTER, "degraded", attested_until=NOW),
        [(6, Code.SAFEGUARD_NOT_ACTIVE), (6, Code.ATTESTATION_ENDED)],
    ),
    (r.Safeguard(FILTER, "active", attested_until=NOW), [(6, Code.ATTESTATION_ENDED)]),
    (r.Safeguard(FILTER, "active", attested_until=NOW + 1), []),
    (r.Safeguard(FILTER, "suspended", "active", attested_until=END), [(6, Code.SAFEGUARD_NOT_ACTIVE)]),
    (r.Safeguard(CLASSIFIER, "degraded", attested_until=END), [(6, Code.SAFEGUARD_NOT_ACTIVE)]),
    (r.Safeguard(f"{MODEL}/safeguards/tips"), []),
    (r.Safeguard(f"{MODEL}/safeguards/weights-vault"), []),
    (r.Safeguard("models/other/safeguards/input-filter", "degraded"), []),
]


@pytest.mark.parametrize(("other", "expected"), ONE_BY_ONE)
def test_each_rule_alone(other: r.Resource, expected: list[tuple[int, str]], wide_world: World) -> None:
    """One fact that is not as it must be gives its own reason with its rule's number, and no other."""
    verdict = ask(wide_world, released(wide_world, other))

    assert reasons(verdict) == expected
    assert verdict.allowed == (not expected)


def test_all_reasons_at_once(wide_world: World) -> None:
    """A DENY lists everything that fails, in the order of the rules."""
    state = with_model(wide_world, r.Hold("holds/1", MODEL), r.Hold("holds/2", EVERYTHING))

    verdict = ask(wide_world, state, artifact="")

    assert reasons(verdict) == [
        (2, Code.ARTIFACT_REQUIRED),
        (3, Code.HOLD_PLACED),
        (3, Code.HOLD_PLACED),
        *[(4, Code.DETERMINATION_MISSING)] * 4,
        *[(5, Code.LEVEL_UNASSIGNED)] * 2,
    ]


@pytest.mark.parametrize(
    ("context", "model", "expected"),
    [("nowhere", MODEL, (1, Code.CONTEXT_UNKNOWN)), ("api", "models/nobody", (2, Code.MODEL_UNKNOWN))],
)
def test_unknown_names_are_reasons(context: str, model: str, expected: tuple[int, str], wide_world: World) -> None:
    """What nobody knows is denied, not an error."""
    verdict = explain(wide_world.policy, released(wide_world), model, context, ONE, NOW)

    assert reasons(verdict) == [expected]


@pytest.mark.parametrize(("artifact", "allowed"), [("", True), (ONE, True), (sha256_of("other"), False)])
def test_an_artifact_that_is_named_must_be_its_own(artifact: str, allowed: bool, wide_world: World) -> None:  # noqa: FBT001  # a table's column
    """Where the context asks for none, one that the caller names must still be the model's."""
    assert ask(wide_world, released(wide_world), "internal", artifact).allowed == allowed


def test_a_context_needs_only_its_own_thresholds(wide_world: World) -> None:
    """What the context does not read may be undetermined; the standards that don't apply there as well."""
    state = released(
        wide_world,
        determination("theft", "undetermined", None, confirmed=False),
        r.Level(f"{MODEL}/levels/security"),
        r.Safeguard(FILTER, "degraded"),
    )

    assert ask(wide_world, state, "internal").allowed
    assert not ask(wide_world, state, "api").allowed


def test_recommendations_are_advice_only(wide_world: World) -> None:
    """A recommended safeguard that is not in force is an advisory and never a reason."""
    verdict = ask(wide_world, released(wide_world, r.Safeguard(f"{MODEL}/safeguards/tips", "degraded")))

    assert verdict.allowed
    assert [advice.code for advice in verdict.advisories] == [Code.SAFEGUARD_NOT_ACTIVE, Code.ATTESTATION_ENDED]


def test_listed_only_while_its_cause_stands(wide_world: World) -> None:
    """A safeguard ``for`` a threshold is listed while that can't be ruled out, in its context only."""
    strict = [r.Level(f"{MODEL}/levels/{s}", "confirmed", "strict") for s in ("deployment", "security")]
    without = ask(wide_world, released(wide_world, *strict), "internal")
    caused = ask(wide_world, released(wide_world, *strict, determination("autonomy", "reached")), "internal")

    assert without.allowed
    assert [reason.resource for reason in caused.reasons] == [f"{MODEL}/safeguards/autonomy-case"]


def test_a_higher_level_replaces(wide_world: World) -> None:
    """At strict the output filter stands in place of the input filter; the rest of guarded stays listed."""
    strict = r.Level(f"{MODEL}/levels/deployment", "confirmed", "strict")

    verdict = ask(wide_world, released(wide_world, strict, r.Safeguard(FILTER)))

    assert [reason.resource for reason in verdict.reasons] == [f"{MODEL}/safeguards/output-filter"]


def test_lapsed_goes_on_asking(wide_world: World) -> None:
    """A lapsed determination denies and still asks for the level that it asked for."""
    state = released(wide_world, determination("autonomy", "reached", NOW))

    assert [code for _, code in reasons(ask(wide_world, state))] == [
        Code.DETERMINATION_LAPSED,
        Code.LEVEL_TOO_LOW,
        Code.LEVEL_TOO_LOW,
    ]


def test_valid_until_is_the_first_moment_that_turns_it(wide_world: World) -> None:
    """An ALLOW ends at the first lapse or end of a commitment's attestation, not at a recommendation's."""
    state = released(wide_world, determination("theft", "ruled_out", END - 5))

    verdict = ask(wide_world, state)

    assert (verdict.valid_until, verdict.stable_until) == (END - 5, END - 10)
    assert ask(wide_world, state, instant=END - 6).allowed
    assert not ask(wide_world, state, instant=END - 5).allowed


def test_a_deny_has_no_end(wide_world: World) -> None:
    """Time alone never turns DENY into ALLOW; its reasons may still change."""
    verdict = ask(wide_world, released(wide_world, r.Hold("holds/1", MODEL)))

    assert (verdict.valid_until, verdict.stable_until) == (None, END - 10)


@pytest.mark.parametrize("instant", [NOW, END - 11, END - 10, END - 1, END, END + 1, 2**62])
def test_time_alone_never_loosens(instant: int, wide_world: World) -> None:
    """Whatever is denied now is denied later as long as nothing is written."""
    for other, expected in ONE_BY_ONE:
        if expected:
            assert not ask(wide_world, released(wide_world, other), instant=instant).allowed


@pytest.mark.parametrize(
    ("said", "deployment", "security"),
    [
        ({}, "basic", "basic"),
        ({"misuse": "cannot_rule_out"}, "guarded", "basic"),
        ({"misuse": "reached"}, "guarded", "basic"),
        ({"theft": "reached"}, "basic", "guarded"),
        ({"autonomy": "cannot_rule_out", "misuse": "reached"}, "strict", "strict"),
        ({"extreme": "cannot_rule_out", "autonomy": "reached"}, "sealed", "strict"),
        ({"watched": "reached"}, "basic", "basic"),
    ],
)
def test_required_level(said: dict[str, str], deployment: str, security: str, wide_world: World) -> None:
    """Required is the most that the thresholds ask for in a standard, else the baseline; a stub can be required."""
    state = with_model(wide_world, *(determination(t, conclusion) for t, conclusion in said.items()))

    found = [required_level(wide_world.policy, state, MODEL, s) for s in ("deployment", "security")]

    assert found == [deployment, security]


def test_an_unconfirmed_report_asks_at_once(wide_world: World) -> None:
    """What is only reported already raises the required level."""
    state = with_model(wide_world, determination("autonomy", "reached", None, confirmed=False))

    assert required_level(wide_world.policy, state, MODEL, "deployment") == "strict"


def test_leaning_models_of_an_own_safeguard(wide_world: World) -> None:
    """Only the model itself leans on its own safeguard, while registered and at a level that lists it."""
    state = released(wide_world)
    retired = state.put(replace(state.need(MODEL, r.Model), state="retired"))

    assert leaning_models(wide_world.policy, state, FILTER) == (MODEL,)
    assert leaning_models(wide_world.policy, retired, FILTER) == ()
    assert leaning_models(wide_world.policy, state, f"{MODEL}/safeguards/output-filter") == ()


OWED = "obligations/owed-report"
EVERY = 60 * DAY_US


def owing(world: World, *others: r.Resource, blocking: bool = True) -> tuple[World, State]:
    """Return a world whose policy obliges to a report, and a state in which its first period ended just now."""
    spec = Obligation("owed-report", "", EVERY, EvidenceNeed("risk_report", None), blocking, None, True, None)  # noqa: FBT003
    policy = replace(world.policy, obligations=MappingProxyType({spec.id: spec}))
    grid = r.Obligation(OWED, ((1, NOW - EVERY, EVERY),))
    return replace(world, policy=policy), released(world, grid, *others)


@pytest.mark.parametrize(
    ("period", "instant", "overdue"),
    [
        (r.Period(f"{OWED}/periods/1"), NOW - 1, False),
        (r.Period(f"{OWED}/periods/1"), NOW, True),
        (r.Period(f"{OWED}/periods/1", "fulfilled"), NOW, False),
        (r.Period(f"{OWED}/periods/1", "waived", waived_until=NOW + 1), NOW, False),
        (r.Period(f"{OWED}/periods/1", "waived", waived_until=NOW + 1), NOW + 1, True),
    ],
)
def test_rule_7_overdue(period: r.Period, instant: int, overdue: bool, wide_world: World) -> None:  # noqa: FBT001
    """A period of an obligation that blocks denies from its end on, unless fulfilled, or waived until later."""
    world, state = owing(wide_world, period)

    assert reasons(ask(world, state, instant=instant)) == [(7, "OBLIGATION_OVERDUE")] * overdue


def test_rule_7_advises_where_it_does_not_block(wide_world: World) -> None:
    """An obligation that does not block is an advisory once overdue, and never a reason."""
    world, state = owing(wide_world, blocking=False)
    verdict = ask(world, state)

    assert verdict.allowed
    assert [advice.code for advice in verdict.advisories] == [Code.OBLIGATION_OVERDUE]


def test_rule_7_counts_in_valid_until(wide_world: World) -> None:
    """The verdict lasts to the next end: of the period that runs, or of the one after where that is fulfilled."""
    before, state = owing(wide_world)
    after, fulfilled = owing(wide_world, r.Period(f"{OWED}/periods/1", "fulfilled"))

    assert ask(before, state, instant=NOW - 7).valid_until == NOW
    assert {leaf.until for leaf in open_duties(after.policy, fulfilled, NOW)} == {NOW + EVERY}


def test_rule_7_is_told_of_an_unknown_model_too(wide_world: World) -> None:
    """What is overdue blocks every release, so it is told with all the rest."""
    world, state = owing(wide_world)

    verdict = explain(world.policy, state, "models/never", "api", "", NOW)
    assert (7, "OBLIGATION_OVERDUE") in reasons(verdict)
