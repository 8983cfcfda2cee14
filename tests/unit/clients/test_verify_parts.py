"""Bundles of a part of a log judged: a range, a selection; and what an operator could leave out or alter."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from interlock.client.verify import LOG, Trust, VerifyReport, verify_bundle
from interlock.client.verify import fold as folds
from interlock.proofs import bundle, keys
from interlock.statemachine import codec, snapshot
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import content_of
from interlock.v1 import bundle_pb2
from tests.support.bundles import codes, framed, judged, root_of, trust_in
from tests.support.excerpts import Cut, state_before
from tests.support.parted import FILTER, M, N, a_range, a_selection, must, state, story
from tests.support.world import World, public_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.statemachine.entry import Entry
    from interlock.statemachine.state import State


def trust(**parts: object) -> Trust:
    """Return what an auditor believes of the log."""
    return replace(trust_in(story()[0]), **parts)  # type: ignore[arg-type]  # fields of Trust


def judge(cut: Cut, **parts: object) -> VerifyReport:
    """Return what the verifier says of a part."""
    return judged(cut.data, trust(**parts))


# Ranges -----------------------------------------------------------------------------------------------------------


def test_a_range_verifies() -> None:
    """Each entry from the digest on is decided again; what gave the state before is there, and was signed."""
    world, at = story()

    report = judge(a_range())

    assert report.findings == ()
    assert report.part is not None
    assert (report.part.begin, report.part.last) == (at["first"], at["second"])
    assert report.entries == len(world.entries)
    assert report.root == root_of(world.encoded())
    assert (report.signed, report.asserted) == (4, 0)
    assert report.last_line.startswith(f"verified: entries {at['first']} to {at['second']} of {len(world.entries)}")


def test_a_range_from_the_founding_verifies() -> None:
    """It has no state to begin with, and ends before the head."""
    world, at = story()

    report = judge(Cut.range(world, 0, at["held"]))

    assert report.findings == ()
    assert report.part is not None
    assert report.part.last == at["held"] - 1


def test_a_range_ends_in_the_very_state_of_the_whole_log() -> None:
    """Whoever asks it about a moment is answered from the same state as out of the whole log."""
    world, at = story()
    states: dict[int, State] = {}

    def see(entry: Entry, state: State, _policy: object) -> None:
        states[entry.seq] = state

    verify_bundle(BytesIO(a_range().data).read, trust(), visit=see)

    assert set(states) == set(range(at["first"], at["second"] + 1))
    assert states[at["second"]] == state_before(world, at["second"] + 1)


@pytest.mark.parametrize("which", ["ruled_out", "assigned", "held_n", "sign_off", "upload", "genesis_close"])
def test_a_range_without_what_gave_its_state_is_not_decidable(which: str) -> None:
    """Whether a sign-off, an application, an upload or a hold: each fact has its entry."""
    _, at = story()
    position = {"sign_off": at["ruled_out"] - 1, "upload": 5, "genesis_close": 1}.get(which) or at[which]

    report = judge(a_range().without(position))

    assert ("state", position, "NOT_DECIDABLE") in codes(report)
    assert not report.verified


def test_a_range_without_an_entry_of_its_own_is_not_decidable() -> None:
    """Nothing is left out between its ends."""
    _, at = story()

    for position in range(at["first"] + 1, at["second"]):
        assert ("state", position, "NOT_DECIDABLE") in codes(judge(a_range().without(position)))


def test_a_part_that_stops_says_from_where_on_it_judged_nothing() -> None:
    """No step after the entry that is not here is said to hold, of a range and of a selection; what came before is."""
    _, at = story()
    for cut, position in ((a_range(), at["first"] + 1), (a_selection(), at["assigned"])):
        report = judge(cut.without(position), partial_ok=True)

        told = {step.name: step for step in report.steps}
        (where,) = {told[name].unjudged_from for name in ("replay", "sign-offs", "consent", "digests")}
        assert where is not None
        assert where >= position
        assert not any(told[name].passed for name in ("replay", "sign-offs", "consent", "digests", "state"))
        assert all(told[name].passed for name in ("checkpoint", "genesis", "tree", "history", "file"))


def test_a_range_without_its_digest_is_not_decidable() -> None:
    """Nor one that begins elsewhere."""
    world, at = story()
    shifted = Cut.range(world, at["first"] + 1, at["second"] + 1)

    assert not judge(a_range().without(at["first"])).verified
    assert ("state", at["first"] + 1, "STATE_DIFFERS") in codes(judge(shifted))


@pytest.mark.parametrize("name", ["log", "holds/1", FILTER, "grants/3", "evidence/1"])
def test_no_resource_of_its_state_is_left_out(name: str) -> None:
    """A leaf that is hidden is a fact that nobody can judge."""
    assert ("state", LOG, "NOT_DECIDABLE") in codes(judge(a_range().hiding(name)))


def test_no_resource_of_its_state_is_another() -> None:
    """The digest is over its canonical form: replay makes it again."""
    world, at = story()
    hold = state_before(world, at["first"]).need("holds/1", r.Hold)
    lifted = snapshot.encode(replace(hold, state="lifted"))

    report = judge(a_range().with_row("holds/1", lifted))

    assert ("replay", at["first"], "NOT_DECIDABLE_SO") in codes(report)
    assert ("state", at["held_n"], "STATE_DIFFERS") in codes(report)


@pytest.mark.parametrize("position", [1 << 70, -(1 << 70), -5])
@pytest.mark.parametrize("field", ["applied_position", "sign_offs"])
def test_a_number_that_nothing_holds_is_a_finding(field: str, position: int) -> None:
    """A state is read before its digest is judged: a position that no store takes ends the reading, not the program."""
    world, at = story()
    change = state_before(world, at["first"]).need("changes/1", r.Change)
    signed = (replace(change.sign_offs[0], position=position), *change.sign_offs[1:])
    other = replace(change, **{field: position if field == "applied_position" else signed})  # type: ignore[arg-type]

    report = judge(a_range().with_row(change.name, snapshot.encode(other)))

    assert not report.verified
    assert {step for step, _, _ in codes(report)} <= {"state", "replay", "sign-offs", "history"}


@pytest.mark.parametrize(("name", "field"), [("changes/1", "signer"), ("evidence/1", "sha256"), ("holds/1", "state")])
def test_half_of_a_character_is_a_finding_that_can_be_printed(name: str, field: str) -> None:
    """An escape of JSON makes a surrogate that stands alone: no text, which would end whoever hashes or prints it."""
    world, at = story()
    form = snapshot.encode(state_before(world, at["first"]).items[name])

    report = judge(a_range().with_row(name, re.sub(rb'("%s":)"[^"]*"' % field.encode(), rb'\1"\\ud800"', form)))

    assert ("state", LOG, "STATE_ROWS") in codes(report)
    assert all(row.detail.encode() for row in report.findings)


@pytest.mark.parametrize("instead", [None, r.Hold("log", M)])
def test_a_state_without_the_log_itself_is_a_finding(instead: r.Hold | None) -> None:
    """It is read before its digest is judged: one that has no log, or something else of that name, ends the reading."""
    cut = a_range()
    rows = {name: row for name, row in cut.rows.items() if name != "log"}
    leaves = tuple(leaf for leaf in cut.leaves if leaf.name != "log")
    bad = cut.with_row("log", snapshot.encode(instead)) if instead else replace(cut, rows=rows, leaves=leaves)

    assert ("state", LOG, "STATE_ROWS") in codes(judge(bad))


def test_a_range_has_the_sign_offs_of_what_ratified_a_change() -> None:
    """A fact may say that several entries gave it: each is there, with its sign-offs, or it is not decidable."""
    world = World.found(countersigned_by=["owner-a"])
    must(world, "evaluator", f.ModelRegister(M))
    must(world, "owner-a", f.HoldPlace(M))
    since = world.now + 1
    lifted = world.enact(f.HoldLift("holds/1"), signers=("owner-b", "reviewer-b"))
    lost = keys.fingerprint(public_of("principals/owner-b", "signoff"))
    must(world, "admin", f.CredentialRevoke(f"principals/owner-b/credentials/{lost}", since))
    ratifying = world.enact(f.ChangeRatify(lifted))
    ratified = world.state.need(ratifying, r.Change)
    begin = state(world)
    must(world, "owner-a", f.HoldPlace(M))
    cut = Cut.range(world, begin, begin + 2)

    report = judged(cut.without(ratified.sign_offs[0].position).data, trust_in(world))

    assert {code for _, _, code in codes(judged(cut.data, trust_in(world)))} <= {"SIGN_OFF_CHECKPOINT"}
    assert ("state", ratified.sign_offs[0].position, "NOT_DECIDABLE") in codes(report)


def test_a_sign_off_before_the_begin_is_held_to_the_signers_key() -> None:
    """Somebody else's envelope in its entry, in a correctly built tree, is found though nothing replays it."""
    world, at = story()
    position = at["ruled_out"] - 1
    other = world.entries[position + 1].facts
    forged = replace(world.entries[position], facts=replace(world.entries[position].facts, envelopes=other.envelopes))
    entries = list(a_range().entries)
    entries[position] = codec.encode_entry(forged)

    report = judge(replace(a_range(), entries=tuple(entries)))

    assert ("sign-offs", position, "SIGN_OFF_DIFFERS") in codes(report)


@pytest.mark.parametrize("what", ["attached", "named by a trigger"])
def test_a_document_before_the_begin_is_held_to_what_was_signed(what: str) -> None:
    """A state that has other bytes under the name of a document is another one than the signers spoke of."""
    world, at = story()
    state = state_before(world, at["first"])
    content = content_of(state.need("changes/1", r.Change).content)
    [(name, _)] = content.evidence if what == "attached" else content.named_evidence
    swapped = replace(state.need(name, r.Evidence), sha256="ab" * 32)

    report = judge(a_range().with_row(name, snapshot.encode(swapped)))

    for position in (at["ruled_out"] - 1, at["ruled_out"]):
        assert ("sign-offs", position, "SIGN_OFF_DIFFERS") in codes(report)


def test_what_was_seen_before_the_begin_is_what_was_signed() -> None:
    """A state that says of a signer that they saw more than they said is found."""
    world, at = story()
    change = state_before(world, at["first"]).need("changes/1", r.Change)
    [first, *rest] = change.sign_offs
    less = replace(first, seen=tuple((name, "not_opened") for name, _ in first.seen))

    report = judge(a_range().with_row(change.name, snapshot.encode(replace(change, sign_offs=(less, *rest)))))

    assert ("sign-offs", first.position, "SIGN_OFF_DIFFERS") in codes(report)


def test_a_checkpoint_that_was_kept_must_be_where_the_tree_is_known() -> None:
    """At a size inside a gap nobody can say whether it is a head of this log: exit 1, not silence."""
    world, at = story()
    entries = world.encoded()
    known, inside = at["held"], len(entries) - 1
    cut = Cut.range(world, at["first"], at["second"])

    assert judge(cut, heads=((known, root_of(entries[:known])),)).verified
    assert codes(judge(cut, heads=((inside, root_of(entries[:inside])),))) == [("history", LOG, "NOT_DECIDABLE")]
    assert codes(judge(cut, heads=((known, bytes(32)),))) == [("history", LOG, "LOG_FORKED")]


@pytest.mark.parametrize("part", [a_range, a_selection])
def test_a_part_is_judged_alike_with_its_fold_on_disk(part: Callable[[], Cut], monkeypatch: pytest.MonkeyPatch) -> None:
    """A range of more entries than stay in memory; its digest is made of what is on disk."""
    whole = judge(part(), partial_ok=True)
    monkeypatch.setattr(folds, "SETTLE_EVERY", 1)
    monkeypatch.setattr(folds, "KEPT", 1)

    assert judge(part(), partial_ok=True) == whole
    assert whole.verified


# Selections -------------------------------------------------------------------------------------------------------


def test_a_selection_is_partial_and_verifies_where_that_is_accepted() -> None:
    """It never says `verified:`; it covers what it names, and leaves out what is another model's."""
    _, at = story()

    alone, accepted = judge(a_selection()), judge(a_selection(), partial_ok=True)

    assert codes(alone) == [("state", LOG, "PARTIAL")]
    assert accepted.findings == ()
    for report in (alone, accepted):
        assert report.last_line.startswith(f"PARTIAL: covers {M} up to entry {at['second']}")
    assert accepted.part is not None
    assert accepted.part.given < accepted.entries
    assert at["held_n"] not in a_selection().kept
    assert {"revoked", "held", "degraded", "held_all", "lifted"} <= {
        word for word, position in at.items() if position in a_selection().kept
    }


@pytest.mark.parametrize("which", ["held", "revoked", "degraded", "held_all", "lifted", "ruled_out", "assigned"])
def test_a_selection_that_leaves_out_an_entry_is_not_decidable(which: str) -> None:
    """A hold, a revocation, a degrade, a hold on everything: its chain is broken, or the digest has something else."""
    _, at = story()

    report = judge(a_selection().without(at[which]), partial_ok=True)

    assert "NOT_DECIDABLE" in {code for _, _, code in codes(report)}
    assert report.last_line.startswith("NOT VERIFIED")


def test_a_selection_without_any_one_of_its_entries_never_passes() -> None:
    """Each of them is needed."""
    for position in a_selection().kept:
        if position:
            assert not judge(a_selection().without(position), partial_ok=True).verified, position


@pytest.mark.parametrize(
    ("which", "leaf"),
    [("held", "holds/2"), ("held_all", "holds/3"), ("degraded", FILTER), ("revoked", "principals/reviewer-b")],
)
def test_nor_does_one_that_hides_the_leaf_as_well(which: str, leaf: str) -> None:
    """Without its entries and its leaf a resource could be anything: what a gap may hide counts as missing."""
    world, at = story()
    chain = [entry.seq for entry in world.entries[2:] if any(name == leaf for name, _ in entry.prev)]
    assert at[which] in chain

    report = judge(a_selection().without(*chain).hiding(leaf), partial_ok=True)

    assert "NOT_DECIDABLE" in {code for _, _, code in codes(report)}


@pytest.mark.parametrize("field", ["time", "actor", "rules_digest", "transitions"])
def test_the_entry_that_states_a_selections_digest_is_one_that_the_rules_give(field: str) -> None:
    """Its time says until when the selection answers, and nobody but the log states a digest: as in a full bundle."""
    world, at = story()
    cut, entry = a_selection(), world.entries[at["second"]]
    early = world.entries[at["lifted"]].time
    others = {
        "time": replace(entry, time=early, facts=replace(entry.facts, instant=early)),
        "actor": replace(entry, actor=world.entries[at["held"]].actor),
        "rules_digest": replace(entry, rules_digest=bytes(32)),
        "transitions": replace(entry, transitions=world.entries[at["held"]].transitions),
    }
    entries = list(cut.entries)
    entries[at["second"]] = codec.encode_entry(others[field])

    report = judge(replace(cut, entries=tuple(entries)), partial_ok=True)

    assert ("replay", at["second"]) in {(step, position) for step, position, _ in codes(report)}


def test_nothing_comes_with_the_entry_that_states_a_selections_digest() -> None:
    """It names no content and no text."""
    _, at = story()
    segments = a_selection().segments()
    where, row = next(
        (number, row)
        for number, (kind, data) in enumerate(segments)
        if kind is bundle.Kind.ENTRY
        and (row := bundle_pb2.BundleEntry.FromString(data)).entry == a_selection().entries[at["second"]]
    )
    row.objects.append(b"more")
    segments[where] = (bundle.Kind.ENTRY, row.SerializeToString())

    report = judged(framed(segments), trust(partial_ok=True))

    assert codes(report) == [("digests", at["second"], "OBJECT_UNNAMED")]


def test_what_stands_apart_is_hidden() -> None:
    """Documents that nothing of the model rests on are in a gap of the digest, and in gaps of the log."""
    cut = a_selection()
    kinds = [kind for kind, _ in cut.segments()]

    assert bundle.Kind.RESOURCE_GAP in kinds
    assert kinds.count(bundle.Kind.GAP) > 1
    assert "evidence/4" not in cut.rows


def test_a_hold_on_another_model_shows_that_it_is_one() -> None:
    """Its form comes along; by its digest alone it could be a hold on anything."""
    cut = a_selection()
    shown = cut.rows["holds/1"]
    assert shown.form
    by_digest = type(shown)(name=shown.name, position=shown.position, sha256=cut.leaves[_at(cut, "holds/1")].sha256)

    report = judge(replace(cut, rows=cut.rows | {"holds/1": by_digest}), partial_ok=True)

    assert "NOT_DECIDABLE" in {code for _, _, code in codes(report)}


def _at(cut: Cut, name: str) -> int:
    return next(at for at, row in enumerate(cut.leaves) if row.name == name)


def test_a_selection_of_two_models_has_both() -> None:
    """And is whole without gaps in what concerns them."""
    world, at = story()

    report = judge(Cut.selection(world, at["second"], M, N), partial_ok=True)

    assert report.verified
    assert report.part is not None
    assert report.part.models == (M, N)


def test_a_selection_cannot_claim_a_model_that_it_does_not_have() -> None:
    """The header is nobody's word."""
    cut = a_selection()
    header = type(cut.header)()
    header.CopyFrom(cut.header)
    header.models.append(N)

    report = judge(replace(cut, header=header), partial_ok=True)

    assert "NOT_DECIDABLE" in {code for _, _, code in codes(report)}


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("part", ["range", "selection"])
def test_a_part_is_not_taken_for_another_kind(kind: int, part: str) -> None:
    """Least of all for a full bundle."""
    cut = a_range() if part == "range" else a_selection()
    header = type(cut.header)()
    header.CopyFrom(cut.header)
    if header.kind == kind:
        return
    header.kind = kind  # type: ignore[assignment]  # any number can stand there

    assert not judge(replace(cut, header=header), partial_ok=True).verified
