"""Documents that a trigger names: bound by digest beside what is attached, signed for, and never attached by that."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import pytest

from interlock.statemachine import codec, forms, signoff
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.bound import documents_of, named_by
from interlock.statemachine.changes import content_of
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import World, codes, envelope, sha256_of
from tests.unit.statemachine.changes.reviews import ASSIGN, LEVEL, MISUSE, MODEL, judged, stored, voids
from tests.unit.statemachine.firings import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator


def report(*documents: str) -> f.DeterminationReport:
    """Return a report that rests on documents: it only tightens, and may ride in a change."""
    return f.DeterminationReport(MISUSE, "cannot_rule_out", "", documents)


def words(value: object) -> Iterator[str]:
    """Yield every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from words(part)
    elif is_dataclass(value):
        for item in fields(value):
            yield from words(getattr(value, item.name))


# What is bound -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", get_args(f.Firing), ids=lambda kind: kind.__name__)
def test_every_document_that_any_trigger_names_is_found(kind: type[f.Firing]) -> None:
    """Whatever field it stands in: a new trigger that names documents elsewhere fails here."""
    example = EXAMPLES[kind]

    assert set(named_by([example])) == {word for word in words(example) if forms.EVIDENCE.fullmatch(word)}


def test_what_a_trigger_names_is_bound_by_its_digest(world: World) -> None:
    """By number, each once, whether it is attached as well or not; what is attached stays as it was."""
    names = [world.upload("evaluator", "risk_report", word=word) for word in "abcdefghijk"]
    first, *rest = names

    content = content_of(world.content(ASSIGN, report(*reversed(rest)), report(rest[0], first), evidence=[first]))

    assert content.evidence == ((first, sha256_of("a")),)
    assert content.named_evidence == tuple((name, sha256_of(word)) for name, word in zip(names, "abcdefghijk"))  # noqa: B905  # one each
    assert documents_of(content) == content.named_evidence


@pytest.mark.parametrize("what", ["left out", "another digest", "another document", "one more", "attached instead"])
@pytest.mark.parametrize("draft", [False, True])
def test_content_that_binds_something_else_is_refused(what: str, draft: bool, world: World) -> None:  # noqa: FBT001  # a parameter
    """What is bound follows from the triggers, in a draft too."""
    named, other = world.upload("evaluator", "risk_report"), world.upload("evaluator", "risk_report")
    content = codec.decode_content(world.content(ASSIGN, report(named)))
    own, [(_, sha256)] = (
        content.named_evidence,
        codec.decode_content(world.content(ASSIGN, report(other))).named_evidence,
    )
    parts: dict[str, Any] = {
        "left out": {"named_evidence": ()},
        "another digest": {"named_evidence": ((named, sha256),)},
        "another document": {"named_evidence": ((other, sha256),)},
        "one more": {"named_evidence": (*own, (other, sha256))},
        "attached instead": {"named_evidence": (), "evidence": own},
    }

    forged = codec.encode_content(replace(content, **parts[what]))
    decided = world.decide("evaluator", c.ProposeChange(forged, draft))

    assert codes(decided) == [Code.CONTENT]


def test_a_document_that_nobody_recorded_is_not_named(world: World) -> None:
    """There is no digest to bind."""
    content = codec.decode_content(world.content(ASSIGN))
    forged = replace(content, triggers=(ASSIGN, report("evidence/9")), named_evidence=(("evidence/9", "ab" * 32),))

    decided = world.decide("evaluator", c.ProposeChange(codec.encode_content(forged)))

    assert isinstance(decided, Refused)
    assert (decided.kind, codes(decided)) == (RefusalKind.NOT_FOUND, [Code.EVIDENCE_UNKNOWN])


@pytest.mark.parametrize(
    "name", ["evidence/٣", "evidence/01", "evidence/1\u200b", "evidence/1 ", "Evidence/1", "evidence/-1"]
)
def test_a_name_that_only_looks_like_a_documents(name: str, world: World) -> None:
    """Another spelling of a name is no name: it could be shown as one document and be another."""
    world.upload("evaluator", "risk_report")
    content = codec.decode_content(world.content(ASSIGN))
    forged = replace(content, triggers=(ASSIGN, report(name)), named_evidence=((name, "ab" * 32),))

    decided = world.decide("evaluator", c.ProposeChange(codec.encode_content(forged)))

    assert codes(decided) == [Code.MALFORMED]


def test_as_many_documents_as_a_statement_can_hold(world: World) -> None:
    """At most 200, attached and named together; a statement over all of them fits into an envelope."""
    names = [world.upload("evaluator", "risk_report", word=f"{n}") for n in range(201)]
    triggers = [report(*names[at : at + 50]) for at in (50, 100, 150)]

    change = world.propose("evaluator", ASSIGN, *triggers, evidence=names[:50])
    statement = world.statement("owner-a", change, seen="not_opened")
    more = codec.decode_content(world.content(ASSIGN, *triggers[:2], report(*names[150:200]), evidence=names[:50]))
    content = replace(more, evidence=(*more.evidence, (names[200], sha256_of("200"))))

    assert len(statement.evidence) == 200
    assert len(envelope("owner-a", statement)) < 65536
    assert codes(world.decide("evaluator", c.ProposeChange(codec.encode_content(content)))) == [Code.CHANGE_TOO_LARGE]


# Nothing loosens -----------------------------------------------------------------------------------------------------


def test_what_a_trigger_names_is_not_attached(world: World) -> None:
    """A rule that asks for evidence asks that it be attached: naming it in a trigger meets nothing."""
    results = world.upload("evaluator", "evaluation_results")
    change = world.propose("evaluator", report(results), f.DeterminationConfirm(MISUSE))

    assert Code.EVIDENCE_MISSING in {unmet.code for unmet in judged(world, change).unmet}

    attached = c.AttachEvidence(change, world.revised(change, evidence=[results]))
    world.must("evaluator", attached)
    assert Code.EVIDENCE_MISSING not in {unmet.code for unmet in judged(world, change).unmet}


def test_detaching_unbinds_nothing_that_a_trigger_names(world: World) -> None:
    """It stays in the list of what is named, by the same digest."""
    named = world.upload("evaluator", "risk_report")
    change = world.propose("evaluator", ASSIGN, report(named), evidence=[named])
    before = content_of(stored(world, change).content)

    world.must("evaluator", c.DetachEvidence(change, world.revised(change, evidence=[])))
    after = content_of(stored(world, change).content)

    assert (before.evidence, after.evidence) == (before.named_evidence, ())
    assert after.named_evidence == before.named_evidence == documents_of(after)


@pytest.mark.parametrize("kind", [c.AttachEvidence, c.DetachEvidence, c.RebaseChange])
def test_no_revision_but_an_amendment_changes_what_is_named(kind: type[c.Revision], world: World) -> None:
    """Another document in a trigger is other triggers, and these are amended."""
    one, other = world.upload("evaluator", "risk_report"), world.upload("evaluator", "risk_report")
    change = world.propose("evaluator", ASSIGN, report(one))

    content = world.revised(change, triggers=(ASSIGN, report(other)))
    decided = world.decide("evaluator", kind(change, content))

    assert codes(decided) == [Code.CONTENT]


def test_a_swap_after_a_sign_off_voids_it(world: World) -> None:
    """The trigger names another document: another revision, which nobody has signed."""
    one, other = world.upload("evaluator", "risk_report"), world.upload("evaluator", "risk_report")
    change = world.propose("evaluator", ASSIGN, report(one))
    world.sign("owner-a", change)

    world.must("evaluator", c.AmendChange(change, world.revised(change, triggers=(ASSIGN, report(other)))))

    assert voids(world, change) == {"owner-a": "REVISION_CHANGED"}


# The statement -------------------------------------------------------------------------------------------------------

ROWS: dict[str, Any] = {
    "without it": lambda rows: rows[:1],
    "another digest": lambda rows: (rows[0], replace(rows[1], sha256="00" * 32)),
    "the digest of the other one": lambda rows: (rows[0], replace(rows[1], sha256=rows[0].sha256)),
    "twice": lambda rows: (*rows, rows[1]),
    "another order": lambda rows: rows[::-1],
    "none": lambda _rows: (),
    "one more": lambda rows: (*rows, signoff.SeenEvidence("evidence/3", "00" * 32, "full")),
}


@pytest.mark.parametrize("what", sorted(ROWS))
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_statement_about_other_documents(what: str, decision: str, world: World) -> None:
    """It has a row for each document, attached or named, and no other."""
    attached, named = (world.upload("evaluator", "risk_report") for _ in range(2))
    change = world.propose("evaluator", ASSIGN, report(named), evidence=[attached])
    statement = world.statement("owner-a", change, decision)

    good = world.decide("owner-a", c.SignOffChange(change), envelopes=(envelope("owner-a", statement),))
    other = replace(statement, evidence=ROWS[what](statement.evidence))
    decided = world.decide("owner-a", c.SignOffChange(change), envelopes=(envelope("owner-a", other),))

    assert codes(good) == []
    assert codes(decided) == [Code.SIGN_OFF_EVIDENCE]


@pytest.mark.parametrize("seen", signoff.SEEN)
@pytest.mark.parametrize("opened", [False, True])
def test_what_was_seen_of_a_restricted_document(seen: str, opened: bool, world: World) -> None:  # noqa: FBT001  # a parameter
    """Nobody says to have seen one in full that a trigger names, unless an entry says that they opened it."""
    secret = world.upload("evaluator", "risk_report", classification="restricted")
    if opened:
        world.must("evaluator", c.GrantEvidenceAccess(secret, "principals/owner-a"))
        world.must("owner-a", c.OpenEvidence(secret))
    change = world.propose("evaluator", ASSIGN, report(secret))

    decided = world.sign("owner-a", change, seen=seen)

    assert codes(decided) == ([] if opened or seen != "full" else [Code.SIGN_OFF_EVIDENCE])


def test_opening_a_copy_is_not_opening_the_restricted_one(world: World) -> None:
    """Two records of the same bytes are two documents: who has read the public one says so of that."""
    public = world.upload("evaluator", "risk_report", word="same", classification="public")
    secret = world.upload("evaluator", "risk_report", word="same", classification="restricted")
    change = world.propose("evaluator", ASSIGN, report(secret, public))

    assert codes(world.sign("owner-a", change)) == [Code.SIGN_OFF_EVIDENCE]
    assert codes(world.sign("owner-a", change, seen="redacted")) == []


@pytest.mark.parametrize("seen", ["redacted", "not_opened"])
def test_who_must_have_opened_the_evidence_has_opened_what_triggers_name(seen: str, wide: World) -> None:
    """A slot with ``seen: full`` asks for every document that the change binds, after it was detached as well."""
    wide.enact(ASSIGN)
    named = wide.upload("evaluator", "safeguards_report")
    change = wide.propose("evaluator", f.LevelRaise(LEVEL, "guarded"), report(named), evidence=[named])
    wide.must("evaluator", c.DetachEvidence(change, wide.revised(change, evidence=[])))

    assert codes(wide.sign("reviewer-a", change, seen=seen)) == [Code.EVIDENCE_NOT_OPENED]
    assert codes(wide.sign("reviewer-a", change, seen="full")) == []


def test_who_made_what_a_finding_names_is_an_author(wide: World) -> None:
    """Regression: of all triggers that name documents, those of a finding that is raised were not looked at."""
    wide.enact(ASSIGN)
    named = wide.upload("evaluator", "risk_report", authors=["reviewer-a"])
    raised = f.FindingRaise(MODEL, "low", (named,), bytes(32))
    change = wide.propose("owner-b", f.LevelRaise(LEVEL, "guarded"), raised)

    assert codes(wide.sign("reviewer-a", change)) == [Code.EVIDENCE_AUTHOR_CONFLICT]
    assert codes(wide.sign("reviewer-b", change)) == []
