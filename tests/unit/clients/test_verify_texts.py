"""Erased texts, as a verifier sees them: an entry says that they were, or it is a finding."""

from __future__ import annotations

from interlock.client.verify.report import Erased
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.v1 import bundle_pb2
from tests.support.bundles import Parts, codes, framed, judged, trust_in
from tests.support.excerpts import Cut
from tests.support.parted import state
from tests.support.stories import ERASED, SALT, digest_of, every_command, whole_bundle, whole_trust
from tests.support.world import World


def whole(parts: Parts, *, texts: bool = True) -> bytes:
    """Return a bundle whose header says that every text is in it."""
    segments = parts.segments()
    header = bundle_pb2.BundleHeader.FromString(segments[0][1])
    header.texts = texts
    return framed([(segments[0][0], header.SerializeToString(deterministic=True)), *segments[1:]])


def places() -> tuple[int, int]:
    """Return the position of the entry that names the erased text, and of the one that erased it."""
    (by,) = (entry.seq for entry in every_command().entries if isinstance(entry.command, c.EraseText))
    return by - 1, by


def test_an_erased_text_is_no_finding() -> None:
    """The report says which entry named it and which erased it."""
    position, by = places()

    report = judged(whole_bundle().data, whole_trust())

    assert report.verified
    assert report.erased == (Erased(position, "comment", by),)
    assert "1 texts erased" in report.steps[7].detail


def test_an_erased_text_that_is_here_is_a_finding() -> None:
    """Somebody kept what should be forgotten."""
    position, by = places()
    text = bundle_pb2.BundleText(salt=SALT, text=ERASED)

    report = judged(whole_bundle().with_row(position, texts=[text]).data, whole_trust())

    assert codes(report) == [("digests", position, "TEXT_NOT_ERASED")]
    assert f"entry {by}" in report.findings[0].detail


def test_an_erasure_of_what_no_entry_named_is_a_finding() -> None:
    """The rules let it through: of texts the fold knows nothing."""
    world = every_command()
    world.must("admin", c.EraseText(digest_of("Never said")))

    report = judged(Parts.of(world).data, trust_in(world))

    assert ("digests", len(world.entries) - 1, "ERASED_UNKNOWN") in codes(report)


def test_a_text_that_is_missing_without_an_entry_is_a_finding() -> None:
    """Where the bundle says that it holds every text; where it does not, they are held by digest only."""
    world = every_command()
    parts = Parts.of(world)

    complete = judged(whole(parts), trust_in(world))
    partial = judged(whole(parts, texts=False), trust_in(world))

    missing = [finding for finding in complete.findings if finding.code == "TEXT_MISSING"]
    assert {finding.position for finding in missing}.isdisjoint({places()[0]})
    assert len(missing) == len(complete.findings) > 3
    assert partial.verified


def test_the_header_can_not_make_a_text_that_is_there_missing() -> None:
    """Only what is not here is asked for."""
    world = every_command()
    given = {row.position for row in judged(whole(whole_bundle()), trust_in(world)).findings}
    none = {row.position for row in judged(whole(Parts.of(world)), trust_in(world)).findings}

    assert given < none


def test_in_a_part_of_a_log_a_text_may_have_been_named_before_it() -> None:
    """A range that begins after the entry that named the text judges its erasure, and knows no more."""
    world = World.found(countersigned_by=["owner-a"])
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    world.must("owner-a", c.Fire(f.HoldPlace("models/m", digest_of("Never told"))))
    begin = state(world)
    world.must("admin", c.EraseText(digest_of("Never told")))

    report = judged(Cut.range(world, begin, len(world.entries)).data, trust_in(world))

    assert report.findings == ()
