"""Bundles judged: a good one passes, and what an operator, a thief or a bad disk could do to one is found."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

from interlock.client.verify import BUNDLE_STEPS, LOG, VerifyReport, signing_keys
from interlock.client.verify.procedure import Procedure
from interlock.proofs import bundle, note
from interlock.proofs.errors import Fault
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine.policy.files import pack_digest
from interlock.v1 import bundle_pb2
from tests.support.bundles import NAME, Parts, codes, framed, judged, root_of, signed_head, trust_in
from tests.support.world import World, envelope, key_of

if TYPE_CHECKING:
    from interlock.client.verify import Trust

SALT = bytes(range(32))
REASON = bundle_pb2.BundleText(salt=SALT, text="Until we know why")
DOCUMENT = b"what was measured"


def sign(world: World, who: str, change: str) -> None:
    """Sign as a client does: naming the head that the signer has seen."""
    entries = world.encoded()
    statement = replace(
        world.statement(who, change), checkpoint_size=len(entries), checkpoint_root=root_of(entries).hex()
    )
    world.must(who, c.SignOffChange(change), envelopes=(envelope(who, statement),))


def story(countersigned_by: tuple[str, ...] = ("owner-a",)) -> World:
    """Return a log with two changes, one applied and one under review, a document and a reason."""
    world = World.found(countersigned_by=countersigned_by)
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    report = world.upload("evaluator", "evaluation_results", word=DOCUMENT.decode())
    change = world.propose("evaluator", f.DeterminationRuleOut("models/m/determinations/misuse"), evidence=[report])
    sign(world, "owner-a", change)
    sign(world, "reviewer-a", change)
    reason = hashlib.sha256(SALT + REASON.text.encode()).digest()
    world.must("owner-a", c.Fire(f.HoldPlace("models/m", reason)))
    second = world.propose("evaluator", f.HoldLift("holds/1"))
    sign(world, "owner-a", second)
    return world


HELD = 7
"""Position of the hold, which names a reason."""

APPLIED = 6
"""Position of the sign-off that applied the first change."""


@lru_cache(maxsize=1)
def good() -> tuple[Parts, Trust]:
    """Return a bundle with everything in it, and what an auditor believes."""
    world = story()
    parts = Parts.of(world, sizes=(3, 6), documents=(DOCUMENT,)).with_row(HELD, texts=[REASON])
    return parts, trust_in(world)


def judge(parts: Parts) -> VerifyReport:
    """Return what is said of a bundle."""
    return judged(parts.data, good()[1])


def test_a_good_bundle_is_verified() -> None:
    """Every step passes and says what it counted."""
    parts, trust = good()

    report = judged(parts.data, trust)

    assert report.findings == ()
    assert [step.name for step in report.steps if step.passed] == list(BUNDLE_STEPS)
    assert report.entries == len(parts.rows)
    assert (report.signed, report.asserted, report.sign_offs) == (1, 0, 3)
    digests = next(step.detail for step in report.steps if step.name == "digests")
    assert digests == "3 contents and packs, 1 texts, 1 documents; 1 texts and 0 documents by digest only"


def test_a_bundle_with_nothing_else_in_it_is_verified() -> None:
    """Texts, documents and earlier checkpoints may be left out; what is held by digest only is counted."""
    parts, trust = good()
    bare = replace(parts, heads={}, documents={}).with_row(HELD, texts=[])

    report = judged(bare.data, trust)

    assert report.verified
    assert "2 texts and 1 documents by digest only" in report.steps[7].detail


def test_a_founding_that_was_not_pinned_is_shown_as_such() -> None:
    """Without its digest a verifier can only print which founding it was."""
    parts, trust = good()

    report = judged(parts.data, replace(trust, genesis_digest=b"", log_id=b""))

    assert report.verified
    assert not report.genesis_pinned
    assert "not pinned" in report.steps[1].detail


# The file ---------------------------------------------------------------------------------------------------------


def test_a_header_that_disagrees_with_the_head_is_found() -> None:
    """Nobody signed the header."""
    parts, trust = good()
    segments = parts.segments()
    header = bundle_pb2.BundleHeader(kind=bundle_pb2.BUNDLE_KIND_FULL, origin="other", size=len(parts.rows))
    segments[0] = (bundle.Kind.HEADER, header.SerializeToString(deterministic=True))

    assert codes(judged(framed(segments), trust)) == [("file", LOG, "BUNDLE_HEADER")]


def test_a_kind_of_a_newer_version_is_not_decidable() -> None:
    """What may stand for less than the whole log is never taken for the whole."""
    parts, trust = good()
    segments = parts.segments()
    segments[0] = (bundle.Kind.HEADER, segments[0][1].replace(b"\x08\x01", b"\x08\x04", 1))

    assert codes(judged(framed(segments), trust)) == [("file", LOG, "NOT_DECIDABLE")]


@pytest.mark.parametrize("extra", [b"\x78\x01", b"\xff"], ids=["unknown field", "no message"])
@pytest.mark.parametrize("number", [0, 1, 2, -1])
def test_a_segment_in_another_form_is_found(number: int, extra: bytes) -> None:
    """One form only: nothing can be hidden in a segment."""
    parts, trust = good()
    segments = parts.segments()
    kind, data = segments[number]
    segments[number] = (kind, data + extra)

    assert ("file", LOG, "BUNDLE_MESSAGE") in codes(judged(framed(segments), trust))


@pytest.mark.parametrize("length", [0, 5, 12, 40, 2000, -1])
def test_a_file_that_was_cut_off_is_found(length: int) -> None:
    """Also where everything that came is good."""
    parts, trust = good()

    assert "BUNDLE_TRUNCATED" in {code for _, _, code in codes(judged(parts.data[:length], trust))}


# The tree ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", range(9))
def test_an_entry_dropped_is_found(position: int) -> None:
    """By the size, and also where the operator signs the rest anew: replay, or whoever kept a checkpoint."""
    parts, trust = good()
    rest = replace(parts, rows=(*parts.rows[:position], *parts.rows[position + 1 :]), heads={})

    assert ("tree", LOG, "TRUNCATED") in codes(judge(rest))
    last = position == len(parts.rows) - 1
    kept = replace(trust, least_size=len(parts.rows)) if last else trust
    assert not judged(rest.resigned().data, kept).verified


@pytest.mark.parametrize("position", range(9))
def test_an_entry_doubled_is_found(position: int) -> None:
    """Also under a new checkpoint: no entry fits twice."""
    parts, _ = good()
    more = replace(parts, rows=(*parts.rows[: position + 1], *parts.rows[position:]), heads={})

    assert ("tree", LOG, "SURPLUS") in codes(judge(more))
    assert {step for step, _, _ in codes(judge(more.resigned()))} >= {"replay"}


@pytest.mark.parametrize("position", range(8))
def test_two_entries_swapped_are_found(position: int) -> None:
    """Also under a new checkpoint: time and chains show the order."""
    parts, _ = good()
    rows = list(parts.rows)
    rows[position], rows[position + 1] = rows[position + 1], rows[position]
    swapped = replace(parts, rows=tuple(rows), heads={})

    assert "ROOT_MISMATCH" in {code for _, _, code in codes(judge(swapped))}
    assert "replay" in {step for step, _, _ in codes(judge(swapped.resigned()))}


def test_entries_in_reverse_are_found() -> None:
    """Reordering all of them is no better than two."""
    parts, _ = good()

    assert not judge(replace(parts, rows=parts.rows[::-1], heads={}).resigned()).verified


def test_two_logs_spliced_are_found() -> None:
    """The beginning of one log and the rest of another, signed anew: sign-offs name its heads."""
    parts, trust = good()
    other = World.found(countersigned_by=["owner-a"])
    other.must("evaluator", c.Fire(f.ModelRegister("models/other")))
    spliced = replace(parts, rows=(*Parts.of(other).rows, *parts.rows[3:]), heads={}).resigned()

    report = judged(spliced.data, trust)

    assert not report.verified
    assert {step for step, _, _ in codes(report)} & {"replay", "sign-offs"}


def test_a_checkpoint_that_is_none_of_this_log_is_found() -> None:
    """An earlier head over other entries proves a fork."""
    parts, trust = good()
    other = replace(parts, heads={3: signed_head((b"one", b"two", b"three"))})

    assert codes(judged(other.data, trust)) == [("history", LOG, "LOG_FORKED")]


def test_what_a_finding_quotes_is_cut_off() -> None:
    """A note may be a megabyte, and there may be a thousand findings: a reader's memory and screen are its own."""
    parts, trust = good()
    junk = f"text\n\n{'x' * 50_000}\n"

    (found,) = judged(replace(parts, heads={3: junk}).data, trust).findings

    assert found.code == "NOTE_FORMAT"
    assert len(found.detail) <= 1000


@pytest.mark.parametrize("signer", ["log", "a stranger"])
def test_checkpoints_that_wait_for_their_key_have_a_bound(signer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whom a note is that no known key signed, or several, is known at the end: until then few bytes are kept."""
    monkeypatch.setattr(signing_keys, "MOST_CHARACTERS", 10_000)
    parts, trust = good()
    head = note.Checkpoint(NAME, 3, root_of(parts.entries[:3]), ("x" * 3000,))
    text = note.sign_checkpoint(head, NAME, key_of(signer, "log"))
    long = text + text[text.rindex("\u2014") :]  # two lines by the log's name

    with Procedure(trust) as procedure:
        for _ in range(5):
            procedure.take_checkpoint(long)

        assert len(procedure.keys.waiting) == 3
        assert Fault.NOTE_NOT_SIGNED in {row.code for row in procedure.findings}


def test_an_entry_edited_and_everything_signed_anew_is_found_by_who_kept_a_checkpoint() -> None:
    """An operator who edits what no rule forbids, and signs anew, is found by anyone who noted an earlier head down."""
    world = story()
    entry = world.entries[2]
    assert isinstance(entry.command, c.Fire)
    edited = replace(entry, request_id="another-request")
    parts = Parts.of(world).with_row(2, entry=codec.encode_entry(edited)).resigned()
    trust = trust_in(world)

    kept = replace(trust, heads=((4, root_of(world.encoded()[:4])),))

    assert ("replay", 2) not in {(step, at) for step, at, _ in codes(judged(parts.data, trust))}
    assert ("history", LOG, "LOG_FORKED") in codes(judged(parts.data, kept))


# Rules and signatures -----------------------------------------------------------------------------------------------


def test_a_change_applied_without_its_quorum_is_found() -> None:
    """An operator with the log key writes an entry that applies what one person signed, in a correctly built tree."""
    world = story()
    entry = world.entries[APPLIED]
    only_one = (*world.entries[:APPLIED], replace(entry, command=c.ApplyApprovedChange("changes/1"), facts=replace(
        entry.facts, envelopes=()), transitions=entry.transitions[1:]))  # fmt: skip
    rows = Parts.of(world).rows
    forged = bundle_pb2.BundleEntry(entry=codec.encode_entry(only_one[-1]))
    parts = Parts((*rows[:APPLIED], forged), "").resigned()

    assert codes(judged(parts.data, trust_in(world))) == [("replay", APPLIED, "NOT_DECIDABLE_SO")]


def test_a_sign_off_moved_to_another_change_is_found() -> None:
    """The statement names the content that was signed, so the envelope fits nowhere else."""
    world = story()
    moved = replace(world.entries[9], facts=replace(world.entries[9].facts, envelopes=world.entries[5].facts.envelopes))
    parts = Parts.of(world).with_row(9, entry=codec.encode_entry(moved)).resigned()

    assert codes(judged(parts.data, trust_in(world))) == [("replay", 9, "NOT_DECIDABLE_SO")]


def test_rules_of_another_version_cannot_be_judged() -> None:
    """An auditor's program runs its own rules, and says so where it has none."""
    world = story()
    newer = replace(world.entries[2], rules_version=2)
    parts = Parts.of(world).with_row(2, entry=codec.encode_entry(newer)).resigned()

    assert codes(judged(parts.data, trust_in(world))) == [("replay", 2, "RULES_UNKNOWN")]


@pytest.mark.parametrize("position", [0, 2])
def test_what_comes_after_an_entry_that_cannot_be_judged_is_not_said_to_be_wrong_or_good(position: int) -> None:
    """Its documents may be recorded there, its signatures were not looked at: both are said as they are."""
    world = story()
    newer = replace(world.entries[position], rules_version=2)
    parts = Parts.of(world, documents=(DOCUMENT,)).with_row(position, entry=codec.encode_entry(newer)).resigned()

    report = judged(parts.data, trust_in(world))

    assert codes(report) == [("replay", position, "RULES_UNKNOWN")]
    told = {step.name: step for step in report.steps}
    assert {told[name].unjudged_from for name in ("sign-offs", "consent", "digests")} == {position}
    assert {name for name, step in told.items() if not step.passed} == (
        {"replay", "sign-offs", "consent", "digests"} | ({"genesis"} if position == 0 else set())
    )
    assert told["consent"].detail.startswith(f"from entry {position} on" if position else "")


def test_of_entries_that_did_not_come_no_step_says_that_it_holds() -> None:
    """A log that ends before its head: what is there was judged, and each step says up to where."""
    parts, trust = good()
    cut = len(parts.rows) - 2

    report = judged(replace(parts, rows=parts.rows[:cut]).data, trust)

    assert ("tree", LOG, "TRUNCATED") in codes(report)
    less = {step.name: step.unjudged_from for step in report.steps if step.unjudged_from is not None}
    assert less == dict.fromkeys(("replay", "sign-offs", "consent", "digests"), cut)
    assert f"before it: {cut} entries decided again" in next(s.detail for s in report.steps if s.name == "replay")


def test_without_a_head_there_is_nothing_to_hold_the_tree_to() -> None:
    """A file of nothing: what it does not have is not said to be good."""
    _, trust = good()

    report = judged(b"", trust)

    assert [step.name for step in report.steps if step.passed] == ["history"]
    assert {step.name for step in report.steps if step.unjudged_from is None} == {"history", "file"}


def test_a_log_that_nobody_countersigned_rests_on_the_servers_word() -> None:
    """Its keys are whoever's the operator says: exit 1 unless that is accepted, and told how much it is."""
    world = story(countersigned_by=())
    data, trust = Parts.of(world).data, trust_in(world)

    report = judged(data, trust)

    assert codes(report) == [("consent", APPLIED, "ASSERTED")]
    assert (report.signed, report.asserted) == (0, 1)
    assert judged(data, replace(trust, accept_asserted=True)).verified


# What is named by digest ------------------------------------------------------------------------------------------


def test_a_pack_changed_by_one_word_is_found() -> None:
    """The rules of sign-offs come from the pack that the genesis names, byte for byte."""
    parts, _ = good()
    files = codec.decode_pack(parts.rows[0].objects[0])
    word = {path: text.replace(b"reviewer", b"reviever", 1) for path, text in files.items()}
    assert pack_digest(word) != pack_digest(files)

    assert ("replay", 0, "POLICY_UNREADABLE") in codes(judge(parts.with_row(0, objects=[codec.encode_pack(word)])))


def test_content_changed_is_found() -> None:
    """What was signed is there, byte for byte."""
    parts, _ = good()
    content = parts.rows[4].objects[0]

    assert ("replay", 4, "ENTRY_UNREADABLE") in codes(judge(parts.with_row(4, objects=[content + b"\x18\x01"])))


def test_an_object_that_no_entry_names_is_found() -> None:
    """Nothing rides along."""
    parts, _ = good()

    assert codes(judge(parts.with_row(2, objects=[b"ride"]))) == [("digests", 2, "OBJECT_UNNAMED")]


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ([bundle_pb2.BundleText(salt=SALT, text="Until we knew why")], "TEXT_DIFFERS"),
        ([bundle_pb2.BundleText(salt=SALT[::-1], text=REASON.text)], "TEXT_DIFFERS"),
        ([REASON, REASON], "TEXT_TWICE"),
    ],
    ids=["text", "salt", "twice"],
)
def test_a_text_changed_is_found(texts: list[bundle_pb2.BundleText], code: str) -> None:
    """A reason is the one whose digest the entry names."""
    parts, _ = good()

    assert codes(judge(parts.with_row(HELD, texts=texts))) == [("digests", HELD, code)]


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ({hashlib.sha256(DOCUMENT).hexdigest(): DOCUMENT + b"!"}, "EVIDENCE_DIFFERS"),
        ({hashlib.sha256(DOCUMENT).hexdigest(): DOCUMENT[::-1]}, "EVIDENCE_DIFFERS"),
        ({hashlib.sha256(b"other").hexdigest(): b"other"}, "EVIDENCE_UNKNOWN"),
        ({hashlib.sha256(DOCUMENT).hexdigest().upper(): DOCUMENT}, "EVIDENCE_UNKNOWN"),
    ],
    ids=["longer", "others", "unknown", "another form"],
)
def test_a_document_changed_is_found(documents: dict[str, bytes], code: str) -> None:
    """Its bytes are those that an entry recorded."""
    parts, _ = good()

    assert codes(judge(replace(parts, documents=documents))) == [("digests", LOG, code)]


def test_a_document_given_twice_is_found() -> None:
    """Duplicate segments are errors."""
    parts, trust = good()
    segments = parts.segments()

    assert codes(judged(framed([*segments, *segments[-2:]]), trust)) == [("digests", LOG, "EVIDENCE_TWICE")]
