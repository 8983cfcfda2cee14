"""Clocks that an entry starts: what a deployment, an adoption and an open incident oblige to, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import snapshot
from interlock.statemachine.changes import content_of
from interlock.statemachine.owed import nearest, overdue_from, unfulfilled
from interlock.statemachine.replay import Replay
from interlock.statemachine.unmet import Code
from tests.support.versions import version
from tests.support.world import DAY_US, World, codes, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Found = Callable[[dict[str, bytes]], World]

M, N = "models/m", "models/n"
FIRST, TWIN, LATER = sha256_of("first"), sha256_of("twin"), sha256_of("later")
OF = "obligations/duty"
CALENDAR = "quarterly-report: {every: 90d, fulfilled_by: {evidence: risk_report}, blocking: false}"
DEPLOYED = "after: {deployment: recorded, contexts: [api], within: 0d}"
ADOPTED = "after: {adoption: policy, within: 30d}"
REPEATED = "after: {incident: determination, at_least: serious, within: 28d, repeats: true}"


def pack(clock: str, *, blocking: str = "false", called: str = "1.0", name: str = "duty") -> dict[str, bytes]:
    """Return the sketch with one obligation, by a clock."""
    duty = f"{name}: {{{clock}, fulfilled_by: {{evidence: risk_report}}, blocking: {blocking}}}"
    return version((CALENDAR, duty), called=called)


def founded(found: Found, clock: str) -> World:
    """Return a world under such a pack, with two models."""
    world = found(pack(clock))
    world.fire("evaluator", f.ModelRegister(M, (FIRST, TWIN)))
    world.fire("evaluator", f.ModelRegister(N))
    return world


def deploy(world: World, model: str = M, context: str = "api", artifact: str = FIRST) -> int:
    """Record a deployment; return when."""
    return world.must("release-bot", c.Fire(f.DeploymentRecord(model, context, artifact, "cluster-a"))).time


def opened(world: World) -> list[tuple[int | None, int | None, str, str]]:
    """Return when each period began and is due, for what, and how it stands."""
    rows = {item.name: item for item in world.state.all_of(r.Period)}
    names = [f"{OF}/periods/{number}" for number in range(1, len(rows) + 1)]
    return [(rows[name].start, rows[name].due, rows[name].cause, rows[name].state) for name in names]


def fulfil(world: World, number: int, document: str = "") -> list[str]:
    """Fulfil a period, by a document that is made now where none is named; return why not."""
    document = document or world.upload("evaluator", "risk_report")
    return codes(world.fire("owner-a", f.ObligationFulfil(f"{OF}/periods/{number}", (document,))))


def owed(world: World) -> list[tuple[int, bool]]:
    """Return the numbers of what is owed, each with whether it is overdue."""
    now = max(world.now, world.state.time)
    names = unfulfilled(world.state, OF, now)
    return [(int(name.rsplit("/", 1)[1]), now >= (overdue_from(world.state, name) or 0)) for name in names]


@pytest.fixture
def found() -> Iterator[Found]:
    """Found worlds; in the end replay each from its bytes and build it again from its rows."""
    worlds: list[World] = []

    def make(files: dict[str, bytes]) -> World:
        worlds.append(World.found(files))
        return worlds[-1]

    yield make
    for world in worlds:
        replay = Replay(world.resolve)
        for data in world.encoded():
            replay.feed(data)
        rows = [(name, world.state.position(name), item) for name, item in world.state.items.items()]
        assert replay.findings == []
        assert replay.state == world.state
        assert snapshot.rebuild(rows, size=world.state.size, time=world.state.time) == world.state


# Deployments ------------------------------------------------------------------------------------------------------


def test_a_deployment_is_owed_for_once_a_model_and_by_a_document_from_its_registration_on(found: Found) -> None:
    """It is due when it is recorded; in another context, of a twin of the same registration, again: nothing more."""
    world = founded(found, DEPLOYED)
    registered = world.state.need(M, r.Model).registered_at
    before = world.upload("evaluator", "risk_report")
    deploy(world, context="internal")
    at = deploy(world)
    for artifact in (FIRST, TWIN, ""):
        deploy(world, artifact=artifact)

    assert opened(world) == [(registered, at, M, "due")]
    assert owed(world) == [(1, True)]
    assert fulfil(world, 1, before) == []
    assert owed(world) == []
    assert fulfil(world, 1) == [Code.NO_SUCH_EDGE]


def test_a_document_of_before_the_registration_is_about_nothing_of_it(found: Found) -> None:
    """Nor does one that fulfilled another model's."""
    world = found(pack(DEPLOYED))
    early = world.upload("evaluator", "risk_report")
    world.fire("evaluator", f.ModelRegister(M))
    world.fire("evaluator", f.ModelRegister(N))
    deploy(world, artifact="")
    deploy(world, N, artifact="")
    of_m = world.upload("evaluator", "risk_report")

    assert [row[2] for row in opened(world)] == [M, N]
    assert fulfil(world, 1, early) == [Code.EVIDENCE_STALE]
    assert fulfil(world, 1, of_m) == []
    assert fulfil(world, 2, of_m) == [Code.EVIDENCE_USED]


def test_a_later_artifact_is_owed_for_again_named_or_not(found: Found) -> None:
    """It is a model that was modified: the period begins when it was added; whoever names none means the newest."""
    world = founded(found, DEPLOYED)
    first = deploy(world)
    world.enact(f.ModelAddArtifact(M, LATER))
    added = world.state.need(M, r.Model).artifacts[-1].added_at
    later = deploy(world, artifact="")
    deploy(world, artifact=LATER)
    deploy(world, artifact=FIRST)

    assert opened(world)[1:] == [(added, later, f"{M}/artifacts/{LATER}", "due")]
    assert first < added < later


def test_an_artifact_that_nobody_registered_is_another_one(found: Found) -> None:
    """What runs is recorded as it is, and owed for."""
    world = founded(found, DEPLOYED)
    deploy(world)
    deploy(world, artifact=LATER)

    assert [row[2] for row in opened(world)] == [M, f"{M}/artifacts/{LATER}"]


def test_a_deployment_that_ended_and_a_model_that_is_retired_are_owed_for_still(found: Found) -> None:
    """Nothing takes back that it ran."""
    world = founded(found, "after: {deployment: recorded, within: 3d}")
    deploy(world, context="internal")
    world.must("release-bot", c.Fire(f.DeploymentEnd("deployments/1")))
    world.must("owner-a", c.Fire(f.ModelRetire(M)))
    world.wait(3 * DAY_US)

    assert owed(world) == [(1, True)]
    assert fulfil(world, 1) == []


# Adoptions --------------------------------------------------------------------------------------------------------


def test_of_many_that_are_overdue_the_first_is_enough(found: Found) -> None:
    """A release tool can record any number of artifacts: the gate does not look at all that they open."""
    world = founded(found, DEPLOYED)
    for artifact in ("1" * 64, "2" * 64, "3" * 64):
        deploy(world, artifact=artifact)
    now = world.state.time
    periods = unfulfilled(world.state, OF, now)

    assert nearest(world.state, periods, now) == f"{OF}/periods/1"
    assert [*periods] == [f"{OF}/periods/2", f"{OF}/periods/3"]
    assert nearest(world.state, unfulfilled(world.state, OF, now), 0) == f"{OF}/periods/1"
    assert nearest(world.state, iter(()), now) is None


def test_each_adoption_opens_a_period_of_what_the_adopted_pack_says(found: Found) -> None:
    """The founding opens none, a pack that first names it does, one that drops it does not; each again."""
    world = found(version(called="1.0"))
    at = []
    for files in (pack(ADOPTED, called="2.0"), version(called="3.0"), pack(ADOPTED, called="4.0")):
        world.adopt(files)
        at.append(world.entries[-1].time)
    world.adopt(pack(ADOPTED, called="2.0"))
    at.append(world.entries[-1].time)
    named = [f"policies/minimal/versions/{called}" for called in ("2.0", "4.0", "2.0")]

    assert opened(world) == [
        (start, start + 30 * DAY_US, cause, "due") for start, cause in zip([at[0], *at[2:]], named, strict=True)
    ]
    assert not list(found(pack(ADOPTED)).state.all_of(r.Period))


def test_an_adoption_may_block_when_its_time_has_run_out(found: Found) -> None:
    """After thirty days every release is denied, until people sign what fulfils it."""
    world = found(version(called="1.0"))
    world.fire("evaluator", f.ModelRegister(M))
    evidence = world.upload("evaluator", "evaluation_results")
    ready = (f.DeterminationRuleOut(f"{M}/determinations/misuse"), f.LevelAssign(f"{M}/levels/deployment", "basic"))
    world.enact(*ready, evidence=[evidence])
    world.adopt(pack(ADOPTED, blocking="true", called="2.0"))
    end = world.state.time + 30 * DAY_US
    verdict = world.verdict(M, "internal")
    late = world.verdict(M, "internal", instant=end)
    document = world.upload("evaluator", "risk_report")
    alone = fulfil(world, 1, document)
    world.enact(f.ObligationFulfil(f"{OF}/periods/1", (document,)))

    assert (verdict.allowed, verdict.valid_until) == (True, end)
    assert [(row.code, row.resource) for row in late.reasons] == [(Code.OBLIGATION_OVERDUE, f"{OF}/periods/1")]
    assert alone == [Code.CHANGE_REQUIRED]
    assert world.verdict(M, "internal", instant=end).allowed


def test_a_change_that_adopts_names_the_clocks_in_its_base(found: Found) -> None:
    """What it will write is what its signers saw."""
    world = found(pack(ADOPTED))
    change = world.propose_policy("evaluator", pack(ADOPTED, called="2.0"))
    again = world.propose_policy("evaluator", pack("every: 9d", called="3.0"))

    bases = [dict(content_base(world, name)) for name in (change, again)]
    assert [base.get(OF) for base in bases] == [r.NEVER, r.NEVER]


def content_base(world: World, change: str) -> tuple[tuple[str, int], ...]:
    """Return the base of a change."""
    return content_of(world.state.need(change, r.Change).content).base


# What repeats -----------------------------------------------------------------------------------------------------


def with_incident(found: Found, severity: str = "serious") -> tuple[World, int]:
    """Return a world with an incident that a named person judged, and when."""
    world = founded(found, REPEATED)
    world.must("owner-a", c.Fire(f.IncidentReport(M, "other")))
    return world, world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", severity))).time


def close(world: World, incident: str = "incidents/1") -> None:
    """Have it closed."""
    world.enact(f.IncidentClose(incident))


def test_meeting_a_period_opens_the_next_one_due_as_long_after_it_was(found: Found) -> None:
    """Not after it was fulfilled; the next begins when the last was due, so that nobody reports ahead."""
    world, at = with_incident(found)
    world.wait(5 * DAY_US)
    met = fulfil(world, 1)
    ahead = fulfil(world, 2)
    world.wait(24 * DAY_US)
    again = fulfil(world, 2)

    assert (met, ahead, again) == ([], [Code.EVIDENCE_STALE], [])
    assert [row[:2] for row in opened(world)] == [
        (at, at + 28 * DAY_US),
        (at + 28 * DAY_US, at + 56 * DAY_US),
        (at + 56 * DAY_US, at + 84 * DAY_US),
    ]


def test_what_was_missed_is_owed_one_after_the_other(found: Found) -> None:
    """A hundred days late there are three that are overdue, and a document meets one of them."""
    world, _ = with_incident(found)
    world.wait(100 * DAY_US)
    seen = [owed(world)]
    document = world.upload("evaluator", "risk_report")
    assert fulfil(world, 1, document) == []
    assert fulfil(world, 2, document) == [Code.EVIDENCE_USED]
    for number in (2, 3):
        seen.append(owed(world))
        assert fulfil(world, number) == []

    assert seen == [[(1, True)], [(2, True)], [(3, True)]]
    assert owed(world) == [(4, False)]


def test_closing_ends_what_runs_and_nothing_that_is_overdue(found: Found) -> None:
    """In time, it is owed no more; late, it stays owed, and meeting it opens nothing."""
    in_time, _ = with_incident(found)
    close(in_time)
    late, _ = with_incident(found)
    late.wait(28 * DAY_US)
    close(late)

    assert (opened(in_time)[0][3], owed(in_time)) == ("ended", [])
    assert (f"{OF}/periods/1", "ended") in {(move.resource, move.target) for move in in_time.entries[-1].transitions}
    assert fulfil(in_time, 1) == [Code.NO_SUCH_EDGE]
    assert owed(late) == [(1, True)]
    assert fulfil(late, 1) == []
    assert owed(late) == []


def test_a_waiver_puts_off_what_closing_then_ends(found: Found) -> None:
    """It is not overdue while it is waived."""
    world, _ = with_incident(found)
    world.enact(f.ObligationWaive(f"{OF}/periods/1", world.state.time + 60 * DAY_US))
    world.wait(40 * DAY_US)
    close(world)

    assert opened(world)[0][3] == "ended"


def test_judged_anew_an_incident_starts_a_new_row(found: Found) -> None:
    """Due from there; what was missed before is owed beside it, and meeting that opens nothing."""
    world, _ = with_incident(found)
    world.wait(30 * DAY_US)
    close(world)
    world.wait(100 * DAY_US)
    at = world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", "serious"))).time
    late = owed(world)
    assert fulfil(world, 1) == []

    assert opened(world)[1][:2] == (at, at + 28 * DAY_US)
    assert late == [(1, True), (2, False)]
    assert owed(world) == [(2, False)]
    assert fulfil(world, 2) == []
    assert owed(world) == [(3, False)]


def test_a_milder_judgement_does_not_stop_it(found: Found) -> None:
    """Whatever severity and category it has by now: until it is closed."""
    world, _ = with_incident(found, "critical")
    world.enact(f.IncidentTriage("incidents/1", "low"))
    assert fulfil(world, 1) == []
    world.must("owner-a", c.Fire(f.IncidentClose("incidents/1")))

    assert [row[3] for row in opened(world)] == ["fulfilled", "ended"]


def test_two_incidents_are_two_rows(found: Found) -> None:
    """Closing one of them ends its own."""
    world, _ = with_incident(found)
    world.must("owner-a", c.Fire(f.IncidentReport(N, "other", "serious")))
    fulfil(world, 2)
    close(world)

    assert [(row[2], row[3]) for row in opened(world)] == [
        ("incidents/1", "ended"),
        ("incidents/2", "fulfilled"),
        ("incidents/2", "due"),
    ]


def test_a_change_that_closes_names_what_it_ends_in_its_base(found: Found) -> None:
    """Met meanwhile, the change is stale: its signers saw another end."""
    world, _ = with_incident(found)
    change = world.propose("evaluator", f.IncidentClose("incidents/1"))
    base = dict(content_base(world, change))
    fulfil(world, 1)

    assert f"{OF}/periods/1" in base
    assert Code.BASE_MOVED in codes(world.sign("owner-a", change))


def test_a_change_that_closes_is_stale_once_a_row_began_that_it_would_end(found: Found) -> None:
    """Also by a judgement that moves nothing else: its signers saw nothing that ends."""
    world = founded(found, "every: 90d")
    world.must("owner-a", c.Fire(f.IncidentReport(M, "other", "serious")))
    world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", "serious")))
    world.adopt(pack(REPEATED, called="2.0", name="told"))
    change = world.propose("evaluator", f.IncidentClose("incidents/1"))
    world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", "serious")))

    assert Code.BASE_MOVED in codes(world.sign("owner-a", change))


# Other versions ---------------------------------------------------------------------------------------------------


def test_by_a_version_that_does_not_repeat_it_stops_and_the_next_triage_goes_on(found: Found) -> None:
    """The policy in force says so; what runs stays owed."""
    world, _ = with_incident(found)
    world.adopt(pack(REPEATED.replace(", repeats: true", ""), called="2.0"))
    fulfil(world, 1)
    stopped = owed(world)
    world.adopt(pack(REPEATED, called="3.0"))
    world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", "critical")))

    assert stopped == []
    assert owed(world) == [(2, False)]


def test_judged_alike_under_a_later_version_an_incident_starts_its_clocks(found: Found) -> None:
    """By itself a version starts none; the same word again is enough, and moves nothing else."""
    world = founded(found, "every: 90d")
    world.must("owner-a", c.Fire(f.IncidentReport(M, "other", "serious")))
    world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", "serious")))
    world.adopt(pack(REPEATED, called="2.0"))
    before = list(world.state.all_of(r.Period))
    entry = world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", "serious")))
    again = world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", "serious")))

    assert before == []
    assert [(row.start, row.due) for row in world.state.all_of(r.Period)] == [(entry.time, entry.time + 28 * DAY_US)]
    assert (entry.transitions, again.prev) == ((), ())


def test_a_version_that_drops_what_is_open_owes_nothing_and_one_that_names_it_again_all_of_it(found: Found) -> None:
    """The period stands; under another id it is another obligation, whose clock starts at the next triage."""
    world, _ = with_incident(found)
    world.adopt(pack(REPEATED, called="2.0", name="renamed"))
    dropped = fulfil(world, 1)
    world.wait(60 * DAY_US)
    world.adopt(pack(REPEATED, called="3.0"))

    assert dropped == [Code.NOT_FOUND]
    assert owed(world) == [(1, True)]
    assert "obligations/renamed" not in world.state.items


@pytest.mark.parametrize("step", [f.IncidentMitigate("incidents/1"), f.IncidentClose("incidents/1")])
@pytest.mark.parametrize("event", ["discovery", "determination"])
def test_regression_a_neutral_step_starts_nothing_of_a_later_version(step: f.Firing, event: str, found: Found) -> None:
    """Else one person would turn a verdict by it: what a version newly owes begins with the next judgement."""
    world = founded(found, CALENDAR.partition("{")[2].partition(",")[0])
    world.must("owner-a", c.Fire(f.IncidentReport(M, "other", "low", world.now - 60 * DAY_US)))
    world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", "low")))
    clock = f"after: {{incident: {event}, at_least: low, within: 15d}}"
    world.adopt(pack(clock, blocking="true", called="2.0", name="told"))
    world.must("owner-a", c.Fire(step))

    assert "obligations/told" not in world.state.items
    world.must("owner-a", c.Fire(f.IncidentTriage("incidents/1", "serious")))
    assert len(world.state.opened_by("incidents/1", "obligations/told")) == 1


@pytest.mark.parametrize("event", [DEPLOYED, ADOPTED, REPEATED])
def test_from_what_happens_to_the_calendar_and_back_numbers_go_on(event: str, found: Found) -> None:
    """What was opened keeps its span, the grid begins at its adoption, and ends after the period that runs."""
    world = founded(found, event)
    deploy(world)
    world.must("owner-a", c.Fire(f.IncidentReport(M, "other", "serious")))
    world.adopt(pack(event, called="2.0"))
    first = owed(world)
    world.adopt(pack("every: 10d", called="3.0"))
    begun = world.state.time
    world.wait(25 * DAY_US)
    world.adopt(pack(event, called="4.0"))
    world.wait(100 * DAY_US)
    deploy(world, N, artifact="")
    world.must("owner-a", c.Fire(f.IncidentReport(M, "other", "serious")))
    known = world.state.need(OF, r.Obligation)
    numbers = [number for number, _ in owed(world)]

    assert [number for number, _ in first] == [1]
    assert known.span(4) == (begun + 20 * DAY_US, begun + 30 * DAY_US)
    assert numbers == [1, 2, 3, 4, 5]
