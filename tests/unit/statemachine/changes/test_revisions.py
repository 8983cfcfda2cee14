"""Drafts, revisions, and the end of a change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import evaluate
from interlock.statemachine.decide import Accepted
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import DAY_US, World, codes
from tests.unit.statemachine.changes.reviews import ASSIGN, FILTER, LEVEL, MISUSE, MODEL

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_draft_may_still_be_wrong(world: World) -> None:
    """A draft takes triggers that can't fire yet; submitting it does not."""
    change = world.propose("evaluator", ASSIGN, f.SafeguardRestore(FILTER), draft=True)

    decided = world.decide("evaluator", c.SubmitChange(change))

    assert codes(decided) == [Code.NO_SUCH_EDGE]
    assert world.state.need(change, r.Change).state == "draft"


def test_submit_is_the_requesters(world: World) -> None:
    """Only a requester of the change puts it to review."""
    change = world.propose("evaluator", ASSIGN, draft=True)

    assert codes(world.decide("engineer", c.SubmitChange(change))) == [Code.RIGHT_MISSING]
    assert codes(world.attempt("evaluator", c.SubmitChange(change))) == []
    assert world.state.need(change, r.Change).state == "in_review"


def test_submitting_a_draft_whose_base_has_moved_is_stale(world: World) -> None:
    """A draft that was overtaken is stale and says what moved."""
    change = world.propose("evaluator", ASSIGN, draft=True)
    world.fire("evaluator", f.DeterminationReport(MISUSE, "ruled_out"))

    decided = world.decide("evaluator", c.SubmitChange(change))

    assert isinstance(decided, Refused)
    assert (decided.kind, [(u.code, u.resource) for u in decided.unmet]) == (
        RefusalKind.STALE, [(Code.BASE_MOVED, MISUSE)],
    )  # fmt: skip


KINDS: dict[str, Callable[[str, bytes], c.Command]] = {
    "amend": c.AmendChange,
    "attach": c.AttachEvidence,
    "detach": c.DetachEvidence,
    "rebase": c.RebaseChange,
}
PARTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "triggers": {"triggers": (ASSIGN, f.SafeguardStart(FILTER))},
    "texts": {"texts": (("title", b"\x02" * 32),)},
    "when": {"not_before": 5},
    "how": {"apply_separately": True},
    "more": {"evidence": ("evidence/1", "evidence/2")},
    "less": {"evidence": ()},
    "others": {"evidence": ("evidence/2",)},
    "more and triggers": {"evidence": ("evidence/1", "evidence/2"), "triggers": (f.LevelAssign(LEVEL, "guarded"),)},
}
DOES = {
    "amend": {"nothing", "triggers", "texts", "when", "how"},
    "attach": {"more"},
    "detach": {"less"},
    "rebase": {"nothing"},
}


@pytest.mark.parametrize("parts", sorted(PARTS))
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("draft", [True, False])
def test_a_revision_does_what_its_name_says(kind: str, parts: str, draft: bool, world: World) -> None:  # noqa: FBT001  # a parameter
    """Attach adds documents, detach takes some away, rebase moves the base, amend does all the rest."""
    for _ in range(2):
        world.upload("evaluator", "risk_report")
    change = world.propose("evaluator", ASSIGN, evidence=["evidence/1"], draft=draft)

    decided = world.decide("evaluator", KINDS[kind](change, world.revised(change, **PARTS[parts])))

    assert codes(decided) == ([] if parts in DOES[kind] else [Code.CONTENT])


def test_revisions_are_dense(world: World) -> None:
    """A revision is the next number: no gap, none again."""
    change = world.propose("evaluator", ASSIGN)
    first = codec.decode_content(world.revised(change))

    for revision in (1, 3):
        content = codec.encode_content(replace(first, revision=revision))
        assert codes(world.decide("evaluator", c.RebaseChange(change, content))) == [Code.CONTENT]
    world.must("evaluator", c.RebaseChange(change, codec.encode_content(first)))
    assert codes(world.decide("evaluator", c.RebaseChange(change, codec.encode_content(first)))) == [Code.CONTENT]


def test_whoever_revises_is_a_requester(world: World) -> None:
    """Proposing, amending, attaching and rebasing all make a requester; the last one's rights count from then on."""
    change = world.propose("evaluator", ASSIGN)

    world.must("engineer", c.RebaseChange(change, world.revised(change)))

    stored = world.state.need(change, r.Change)
    assert stored.requesters == ("principals/evaluator", "principals/engineer")
    assert (stored.proposer, stored.revision) == ("principals/engineer", 2)


def test_a_revisers_rights_count_for_what_rides(world: World) -> None:
    """Rebasing a change means firing what rides in it."""
    change = world.propose("everything-but-admin", ASSIGN, f.HoldPlace(MODEL))

    decided = world.decide("engineer", c.RebaseChange(change, world.revised(change)))

    assert codes(decided) == [Code.RIGHT_MISSING]


@pytest.mark.parametrize("command", [c.SubmitChange, c.ApplyApprovedChange, c.WithdrawProposedChange, c.SignOffChange])
def test_a_change_that_is_not_there(command: Callable[[str], c.Command], world: World) -> None:
    """Whatever is asked of a change that does not exist is not found."""
    for name in ("changes/9", "models/m", "", "log"):
        decided = world.decide("owner-a", command(name), envelopes=(b"{}",) if command is c.SignOffChange else ())
        assert isinstance(decided, Refused)
        assert decided.kind is RefusalKind.NOT_FOUND


@pytest.mark.parametrize(
    ("state", "open_"), [("draft", True), ("in_review", True), ("withdrawn", False), ("applied", False)]
)
def test_what_is_over_is_over(state: str, open_: bool, world: World) -> None:  # noqa: FBT001  # a table's column
    """A change that was applied or taken back is not revised, submitted, signed, applied or withdrawn again."""
    change = world.propose("evaluator", ASSIGN, draft=state == "draft")
    if state == "applied":
        for who in ("owner-a", "reviewer-a"):
            world.sign(who, change)
    if state == "withdrawn":
        world.must("evaluator", c.WithdrawProposedChange(change))
    assert world.state.need(change, r.Change).state == state

    commands: tuple[c.Command, ...] = (
        c.WithdrawProposedChange(change),
        c.RebaseChange(change, world.revised(change)),
    )
    for command in commands:
        assert (codes(world.decide("evaluator", command)) == []) == open_
    submit = world.decide("evaluator", c.SubmitChange(change))
    assert (codes(submit) == []) == (state == "draft")
    assert (codes(world.fork().sign("owner-b", change)) == []) == (state == "in_review")
    assert Code.NO_SUCH_EDGE in codes(world.decide("evaluator", c.ApplyApprovedChange(change))) or state == "in_review"


@pytest.mark.parametrize(
    ("who", "good"),
    [
        ("evaluator", True),
        ("owner-a", True),
        ("owner-of-m", True),
        ("engineer", False),
        ("admin", False),
        ("auditor", False),
    ],
)
def test_who_takes_a_change_back(who: str, good: bool, world: World) -> None:  # noqa: FBT001  # a table's column
    """A requester takes a change back, or anyone with an approving role on it: it only tightens."""
    change = world.propose("evaluator", ASSIGN)

    decided = world.decide(who, c.WithdrawProposedChange(change))

    assert codes(decided) == ([] if good else [Code.RIGHT_MISSING])


def test_a_change_ends(world: World) -> None:
    """A change expires 14 days after its last edit, at that instant; any edit starts the time anew."""
    change = world.propose("evaluator", ASSIGN)
    end = world.now + 14 * DAY_US

    def expired(instant: int) -> bool:
        return evaluate(world.policy, world.state, world.state.need(change, r.Change), instant).expired

    assert (expired(end - 1), expired(end)) == (False, True)
    world.wait(14 * DAY_US)
    assert Code.CHANGE_EXPIRED in codes(world.fork().sign("owner-a", change))
    assert isinstance(world.attempt("evaluator", c.RebaseChange(change, world.revised(change))), Accepted)
    assert codes(world.sign("owner-a", change)) == []
