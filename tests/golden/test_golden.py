"""Each version's golden bundle verifies, now and for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.client.verify import Trust
from interlock.v1 import bundle_pb2
from tests.golden.make import FOLDER, FORMS, forms
from tests.support.bundles import judged

BUNDLES = sorted(Path(__file__).parent.glob("*.ilbundle"))


def test_there_is_a_golden_bundle() -> None:
    """At least this version's, one of each kind."""
    assert len(BUNDLES) >= len(bundle_pb2.BundleKind.keys()) - 1


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_a_golden_bundle_verifies(path: Path) -> None:
    """Until the first release: `python -m tests.golden.make` makes it anew. After it, nothing does."""
    key, genesis = (path.with_suffix(suffix).read_text("ascii").strip() for suffix in (".pub", ".genesis"))

    report = judged(path.read_bytes(), Trust(key, genesis_digest=bytes.fromhex(genesis), partial_ok=True))

    assert report.findings == (), "remake it with `python -m tests.golden.make` while nothing is released"
    assert report.asserted == 0


def test_the_canonical_forms_of_resources_are_pinned() -> None:
    """State digests are over these very bytes: other ones need another rules version, once something is released."""
    assert forms() == (FOLDER / FORMS).read_text("ascii"), "remake them with `python -m tests.golden.make`"
