"""Sign-off envelopes that say one thing to one reader and another to the next: each refused, with the entry it left.

Each is made with the signer's own key, so nothing but the form stands against it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from interlock.proofs import dsse
from interlock.statemachine import signoff
from interlock.v1 import change_pb2
from tests.scenarios.test_insiders import SIGN, attempts, hand_in, proposal
from tests.support.people import People, refused
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Install

    Spoil = Callable[[bytes], bytes]

ADD_FIELD: Final = b'"predicate":{'
CYRILLIC: Final = "о"  # what it is about


@pytest.fixture(scope="module")
def people(installations: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Serve `minimal`."""
    data = copy_of(installations("minimal"), tmp_path_factory.mktemp("envelopes") / "data")
    with ServerThread(data) as server, People(server) as crowd:
        yield crowd


@pytest.fixture(scope="module")
def change(people: People) -> change_pb2.Change:
    """Give a change that waits for an owner; nothing here may move it."""
    return proposal(people, people.new_model())


def parts(envelope: bytes) -> dict[str, Any]:
    """Return an envelope's fields."""
    found: dict[str, Any] = json.loads(envelope)
    return found


def wrapped(**other: object) -> Spoil:
    """Return what puts other fields into an envelope."""
    return lambda envelope: json.dumps(parts(envelope) | other).encode()


def signatures(change: Callable[[dict[str, str]], object]) -> Spoil:
    """Return what makes other signatures of the one that an envelope has."""
    return lambda envelope: json.dumps(
        parts(envelope) | {"signatures": change(parts(envelope)["signatures"][0])}
    ).encode()


def payload_as(text: Callable[[str], str]) -> Spoil:
    """Return what writes the payload's base64 in another way."""
    return lambda envelope: json.dumps(parts(envelope) | {"payload": text(parts(envelope)["payload"])}).encode()


ENVELOPES: Final[dict[str, Spoil]] = {
    "no signature": wrapped(signatures=[]),
    "two signatures": signatures(lambda one: [one, one]),
    "signatures of no list": signatures(lambda one: one),
    "a signature with more in it": signatures(lambda one: [{**one, "cert": "x"}]),
    "a signature in another alphabet": signatures(
        lambda one: [{**one, "sig": base64.urlsafe_b64encode(base64.b64decode(one["sig"])).decode().rstrip("=")}]
    ),
    "a signature with white space": signatures(lambda one: [{**one, "sig": one["sig"][:8] + "\n" + one["sig"][8:]}]),
    "a payload with white space": payload_as(lambda text: text + "\n"),
    "a payload of another padding": payload_as(lambda text: text.rstrip("=") if text.endswith("=") else text + "="),
    "a payload with bits behind its end": payload_as(lambda text: text + "A"),
    "a payload twice": lambda envelope: envelope.replace(b'{"', b'{"payload":"e30=","', 1),
    "another field": wrapped(extra=1),
    "a type of another kind": wrapped(payloadType="application/json"),
    "a type in capitals": wrapped(payloadType="application/vnd.in-toto+JSON"),
    "a type of no text": wrapped(payloadType=[dsse.IN_TOTO_TYPE]),
    "a list": lambda envelope: b"[" + envelope + b"]",
    "something behind it": lambda envelope: envelope + b"{}",
    "UTF-16": lambda envelope: envelope.decode().encode("utf-16"),
    "deep": lambda _: b'{"payload":' * 5000,
}
OF_ANOTHER_TYPE: Final = {"a type of another kind", "a type in capitals"}
"""These have the form; the type is part of what was signed."""


@pytest.mark.parametrize("how", ENVELOPES)
def test_an_envelope_of_another_form(how: str, people: People, change: change_pb2.Change) -> None:
    """One signature, each field once, canonical base64: else nobody signed anything."""
    good = people["owner"].envelope(people["owner"].statement(change, "owner"))

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], change.name, ENVELOPES[how](good))

    assert said.unmet == ("SIGN_OFF_SIGNATURE" if how in OF_ANOTHER_TYPE else "SIGN_OFF_FORMAT",)
    assert (SIGN, said.unmet) in attempts(people, "owner")
    assert not people["owner"].changes.GetChange(change_pb2.GetChangeRequest(name=change.name)).sign_offs


PAYLOADS: Final[dict[str, Spoil]] = {
    "a decision twice": lambda said: said.replace(ADD_FIELD, ADD_FIELD + b'"decision":"reject",', 1),
    "a subject twice": lambda said: said.replace(b'{"_type"', b'{"subject":[],"_type"', 1),
    "a key twice, once escaped": lambda said: said.replace(ADD_FIELD, ADD_FIELD + b'"\\u0064ecision":"reject",', 1),
    "a field that nobody knows": lambda said: said.replace(ADD_FIELD, ADD_FIELD + b'"also":"everything",', 1),
    "a field less": lambda said: said.replace(b'"conditions":"",', b"", 1),
    "two subjects": lambda said: said.replace(b'"subject":[', b'"subject":[{"digest":{"sha256":""},"name":"x"},', 1),
    "another statement type": lambda said: said.replace(b"Statement/v1", b"Statement/v2", 1),
    "another predicate": lambda said: said.replace(b"signoff:v1", b"delegation:v1", 1),
    "a decision in capitals": lambda said: said.replace(b'"approve"', b'"APPROVE"', 1),
    "a role twice": lambda said: said.replace(b'["owner"]', b'["owner","owner"]', 1),
    "roles that are no words": lambda said: said.replace(b'["owner"]', b'[["owner"]]', 1),
    "an end as a fraction": lambda said: said.replace(b'"notAfter":0', b'"notAfter":0.5', 1),
    "an end as a word": lambda said: said.replace(b'"notAfter":0', b'"notAfter":true', 1),
    "an end before time": lambda said: said.replace(b'"notAfter":0', b'"notAfter":-1', 1),
    "an end beyond all numbers": lambda said: said.replace(b'"notAfter":0', b'"notAfter":9' + b"9" * 30, 1),
    "an end that is no number": lambda said: said.replace(b'"notAfter":0', b'"notAfter":NaN', 1),
    "a short nonce": lambda said: said.replace(b'"nonce":"', b'"nonce":"0', 1),
    "a lone surrogate": lambda said: said.replace(b'"comment":""', b'"comment":"\\ud800"', 1),
    "a mark before it": lambda said: b"\xef\xbb\xbf" + said,
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("how", PAYLOADS)
def test_a_signed_payload_of_another_form(how: str, people: People, change: change_pb2.Change) -> None:
    """The signature is good; what it is over is not a statement in its one form."""
    payload = PAYLOADS[how](signoff.build_statement(people["owner"].statement(change, "owner")))
    envelope = dsse.sign(dsse.IN_TOTO_TYPE, payload, people.server.key("owner", "signoff")).to_json()

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], change.name, envelope)

    assert said.unmet == ("SIGN_OFF_FORMAT",)
    assert (SIGN, said.unmet) in attempts(people, "owner")
    assert not people["owner"].changes.GetChange(change_pb2.GetChangeRequest(name=change.name)).sign_offs


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"signer": f"principals/{CYRILLIC}wner"}, "SIGN_OFF_SIGNER"),
        ({"signer": "principals/owner\u200b"}, "SIGN_OFF_SIGNER"),
        ({"signer": "principals/OWNER"}, "SIGN_OFF_SIGNER"),
        ({"change": "changes/01"}, "SIGN_OFF_SUBJECT"),
        ({"change": "changes/١"}, "SIGN_OFF_SUBJECT"),
        ({"on_behalf_of": f"principals/{CYRILLIC}wner"}, "NO_DELEGATION"),
        ({"on_behalf_of": "principals/owner"}, "NO_DELEGATION"),
        ({"not_after": 1}, "SIGN_OFF_ENDED"),
        ({"checkpoint_size": 2**40}, "SIGN_OFF_CHECKPOINT"),
    ],
    ids=repr,
)
def test_a_statement_that_names_something_like_it(
    other: dict[str, Any], code: str, people: People, change: change_pb2.Change
) -> None:
    """Names are compared to the letter; an end that has passed, or a head to come, is refused."""
    statement = replace(people["owner"].statement(change, "owner"), **other)

    with refused("SIGN_OFF_INVALID") as said:
        hand_in(people["owner"], change.name, people["owner"].envelope(statement))

    assert said.unmet == (code,)
    assert (SIGN, (code,)) in attempts(people, "owner")


def test_an_approval_that_ends_in_two_hundred_years(people: People) -> None:
    """The greatest end that can be said is taken, and the change can still be read and listed."""
    change = proposal(people, people.new_model())

    signed = people["owner"].sign(change.name, "owner", not_after=2**53 - 1)

    assert [row.void for row in signed.sign_offs] == [False]
    rows = people["auditor"].changes.ListChanges(change_pb2.ListChangesRequest()).changes
    assert change.name in [row.name for row in rows]


def test_a_nonce_used_again(people: People) -> None:
    """The same statement, signed and wrapped anew, is the same sign-off: accepted once, ever."""
    change = proposal(people, people.new_model())
    statement = people["owner"].statement(change, "owner")
    hand_in(people["owner"], change.name, people["owner"].envelope(statement))

    with refused("SIGN_OFF_INVALID") as said:
        again = json.dumps(parts(people["owner"].envelope(statement)), indent=2).encode()
        hand_in(people["owner"], change.name, again)

    assert said.unmet == ("SIGN_OFF_REPLAYED",)


def test_a_payload_of_a_megabyte(people: People, change: change_pb2.Change) -> None:
    """It is refused by its size, before anybody reads it."""
    payload = b'{"_type":"' + b"x" * (1 << 20) + b'"}'
    envelope = dsse.sign(dsse.IN_TOTO_TYPE, payload, people.server.key("owner", "signoff")).to_json()

    with refused("INVALID_FIELD") as said:
        hand_in(people["owner"], change.name, envelope)

    assert said.fields == ("envelope",)
