"""Evidence records: what is recorded, who may read it, and whose first upload counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from interlock.statemachine import commands as c
from interlock.statemachine import resources as r
from interlock.statemachine.decide import Accepted
from interlock.statemachine.documents import may_open
from interlock.statemachine.unmet import Code
from tests.support.world import DAY_US, START_US, codes, sha256_of

if TYPE_CHECKING:
    from tests.support.world import World

RECORD = c.RecordEvidence(
    "risk_report", bytes(32), "application/pdf", sha256_of("risk"), 12, (), START_US, 0, "internal", "", ""
)
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "poem"}, Code.EVIDENCE_KIND_UNKNOWN),
    ({"kind": ""}, Code.EVIDENCE_KIND_UNKNOWN),
    ({"made_at": START_US + DAY_US}, Code.EVIDENCE_MADE_LATER),
    ({"made_at": 0}, Code.EVIDENCE_MADE_LATER),
    ({"made_at": -5}, Code.EVIDENCE_MADE_LATER),
    ({"valid_until": START_US}, Code.EVIDENCE_FIELD),
    ({"valid_until": -1}, Code.EVIDENCE_FIELD),
    ({"classification": "secret"}, Code.EVIDENCE_FIELD),
    ({"classification": ""}, Code.EVIDENCE_FIELD),
    ({"size": -1}, Code.EVIDENCE_FIELD),
    ({"authors": ("principals/nobody",)}, Code.EVIDENCE_FIELD),
    ({"authors": ("log",)}, Code.EVIDENCE_FIELD),
    ({"redacts": "evidence/9"}, Code.EVIDENCE_UNKNOWN),
    ({"redacts": "principals/owner-a"}, Code.EVIDENCE_UNKNOWN),
    ({"sha256": sha256_of("x").upper()}, Code.EVIDENCE_FIELD),
    ({"sha256": ""}, Code.EVIDENCE_FIELD),
    ({"title_digest": b""}, Code.EVIDENCE_FIELD),
    ({"effective_compute": "1e25"}, Code.EVIDENCE_FIELD),
    *(
        ({"kind": "training_run_record", "effective_compute": figure}, Code.EVIDENCE_FIELD)
        for figure in (
            "lots",
            "NaN",
            "sNaN",
            "Infinity",
            "-1",
            "+1",
            "1e999",
            "1e-5",
            "1,0",
            "\u0661",
            "1" * 65,
            " 1",
            "0x1",
        )
    ),
]


@pytest.mark.parametrize(("parts", "code"), WRONG)
def test_refused(parts: dict[str, Any], code: Code, world: World) -> None:
    """A record with a wrong field is refused with a code."""
    assert codes(world.decide("evaluator", replace(RECORD, **parts))) == [code]


@pytest.mark.parametrize("figure", ["0", "1", "6.1e25", "1E+26", "123456789012345678901234567890.5"])
def test_figures(figure: str, world: World) -> None:
    """A training run's compute is a plain decimal number."""
    record = replace(RECORD, kind="training_run_record", effective_compute=figure)

    assert codes(world.decide("evaluator", record)) == []


def test_everything_wrong_is_said_at_once(world: World) -> None:
    """A record with three faults has three requirements unmet."""
    record = replace(RECORD, kind="poem", size=-1, classification="secret")

    assert len(codes(world.decide("evaluator", record))) == 3


def test_made_at_the_moment_of_its_upload(world: World) -> None:
    """Made at the very instant of the entry is not later."""
    at = world.state.time + 1

    assert codes(world.decide("evaluator", replace(RECORD, made_at=at), instant=at)) == []
    assert codes(world.decide("evaluator", replace(RECORD, made_at=at + 1), instant=at)) == [Code.EVIDENCE_MADE_LATER]


def test_the_first_upload_of_the_bytes_counts(world: World) -> None:
    """The same bytes recorded again, by anyone and as anything, keep the moment of their first upload."""
    world.upload("evaluator", "risk_report", word="bytes")
    first = world.state.time
    world.wait(DAY_US)

    name = world.upload("engineer", "red_team_report", word="bytes")

    assert world.state.need(name, r.Evidence).first_upload == first
    assert world.state.need(name, r.Evidence).fresh_from == first


ACCESS = [
    # who gives access to the evaluator's document
    ("evaluator", True),
    ("owner-a", True),
    ("reviewer-b", True),
    ("engineer", False),
    ("auditor", False),
    ("admin", False),
]


@pytest.mark.parametrize(("who", "good"), ACCESS)
def test_who_gives_access(who: str, good: bool, world: World) -> None:  # noqa: FBT001  # a table's column
    """The uploader gives access, and so do approving roles."""
    name = world.upload("evaluator", "risk_report", classification="restricted")

    decided = world.decide(who, c.GrantEvidenceAccess(name, "principals/auditor"))

    assert codes(decided) == ([] if good else [Code.RIGHT_MISSING])


@pytest.mark.parametrize(
    ("document", "reader"),
    [("evidence/9", "principals/auditor"), ("evidence/1", "principals/nobody"), ("log", "log"), ("", "")],
)
def test_access_to_what_is_not_there(document: str, reader: str, world: World) -> None:
    """Both the document and the reader must exist."""
    world.upload("evaluator", "risk_report")

    assert codes(world.decide("owner-a", c.GrantEvidenceAccess(document, reader))) == [Code.NOT_FOUND]


@pytest.mark.parametrize("classification", ["public", "internal", "restricted"])
def test_who_may_open(classification: str, world: World) -> None:
    """A restricted document is for its uploader and those named; each opening leaves an entry."""
    name = world.upload("evaluator", "risk_report", classification=classification)
    world.must("evaluator", c.GrantEvidenceAccess(name, "principals/reviewer-a"))

    found = {who: codes(world.decide(who, c.OpenEvidence(name))) for who in ("evaluator", "reviewer-a", "owner-a")}

    others = [Code.RIGHT_MISSING] if classification == "restricted" else []
    assert found == {"evaluator": [], "reviewer-a": [], "owner-a": others}
    assert may_open(world.state.need(name, r.Evidence), "principals/owner-a") == (not others)


def test_access_given_twice_is_given(world: World) -> None:
    """Giving access again is an entry that moves nothing."""
    name = world.upload("evaluator", "risk_report", classification="restricted")
    world.must("owner-a", c.GrantEvidenceAccess(name, "principals/auditor"))

    decided = world.decide("owner-b", c.GrantEvidenceAccess(name, "principals/auditor"))

    assert isinstance(decided, Accepted)
    assert decided.entry.transitions == ()


def test_opening_leaves_a_trace(world: World) -> None:
    """Who opened a document stands in the log, in the document's own chain."""
    name = world.upload("evaluator", "risk_report", classification="restricted")

    entry = world.must("evaluator", c.OpenEvidence(name))

    assert [(move.resource, move.trigger) for move in entry.transitions] == [(name, "evidence.open")]
    assert entry.prev == ((name, entry.seq - 1),)


def test_a_redacted_version_inherits_nothing(world: World) -> None:
    """A redacted version is its own document: its own class, readers and bytes."""
    original = world.upload("evaluator", "risk_report", classification="restricted")
    redacted = world.state.next_name("evidence")
    world.must("evaluator", replace(RECORD, redacts=original, classification="public"))

    assert may_open(world.state.need(redacted, r.Evidence), "principals/engineer")
    assert not may_open(world.state.need(original, r.Evidence), "principals/engineer")


def test_opening_takes_the_right_to_read(world: World) -> None:
    """A service that may not read evidence opens none, not even what is no secret."""
    name = world.upload("evaluator", "risk_report", classification="public")

    assert codes(world.decide("release-bot", c.OpenEvidence(name))) == [Code.RIGHT_MISSING]


def test_who_opened_it_is_kept(world: World) -> None:
    """The record keeps who opened the document, each once."""
    name = world.upload("evaluator", "risk_report", classification="restricted")
    for _ in range(2):
        world.must("evaluator", c.OpenEvidence(name))

    assert world.state.need(name, r.Evidence).opened_by == ("principals/evaluator",)
