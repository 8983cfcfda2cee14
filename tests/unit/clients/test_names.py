"""What people type becomes resource names."""

from __future__ import annotations

import pytest

from interlock.client import names


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (names.model("aurora-4"), "models/aurora-4"),
        (names.model("models/aurora-4"), "models/aurora-4"),
        (names.change("3"), "changes/3"),
        (names.evidence("evidence/7"), "evidence/7"),
        (names.entry("0"), "entries/0"),
        (names.level("a", "security"), "models/a/levels/security"),
        (names.determination("models/a", "cbrn-3"), "models/a/determinations/cbrn-3"),
        (names.safeguard("filter", "a"), "models/a/safeguards/filter"),
        (names.safeguard("filter"), "safeguards/filter"),
        (names.safeguard("models/a/safeguards/filter", "b"), "models/a/safeguards/filter"),
        (names.target("-"), "-"),
        (names.target("a"), "models/a"),
        (names.leaf("models/a/levels/security"), "security"),
    ],
    ids=range(13),
)
def test_short_ids_and_full_names_give_the_same_name(made: str, name: str) -> None:
    """A short id gets its collection; a full name stays."""
    assert made == name
