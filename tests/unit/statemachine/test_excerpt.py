"""What belongs in a part of a log: which leaves may be hidden, what a selection takes along."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.statemachine import excerpt
from interlock.statemachine import resources as r

M = "models/m"
NAMES = st.sampled_from(
    [
        *("assessments/1", "changes/1", "changes/12", "changes/2", "decisions/7", "deployments/1", "evidence/1"),
        *("evidence/3", "grants/1", "holds/1", "incidents/4", "interimMeasures/1", "log", "obligations/x"),
        *("models/a", "models/l/levels/x", M, "models/m-2", "models/m.x/levels/y", "models/m/levels/d"),
        *("models/m/safeguards/s", "models/m0", "models/z", "policies/p/versions/1", "principals/a", "safeguards/s"),
    ]
)


def is_of_concern(name: str) -> bool:
    """Say it naively: of M, or of no model and of no family that stands apart."""
    if name.startswith("models/"):
        return name == M or name.startswith(f"{M}/")
    return name.split("/", maxsplit=1)[0] not in {"assessments", "changes", "decisions", "deployments", "evidence"}


@given(NAMES, NAMES, NAMES)
def test_nothing_of_concern_can_stand_where_nothing_may_be_hidden_from(before: str, name: str, after: str) -> None:
    """Whatever stands between two names between which something may be hidden is of no concern."""
    if before < name < after and not excerpt.may_hide(before, after, (M,)):
        assert not is_of_concern(name)


@given(st.sets(NAMES))
def test_what_a_selection_shows_leaves_only_what_may_be_hidden(names: set[str]) -> None:
    """With the ends of each run shown, no gap can hide anything of concern; and runs of three are hidden in part."""
    ordered = sorted(names | {M})
    known = {name for name in ordered if is_of_concern(name)}

    shown = sorted(excerpt.shown(ordered, known, (M,)))

    assert known <= {ordered[at] for at in shown}
    assert not ordered or (shown[0], shown[-1]) == (0, len(ordered) - 1)
    for one, other in pairwise(shown):
        if other > one + 1:
            assert not excerpt.may_hide(ordered[one], ordered[other], (M,))


@pytest.mark.parametrize(
    ("item", "concerns"),
    [
        (r.Hold("holds/1", M), True),
        (r.Hold("holds/1", "-"), True),
        (r.Hold("holds/1", "models/n"), False),
        (r.InterimMeasure("interimMeasures/1", "models/n", ("s",), ("api",), 1), False),
        (r.Safeguard("safeguards/s"), True),
        (r.Safeguard("models/n/safeguards/s"), False),
        (r.Change("changes/1", "draft", 1, b"", b"", (), "", 0, 0, 0), False),
    ],
)
def test_what_concerns_a_model(item: r.Resource, *, concerns: bool) -> None:
    """Holds on it and on everything, shared safeguards; nothing of another model; what stands apart only if named."""
    assert excerpt.concerns(item.name, item, (M,)) is concerns


def test_what_cannot_be_known_to_be_anothers_is_of_concern() -> None:
    """A hold of which only the digest is there might be on anything; so might a kind that nobody knows yet."""
    assert excerpt.concerns("holds/1", None, (M,))
    assert excerpt.concerns("incidents/1", None, (M,))
