"""A log in which a loss was accepted: whoever saw what is lost is told which entry says so, and accepts it or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.client.verify import LOG, Trust, VerifyReport
from interlock.proofs import note
from tests.support.bundles import Parts, codes, judged, root_of, signed_head, trust_in
from tests.support.restored import KEPT, LOST, parts, seen, timelines
from tests.support.world import World


def trust(**pins: object) -> Trust:
    """Return what an auditor holds the log to."""
    return replace(trust_in(timelines()[1]), **pins)  # type: ignore[arg-type]


def judge(bundle: Parts, **pins: object) -> VerifyReport:
    """Return what the verifier says."""
    return judged(bundle.data, trust(**pins))


def remembered(text: str) -> dict[str, object]:
    """Return what a profile that saw a head holds a log to."""
    head = note.Checkpoint.from_text(note.split_note(text).text)
    return {"heads": ((head.size, head.root),), "seen": (text,), "least_size": head.size}


def test_who_saw_none_of_what_was_lost_reads_of_it() -> None:
    """It verifies, and the report says what was kept and lost."""
    report = judge(parts(), **remembered(seen(KEPT)))

    assert report.findings == ()
    assert [(row.kept_size, row.lost_size, row.accepted_by) for row in report.restores] == [(KEPT, LOST, KEPT)]
    assert not report.let_go


@pytest.mark.parametrize("size", [KEPT + 2, None])
def test_who_saw_more_is_told_and_has_to_accept(size: int | None) -> None:
    """Whether the log is still shorter than what they saw or longer by now; as a head remembered or given along."""
    text = seen(LOST)
    for pins in (remembered(text), {"notes": (text,)}):
        report = judge(parts(size), **pins)

        assert {(row.position, row.code) for row in report.findings} == {(KEPT, "LOG_RESTORED")}
        assert f"set back to {KEPT} of {LOST} entries" in report.findings[0].detail
        accepted = judge(parts(size), **pins, accept_restored=True)
        assert (accepted.findings, accepted.let_go) == ((), True)
        assert "1 heads signed before are in it; what was seen besides" in accepted.steps[3].detail


def test_a_fork_after_the_restore_is_a_fork() -> None:
    """A head by the key that is in force is not let go of, whatever was accepted before."""
    _, world = timelines()
    other = World.fork(world)
    entries = other.encoded()[:-1]
    forged = signed_head([*entries, b"x"], "second")

    found = codes(judge(parts(), **remembered(forged), accept_restored=True))

    assert found == [("history", LOG, "LOG_FORKED")]


def test_nothing_is_let_go_of_where_nothing_was_accepted() -> None:
    """The option changes nothing of a log that was rolled back."""
    before, _ = timelines()
    rows = Parts.of(before).rows[:5]
    short = Parts(rows, signed_head(before.encoded()[:5]))

    found = codes(judge(short, **remembered(seen(LOST)), accept_restored=True))

    assert found == [("checkpoint", LOG, "LOG_ROLLED_BACK")]


def test_a_position_alone_was_lost_as_the_head_beside_it() -> None:
    """A profile that saw positions and no head of them: told as well; with a head of since then it is a rollback."""
    _, world = timelines()
    entries = world.encoded()
    since = signed_head(entries[: KEPT + 1], "second")

    lost = codes(judge(parts(KEPT + 2), seen=(seen(KEPT + 1),), least_size=LOST + 2))
    rolled = codes(judge(parts(KEPT + 2), seen=(since,), least_size=LOST + 2))

    assert lost == [("checkpoint", KEPT, "LOG_RESTORED")]
    assert rolled == [("checkpoint", LOG, "LOG_ROLLED_BACK")]
    assert root_of(entries)
