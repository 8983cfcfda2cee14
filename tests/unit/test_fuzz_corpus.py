"""What the fuzzer keeps, played without it: nothing that ever reached new code, or broke something, breaks anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, seeds

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
ACCEPTED = (
    "envelope",
    "change-file",
    "genesis-file",
    "pack",
    "bundle",
    "altered-bundle",
    "oidc-token",
    "provider-login",
    "identity-document",
    "altered-part",
)
"""Targets whose first seed is good: the fuzzer begins behind the first refusal."""


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_kept_breaks_its_reader(name: str) -> None:
    """Each is read, or refused in the reader's own way."""
    for data in (b"", bytes(64), b"[" * 4096, b"\xff" * 64, *seeds(name)):
        TARGETS[name].try_on(data)
    for file in sorted((CORPUS / name).glob("*")):
        TARGETS[name].try_on(file.read_bytes())


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_seed_is_accepted(name: str) -> None:
    """Else the fuzzer would only ever see the first check of its reader."""
    TARGETS[name].read(seeds(name)[0])


def test_every_corpus_has_its_target() -> None:
    """A renamed target takes its corpus along."""
    assert {folder.name for folder in CORPUS.glob("*")} <= set(TARGETS)
