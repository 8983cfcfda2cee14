"""Decide never raises: for any command that can be written down it gives an entry or a refusal."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, get_args, get_type_hints

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.proofs import dsse
from interlock.statemachine import codec, signoff
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import content_of
from interlock.statemachine.decide import Accepted
from interlock.statemachine.evolve import evolve
from interlock.statemachine.explain import explain
from interlock.statemachine.state import EVERYTHING
from interlock.statemachine.triggers import DIRECTIONS, Direction
from interlock.statemachine.unmet import Refused
from tests.support.world import World, actor, envelope, key_of
from tests.unit.statemachine.packs import WIDE_CAST, wide

MODEL = "models/m"
EXAMPLES = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@lru_cache(maxsize=1)
def busy() -> World:
    """Return a world in which there is one of everything, in many states."""
    world = World.found(wide(), WIDE_CAST)
    fires: list[tuple[str, f.Firing]] = [
        ("evaluator", f.ModelRegister(MODEL, ("0a" * 32,))),
        ("evaluator", f.ModelRegister("models/aurora-1")),
        ("evaluator", f.AssessmentOpen(MODEL, ("misuse", "autonomy"))),
        ("evaluator", f.DeterminationReport(f"{MODEL}/determinations/misuse", "cannot_rule_out", "assessments/1")),
        ("engineer", f.SafeguardStart(f"{MODEL}/safeguards/input-filter")),
        ("engineer", f.SafeguardStart("safeguards/classifier")),
        ("owner-a", f.HoldPlace(MODEL)),
        ("admin", f.HoldPlace(EVERYTHING)),
        ("release-bot", f.DeploymentRecord(MODEL, "internal", "0a" * 32, "cluster-a")),
        ("release-bot", f.DeploymentRecord("models/aurora-1", "internal", "", "cluster-b")),
        ("release-bot", f.DeploymentEnd("deployments/2")),
    ]
    for who, firing in fires:
        assert isinstance(world.fire(who, firing), Accepted)
    documents = [world.upload("engineer", kind) for kind in ("evaluation_results", "red_team_report", "security_audit")]
    documents.append(world.upload("evaluator", "training_run_record", effective_compute="1e25"))
    documents.append(world.upload("evaluator", "risk_report", classification="restricted"))
    world.fire("engineer", f.SafeguardVerify(f"{MODEL}/safeguards/input-filter", (documents[1],)))
    world.enact(f.LevelAssign(f"{MODEL}/levels/deployment", "basic"))
    world.propose("evaluator", f.LevelRaise(f"{MODEL}/levels/deployment", "guarded"), evidence=documents[:2])
    world.propose("evaluator", f.HoldLift("holds/1"), f.AssessmentConclude("assessments/1"), draft=True)
    waiting = world.propose("owner-c", f.HoldLift("holds/2"), apply_separately=True)
    world.sign("owner-a", waiting)
    world.sign("reviewer-a", waiting)
    world.sign("owner-b", "changes/2", "reject")
    return world


# Anything that can be written down -------------------------------------------------------------------------------

_IDS = ("m", "aurora-1", "misuse", "autonomy", "deployment", "security", "input-filter", "classifier", "guarded", "x")


@lru_cache(maxsize=1)  # a strategy is costly to make
def names() -> st.SearchStrategy[str]:
    """Names that exist, names that nearly do, and any text at all."""
    existing = [*sorted(busy().state.items), EVERYTHING, "", *_IDS]
    segments = st.lists(st.sampled_from(["models", "levels", "determinations", "safeguards", *_IDS, ""]), max_size=5)
    numbers = st.sampled_from(["1", "2", "3", "01", "-1", "\u0661", "1_0", " 1", "9" * 40, "x", ""])
    kinds = st.sampled_from(["evidence", "holds", "changes", "assessments", "entries", "grants", "deployments"])
    return st.one_of(
        st.sampled_from(existing),
        segments.map("/".join),
        st.builds(lambda kind, number: f"{kind}/{number}", kinds, numbers),
        st.text(st.characters(codec="utf-8"), max_size=20),
    )


def _of(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  # a type annotation
    if hint is str:
        return st.one_of(names(), st.sampled_from(["reached", "cannot_rule_out", "1e25", "NaN", "-1", "risk_report"]))
    if hint is bytes:
        return st.one_of(st.just(b""), st.just(bytes(32)), st.binary(max_size=40))
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 3), st.just(busy().now))
    return st.lists(_of(get_args(hint)[0]), max_size=4).map(tuple)


@lru_cache(maxsize=1)
def firings() -> st.SearchStrategy[f.Firing]:
    """Any trigger with any arguments."""
    return st.one_of(*(st.builds(kind, **_fields(kind)) for kind in get_args(f.Firing)))


_LIKELY: dict[str, st.SearchStrategy[str]] = {
    "change": st.sampled_from(["changes/2", "changes/3", "changes/4"]),
    "kind": st.sampled_from(["risk_report", "training_run_record"]),
    "sha256": st.just("0a" * 32),
    "classification": st.sampled_from(["internal", "restricted"]),
}


def _fields(kind: type) -> dict[str, st.SearchStrategy[Any]]:
    hints = get_type_hints(kind)
    return {item.name: _LIKELY.get(item.name, st.nothing()) | _of(hints[item.name]) for item in fields(kind)}


@lru_cache(maxsize=1)
def good_firings() -> st.SearchStrategy[f.Firing]:
    """Triggers of good form, many of which can fire."""
    stages = (f.SafeguardActivate, f.SafeguardSuspend, f.SafeguardDegrade, f.SafeguardRetire, f.SafeguardReplan)
    names_ = (f"{MODEL}/safeguards/input-filter", "safeguards/classifier", f"{MODEL}/safeguards/unknown")
    return st.one_of(
        st.builds(lambda stage, name: stage(name), st.sampled_from(stages), st.sampled_from(names_)),
        st.builds(
            f.DeterminationReport,
            st.sampled_from([f"{MODEL}/determinations/{t}" for t in ("misuse", "theft", "unknown")]),
            st.sampled_from(["ruled_out", "cannot_rule_out", "reached"]),
        ),
        st.builds(
            f.LevelRaise, st.just(f"{MODEL}/levels/deployment"), st.sampled_from(["guarded", "strict", "sealed"])
        ),
        st.sampled_from([f.HoldLift("holds/1"), f.HoldLift("holds/9"), f.HoldPlace(MODEL), f.HoldPlace(EVERYTHING)]),
        st.just(f.ModelRecordRun(MODEL, "evidence/4")),
        st.sampled_from([f.DeploymentRecord(MODEL, "internal", "", "x"), f.DeploymentEnd("deployments/1")]),
    )


@lru_cache(maxsize=1)
def contents() -> st.SearchStrategy[bytes]:
    """Content bytes: on the present base, with some parts other, or nothing of the kind."""
    base = content_of(busy().content(f.LevelRaise(f"{MODEL}/levels/deployment", "guarded")))
    revision = content_of(busy().revised("changes/2"))
    triggers = st.lists(st.one_of(good_firings(), firings().filter(_encodable)), max_size=4).map(tuple)
    texts = st.lists(st.tuples(names(), _of(bytes)), max_size=3).map(tuple)
    other = st.fixed_dictionaries(
        {},
        optional={
            "triggers": triggers,
            "change": names(),
            "revision": st.integers(-(2**31), 2**31 - 1),
            "evidence": st.lists(st.tuples(names(), names()), max_size=3).map(tuple),
            "base": st.lists(st.tuples(names(), st.integers(-(2**63), 2**63 - 1)), max_size=3).map(tuple),
            "texts": texts,
            "not_before": st.integers(-(2**63), 2**63 - 1),
            "apply_separately": st.booleans(),
        },
    )
    good = triggers.filter(bool).map(_on_the_present_base).filter(bool)
    changed = st.builds(
        lambda start, parts: codec.encode_content(replace(start, **parts)), st.sampled_from([base, revision]), other
    )
    return st.one_of(good, changed, st.binary(max_size=60), changed.flatmap(_bent))


def _on_the_present_base(triggers: tuple[f.Firing, ...]) -> bytes:
    try:
        return busy().content(*triggers)
    except AssertionError:  # the world's way to say that it can't be drafted
        return b""


def _encodable(firing: f.Firing) -> bool:
    return not isinstance(firing, f.DeterminationReport) or firing.conclusion in {"reached", "cannot_rule_out"}


def _bent(data: bytes) -> st.SearchStrategy[bytes]:
    if not data:
        return st.just(data)
    return st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)).map(
        lambda at: data[: at[0]] + bytes([at[1]]) + data[at[0] + 1 :]
    )


@lru_cache(maxsize=1)
def commands() -> st.SearchStrategy[c.Command]:
    """Any command with any arguments."""
    special: dict[type, dict[str, st.SearchStrategy[Any]]] = {
        c.Fire: {"firing": st.one_of(firings(), good_firings())},
        c.ProposeChange: {"content": contents(), "draft": st.booleans()},
    }
    for kind in get_args(c.Revision):
        special[kind] = {
            "change": _LIKELY["change"] | names(),
            "content": contents(),
        }
    return st.one_of(*(st.builds(kind, **special.get(kind, {}) or _fields(kind)) for kind in get_args(c.Command)))


Turn = tuple[c.Command, c.Actor, tuple[bytes, ...], int]


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    """Anything that ``decide`` can be asked: a command, who comes with it, envelopes, and how much later."""
    likely = st.builds(c.Fire, good_firings()) | st.builds(c.SignOffChange, _LIKELY["change"])
    command = draw(commands() | likely)
    who = draw(st.sampled_from(["everything", "everything", "owner-a", "reviewer-a", "admin", "evaluator"]))
    odd = draw(st.sampled_from(["no"] * 12 + ["actor", "instant", "envelopes"]))
    person = draw(actors()) if odd == "actor" else actor(who)
    later = draw(st.sampled_from([0, -1, 10**15]) | st.integers(-(2**62), 2**62)) if odd == "instant" else 1
    signed: st.SearchStrategy[tuple[bytes, ...]] = st.just(())
    if odd == "envelopes":
        signed = st.lists(st.binary(max_size=40), max_size=2).map(tuple)
    elif isinstance(command, c.SignOffChange | c.WithdrawSignOffOfChange):
        words = ("withdraw",) if isinstance(command, c.WithdrawSignOffOfChange) else ("approve", "reject")
        signed = _signed(who, command.change, words)
    return command, person, draw(signed), later


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**54), 2**54), st.text(max_size=8), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)


@lru_cache(maxsize=64)
def _signed(who: str, change: str, words: tuple[str, ...]) -> st.SearchStrategy[tuple[bytes, ...]]:
    """Envelopes that are well signed, over what they should be or over any JSON."""
    about = change if busy().state.find(change, r.Change) is not None else "changes/2"
    statement = busy().fork().statement(who, about)
    plain = st.sampled_from(words).map(lambda word: (envelope(who, replace(statement, decision=word)),))
    payload = json.loads(signoff.build_statement(statement))

    def with_part(name: str, value: object) -> bytes:
        altered = {**payload, "predicate": {**payload["predicate"], name: value}}
        text = json.dumps(altered if name in payload["predicate"] else {**payload, name: value}).encode()
        return dsse.sign(dsse.IN_TOTO_TYPE, text, key_of(f"principals/{who}", "signoff")).to_json()

    parts = st.sampled_from([*payload["predicate"], *payload])
    bent = st.builds(with_part, parts, JSON).map(lambda data: (data,))
    return plain | bent


@lru_cache(maxsize=1)
def actors() -> st.SearchStrategy[c.Actor]:
    """People of the cast, the system, and nobody."""
    people = [actor(member.id) for member in WIDE_CAST if not member.recovery]
    return st.one_of(st.sampled_from(people), st.just(c.SYSTEM), st.builds(c.Actor, names(), names()))


# The tests -------------------------------------------------------------------------------------------------------


@EXAMPLES
@given(turns())
def test_any_command(turn: Turn) -> None:
    """Any command by anyone at any time is accepted or refused; what is accepted can be written, read and folded."""
    world = busy()
    command, who, signed, later = turn

    decided = world.decide(who, command, envelopes=signed, instant=world.state.time + later)

    if isinstance(decided, Refused):
        assert decided.unmet
        return
    content = getattr(command, "content", b"")
    data = codec.encode_entry(decided.entry)
    assert codec.decode_entry(data, lambda _digest: content) == decided.entry
    assert evolve(world.policy, world.state, decided.entry) == decided.state


@EXAMPLES
@given(st.one_of(firings(), good_firings()), st.sampled_from([m.id for m in WIDE_CAST if not m.recovery]))
def test_no_lone_person_loosens(firing: f.Firing, who: str) -> None:
    """Whatever one person fires, nothing that was denied is allowed by it."""
    world = busy().fork()
    contexts = [context.id for context in world.policy.contexts]
    before = {(m, x): world.verdict(m, x, "0a" * 32 if m == MODEL else "").allowed for m in _models() for x in contexts}

    decided = world.fire(who, firing)

    if isinstance(decided, Accepted):
        assert DIRECTIONS[firing.trigger] is not Direction.LOOSENS
        for (model, context), allowed in before.items():
            assert allowed or not world.verdict(model, context, "0a" * 32 if model == MODEL else "").allowed


def _models() -> list[str]:
    return sorted(model.name for model in busy().state.all_of(r.Model))


@EXAMPLES
@given(st.data())
def test_bytes_that_were_an_entry(data: st.DataObject) -> None:
    """An entry with bytes changed can't be read, or what it says is decided without a fault."""
    world = busy()
    at = data.draw(st.integers(0, len(world.entries) - 1))
    bent = data.draw(_bent(codec.encode_entry(world.entries[at])).flatmap(_bent))

    try:
        entry = codec.decode_entry(bent, world.resolve)
    except (codec.CodecError, LookupError):
        return
    decided = world.decide(entry.actor, entry.command, envelopes=entry.facts.envelopes)
    assert isinstance(decided, Accepted | Refused)


@EXAMPLES
@given(names(), names(), st.one_of(names(), st.just("0a" * 32)), st.integers(-(2**63), 2**63 - 1))
def test_the_gate(model: str, context: str, artifact: str, instant: int) -> None:
    """The gate answers whatever it is asked, and denies what nobody knows."""
    verdict = explain(busy().policy, busy().state, model, context, artifact, instant)

    assert verdict.allowed == (not verdict.reasons)
    if model not in _models():
        assert not verdict.allowed
