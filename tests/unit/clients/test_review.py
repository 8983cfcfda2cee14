"""What you see is what you sign: content bytes are opened strictly, texts and documents by their digests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock.client.errors import ContentError
from interlock.client.review import OpenedChange, Readers, open_change, review, salted_digest
from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.v1 import change_pb2, evidence_pb2, policy_pb2
from tests.support.versions import version
from tests.support.world import LOG_ID, World, sha256_of, sketch

if TYPE_CHECKING:
    from collections.abc import Mapping

SALT = bytes(32)


@pytest.fixture
def change() -> change_pb2.Change:
    """Give a change as the server would: a title by digest, one document."""
    world = World.found()
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    report = world.upload("evaluator", "evaluation_results", word="report")
    name = world.propose("evaluator", f.DeterminationRuleOut("models/m/determinations/misuse"), evidence=[report])
    content = codec.decode_content(world.state.need(name, r.Change).content)
    titled = replace(content, texts=(("title", salted_digest(SALT, "Rule it out")),))
    return change_pb2.Change(
        name=name,
        revision=1,
        content=codec.encode_content(titled),
        texts=[change_pb2.SaltedText(field="title", salt=SALT, text="Rule it out")],
    )


def _refused(change: change_pb2.Change, log_id: bytes = LOG_ID) -> str:
    with pytest.raises(ContentError) as caught:
        open_change(change, log_id)
    return caught.value.reason


def _records(sha256: str) -> evidence_pb2.Evidence:
    return evidence_pb2.Evidence(name="evidence/1", sha256=sha256)


def _reviewed(opened: OpenedChange, sha256: str = sha256_of("report")) -> str:
    with pytest.raises(ContentError) as caught:
        review(opened, Readers(lambda _name: _records(sha256)))
    return caught.value.reason


def test_a_change_opens_from_its_very_bytes(change: change_pb2.Change) -> None:
    """Triggers, base, documents and texts all come from what would be signed."""
    opened = open_change(change, LOG_ID)

    assert opened.content.triggers == (f.DeterminationRuleOut("models/m/determinations/misuse"),)
    assert opened.texts == {"title": "Rule it out"}
    assert opened.content.evidence == (("evidence/1", sha256_of("report")),)
    assert opened.erased == ()


def test_a_field_that_this_client_does_not_know_is_refused(change: change_pb2.Change) -> None:
    """An old client must not sign what it can't show."""
    change.content += b"\xf8\x07\x01"  # field 127, varint 1

    assert _refused(change) == "CONTENT"


def test_a_second_spelling_of_the_bytes_is_refused(change: change_pb2.Change) -> None:
    """Bytes that only mean the same have another digest and another reader."""
    change.content += b"\x18\x01"  # the revision once more

    assert _refused(change) == "CONTENT"


def test_bytes_that_are_no_content_are_refused(change: change_pb2.Change) -> None:
    """Random bytes are not shown as an empty change."""
    change.content = b"\xff\xff\xff"

    assert _refused(change) == "CONTENT"


def test_content_of_another_log_change_or_revision_is_refused(change: change_pb2.Change) -> None:
    """The server can't put other bytes under a change's name."""
    assert _refused(change, bytes(16)) == "OTHER_CONTENT"
    change.revision = 2
    assert _refused(change) == "OTHER_CONTENT"
    change.revision, change.name = 1, "changes/2"
    assert _refused(change) == "OTHER_CONTENT"


def test_a_text_with_another_digest_is_refused(change: change_pb2.Change) -> None:
    """One word of the title changed beside the bytes is found before it is shown."""
    change.texts[0].text = "Rule it in"

    assert _refused(change) == "DIGEST_MISMATCH"


def test_a_text_that_the_bytes_do_not_name_is_refused(change: change_pb2.Change) -> None:
    """Nothing can be shown beside a change that nobody would sign."""
    change.texts.add(field="summary", salt=SALT, text="Urgent, just sign")

    assert _refused(change) == "TEXT_UNKNOWN"


def test_a_text_given_twice_is_refused(change: change_pb2.Change) -> None:
    """Which of two texts a reader sees must not be open."""
    change.texts.add().CopyFrom(change.texts[0])

    assert _refused(change) == "TEXT_UNKNOWN"


def test_an_erased_text_can_be_read_round_but_not_signed(change: change_pb2.Change) -> None:
    """A change whose title is gone still opens; nobody can sign it any more."""
    del change.texts[:]

    opened = open_change(change, LOG_ID)

    assert opened.erased == ("title",)
    assert _reviewed(opened) == "TEXT_ERASED"


def test_a_document_with_another_digest_is_refused(change: change_pb2.Change) -> None:
    """The record shown has to be that of the bytes named."""
    assert _reviewed(open_change(change, LOG_ID), sha256_of("another report")) == "DIGEST_MISMATCH"


def test_rules_that_this_client_does_not_have_are_refused(change: change_pb2.Change) -> None:
    """What a change means under other rules can't be shown here."""
    content = codec.decode_content(change.content)
    change.content = codec.encode_content(replace(content, rules_digest=bytes(32)))

    assert _reviewed(open_change(change, LOG_ID)) == "RULES_UNKNOWN"


def test_a_change_in_order_is_reviewed_with_its_documents(change: change_pb2.Change) -> None:
    """Review gives every document's record in the content's order."""
    reviewed = review(open_change(change, LOG_ID), Readers(lambda _name: _records(sha256_of("report"))))

    assert [record.name for record in reviewed.evidence] == ["evidence/1"]


# A policy to adopt ------------------------------------------------------------------------------------------------

STRICTER = version(("attested_for: 180d", "attested_for: 90d"))


def pack_of(files: Mapping[str, bytes]) -> policy_pb2.PolicyPack:
    """Return a pack as a message."""
    return policy_pb2.PolicyPack(files=[policy_pb2.PolicyFile(path=path, content=files[path]) for path in files])


@pytest.fixture
def adoption() -> change_pb2.Change:
    """Give a change that adopts another version, as the server would."""
    world = World.found()
    name = world.propose_policy("evaluator", STRICTER)
    content = world.state.need(name, r.Change).content
    return change_pb2.Change(name=name, revision=1, content=content, pack=pack_of(STRICTER))


def _not_shown(change: change_pb2.Change, before: Mapping[str, bytes] | None) -> str:
    def read(name: str) -> policy_pb2.Policy:
        return policy_pb2.Policy(name=name, pack=pack_of(before or {}))

    with pytest.raises(ContentError) as caught:
        review(open_change(change, LOG_ID), Readers(lambda _name: _records(""), read if before is not None else None))
    return caught.value.reason


def test_an_adoption_is_shown_against_the_version_that_it_is_written_under(adoption: change_pb2.Change) -> None:
    """Asked for by the name in its base, held to the digest in its content; in words and line by line."""
    asked: list[str] = []

    def read(name: str) -> policy_pb2.Policy:
        asked.append(name)
        return policy_pb2.Policy(name=name, pack=pack_of(sketch()))

    shown = review(open_change(adoption, LOG_ID), Readers(lambda _name: _records(""), read)).adoption

    assert shown is not None
    assert asked == ["policies/minimal/versions/1.0"]
    assert [row.words for row in shown.differences] == ["an attestation lasts 180d → 90d"]
    assert "+    attested_for: 90d" in shown.lines


def test_another_pack_beside_an_adoption_is_refused(adoption: change_pb2.Change) -> None:
    """Its digest is not the one that would be signed."""
    adoption.pack.CopyFrom(pack_of(sketch()))

    assert _refused(adoption) == "DIGEST_MISMATCH"


def test_an_adoption_that_can_not_be_compared_is_not_shown(adoption: change_pb2.Change) -> None:
    """Against another pack than the one in force, or with no pack at all."""
    assert _not_shown(adoption, STRICTER) == "DIGEST_MISMATCH"
    assert _not_shown(adoption, None) == "PACK_MISSING"
    adoption.ClearField("pack")
    assert _not_shown(adoption, sketch()) == "PACK_MISSING"


# Documents that a trigger names --------------------------------------------------------------------------------------

NAMED = (("evidence/1", sha256_of("report")), ("evidence/7", sha256_of("seven")))


@pytest.fixture
def attested(change: change_pb2.Change) -> change_pb2.Change:
    """Give the change as one whose trigger names two documents, one of them attached as well."""
    return naming(change, NAMED)


def naming(change: change_pb2.Change, named: tuple[tuple[str, str], ...]) -> change_pb2.Change:
    """Return the change with a trigger that names documents 1 and 7, in bytes that bind some."""
    firing = f.SafeguardReattest("models/m/safeguards/input-filter", ("evidence/7", "evidence/1"))
    content = replace(codec.decode_content(change.content), triggers=(firing,), named_evidence=named)
    change.content = codec.encode_content(content)
    return change


def documents(**words: str) -> Readers:
    """Return readers of the records of documents, by the word that their bytes are."""
    known = {"evidence/1": "report", "evidence/7": "seven"} | {f"evidence/{name[1:]}": to for name, to in words.items()}
    return Readers(lambda name: evidence_pb2.Evidence(name=name, sha256=sha256_of(known[name])))


def test_documents_that_a_trigger_names_are_shown(attested: change_pb2.Change) -> None:
    """A document that is not attached is shown too, once, and apart from those that are."""
    reviewed = review(open_change(attested, LOG_ID), documents())

    assert [record.name for record in reviewed.evidence] == ["evidence/1"]
    assert [record.name for record in reviewed.named] == ["evidence/7"]


def test_a_record_of_another_document_than_a_trigger_names_is_refused(attested: change_pb2.Change) -> None:
    """What is shown under the name has the digest that is signed."""
    with pytest.raises(ContentError) as caught:
        review(open_change(attested, LOG_ID), documents(n7="kinder"))

    assert caught.value.reason == "DIGEST_MISMATCH"


@pytest.mark.parametrize(
    "named",
    [(), NAMED[:1], NAMED[1:], (*NAMED, ("evidence/8", "00" * 32)), NAMED[::-1], (*NAMED, NAMED[1])],
    ids=["none", "one", "the other", "another too", "out of order", "one twice"],
)
def test_bytes_that_do_not_bind_what_a_trigger_names_are_refused(
    named: tuple[tuple[str, str], ...], change: change_pb2.Change
) -> None:
    """A signature over them would not say which document was meant: nothing of the change is shown."""
    assert _refused(naming(change, named)) == "EVIDENCE_UNBOUND"


def test_two_digests_of_one_document_are_refused(change: change_pb2.Change) -> None:
    """One record can't be both of them, whichever the server gives."""
    opened = open_change(naming(change, (("evidence/1", sha256_of("kinder")), NAMED[1])), LOG_ID)

    for word in ("report", "kinder"):
        with pytest.raises(ContentError) as caught:
            review(opened, documents(n1=word))
        assert caught.value.reason == "DIGEST_MISMATCH"


# A ratification ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ratification(change: change_pb2.Change) -> change_pb2.Change:
    """Give a change that ratifies the first one, as the server would."""
    content = codec.decode_content(change.content)
    digest = hashlib.sha256(change.content).digest()
    again = replace(
        content,
        change="changes/2",
        triggers=(f.ChangeRatify(change.name, digest),),
        texts=(),
        evidence=(),
        named_evidence=(),
    )
    return change_pb2.Change(name="changes/2", revision=1, content=codec.encode_content(again))


def readers(change: change_pb2.Change | None) -> Readers:
    """Return readers that know the first change's document, and give that for whatever change is asked for."""
    return Readers(lambda _name: _records(sha256_of("report")), change=None if change is None else lambda _name: change)


def test_a_ratification_is_shown_with_what_it_ratifies(
    change: change_pb2.Change, ratification: change_pb2.Change
) -> None:
    """Triggers, texts and documents of the tainted change are those of the bytes that the signature binds."""
    [ratified] = review(open_change(ratification, LOG_ID), readers(change)).ratified

    assert ratified.opened.content.triggers == (f.DeterminationRuleOut("models/m/determinations/misuse"),)
    assert ratified.opened.texts == {"title": "Rule it out"}
    assert [record.sha256 for record in ratified.evidence] == [sha256_of("report")]


def test_what_a_trigger_of_a_ratified_change_names_is_held_to_its_digest(
    attested: change_pb2.Change, ratification: change_pb2.Change
) -> None:
    """The bytes that it applied bind it, and the ratification binds these bytes."""
    opened = open_change(ratification, LOG_ID)
    [ratified] = review(opened, replace(documents(), change=lambda _name: attested)).ratified
    assert [record.name for record in ratified.named] == ["evidence/7"]

    with pytest.raises(ContentError) as caught:
        review(opened, replace(documents(n7="kinder"), change=lambda _name: attested))
    assert caught.value.reason == "DIGEST_MISMATCH"


def test_another_content_under_a_tainted_change_is_refused(
    change: change_pb2.Change, ratification: change_pb2.Change
) -> None:
    """A server that shows something kinder than what was applied is found before anything is signed."""
    kinder = replace(codec.decode_content(change.content), triggers=(f.HoldPlace("models/m"),))
    change.content = codec.encode_content(kinder)

    with pytest.raises(ContentError) as caught:
        review(open_change(ratification, LOG_ID), readers(change))

    assert caught.value.reason == "DIGEST_MISMATCH"


def test_another_document_under_a_tainted_change_is_refused(
    change: change_pb2.Change, ratification: change_pb2.Change
) -> None:
    """Documents of the tainted change are held to their digests too."""
    with pytest.raises(ContentError) as caught:
        review(
            open_change(ratification, LOG_ID), Readers(lambda _name: _records("0" * 64), change=lambda _name: change)
        )

    assert caught.value.reason == "DIGEST_MISMATCH"


@pytest.mark.parametrize("how", ["no digest", "nothing to read it with"])
def test_a_ratification_that_can_not_be_shown(
    how: str, change: change_pb2.Change, ratification: change_pb2.Change
) -> None:
    """One that binds nothing, or whose tainted change can't be had, is not signed."""
    if how == "no digest":
        content = replace(codec.decode_content(ratification.content), triggers=(f.ChangeRatify(change.name),))
        ratification.content = codec.encode_content(content)

    with pytest.raises(ContentError) as caught:
        review(open_change(ratification, LOG_ID), readers(change if how == "no digest" else None))

    assert caught.value.reason == ("DIGEST_MISMATCH" if how == "no digest" else "RATIFIED")


def test_ratifications_of_ratifications_without_end(ratification: change_pb2.Change) -> None:
    """A chain that goes on and on is refused, not followed."""
    last = ratification
    made = {last.name: last}
    for number in range(3, 20):
        digest = hashlib.sha256(last.content).digest()
        firing = f.ChangeRatify(last.name, digest)
        content = replace(codec.decode_content(last.content), change=f"changes/{number}", triggers=(firing,))
        last = change_pb2.Change(name=content.change, revision=1, content=codec.encode_content(content))
        made[last.name] = last

    with pytest.raises(ContentError) as caught:
        review(open_change(last, LOG_ID), Readers(lambda _name: _records(""), change=made.__getitem__))

    assert caught.value.reason == "RATIFIED"
