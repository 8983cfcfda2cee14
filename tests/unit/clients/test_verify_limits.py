"""Bundles made to fill a reader's memory: short files of many tiny fields, refused before they are parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from interlock.client.verify import limits
from interlock.client.verify.digests import Objects
from interlock.proofs import bundle
from interlock.statemachine import codec
from interlock.statemachine.policy.files import pack_digest
from interlock.v1 import bundle_pb2, ledger_pb2, policy_pb2
from tests.support.bundles import codes, framed, judged
from tests.support.parted import a_range
from tests.support.stories import whole_bundle, whole_trust
from tests.unit.clients.test_verify_parts import trust

if TYPE_CHECKING:
    from google.protobuf.message import Message

MANY: Final = 600_000


def _of(kind: type[Message], field: str, times: int = MANY) -> bytes:
    """Return a message that is one field of two bytes, over and over."""
    tag = kind.DESCRIPTOR.fields_by_name[field].number << 3 | 2
    return bytes((tag, 0)) * times


ENTRIES: Final = {
    "texts": _of(bundle_pb2.BundleEntry, "texts"),
    "objects": _of(bundle_pb2.BundleEntry, "objects"),
    "a pack": bundle_pb2.BundleEntry(entry=b"e", objects=[_of(policy_pb2.PolicyPack, "files")]).SerializeToString(),
    "an entry": bundle_pb2.BundleEntry(
        entry=_of(ledger_pb2.LedgerEntry, "transitions", limits.MAX_ENTRY_BYTES // 2 + 1)
    ).SerializeToString(),
}


@pytest.mark.parametrize("which", ENTRIES)
def test_an_entry_of_countless_fields_is_refused(which: str) -> None:
    """Whatever is repeated in it: one finding, that says what is too much."""
    segments = whole_bundle().segments()
    at = next(number for number, (kind, _) in enumerate(segments) if kind is bundle.Kind.ENTRY)

    report = judged(framed([*segments[:at], (bundle.Kind.ENTRY, ENTRIES[which])]), whole_trust())

    found = next(row for row in report.findings if row.code == "BUNDLE_MESSAGE")
    assert "more than" in found.detail


@pytest.mark.parametrize("kind", [bundle.Kind.HEADER, bundle.Kind.HEAD])
def test_a_segment_longer_than_any_of_its_kind_is_refused(kind: bundle.Kind) -> None:
    """A header, a checkpoint: nothing of it is parsed."""
    segments = dict(whole_bundle().segments()[:2])
    segments[kind] = bytes(limits.MAX_BYTES[kind] + 1)

    report = judged(framed(list(segments.items())), whole_trust())

    assert ("file", -1, "BUNDLE_MESSAGE") in codes(report)
    assert any(kind.name in row.detail for row in report.findings)


def test_a_resource_of_countless_values_is_refused() -> None:
    """Its form is JSON, whose brackets are a byte each."""
    cut = a_range()
    form = b'{"Hold":[' + b"[]," * limits.MAX_MARKS + b"[]]}"

    report = judged(cut.with_row("holds/1", form).data, trust())

    assert any(row.code == "BUNDLE_MESSAGE" and "values" in row.detail for row in report.findings)


def test_no_content_is_larger_than_a_request() -> None:
    """It is not there for whoever resolves it; a pack of that length is."""
    pack = codec.encode_pack({"policy.yaml": bytes(limits.MAX_ENTRY_BYTES + 1)})
    objects = Objects()
    content = bytes(limits.MAX_ENTRY_BYTES + 1)
    objects.load([content, pack])

    with pytest.raises(LookupError):
        objects.resolve(next(digest for digest, item in objects.found.items() if item == content))
    assert objects.resolve(pack_digest(codec.decode_pack(pack))) == pack
