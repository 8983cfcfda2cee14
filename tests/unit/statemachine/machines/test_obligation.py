"""Periods of obligations: the grid, and what fulfils one."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.machines.obligation import begin_grids
from interlock.statemachine.owed import next_due, overdue_from, span_of
from interlock.statemachine.unmet import Code
from tests.support.world import DAY_US
from tests.unit.statemachine.steps import NOW, outcome, with_model

if TYPE_CHECKING:
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State
    from tests.support.world import World

NAME = "obligations/quarterly-report"
FIRST, SECOND = f"{NAME}/periods/1", f"{NAME}/periods/2"
EVERY = 90 * DAY_US


def report(number: int, made_at: int, kind: str = "risk_report") -> r.Evidence:
    """Return a document."""
    return r.Evidence(
        name=f"evidence/{number}", kind=kind, title_digest=b"", media_type="text/plain", sha256="00" * 32, size=1,
        uploader="principals/owner-a", authors=(), made_at=made_at, valid_until=0, classification="internal",
        redacts="", effective_compute="", recorded_at=made_at, first_upload=made_at,
    )  # fmt: skip


def second_period(world: World, *resources: r.Resource) -> State:
    """Return a state of which NOW is in the second period, an hour after it began."""
    grid = r.Obligation(NAME, ((1, NOW - EVERY - 3_600_000_000, EVERY),))
    return with_model(world, grid, *resources)


def with_length(policy: Policy, every: int) -> Policy:
    """Return the policy with another length of the obligation's periods."""
    spec = replace(policy.obligations["quarterly-report"], every_us=every)
    return replace(policy, obligations=MappingProxyType({spec.id: spec}))


def test_the_founding_begins_the_grid(world: World) -> None:
    """The policy of the genesis names the obligation first: its first period runs from there."""
    grid = world.state.need(NAME, r.Obligation)
    start = world.state.need(world.policy.name, r.PolicyVersion).adopted_at

    assert grid.grids == ((1, start, EVERY),)
    assert [grid.running(at) for at in (start - 1, start, start + EVERY - 1, start + EVERY)] == [0, 1, 1, 2]
    assert grid.span(2) == (start + EVERY, start + 2 * EVERY)


def test_a_version_that_keeps_the_obligation_moves_nothing(world: World) -> None:
    """Adopting the same obligation again leaves the grid as it is."""
    assert begin_grids(world.policy, world.state, NOW).need(NAME, r.Obligation) == world.state.need(NAME, r.Obligation)


def test_another_length_counts_after_the_period_that_runs(world: World) -> None:
    """What runs stays due when it was; the following periods have the new length, and numbers go on."""
    grid = begin_grids(with_length(world.policy, DAY_US), second_period(world), NOW).need(NAME, r.Obligation)
    due = grid.span(2)[1]

    assert grid.span(1)[1] == NOW - 3_600_000_000
    assert due == NOW - 3_600_000_000 + EVERY
    assert grid.span(3) == (due, due + DAY_US)
    assert (grid.running(due - 1), grid.running(due), grid.running(due + DAY_US)) == (2, 3, 4)


@pytest.mark.parametrize(
    ("period", "documents", "evidence", "expected"),
    [
        (SECOND, [report(1, NOW - 1)], ("evidence/1",), "fulfilled"),
        (FIRST, [report(1, NOW - 1)], ("evidence/1",), "fulfilled"),
        (SECOND, [report(1, NOW - DAY_US)], ("evidence/1",), Code.EVIDENCE_STALE),
        (SECOND, [report(1, NOW - 1, "board_notice")], ("evidence/1",), Code.EVIDENCE_MISSING),
        (SECOND, [], ("evidence/1",), Code.EVIDENCE_UNKNOWN),
        (SECOND, [], (), Code.MALFORMED),
        (f"{NAME}/periods/3", [report(1, NOW - 1)], ("evidence/1",), Code.NOT_FOUND),
        ("obligations/nothing/periods/1", [report(1, NOW - 1)], ("evidence/1",), Code.NOT_FOUND),
        (f"{NAME}/periods/0", [report(1, NOW - 1)], ("evidence/1",), Code.MALFORMED),
        (SECOND, [report(1, NOW - 1), r.Period(SECOND, "fulfilled")], ("evidence/1",), Code.NO_SUCH_EDGE),
        (
            SECOND,
            [report(1, NOW - 1), r.Period(FIRST, "fulfilled", ("evidence/1",))],
            ("evidence/1",),
            Code.EVIDENCE_USED,
        ),
    ],
)  # fmt: skip
def test_fulfil(
    period: str, documents: list[r.Resource], evidence: tuple[str, ...], expected: str, world: World
) -> None:
    """A period that has begun is fulfilled by a document of its kind, made in it or later, used for no other."""
    assert outcome(world, second_period(world, *documents), f.ObligationFulfil(period, evidence)) == expected


@pytest.mark.parametrize(
    ("period", "state", "until", "expected"),
    [
        (SECOND, "due", NOW + 1, "waived"),
        (FIRST, "due", NOW + 1, "waived"),
        (FIRST, "waived", NOW + 1, "waived"),
        (FIRST, "due", NOW, Code.END_PASSED),
        (FIRST, "fulfilled", NOW + 1, Code.NO_SUCH_EDGE),
        (f"{NAME}/periods/3", "due", NOW + 1, Code.NOT_FOUND),
        ("obligations/nothing/periods/1", "due", NOW + 1, Code.NOT_FOUND),
    ],
)
def test_waive(period: str, state: str, until: int, expected: str, world: World) -> None:
    """A period that has begun and is not fulfilled is waived until an instant ahead, again and again."""
    there = second_period(world, r.Period(period, state))

    assert outcome(world, there, f.ObligationWaive(period, until)) == expected


@pytest.mark.parametrize(("waived", "expected"), [(None, 0), (5, 5), (0, 0), (-5, 0)])
def test_overdue_from_the_later_of_due_and_the_waivers_end(waived: int | None, expected: int, world: World) -> None:
    """A waiver takes nothing from a period that is not due yet, and when it ends the period is overdue at once."""
    due = NOW - 3_600_000_000
    period = r.Period(FIRST) if waived is None else r.Period(FIRST, "waived", waived_until=due + waived)

    assert overdue_from(second_period(world, period), FIRST) == due + expected


def test_a_grid_that_ends_goes_on_with_what_entries_open(world: World) -> None:
    """Periods that an entry opened carry their own span, and numbers go on after those of the grid."""
    obligation = r.Obligation(NAME, ((1, NOW - EVERY, EVERY), (2, NOW, 0)), opened=3)
    state = second_period(world).put(obligation).put(r.Period(f"{NAME}/periods/3", start=NOW, due=NOW + 7))

    assert [obligation.running(at) for at in (NOW - 1, NOW, NOW + EVERY)] == [3, 3, 3]
    assert span_of(state, f"{NAME}/periods/3") == (NOW, NOW + 7)
    assert next_due(state, NAME, NOW) is None
