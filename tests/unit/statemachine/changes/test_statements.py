"""The signed statement: what it must say, whose key it takes, and that it is taken once."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from interlock.proofs import dsse
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import signoff
from interlock.statemachine.decide import Accepted
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import World, codes, envelope, key_of
from tests.unit.statemachine.changes.reviews import ASSIGN, MODEL

OTHER = "changes/2"
WRONG: dict[str, tuple[dict[str, Any], Code]] = {
    "another change": ({"change": OTHER}, Code.SIGN_OFF_SUBJECT),
    "other content": ({"content_sha256": "00" * 32}, Code.SIGN_OFF_SUBJECT),
    "another signer": ({"signer": "principals/owner-b"}, Code.SIGN_OFF_SIGNER),
    "on behalf of somebody": ({"on_behalf_of": "principals/owner-b"}, Code.NO_DELEGATION),
    "evidence that is not attached": (
        {"evidence": (signoff.SeenEvidence("evidence/1", "00" * 32, "full"),)},
        Code.SIGN_OFF_EVIDENCE,
    ),
    "a checkpoint of the future": ({"checkpoint_size": 10**6}, Code.SIGN_OFF_CHECKPOINT),
    "ended": ({"not_after": 1}, Code.SIGN_OFF_ENDED),
    "a withdrawal": ({"decision": "withdraw"}, Code.SIGN_OFF_FORMAT),
}


@pytest.mark.parametrize("what", sorted(WRONG))
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_statement_about_anything_else(what: str, decision: str, world: World) -> None:
    """A statement must be about this content, by this actor, and within its time; a reject as well."""
    change = world.propose("evaluator", ASSIGN)
    parts, code = WRONG[what]
    statement = replace(world.statement("owner-a", change, decision), **parts)

    decided = world.decide("owner-a", c.SignOffChange(change), envelopes=(envelope("owner-a", statement),))

    assert isinstance(decided, Refused)
    assert (decided.kind, codes(decided)) == (RefusalKind.SIGN_OFF_INVALID, [code])


def test_everything_wrong_with_a_statement_is_said_at_once(world: World) -> None:
    """A statement with two faults has two requirements unmet."""
    change = world.propose("evaluator", ASSIGN)
    statement = replace(world.statement("owner-a", change), not_after=1, on_behalf_of="principals/owner-b")

    decided = world.decide("owner-a", c.SignOffChange(change), envelopes=(envelope("owner-a", statement),))

    assert codes(decided) == [Code.NO_DELEGATION, Code.SIGN_OFF_ENDED]


@pytest.mark.parametrize("whose", ["owner-b", "reviewer-a", "evaluator"])
def test_somebody_elses_key(whose: str, world: World) -> None:
    """A statement that names the actor and is signed with another's key is refused."""
    change = world.propose("evaluator", ASSIGN)

    decided = world.submit("owner-a", change, world.statement("owner-a", change), key_of_whom=whose)

    assert codes(decided) == [Code.SIGN_OFF_SIGNATURE]


def test_a_login_key_does_not_sign(world: World) -> None:
    """A signature by the actor's login key is not one by a sign-off key."""
    change = world.propose("evaluator", ASSIGN)
    payload = signoff.build_statement(world.statement("owner-a", change))
    signed = dsse.sign(dsse.IN_TOTO_TYPE, payload, key_of("principals/owner-a", "login")).to_json()

    decided = world.decide("owner-a", c.SignOffChange(change), envelopes=(signed,))

    assert codes(decided) == [Code.SIGN_OFF_SIGNATURE]


def test_who_has_no_sign_off_key(world: World) -> None:
    """A service has no key to sign with."""
    change = world.propose("evaluator", ASSIGN)

    decided = world.decide(
        "release-bot", c.SignOffChange(change), envelopes=(envelope("owner-a", world.statement("owner-a", change)),)
    )

    assert codes(decided) == [Code.SIGN_OFF_KEY]


def test_a_key_that_was_revoked(world: World) -> None:
    """A sign-off key that is not active signs nothing."""
    change = world.propose("evaluator", ASSIGN)
    account = world.state.need("principals/owner-a", r.Principal)
    kept = tuple(replace(k, state="revoked") if k.use == "signoff" else k for k in account.credentials)
    world.state = replace(world.state.put(replace(account, credentials=kept)), writes=())

    assert codes(world.sign("owner-a", change)) == [Code.SIGN_OFF_KEY]


def payload_of(world: World, change: str, **parts: object) -> bytes:
    """Return a statement's payload with parts of the predicate replaced, not in our own words."""
    payload = json.loads(signoff.build_statement(world.statement("owner-a", change)))
    payload["predicate"].update(parts)
    return json.dumps(payload).encode()


PREDICATES: dict[str, dict[str, object]] = {
    "an unknown decision": {"decision": "maybe"},
    "a decision that is none": {"decision": 1},
    "roles that are no list": {"roles": "owner"},
    "roles that are no texts": {"roles": [1, "owner"]},
    "roles that can't be sorted": {"roles": [{}, "owner"]},
    "roles that can't be hashed": {"roles": [["owner"]]},
    "roles out of order": {"roles": ["reviewer", "owner"]},
    "a role twice": {"roles": ["owner", "owner"]},
    "an unknown field": {"extra": ""},
    "a checkpoint that is none": {"checkpoint": []},
    "a size that is a truth value": {"checkpoint": {"size": True, "root": "0" * 64}},
    "a negative size": {"checkpoint": {"size": -1, "root": "0" * 64}},
    "a root in capitals": {"checkpoint": {"size": 1, "root": "A" * 64}},
    "a short nonce": {"nonce": "0"},
    "a negative end": {"notAfter": -1},
    "an end in words": {"notAfter": "never"},
    "an evidence row that is none": {"evidence": ["evidence/1"]},
    "evidence seen somehow": {"evidence": [{"name": "evidence/1", "sha256": "", "seen": "half"}]},
    "a comment that is no digest": {"comment": "looks good"},
    "conditions that are no digest": {"conditions": "if"},
    "a signer that is none": {"signer": None},
}


@pytest.mark.parametrize("what", sorted(PREDICATES))
def test_a_signed_payload_of_another_form(what: str, world: World) -> None:
    """A payload that is signed as it should be and does not say exactly what a statement says is refused."""
    change = world.propose("evaluator", ASSIGN)
    payload = payload_of(world, change, **PREDICATES[what])
    signed = dsse.sign(dsse.IN_TOTO_TYPE, payload, key_of("principals/owner-a", "signoff")).to_json()

    decided = world.decide("owner-a", c.SignOffChange(change), envelopes=(signed,))

    assert codes(decided) == [Code.SIGN_OFF_FORMAT]


PAYLOADS: dict[str, bytes] = {
    "no JSON": b"\x00",
    "a list": b"[]",
    "duplicate keys": b'{"_type":"","_type":"","subject":[],"predicateType":"","predicate":{}}',
    "no statement": b'{"_type":"https://in-toto.io/Statement/v1"}',
    "another predicate": b'{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"x","predicate":{}}',
    "no subject": b'{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"urn:interlock:signoff:v1",'
    b'"predicate":{}}',
    "two subjects": b'{"_type":"https://in-toto.io/Statement/v1","subject":[1,2],"predicateType":'
    b'"urn:interlock:signoff:v1","predicate":{}}',
    "a subject that is none": b'{"_type":"https://in-toto.io/Statement/v1","subject":[7],"predicateType":'
    b'"urn:interlock:signoff:v1","predicate":{}}',
}


@pytest.mark.parametrize("what", sorted(PAYLOADS))
def test_a_signed_payload_that_is_no_statement(what: str, world: World) -> None:
    """Anything else that the signer's key ever signed is no sign-off."""
    change = world.propose("evaluator", ASSIGN)
    signed = dsse.sign(dsse.IN_TOTO_TYPE, PAYLOADS[what], key_of("principals/owner-a", "signoff")).to_json()

    assert codes(world.decide("owner-a", c.SignOffChange(change), envelopes=(signed,))) == [Code.SIGN_OFF_FORMAT]


@pytest.mark.parametrize("count", [0, 2])
def test_one_envelope(count: int, world: World) -> None:
    """A sign-off comes with exactly one envelope."""
    change = world.propose("evaluator", ASSIGN)
    signed = envelope("owner-a", world.statement("owner-a", change))

    decided = world.decide("owner-a", c.SignOffChange(change), envelopes=(signed,) * count)

    assert codes(decided) == [Code.SIGN_OFF_FORMAT]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"payload":"","payloadType":"","signatures":[]}'])
def test_what_is_no_envelope(data: bytes, world: World) -> None:
    """Bytes that are no envelope are refused like a wrong signature."""
    change = world.propose("evaluator", ASSIGN)

    assert codes(world.decide("owner-a", c.SignOffChange(change), envelopes=(data,))) == [Code.SIGN_OFF_SIGNATURE]


def test_another_payload_type(world: World) -> None:
    """A statement signed as another type of payload is refused."""
    change = world.propose("evaluator", ASSIGN)
    payload = signoff.build_statement(world.statement("owner-a", change))
    signed = dsse.sign("text/plain", payload, key_of("principals/owner-a", "signoff")).to_json()

    assert codes(world.decide("owner-a", c.SignOffChange(change), envelopes=(signed,))) == [Code.SIGN_OFF_SIGNATURE]


def rewrapped(data: bytes) -> bytes:
    """Return the same signature over the same payload in other envelope bytes."""
    raw = json.loads(data)
    payload = base64.b64decode(raw["payload"])
    return json.dumps(
        {
            "signatures": [{"sig": raw["signatures"][0]["sig"]}],
            "payloadType": raw["payloadType"],
            "payload": base64.urlsafe_b64encode(payload).decode(),
        },
        indent=2,
    ).encode()


@pytest.mark.parametrize("wrap", [bytes, rewrapped], ids=["as it was", "re-encoded"])
@pytest.mark.parametrize("between", ["nothing", "withdraw", "reject"])
def test_an_envelope_is_accepted_once(between: str, wrap: Any, world: World) -> None:  # noqa: ANN401  # a function
    """The same signed statement is refused the second time, however it is wrapped and whatever came between."""
    change = world.propose("evaluator", ASSIGN)
    signed = envelope("owner-a", world.statement("owner-a", change))
    assert isinstance(world.attempt("owner-a", c.SignOffChange(change), envelopes=(signed,)), Accepted)
    if between != "nothing":
        assert isinstance(world.sign("owner-a", change, between), Accepted)

    decided = world.decide("owner-a", c.SignOffChange(change), envelopes=(wrap(signed),))

    assert codes(decided) == [Code.SIGN_OFF_REPLAYED]


def test_an_envelope_of_an_earlier_revision(world: World) -> None:
    """What was signed about one revision says nothing about the next, not even without any difference."""
    change = world.propose("evaluator", ASSIGN)
    signed = envelope("owner-a", world.statement("owner-a", change))
    world.must("evaluator", c.RebaseChange(change, world.revised(change)))

    assert codes(world.decide("owner-a", c.SignOffChange(change), envelopes=(signed,))) == [Code.SIGN_OFF_SUBJECT]


def test_an_envelope_of_another_change(world: World) -> None:
    """What was signed about one change says nothing about another with the same triggers."""
    first = world.propose("evaluator", ASSIGN)
    second = world.propose("evaluator", ASSIGN)
    signed = envelope("owner-a", world.statement("owner-a", first))

    decided = world.decide("owner-a", c.SignOffChange(second), envelopes=(signed,))

    assert set(codes(decided)) == {Code.SIGN_OFF_SUBJECT}


def test_an_envelope_of_another_log(world: World) -> None:
    """The log's id is in the content bytes: the same change of another log has another digest."""
    twin = World.found()
    twin.state = twin.state.put(replace(twin.state.log, log_id=bytes(16))).after_entry(twin.state.time)
    twin.fire("evaluator", f.ModelRegister(MODEL))
    there = twin.propose("evaluator", ASSIGN)
    here = world.propose("evaluator", ASSIGN)
    signed = envelope("owner-a", twin.statement("owner-a", there))

    assert there == here
    decided = world.decide("owner-a", c.SignOffChange(here), envelopes=(signed,))

    assert Code.SIGN_OFF_SUBJECT in codes(decided)


def test_somebody_elses_envelope(world: World) -> None:
    """An envelope that another handed in is not mine to hand in."""
    change = world.propose("evaluator", ASSIGN)
    signed = envelope("owner-a", world.statement("owner-a", change))

    assert codes(world.decide("owner-b", c.SignOffChange(change), envelopes=(signed,))) == [Code.SIGN_OFF_SIGNATURE]


# Evidence that was seen ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize(
    ("classification", "seen", "opened", "good"),
    [
        ("restricted", "full", True, True),
        ("restricted", "full", False, False),
        ("restricted", "redacted", False, True),
        ("restricted", "not_opened", False, True),
        ("internal", "full", False, True),
    ],
)
def test_what_was_seen_is_checked_against_who_opened_it(
    classification: str,
    seen: str,
    opened: bool,  # noqa: FBT001  # a table's column
    good: bool,  # noqa: FBT001  # a table's column
    decision: str,
    world: World,
) -> None:
    """A restricted document leaves an entry when it is opened: nobody says to have seen it in full without one."""
    document = world.upload("evaluator", "risk_report", classification=classification)
    world.must("evaluator", c.GrantEvidenceAccess(document, "principals/owner-a"))
    if opened:
        world.must("owner-a", c.OpenEvidence(document))
    change = world.propose("evaluator", ASSIGN, evidence=[document])

    decided = world.sign("owner-a", change, decision, seen=seen)

    assert codes(decided) == ([] if good else [Code.SIGN_OFF_EVIDENCE])
