"""The sign-off statement: written in one way, read strictly, and an in-toto Statement to anybody else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement as InTotoStatement

from interlock.statemachine import signoff, statements

GOOD = signoff.Statement(
    change="changes/1",
    content_sha256="0a" * 32,
    decision="approve",
    signer="principals/owner-a",
    roles=("owner", "reviewer"),
    checkpoint_size=7,
    checkpoint_root="0b" * 32,
    nonce="0c" * 16,
    comment_digest="0d" * 32,
    conditions_digest="0e" * 32,
    evidence=(signoff.SeenEvidence("evidence/1", "0f" * 32, "redacted"),),
    not_after=2**53 - 1,
)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
STATEMENTS = st.builds(
    signoff.Statement,
    change=st.text(max_size=9),
    content_sha256=DIGESTS,
    decision=st.sampled_from(signoff.DECISIONS),
    signer=st.text(max_size=9),
    roles=st.sets(st.text(max_size=5), max_size=3).map(lambda roles: tuple(sorted(roles))),
    checkpoint_size=st.integers(0, 2**53 - 1),
    checkpoint_root=DIGESTS,
    nonce=st.text("0123456789abcdef", min_size=32, max_size=32),
    on_behalf_of=st.text(max_size=5),
    comment_digest=st.just("") | DIGESTS,
    conditions_digest=st.just("") | DIGESTS,
    evidence=st.lists(
        st.builds(signoff.SeenEvidence, st.text(max_size=5), st.text(max_size=5), st.sampled_from(signoff.SEEN)),
        max_size=2,
    ).map(tuple),
    not_after=st.integers(0, 2**53 - 1),
)


@given(STATEMENTS)
def test_a_statement_comes_back(statement: signoff.Statement) -> None:
    """What is built is read again as the same statement."""
    assert signoff.parse_statement(signoff.build_statement(statement)) == statement


@given(st.binary(max_size=80) | st.recursive(st.none() | st.integers() | st.text(max_size=4), st.lists).map(
    lambda value: json.dumps(value).encode()
))  # fmt: skip
def test_anything_else_is_a_statement_error(payload: bytes) -> None:
    """No bytes at all raise anything but a StatementError."""
    with pytest.raises(statements.StatementError):
        signoff.parse_statement(payload)


@given(st.data())
def test_a_statement_with_a_byte_changed(data: st.DataObject) -> None:
    """A payload with a byte changed is another statement or none, never the same."""
    payload = bytearray(signoff.build_statement(GOOD))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        found = signoff.parse_statement(bytes(payload))
    except statements.StatementError:
        return
    assert found != GOOD


def test_it_is_an_in_toto_statement() -> None:
    """A second implementation reads it as a valid Statement v1 about the change's bytes."""
    message = json_format.Parse(signoff.build_statement(GOOD), statement_pb2.Statement())  # type: ignore[attr-defined]  # no stub
    statement = InTotoStatement.copy_from_pb(message)

    statement.validate()
    assert statement.pb.subject[0].name == GOOD.change
    assert statement.pb.subject[0].digest["sha256"] == GOOD.content_sha256
    assert statement.pb.predicate_type == signoff.SIGN_OFF_TYPE


@pytest.mark.parametrize(
    "parts",
    [
        {"decision": "maybe"},
        {"roles": ("b", "a")},
        {"roles": ("a", "a")},
        {"content_sha256": "0A" * 32},
        {"checkpoint_root": ""},
        {"nonce": "0c" * 15},
        {"not_after": -1},
        {"checkpoint_size": -1},
        {"comment_digest": "x"},
        {"evidence": (signoff.SeenEvidence("evidence/1", "", "half"),)},
    ],
)
def test_values_out_of_range(parts: dict[str, object]) -> None:
    """What could be written and means nothing is refused when read."""
    with pytest.raises(statements.StatementError):
        signoff.parse_statement(signoff.build_statement(replace(GOOD, **parts)))  # type: ignore[arg-type]


def test_a_countersignature_is_over_one_genesis() -> None:
    """A countersignature names its signer, over this genesis and no other, and is no sign-off."""
    payload = signoff.build_countersignature(b"\x01" * 32, "principals/owner-a")

    assert signoff.parse_countersignature(payload, b"\x01" * 32) == "principals/owner-a"
    with pytest.raises(statements.StatementError):
        signoff.parse_countersignature(payload, b"\x02" * 32)
    with pytest.raises(statements.StatementError):
        signoff.parse_statement(payload)
    with pytest.raises(statements.StatementError):
        signoff.parse_countersignature(signoff.build_statement(GOOD), b"\x0a" * 32)
