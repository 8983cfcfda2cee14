"""Signed decisions: the statement, how it is judged offline, and how `decide` holds the recorded one against it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from interlock.proofs import dsse, json_text
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import rules, snapshot, verdicts
from interlock.statemachine.decide import Accepted, decide
from interlock.statemachine.decision import (
    CLOCK_SLACK_US,
    DecisionError,
    Expected,
    build_decision,
    check_decision,
    parse_decision,
)
from interlock.statemachine.evolve import evolve
from interlock.statemachine.replay import Replay
from tests.support.world import World, actor, codes, key_of, public_of

if TYPE_CHECKING:
    from interlock.statemachine.decision import Checked, Decision
    from interlock.statemachine.unmet import Refused

OWN, FOREIGN = "01" * 32, "02" * 32
KEY = key_of("log", "decision")


@pytest.fixture(scope="module")
def opened() -> World:
    """Give a world whose gate allows models/m with its own artifact."""
    world = World.found()
    world.must("evaluator", c.Fire(f.ModelRegister("models/m", (OWN,))))
    report = world.upload("evaluator", "evaluation_results")
    rule_out = f.DeterminationRuleOut("models/m/determinations/misuse")
    world.enact(rule_out, f.LevelAssign("models/m/levels/deployment", "basic"), evidence=[report])
    return world


@pytest.fixture
def world(opened: World) -> World:
    """Give a world of one's own."""
    return opened.fork()


def judged(world: World, artifact: str = OWN) -> Decision:
    """Return the decision that would be made next."""
    return verdicts.judge(world.policy, world.state, "models/m", "api", artifact, world.now + 1)


def recorded(
    world: World, command: c.Command, *, who: str = "release-bot", serving: tuple[str, ...] = verdicts.SERVING
) -> Accepted | Refused:
    """Return what `decide` says of a command at the next instant."""
    facts = c.Facts(world.now + 1, (), serving)
    return decide(rules.current(), world.policy, world.state, command, facts, actor(who))


def signed(payload: bytes) -> bytes:
    """Return a payload in an envelope of the log's decision key."""
    return dsse.sign(dsse.IN_TOTO_TYPE, payload, KEY).to_json()


def wanted(decision: Decision, **parts: Any) -> Expected:  # noqa: ANN401  # any field
    """Return what a reader who is right would expect."""
    right = Expected(public_of("log", "decision"), decision.log_id, decision.context, decision.artifact)
    return replace(right, **parts)


def faults(checked: Checked) -> list[str]:
    """Return codes; what has a fault never allows."""
    assert not (checked.faults and checked.allowed)
    return [fault.code for fault in checked.faults]


# The statement


def test_a_statement_reads_back(world: World) -> None:
    """What is built is parsed to the same value, for ALLOW and DENY."""
    for decision in (judged(world), judged(world, FOREIGN)):
        assert parse_decision(build_decision(decision)) == decision


def test_a_decision_names_context_and_level(world: World) -> None:
    """Each level says in which context it was reached, and the resource URI names model and context."""
    predicate = json.loads(build_decision(judged(world)))["predicate"]

    assert predicate["verifiedLevels"] == ["interlock:api/deployment/basic"]
    assert predicate["resourceUri"] == "interlock:models/m?context=api"


def test_a_denial_is_a_failed_decision(world: World) -> None:
    """A DENY passes no level, and names its reasons."""
    decision = judged(world, FOREIGN)
    predicate = json.loads(build_decision(decision))["predicate"]

    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("FAILED", ["FAILED"])
    assert decision.reasons == ("ARTIFACT_UNKNOWN",)


def test_a_decision_ends_with_the_policys_word_or_with_the_verdict(world: World) -> None:
    """It lasts as long as the policy says, and never past the moment at which the verdict could turn by time."""
    first = judged(world)
    end = world.verdict("models/m", "api", OWN).valid_until
    assert end is not None
    late = verdicts.judge(world.policy, world.state, "models/m", "api", OWN, end - 1)

    assert first.expires == first.instant + world.policy.decision_lasts_us
    assert late.allowed
    assert late.expires == end


@pytest.mark.parametrize(
    "change",
    [
        {"verificationResult": "PASSED "},
        {"resourceUri": "interlock:models/other?context=api"},
        {"verifiedLevels": []},
        {"timeVerified": "2020-01-01T00:00:00Z"},
        {"more": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_statement_has_one_form(world: World, change: dict[str, object]) -> None:
    """A field that contradicts another, or that nobody knows, makes it no decision."""
    value = json.loads(build_decision(judged(world)))
    value["predicate"] |= change

    with pytest.raises(DecisionError):
        parse_decision(json_text.canonical_json(value))


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"_type":"x"}', b'{"predicate":[]}', b"\xff", b"1e5"])
def test_rubbish_is_no_decision(payload: bytes) -> None:
    """Whatever the bytes are, the answer is a DecisionError."""
    with pytest.raises(DecisionError):
        parse_decision(payload)


# Judging it offline


def test_a_good_decision_allows(world: World) -> None:
    """The right key, log, context, artifact, model and policy, in its time."""
    decision = judged(world)
    expected = wanted(decision, model="models/m", policy_digest=world.policy.digest.hex())

    checked = check_decision(signed(build_decision(decision)), expected, decision.instant)

    assert faults(checked) == []
    assert checked.allowed


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"key": public_of("log", "log")}, "DECISION_SIGNATURE"),
        ({"key": b"short"}, "DECISION_SIGNATURE"),
        ({"log_id": "ff" * 16}, "DECISION_LOG"),
        ({"context": "internal"}, "DECISION_CONTEXT"),
        ({"artifact": FOREIGN}, "DECISION_ARTIFACT"),
        ({"artifact": ""}, "DECISION_ARTIFACT"),
        ({"model": "models/other"}, "DECISION_MODEL"),
        ({"policy_digest": "00" * 32}, "DECISION_POLICY"),
    ],
)
def test_a_decision_about_something_else_is_refused(world: World, parts: dict[str, object], code: str) -> None:
    """Another log, context, artifact, model, policy or key: each by its own code."""
    decision = judged(world)

    checked = check_decision(signed(build_decision(decision)), wanted(decision, **parts), decision.instant)

    assert faults(checked) == [code]


@pytest.mark.parametrize(
    ("after_us", "expected"),
    [
        (-CLOCK_SLACK_US - 1, ["DECISION_NOT_YET"]),
        (-CLOCK_SLACK_US, []),
        (900_000_000 - 1, []),
        (900_000_000, ["DECISION_EXPIRED"]),
    ],
)
def test_a_decision_has_its_time(world: World, after_us: int, expected: list[str]) -> None:
    """It holds from its instant (less what clocks may differ) to just before its end."""
    decision = judged(world)

    checked = check_decision(signed(build_decision(decision)), wanted(decision), decision.instant + after_us)

    assert faults(checked) == expected


def test_a_failed_decision_never_allows(world: World) -> None:
    """A DENY that is rightly signed is a no."""
    decision = judged(world, FOREIGN)

    checked = check_decision(signed(build_decision(decision)), wanted(decision), decision.instant)

    assert faults(checked) == ["DECISION_FAILED"]


def test_no_byte_of_the_payload_can_be_changed(world: World) -> None:
    """A payload with any byte flipped under the old signature is refused for its signature."""
    decision = judged(world)
    envelope = dsse.sign(dsse.IN_TOTO_TYPE, build_decision(decision), KEY)
    for at in range(len(envelope.payload)):
        bad = bytearray(envelope.payload)
        bad[at] ^= 1
        data = replace(envelope, payload=bytes(bad)).to_json()

        assert faults(check_decision(data, wanted(decision), decision.instant)) == ["DECISION_SIGNATURE"]


def test_no_byte_of_the_file_can_make_it_another(world: World) -> None:
    """Whatever byte of the file is flipped, it is refused or says what it said."""
    decision = judged(world)
    data = signed(build_decision(decision))
    for at in range(len(data)):
        bad = bytearray(data)
        bad[at] ^= 1
        checked = check_decision(bytes(bad), wanted(decision), decision.instant)

        assert faults(checked) or checked.decision == decision


def test_the_log_key_signs_no_decision(world: World) -> None:
    """Keys have one use: what the log's key signed is no decision."""
    decision = judged(world)
    data = dsse.sign(dsse.IN_TOTO_TYPE, build_decision(decision), key_of("log", "log")).to_json()

    assert faults(check_decision(data, wanted(decision), decision.instant)) == ["DECISION_SIGNATURE"]


def test_another_payload_type_is_no_decision(world: World) -> None:
    """What the key signed as something else is not taken for a statement."""
    decision = judged(world)
    data = dsse.sign("text/plain", build_decision(decision), KEY).to_json()

    assert faults(check_decision(data, wanted(decision), decision.instant)) == ["DECISION_SIGNATURE"]


# In the log


def test_a_decision_is_recorded_as_it_was_judged(world: World) -> None:
    """The entry judges the log before it at its own instant; the resource keeps what it said."""
    decision = judged(world)

    accepted = recorded(world, verdicts.command_for(decision))

    assert isinstance(accepted, Accepted)
    assert accepted.entry.seq == decision.entry == decision.position + 1
    kept = accepted.state.need("decisions/1", r.Decision)
    assert (kept.position, kept.instant, kept.expires) == (decision.position, decision.instant, decision.expires)
    assert snapshot.decode(snapshot.encode(kept)) == kept
    assert evolve(world.policy, world.state, accepted.entry) == accepted.state


@pytest.mark.parametrize(
    "lie",
    [{"allowed": False}, {"statement_digest": b"\0" * 32}, {"statement_digest": b""}, {"context": "internal"}],
    ids=["verdict", "statement", "no-statement", "context"],
)
def test_decide_takes_nobodys_word_for_a_verdict(world: World, lie: dict[str, Any]) -> None:
    """A verdict or a statement that is not the gate's own here and now is refused."""
    command = replace(verdicts.command_for(judged(world)), **lie)

    assert codes(recorded(world, command)) == ["DECISION_DIFFERS"]


def test_an_allow_from_before_a_hold_is_refused(world: World) -> None:
    """A decision made for an earlier position can't be recorded later."""
    command = verdicts.command_for(judged(world))
    world.must("owner-a", c.Fire(f.HoldPlace("models/m")))

    assert codes(recorded(world, command)) == ["DECISION_DIFFERS"]


@pytest.mark.parametrize("serving", [(), ("clock",), (*verdicts.SERVING, "more")])
def test_a_verdict_says_what_it_was_served_under(world: World, serving: tuple[str, ...]) -> None:
    """Without every serving condition of rule 1 in the facts there is no decision."""
    command = verdicts.command_for(judged(world))

    assert codes(recorded(world, command, serving=serving)) == ["SERVING"]


def test_other_entries_hold_no_serving_conditions(world: World) -> None:
    """Facts that a command does not use are refused."""
    assert codes(recorded(world, c.Fire(f.HoldPlace("models/m")), who="owner-a")) == ["SERVING"]


@pytest.mark.parametrize(
    "shape", [{"model": "m"}, {"context": "API"}, {"artifact": ""}, {"artifact": "AB" * 32}], ids=str
)
def test_a_malformed_question_is_refused(world: World, shape: dict[str, Any]) -> None:
    """Names and digests have their forms also for an entry that never passed a server's wire."""
    command = replace(verdicts.command_for(judged(world)), **shape)

    assert codes(recorded(world, command)) == ["MALFORMED"]


def test_a_decision_takes_the_right_to_ask(world: World) -> None:
    """Who may not ask the gate gets nothing in writing."""
    assert codes(recorded(world, verdicts.command_for(judged(world)), who="recovery-1")) != []


def test_replay_finds_a_forged_verdict(world: World) -> None:
    """An entry that records ALLOW where the gate says DENY does not replay, whoever wrote it."""
    truth = recorded(world, verdicts.command_for(judged(world, FOREIGN)))
    assert isinstance(truth, Accepted)
    forged = replace(truth.entry, command=replace(verdicts.command_for(judged(world, FOREIGN)), allowed=True))
    world.entries.append(forged)
    replay = Replay(world.resolve)

    for data in world.encoded():
        replay.feed(data)

    assert [(found.position, found.code) for found in replay.findings] == [(forged.seq, "NOT_DECIDABLE_SO")]


def test_a_decision_moves_nothing_else(world: World) -> None:
    """It is neutral: no verdict and no resource but its own is another one after it."""
    accepted = recorded(world, verdicts.command_for(judged(world)))

    assert isinstance(accepted, Accepted)
    assert [name for name, _ in accepted.entry.prev] == ["decisions/1"]
    after = {name: item for name, item in accepted.state.items.items() if name != "decisions/1"}
    assert after == dict(world.state.items.items())
