"""Snapshots: one canonical form a resource, and the fold rebuilt from such forms."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.statemachine import resources as r
from interlock.statemachine import snapshot
from tests.unit.ledger.story import tell


def any_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Return any value of a resource class, every field drawn."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{item.name: st.from_type(hints[item.name]) for item in fields(kind)})


st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))  # larger ones are refused where they are read
for _part in (r.Artifact, r.Credential, r.SignOff):
    st.register_type_strategy(_part, any_of(_part))
RESOURCES = st.one_of([any_of(kind) for kind in get_args(r.Resource)])


@given(RESOURCES)
def test_decoding_gives_back_what_was_encoded(resource: r.Resource) -> None:
    """Every resource, whatever is in its fields, comes back equal from its canonical bytes."""
    assert snapshot.decode(snapshot.encode(resource)) == resource


@given(RESOURCES, RESOURCES)
def test_equal_resources_and_only_these_have_equal_bytes(one: r.Resource, other: r.Resource) -> None:
    """Two resources have the same bytes if and only if they are the same."""
    assert (snapshot.encode(one) == snapshot.encode(other)) == (one == other)


def test_the_form_is_pinned() -> None:
    """The canonical form is JSON without spaces, in order of declaration, in ASCII, bytes as hex."""
    hold = r.Hold("holds/1", "models/ü", reason_digest=b"\x00\xff")

    assert snapshot.encode(hold) == (
        b'{"Hold":{"name":"holds/1","target":"models/\\u00fc","state":"placed","placed_at":0,"placed_actor":"",'
        b'"reason_digest":"00ff","lifted_by":-1}}'
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Nothing":{}}',
        b'{"Grant":{}}',
        b'{"Hold":{},"Grant":{}}',
        b'{"Hold":{"name":"holds/1"}}',
        snapshot.encode(r.Hold("holds/1", "-")).replace(b'"placed_at":0', b'"placed_at":false'),
        snapshot.encode(r.Hold("holds/1", "-")).replace(b'"placed_at":0', b'"placed_at":0.0'),
        snapshot.encode(r.Hold("holds/1", "-", reason_digest=b"\xaa")).replace(b"aa", b"AA"),
        snapshot.encode(r.Hold("holds/1", "-")).replace(b":", b": "),
        b"[" * 100_000,
    ],
)
def test_bytes_in_any_other_form_are_refused(data: bytes) -> None:
    """What is not exactly the canonical form of a resource does not decode."""
    with pytest.raises(snapshot.SnapshotError):
        snapshot.decode(data)


def test_a_state_is_rebuilt_from_its_resources_in_any_order() -> None:
    """After each entry of a story, the state with all its indexes is a function of (name, position, resource)."""
    _, states = tell()
    shuffle = random.Random(7).shuffle

    for state in states:
        rows = [(name, state.positions[name], item) for name, item in state.items.items()]
        shuffle(rows)
        assert snapshot.rebuild(rows, size=state.size, time=state.time) == state


@pytest.mark.parametrize("position", [-1, 3])
def test_a_row_outside_the_log_is_refused(position: int) -> None:
    """No state of three entries has a resource that was written before the first or after the last."""
    with pytest.raises(snapshot.SnapshotError):
        snapshot.rebuild([("holds/1", position, r.Hold("holds/1", "-"))], size=3, time=0)


def test_a_row_under_another_name_is_refused() -> None:
    """A resource belongs under its own name only."""
    hold = r.Hold("holds/1", "-")

    with pytest.raises(snapshot.SnapshotError):
        snapshot.rebuild([("holds/2", 0, replace(hold))], size=1, time=0)
