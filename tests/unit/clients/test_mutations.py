"""Every byte counts: whatever byte of whatever part is another, it is found, and nothing crashes.

Part by part at every byte, which is cheap; the whole verifier at seeded places of the file. `make mutation` runs the
whole verifier at every byte of one entry of each command.
"""

from __future__ import annotations

import hashlib
import random
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

from interlock.client.verify.digests import Documents, Objects
from interlock.client.verify.fold import Fold
from interlock.client.verify.texts import Texts
from interlock.proofs import bundle, dsse, merkle, note, tiles
from interlock.proofs.errors import RefusedError
from interlock.statemachine import commands as c
from interlock.statemachine import statements
from interlock.statemachine.codec import content_digests
from interlock.v1 import bundle_pb2
from tests.support.bundles import NAME, VKEY, codes, judged, root_of, trust_in
from tests.support.parted import a_range, a_selection, story
from tests.support.stories import DOCUMENT, SALT, TEXTS, every_command, every_name, one_of_each, whole_bundle
from tests.support.stories import whole_trust as trust
from tests.support.world import public_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from interlock.client.verify import Trust

MASKS = (0x01, 0x80)
PARTS = {"range": a_range, "selection": a_selection}


@lru_cache(maxsize=1)
def trust_in_parts() -> Trust:
    """Return what an auditor believes of the log that the parts are of."""
    return replace(trust_in(story()[0]), partial_ok=True)


SEED = 20261124


def mutants(data: bytes) -> Iterator[bytes]:
    """Yield the data with each byte changed, in each way."""
    for position in range(len(data)):
        for mask in MASKS:
            changed = bytearray(data)
            changed[position] ^= mask
            yield bytes(changed)


def test_every_command_occurs() -> None:
    """The story has an entry of each command: a new one belongs in it (``tests/support/stories.py``)."""
    assert set(one_of_each()) == every_name()


def test_the_pristine_bundle_passes() -> None:
    """Else nothing below would mean anything."""
    assert judged(whole_bundle().data, trust()).findings == ()


# Part by part, every byte -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", range(26))
def test_no_byte_of_an_entry_can_be_another(position: int) -> None:
    """The leaf hash of any other bytes leads to another root."""
    entries = whole_bundle().entries
    reader = tiles.TileReader(_stored(entries).get)
    proof = merkle.inclusion_proof(position, len(entries), reader.read_node)
    root = root_of(entries)
    merkle.verify_inclusion(merkle.leaf_hash(entries[position]), position, len(entries), proof, root)

    for data in mutants(entries[position]):
        with pytest.raises(RefusedError):
            merkle.verify_inclusion(merkle.leaf_hash(data), position, len(entries), proof, root)


def test_no_byte_of_a_tile_can_be_another() -> None:
    """Each hash of it is part of the root."""
    entries = whole_bundle().entries
    stored = _stored(entries)
    [(tile, data)] = stored.items()

    for other in mutants(data):
        read = tiles.TileReader({tile: other}.get).read_node
        assert merkle.root_at(len(entries), read) != root_of(entries)


def test_no_byte_of_a_checkpoint_can_be_another() -> None:
    """Origin, size, root, signature, and every sign between them."""
    verifier = note.NoteVerifier.from_vkey(VKEY)
    text = whole_bundle().head.encode()
    note.open_checkpoint(text, verifier, origin=NAME)

    for other in mutants(text):
        with pytest.raises(RefusedError):
            note.open_checkpoint(other, verifier, origin=NAME)


@pytest.mark.parametrize("number", range(6))
def test_no_byte_of_an_envelope_can_change_what_was_signed(number: int) -> None:
    """It is refused, or it says the very same by the very same key: only the key id, a hint, is nobody's signature."""
    signed = [
        (entry.actor.principal, entry.facts.envelopes[0])
        for entry in every_command().entries
        if isinstance(entry.command, c.SignOffChange | c.WithdrawSignOffOfChange)
    ]
    signer, envelope = signed[number]
    key = public_of(signer, "signoff")
    payload = statements.open_envelope(envelope, key).payload
    other_hints = 0

    for other in mutants(envelope):
        try:
            opened = statements.open_envelope(other, key)
        except RefusedError:
            continue
        assert opened.payload == payload
        assert dsse.RawEnvelope.from_json(other).signature == dsse.RawEnvelope.from_json(envelope).signature
        other_hints += 1

    assert other_hints <= len(MASKS) * len(dsse.RawEnvelope.from_json(envelope).keyid)


def test_no_byte_of_a_content_or_a_pack_can_be_another() -> None:
    """What an entry names is found by its digest, and nothing else is."""
    objects = [(row, item) for row in whole_bundle().rows for item in row.objects]
    assert len(objects) == 8

    for row, item in objects:
        [digest] = content_digests(row.entry)
        step = 1 if len(item) < 4096 else 7  # of the pack every seventh byte: each costs a hash of all of it
        for position in range(0, len(item), step):
            other = bytearray(item)
            other[position] ^= 1
            held = Objects()
            held.load([bytes(other)])
            with pytest.raises(LookupError):
                held.resolve(digest)


def test_no_byte_of_a_text_or_its_salt_can_be_another() -> None:
    """The digest is over both."""
    held = next(entry for entry in every_command().entries if isinstance(entry.command, c.Fire) and entry.seq > 2)
    found: list[str] = []
    rows = [bundle_pb2.BundleText(salt=SALT, text=TEXTS[0])]
    rows += [bundle_pb2.BundleText(salt=salt, text=TEXTS[0]) for salt in mutants(SALT)]
    rows += [
        bundle_pb2.BundleText(salt=SALT, text=text.decode()) for text in mutants(TEXTS[0].encode()) if text.isascii()
    ]

    with closing(Fold()) as fold:
        for row in rows:
            Texts(fold).take(held, [row], lambda _position, code, _detail: found.append(code))

    assert found == ["TEXT_DIFFERS"] * (len(rows) - 1)


def test_no_byte_of_a_document_can_be_another() -> None:
    """Nor fewer, nor more."""
    fold = Fold()
    sha256 = hashlib.sha256(DOCUMENT).hexdigest()
    fold.note_document(sha256, "evidence/1", len(DOCUMENT))
    others = [DOCUMENT, DOCUMENT[:-1], DOCUMENT + b"\0", b"", *mutants(DOCUMENT)]
    found: list[str] = []

    for data in others:
        documents = Documents(fold)
        documents.begin(sha256, len(DOCUMENT), lambda *_: None)
        documents.chunk(data)
        documents.end(lambda _position, code, _detail: found.append(code))
    fold.close()

    assert found == ["EVIDENCE_DIFFERS"] * (len(others) - 1)


# The whole verifier -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(10))
def test_the_whole_verifier_finds_any_byte(part: int) -> None:
    """At 500 seeded places of the file, whether or not who changed it also made the file's own digest fit."""
    data = whole_bundle().data
    dice = random.Random(SEED + part)

    for position in dice.sample(range(len(data)), 50):
        other = bytearray(data)
        other[position] ^= 1 << dice.randrange(8)
        if position < len(data) - 32 and position % 8:
            other[-32:] = hashlib.sha256(other[:-32]).digest()
        report = judged(bytes(other), trust())
        assert not report.verified, (position, codes(report))


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("kind", ["range", "selection"])
def test_the_whole_verifier_finds_any_byte_of_a_part_of_the_log(kind: str, part: int) -> None:
    """As above: gaps, leaves, header and entries alike, at 250 seeded places of each kind."""
    data = PARTS[kind]().data
    dice = random.Random(SEED + part)
    assert judged(data, trust_in_parts()).verified

    for position in dice.sample(range(len(data)), 50):
        other = bytearray(data)
        other[position] ^= 1 << dice.randrange(8)
        if position < len(data) - 32 and position % 8:
            other[-32:] = hashlib.sha256(other[:-32]).digest()
        report = judged(bytes(other), trust_in_parts())
        assert not report.verified, (position, codes(report))


@pytest.mark.parametrize("kind", ["range", "selection"])
def test_no_segment_of_a_part_of_the_log_is_left_out_doubled_or_moved(kind: str) -> None:
    """Each of them, in turn, though the file's own digest fits: a finding, or an order that no file can have."""
    segments = PARTS[kind]().segments()
    first = next(at for at, (each, _) in enumerate(segments) if each is bundle.Kind.ENTRY)

    for at in [*range(2, first, 7), *range(first, len(segments), 3)]:
        for other in (
            [*segments[:at], *segments[at + 1 :]],
            [*segments[: at + 1], *segments[at:]],
            [*segments[:at], *segments[at : at + 2][::-1], *segments[at + 2 :]],
        ):
            if other == segments:
                continue
            assert not judged(framed_anyhow(other), trust_in_parts()).verified, at


def framed_anyhow(segments: Sequence[tuple[bundle.Kind, bytes]]) -> bytes:
    """Return a file of segments in any order, with a digest that fits."""
    data = bundle.MAGIC + bundle.VERSION.to_bytes(4)
    data += b"".join(bytes((kind,)) + len(part).to_bytes(4) + part for kind, part in segments)
    data += bytes((bundle.Kind.END,)) + (32).to_bytes(4)
    return data + hashlib.sha256(data).digest()


def _stored(entries: tuple[bytes, ...]) -> dict[tiles.TileId, bytes]:
    """Return the tiles of a log."""
    _, written = tiles.RightEdge().append([merkle.leaf_hash(data) for data in entries])
    return dict(written)
