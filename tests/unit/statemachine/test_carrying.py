"""Carrying over: what the ids of one policy version come to in another, case by case."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock.client.packs import shipped_pack
from interlock.statemachine import carrying
from interlock.statemachine import resources as r
from interlock.statemachine.policy import load_pack
from interlock.statemachine.state import State
from tests.support.versions import version
from tests.support.world import DAY_US, START_US, sketch

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy

MODEL = "models/m"
NAME = f"{MODEL}/determinations/t"
NOW = START_US


def known(
    conclusion: str = "reached",
    *,
    confirmed: bool = True,
    lapses_at: int | None = NOW,
    by: int = 5,
    compute: str = "1e25",
) -> r.Determination:
    """Return a determination; unconfirmed ones have no lapse."""
    if conclusion == carrying.UNDETERMINED:
        return r.Determination(NAME)
    if not confirmed:
        return r.Determination(NAME, conclusion, conclusion_by=by)
    return r.Determination(NAME, conclusion, True, lapses_at, by, by, by, compute)  # noqa: FBT003  # confirmed


NOTHING = known(carrying.UNDETERMINED)
OUT, MAYBE, REACHED = known("ruled_out"), known("cannot_rule_out"), known()


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ((), "undetermined"),
        ((NOTHING,), "undetermined"),
        ((NOTHING, NOTHING), "undetermined"),
        ((OUT,), "ruled_out/confirmed"),
        ((known(confirmed=False),), "reached/unconfirmed"),
        ((OUT, OUT), "ruled_out/confirmed"),
        ((OUT, MAYBE), "cannot_rule_out/confirmed"),
        ((OUT, MAYBE, REACHED), "reached/confirmed"),
        ((OUT, known("ruled_out", confirmed=False)), "ruled_out/unconfirmed"),
        ((REACHED, known("ruled_out", confirmed=False)), "reached/unconfirmed"),
        ((OUT, NOTHING), "undetermined"),
        ((OUT, OUT, NOTHING), "undetermined"),
        ((MAYBE, NOTHING), "cannot_rule_out/unconfirmed"),
        ((OUT, MAYBE, NOTHING), "cannot_rule_out/unconfirmed"),
        ((known(lapses_at=None),), "reached/unconfirmed"),
        ((OUT, known(lapses_at=None)), "reached/unconfirmed"),
    ],
)
def test_several_thresholds_come_to_one(parts: tuple[r.Determination, ...], state: str) -> None:
    """The strictest of the determined ones; confirmed only if all are and each lapses; in whatever order they stand."""
    assert {carrying.combine(NAME, row, tracked=False).state for row in (parts, parts[::-1])} == {state}


def test_one_threshold_carries_over_as_it_is() -> None:
    """Also the positions of the entries that gave its facts, and what it rests on."""
    assert [carrying.combine(NAME, [part], tracked=False) for part in (OUT, MAYBE, NOTHING)] == [OUT, MAYBE, NOTHING]


def test_what_is_only_tracked_may_be_confirmed_without_a_lapse() -> None:
    """The gate never reads it."""
    assert carrying.combine(NAME, [known(lapses_at=None)], tracked=True).state == "reached/confirmed"


def test_the_earliest_lapse_and_the_least_compute_hold() -> None:
    """Nothing lasts longer by being put together, and a later entry is the one that gave it."""
    first = known("ruled_out", lapses_at=NOW + 2, by=7, compute="2e25")
    merged = carrying.combine(NAME, [first, known("ruled_out", lapses_at=NOW + 1, by=3)], tracked=False)

    assert (merged.lapses_at, merged.lapse_by, merged.confirmed_by, merged.conclusion_by) == (NOW + 1, 3, 7, 7)
    assert merged.compute_at_confirmation == "1e25"
    assert not carrying.combine(NAME, [first, known("ruled_out", compute="")], tracked=False).compute_at_confirmation


# Whole packs ------------------------------------------------------------------------------------------------------


def with_model(*items: r.Resource) -> State:
    """Return a state with a model and what is known of it."""
    state = State().put(r.Model(MODEL))
    for item in items:
        state = state.put(item)
    return state.after_entry(NOW)


def moved(old: Policy, new: Policy, state: State) -> dict[str, tuple[str, str]]:
    """Return before and after of everything that is another thing then."""
    return {row.item.name: (row.before, row.after) for row in carrying.carry(old, new, state, NOW)}


@pytest.mark.parametrize(
    ("says", "looked_at", "after"),
    [
        ("thresholds: {risk: [misuse, fraud]}", ("misuse",), ("risk",)),
        ("thresholds: {risk: [misuse, fraud]}", ("fraud", "misuse"), ("risk",)),
        ("thresholds: {risk: [fraud], more: [fraud]}", ("fraud",), ("risk", "more")),
        ("thresholds: {risk: [fraud], more: [misuse]}", ("misuse", "fraud"), ("more", "risk")),
        ("thresholds: {risk: [misuse]}", ("fraud",), ()),
        ("thresholds: {risk: [misuse]}", ("gone", "misuse"), ("risk",)),
    ],
)
def test_an_open_assessment_goes_on_with_what_its_thresholds_come_to(
    says: str, looked_at: tuple[str, ...], after: tuple[str, ...]
) -> None:
    """Several to one, one to many, renamed, dropped; a concluded one says what it looked at then."""
    fraud = "thresholds:\n  fraud: {title: Fraud, asks: {deployment: guarded}, reassess: {every: 90d}}\n"
    text = version(("thresholds:\n", fraud), called="1.0")
    both = "  {}: {{title: T, asks: {{deployment: guarded}}, reassess: {{every: 90d}}}}\n"
    made = "".join(both.format(name) for name in ("risk", "more"))
    plain = text["policy.yaml"].decode()
    section = plain[plain.index("thresholds:\n") : plain.index("safeguards:\n")]
    new = version(
        (section, f"thresholds:\n{made}\n"),
        ("obligations:\n", f"succeeds: [{{policy: minimal, {says}}}]\nobligations:\n"),
        of=text,
    )
    rows = [r.Assessment(f"assessments/{n}", MODEL, looked_at, state) for n, state in enumerate(("open", "concluded"))]

    carried = list(carrying.carry(load_pack(text), load_pack(new), with_model(*rows), NOW))

    assert [row.item for row in carried] == [r.Assessment("assessments/0", MODEL, after)]
    assert [(row.before, row.after) for row in carried] == [("open", "open")]


def test_an_assessment_that_a_version_keeps_is_not_written() -> None:
    """Nor one of a model that nobody uses any more."""
    old, new = load_pack(sketch()), load_pack(version())
    state = with_model(r.Assessment("assessments/1", MODEL, ("misuse",)))
    gone = State().put(r.Model(MODEL, "retired")).put(r.Assessment("assessments/1", MODEL, ("misuse",)))

    assert moved(old, new, state) == moved(old, load_pack(version(("misuse:", "abuse:"))), gone) == {}


def determination(threshold: str, conclusion: str = "ruled_out") -> r.Determination:
    """Return a confirmed determination."""
    return r.Determination(f"{MODEL}/determinations/{threshold}", conclusion, True, NOW + DAY_US, 1, 1, 1)  # noqa: FBT003


def test_rsp_3_says_what_becomes_of_rsp_2_2() -> None:
    """Renamed, put together, new; levels and safeguards of the same id stay, nothing else is carried."""
    old, new = load_pack(shipped_pack("rsp-2.2")), load_pack(shipped_pack("rsp-3"))
    state = with_model(
        determination("cbrn-3", "cannot_rule_out"),
        determination("cbrn-4"),
        determination("ai-rnd-4"),
        r.Level(f"{MODEL}/levels/security", "provisional", "asl-3", 1),
        r.Safeguard(f"{MODEL}/safeguards/egress-limits", "active", attested_until=NOW + DAY_US, attested_at=NOW),
    )

    assert moved(old, new, state) == {
        f"{MODEL}/determinations/chem-bio-known": ("undetermined", "cannot_rule_out/confirmed"),
        f"{MODEL}/determinations/chem-bio-novel": ("undetermined", "ruled_out/confirmed"),
    }
    assert carrying.sources_of_threshold(old, new, "automated-rnd") == ("ai-rnd-4", "ai-rnd-5")
    assert carrying.sources_of_threshold(old, new, "sabotage") == ()
    assert {carrying.level_after(old, new, level.id) for level in old.levels} == {"", "asl-2", "asl-3"}


def test_going_back_carries_nothing() -> None:
    """The old pack says nothing of the new one: all has to be determined, assigned and activated anew."""
    old, new = load_pack(shipped_pack("rsp-3")), load_pack(shipped_pack("rsp-2.2"))
    level, safeguard = f"{MODEL}/levels/security", f"{MODEL}/safeguards/egress-limits"
    state = with_model(
        determination("cbrn-3"), r.Level(level, "confirmed", "asl-3", 1), r.Safeguard(safeguard, "active")
    )

    assert moved(old, new, state) == {
        f"{MODEL}/determinations/cbrn-3": ("ruled_out/confirmed", "undetermined"),
        level: ("confirmed(asl-3)", "unassigned"),
        safeguard: ("active", "planned"),
    }


def test_a_later_version_of_the_same_policy_moves_nothing_that_it_keeps() -> None:
    """Ids go by themselves; so its base lists no model, and a report meanwhile does not make its change stale."""
    old, new = load_pack(sketch()), load_pack(version())
    state = with_model(determination("misuse"), r.Level(f"{MODEL}/levels/deployment", "confirmed", "guarded", 1))

    assert moved(old, new, state) == {}
    assert carrying.touched(old, new, state) == frozenset()


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("thresholds: {fraud: [misuse]}", {"fraud": "ruled_out/confirmed", "misuse": "undetermined"}),
        ("thresholds: {fraud: [misuse], misuse: [misuse]}", {"fraud": "ruled_out/confirmed"}),
        ("thresholds: {fraud: []}", {}),
        ("thresholds: {fraud: [nothing]}", {}),
    ],
)
def test_one_threshold_comes_to_many_only_where_that_is_listed(says: str, expected: dict[str, str]) -> None:
    """What is named for another no longer goes by its own id."""
    more = "thresholds:\n  fraud: {title: Fraud, asks: {deployment: guarded}, reassess: {every: 90d}}\n"
    succeeds = f"succeeds: [{{policy: minimal, {says}}}]\nobligations:\n"
    new = load_pack(version(("thresholds:\n", more), ("obligations:\n", succeeds)))

    found = moved(load_pack(sketch()), new, with_model(determination("misuse")))

    assert {name.rsplit("/", 1)[-1]: after for name, (_, after) in found.items()} == expected


def test_levels_and_safeguards_are_renamed_where_the_pack_says_so() -> None:
    """With what a safeguard remembers; one that is not named stays planned."""
    says = "succeeds: [{policy: minimal, levels: {barred: [guarded]}, safeguards: {screen: input-filter}}]\n"
    new = load_pack(renamed(says))
    level, old_name = f"{MODEL}/levels/deployment", f"{MODEL}/safeguards/input-filter"
    state = with_model(
        r.Level(level, "provisional", "guarded", 4), r.Safeguard(old_name, "suspended", "active", NOW, active_by=3)
    )

    rows = {row.item.name: row.item for row in carrying.carry(load_pack(sketch()), new, state, NOW)}

    assert rows == {
        level: r.Level(level, "provisional", "barred", 4),
        f"{MODEL}/safeguards/screen": r.Safeguard(
            f"{MODEL}/safeguards/screen", "suspended", "active", NOW, active_by=3
        ),
    }


def renamed(says: str) -> dict[str, bytes]:
    """Return a version that calls level and safeguard otherwise."""
    files = version((" guarded", " barred"), ("input-filter", "screen"))
    return version(("obligations:\n", f"{says}obligations:\n"), of=files)


@pytest.mark.parametrize(
    ("edit", "state", "safeguards", "contexts"),
    [
        (("misuse", "misuse"), "in_force", ("input-filter",), ("internal", "api")),
        (("[{id: internal, unguarded: true}, api]", "[api]"), "in_force", ("input-filter",), ("api",)),
        (("input-filter", "screen"), "ended", ("input-filter",), ("internal", "api")),
        (("policy: minimal", "policy: other"), "ended", ("input-filter",), ("internal", "api")),
    ],
)
def test_a_measure_keeps_what_the_new_version_still_has(
    edit: tuple[str, str], state: str, safeguards: tuple[str, ...], contexts: tuple[str, ...]
) -> None:
    """One that would stand in for nothing, or nowhere, has ended."""
    measure = r.InterimMeasure("interimMeasures/1", MODEL, ("input-filter",), ("internal", "api"), NOW + DAY_US)
    new, held = load_pack(version(edit)), with_model(measure)

    rows = [row.item for row in carrying.carry(load_pack(sketch()), new, held, NOW)]

    after = rows[0] if rows else measure
    assert isinstance(after, r.InterimMeasure)
    assert (after.state, after.safeguards, after.contexts) == (state, safeguards, contexts)


def test_a_threshold_that_was_only_tracked_is_not_confirmed_once_it_counts() -> None:
    """Nobody ever said when it lapses."""
    tracked = version(("misuse:\n", "misuse:\n    tracked: true\n"), ("    asks: {deployment: guarded} ", "    #"))
    tracked = version(("    reassess: {every: 180d, compute_growth: 4}\n", ""), of=tracked)
    state = with_model(r.Determination(f"{MODEL}/determinations/misuse", "ruled_out", True, None, 1, 1, 1))  # noqa: FBT003

    found = moved(load_pack(tracked), load_pack(version(called="3.0")), state)

    assert found == {f"{MODEL}/determinations/misuse": ("ruled_out/confirmed", "ruled_out/unconfirmed")}


@pytest.mark.parametrize(("lasts", "days"), [(180, 180), (30, 30), (365, 180)])
def test_an_attestation_ends_at_what_was_written_or_sooner(lasts: int, days: int) -> None:
    """By the version in force at the instant asked; a later one makes it no longer."""
    known_ = r.Safeguard("safeguards/s", "active", attested_until=NOW + 180 * DAY_US, attested_at=NOW)

    assert known_.attested_to(lasts * DAY_US) == NOW + days * DAY_US


def test_what_only_the_new_version_has_is_in_no_base() -> None:
    """Nobody can write under a new id before: so what one model's part of a log lacks of others is not asked for."""
    more = "thresholds:\n  fraud: {title: Fraud, asks: {deployment: guarded}, reassess: {every: 90d}}\n"
    spec = (
        "safeguards:\n  other: {title: O, standard: deployment, level: guarded, track: commitment, guards: [api],"
        " verify_with: [{evidence: risk_report}], attested_for: 1d}\n"
    )
    new = load_pack(version(("thresholds:\n", more), ("safeguards:\n", spec)))

    assert carrying.touched(load_pack(sketch()), new, with_model(determination("misuse"))) == frozenset()


def swapped() -> tuple[Policy, Policy]:
    """Return two versions with two safeguards, which the second calls by each other's names."""
    more = (
        "safeguards:\n  other: {title: O, standard: deployment, level: guarded, track: commitment, guards: [api],"
        " verify_with: [{evidence: risk_report}], attested_for: 1d}\n"
    )
    says = "succeeds: [{policy: minimal, safeguards: {other: input-filter, input-filter: other}}]\nobligations:\n"
    first = version(("safeguards:\n", more))
    return load_pack(first), load_pack(version(("obligations:\n", says), of=first, called="3.0"))


def excepted(safeguard: str, number: int = 1) -> r.Exemption:
    """Return an exception of a safeguard of the model, or of a shared one."""
    return r.Exemption(f"exceptions/{number}", safeguard, "safeguard.restore", NOW + DAY_US, opened_by=3)


def test_an_exception_goes_with_its_safeguard_and_not_with_the_id() -> None:
    """Else whatever takes the id over would be excepted, although nobody signed for that."""
    old, new = swapped()
    one, two = f"{MODEL}/safeguards/other", f"{MODEL}/safeguards/input-filter"
    state = with_model(r.Safeguard(one, "degraded", since=1), r.Safeguard(two, "degraded", since=2), excepted(one))

    after = state
    for row in carrying.carry(old, new, state, NOW):
        after = after.put(row.item)

    assert after.need("exceptions/1", r.Exemption) == replace(excepted(one), resource=two)
    assert dict(after.exemptions) == {two: ("exceptions/1",)}
    assert carrying.touched(old, new, state) >= {"exceptions/1"}


def test_an_exception_of_what_is_not_carried_on_has_ended() -> None:
    """What comes to its id later begins anew; one of a hold stands."""
    old, new = load_pack(sketch()), load_pack(version(("input-filter", "screen")))
    uses = (excepted(f"{MODEL}/safeguards/input-filter"), excepted("holds/1", 2))

    rows = moved(old, new, with_model(*uses))

    assert rows == {"exceptions/1": ("open", "ended")}
