"""Documents of a change in a bundle: what a trigger names is held to its digest in contents, statements and entries.

An operator here has the log key, and a signer's key too where the test says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from interlock.statemachine import codec, signoff, statements
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.v1 import bundle_pb2
from tests.support.bundles import Parts, codes, judged, trust_in
from tests.support.stories import sign
from tests.support.world import World, envelope, public_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.statemachine.entry import Content

MISUSE = "models/m/determinations/misuse"
ATTACHED, NAMED = b"what was measured", b"what was reported"


@lru_cache(maxsize=1)
def story() -> World:
    """Return a log with one applied change: a document is attached, another is named by a trigger."""
    world = World.found(countersigned_by=("owner-a",))
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    attached = world.upload("evaluator", "evaluation_results", word=ATTACHED.decode())
    named = world.upload("evaluator", "risk_report", word=NAMED.decode(), classification="restricted")
    for who in ("owner-a", "reviewer-a"):
        world.must("evaluator", c.GrantEvidenceAccess(named, f"principals/{who}"))
        world.must(who, c.OpenEvidence(named))
    reported = f.DeterminationReport(MISUSE, "ruled_out", "", (named,))
    change = world.propose("evaluator", reported, f.DeterminationRuleOut(MISUSE), evidence=[attached])
    sign(world, "owner-a", change)
    sign(world, "reviewer-a", change)
    return world


PROPOSED = 9
SIGNED = 10


@lru_cache(maxsize=1)
def whole() -> Parts:
    """Return its bundle, with both documents."""
    return Parts.of(story(), documents=(ATTACHED, NAMED))


def found(parts: Parts) -> list[tuple[str, int, str]]:
    """Return the findings of a bundle whose operator signed a head over whatever is in it now."""
    return codes(judged(parts.resigned().data, trust_in(story())))


def test_the_story() -> None:
    """Else nothing below would mean anything: it verifies, and both documents come with it."""
    report = judged(whole().data, trust_in(story()))

    assert isinstance(story().entries[PROPOSED].command, c.ProposeChange)
    assert isinstance(story().entries[SIGNED].command, c.SignOffChange)
    assert report.findings == ()
    assert "2 documents; 2 texts and 0 documents by digest only" in report.steps[7].detail


def test_every_record_of_a_documents_bytes_is_held_to_their_length() -> None:
    """The same bytes may be recorded twice; a length that they do not have is found in the second record as well."""
    world = World.found(countersigned_by=("owner-a",))
    world.upload("evaluator", "evaluation_results", word=ATTACHED.decode())
    recorded = world.entries[-1].command
    assert isinstance(recorded, c.RecordEvidence)
    world.must("engineer", replace(recorded, size=recorded.size + 1))

    report = judged(Parts.of(world, documents=(ATTACHED,)).data, trust_in(world))

    assert [(row.code, row.detail.split()[0]) for row in report.findings] == [("EVIDENCE_DIFFERS", "evidence/2")]


@pytest.mark.parametrize("data", [ATTACHED, NAMED])
def test_other_bytes_under_a_documents_digest(data: bytes) -> None:
    """What a trigger names is checked like what is attached."""
    documents = {sha256: b"kinder" + some if some == data else some for sha256, some in whole().documents.items()}

    assert [code for _, _, code in found(replace(whole(), documents=documents))] == ["EVIDENCE_DIFFERS"]


def test_every_byte_of_what_is_bound() -> None:
    """Another byte in the list of named documents is another content, which no entry names."""
    [item] = whole().rows[PROPOSED].objects
    sha256 = hashlib.sha256(NAMED).hexdigest().encode()
    begin = item.index(sha256) - len(b"evidence/2") - 4
    for at in range(begin, item.index(sha256) + len(sha256)):
        changed = bytearray(item)
        changed[at] ^= 1
        findings = found(whole().with_row(PROPOSED, objects=[bytes(changed)]))
        assert findings, at
        assert findings[0][1] == PROPOSED


STATEMENTS: dict[str, Callable[[signoff.Statement], signoff.Statement]] = {
    "silent about it": lambda one: replace(one, evidence=one.evidence[:1]),
    "another digest": lambda one: replace(one, evidence=(one.evidence[0], replace(one.evidence[1], sha256="ab" * 32))),
    "silent about both": lambda one: replace(one, evidence=()),
}


@pytest.mark.parametrize("what", sorted(STATEMENTS))
def test_a_statement_about_other_documents(what: str) -> None:
    """The signer signed it and the operator took it: the rules do not, and the verifier runs the rules."""
    entry = story().entries[SIGNED]
    payload = statements.open_envelope(entry.facts.envelopes[0], public_of("principals/owner-a", "signoff")).payload
    signed = envelope("owner-a", STATEMENTS[what](signoff.parse_statement(payload)))
    forged = replace(entry, facts=replace(entry.facts, envelopes=(signed,)))

    findings = found(whole().with_row(SIGNED, entry=codec.encode_entry(forged)))

    assert findings == [("replay", SIGNED, "NOT_DECIDABLE_SO")]


CONTENTS: dict[str, dict[str, Any]] = {
    "unbound": {"named_evidence": ()},
    "another digest": {"named_evidence": (("evidence/2", "ab" * 32),)},
    "another document": {"named_evidence": (("evidence/1", hashlib.sha256(ATTACHED).hexdigest()),)},
}


@pytest.mark.parametrize("what", sorted(CONTENTS))
def test_a_content_that_binds_something_else(what: str) -> None:
    """The operator wrote it with its digest: it is not what these triggers give."""
    row = whole().rows[PROPOSED]
    content: Content = replace(codec.decode_content(row.objects[0]), **CONTENTS[what])
    data = codec.encode_content(content)
    forged = replace(story().entries[PROPOSED], command=c.ProposeChange(data))
    other = bundle_pb2.BundleEntry(entry=codec.encode_entry(forged), objects=[data])
    parts = replace(whole(), rows=(*whole().rows[:PROPOSED], other, *whole().rows[PROPOSED + 1 :]))

    findings = found(parts)

    assert findings[0][:2] == ("replay", PROPOSED)
