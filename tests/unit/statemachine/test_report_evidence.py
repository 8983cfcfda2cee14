"""What a confirmation relies on: the documents of every report that led to it."""

from __future__ import annotations

from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from tests.support.world import World, codes

MODEL = "models/m"
MISUSE = f"{MODEL}/determinations/misuse"


def reported(*documents: tuple[str, ...]) -> World:
    """Return a world where the same conclusion was reported again and again, each time on other documents."""
    world = World.found()
    world.fire("evaluator", f.ModelRegister(MODEL))
    for authors in documents:
        named = (world.upload("evaluator", "capability_report", authors=authors),) if authors else ()
        world.fire("evaluator", f.DeterminationReport(MISUSE, "reached", evidence=named))
    return world


def test_who_wrote_what_a_later_report_rests_on_is_an_author_too() -> None:
    """A second report of the same conclusion moves no state, and its documents still count as relied on."""
    world = reported((), ("reviewer-a",))
    change = world.propose(
        "evaluator", f.DeterminationConfirm(MISUSE), evidence=[world.upload("engineer", "evaluation_results")]
    )

    assert codes(world.sign("reviewer-a", change)) == ["EVIDENCE_AUTHOR_CONFLICT"]
    assert codes(world.sign("reviewer-b", change)) == []


def test_a_later_report_adds_its_documents_and_no_transition() -> None:
    """The determination keeps the documents of both reports; the second entry records no edge."""
    world = reported(("engineer",), ("reviewer-a",))

    assert world.state.need(MISUSE, r.Determination).evidence == ("evidence/1", "evidence/2")
    assert world.entries[-1].transitions == ()
    assert dict(world.entries[-1].prev) == {MISUSE: world.entries[-3].seq}


def test_a_later_report_without_documents_writes_nothing() -> None:
    """A report that adds nothing leaves the determination where it was, so that no change over it goes stale."""
    world = reported(("engineer",), ())

    assert world.entries[-1].prev == ()
