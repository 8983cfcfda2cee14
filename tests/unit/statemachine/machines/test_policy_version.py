"""Policy versions: adopting one, in the place of another, at one position."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock.statemachine import codec, packs, snapshot
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import evaluate
from interlock.statemachine.decide import Accepted
from interlock.statemachine.evolve import evolve
from interlock.statemachine.replay import Replay
from interlock.statemachine.state import State
from interlock.statemachine.unmet import Code, Refused
from tests.support.versions import version
from tests.support.world import World, codes, sketch

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL = "models/m"
MISUSE, LEVEL = f"{MODEL}/determinations/misuse", f"{MODEL}/levels/deployment"
FILTER = f"{MODEL}/safeguards/input-filter"
EASY_RULE = """\
  - triggers: [policy.adopt]
    sign_offs: [{role: owner}, {role: engineer}]
    source: {document: House rules, section: "6"}
"""
STRICTER = version(("attested_for: 180d", "attested_for: 30d"))
"""Its attestations last a month instead of half a year."""


def released() -> World:
    """Return a world with a model that is released at the guarded level."""
    world = World.found()
    world.fire("evaluator", f.ModelRegister(MODEL))
    world.fire("engineer", f.SafeguardStart(FILTER))
    world.fire("engineer", f.SafeguardVerify(FILTER, (world.upload("engineer", "red_team_report"),)))
    world.fire("evaluator", f.DeterminationReport(MISUSE, "cannot_rule_out"))
    report = world.upload("evaluator", "evaluation_results")
    world.enact(
        f.DeterminationConfirm(MISUSE), f.LevelAssign(LEVEL, "guarded"), f.SafeguardActivate(FILTER), evidence=[report]
    )
    return world


def new_threshold() -> dict[str, bytes]:
    """Return a version that asks for one thing more to be determined."""
    more = "thresholds:\n  fraud: {title: Real help to defraud, asks: {deployment: guarded}, reassess: {every: 90d}}\n"
    return version(("thresholds:\n", more))


def adopted(files: Mapping[str, bytes]) -> World:
    """Return a world with a released model, under another version of the policy."""
    world = released()
    world.adopt(files)
    return world


def replayed(world: World) -> Replay:
    """Replay a world's log from nothing."""
    replay = Replay(world.resolve)
    for data in world.encoded():
        replay.feed(data)
    return replay


def test_the_very_next_check_is_judged_by_the_new_version() -> None:
    """A model that does not meet the new version is denied at once, and for what that version asks."""
    world = released()
    assert world.verdict(MODEL, "api").allowed

    world.adopt(new_threshold())

    verdict = world.verdict(MODEL, "api")
    assert [(unmet.code, unmet.resource) for unmet in verdict.reasons] == [
        (Code.DETERMINATION_MISSING, f"{MODEL}/determinations/fraud")
    ]


def test_the_adopting_entry_is_the_old_version_s_and_the_next_one_the_new_one_s() -> None:
    """Entries name the version that judged them, for ever."""
    world = adopted(new_threshold())
    world.must("owner-a", c.Fire(f.HoldPlace(MODEL)))

    assert [entry.policy.version for entry in world.entries[-2:]] == ["1.0", "2.0"]
    assert [(move.resource, move.source, move.target) for move in world.entries[-2].transitions][1:3] == [
        ("policies/minimal/versions/2.0", "drafted", "adopted"),
        ("policies/minimal/versions/1.0", "adopted", "superseded"),
    ]


def test_a_log_over_two_versions_replays_folds_and_is_rebuilt_alike() -> None:
    """Replay, fold and snapshots give the state that was decided, and judge by the version in force at each entry."""
    world = adopted(new_threshold())
    world.must("evaluator", c.Fire(f.DeterminationReport(f"{MODEL}/determinations/fraud", "reached")))
    replay = replayed(world)
    folded, policy = State(), World.found().policy
    for entry in world.entries:
        folded = evolve(policy, folded, entry)
        policy = packs.in_force(policy, folded)
    rows = [(name, world.state.position(name), item) for name, item in world.state.items.items()]

    assert replay.findings == []
    assert (replay.state, folded) == (world.state, world.state)
    assert replay.policy == policy == world.policy
    assert snapshot.rebuild(rows, size=world.state.size, time=world.state.time).policy == world.state.policy


def test_a_pack_that_was_altered_by_one_word_is_named() -> None:
    """What the entry names by digest is another thing then: nothing after it is believed."""
    world = adopted(new_threshold())
    digest = world.policy.digest
    other = {path: data.replace(b"defraud", b"deceive") for path, data in new_threshold().items()}
    world.objects[digest] = codec.encode_pack(other)

    [finding] = replayed(world).findings

    assert finding.code == "ENTRY_UNREADABLE"
    assert digest.hex() in finding.detail
    assert "policy pack" in finding.detail


def test_the_sign_offs_are_those_that_the_version_in_force_asks_for() -> None:
    """A version that would be content with others does not decide about itself."""
    world = released()
    easier = version(
        ("engineer:  {may", "engineer:  {approves: true, may"),
        ("  - triggers: [determination.rule_out", EASY_RULE + "  - triggers: [determination.rule_out"),
    )
    change = world.propose_policy("evaluator", easier)

    assert codes(world.sign("engineer", change)) == [Code.NO_APPROVING_ROLE]


def test_adopting_stands_alone_in_its_change() -> None:
    """What else a change moved would be judged by the version that is on its way out."""
    world = released()
    change = world.propose_policy("evaluator", STRICTER)
    stored = world.state.need(change, r.Change)
    firing = f.PolicyAdopt("policies/minimal/versions/2.0", packs_digest(STRICTER))
    content = replace(
        codec.decode_content(stored.content),
        change=world.state.next_name("changes"),
        triggers=(firing, f.HoldPlace(MODEL)),
    )

    assert codes(world.attempt("evaluator", c.ProposeChange(codec.encode_content(content)))) == [Code.POLICY_NOT_ALONE]


def packs_digest(files: Mapping[str, bytes]) -> bytes:
    """Return the digest that names a pack."""
    return packs.load(codec.encode_pack(files)).digest


@pytest.mark.parametrize(
    "pack",
    [b"", b"no pack", codec.encode_pack(sketch()), codec.encode_pack({"policy.yaml": b"format: 1\n"})],
    ids=["none", "bytes", "another", "one that does not load"],
)
def test_the_pack_comes_with_the_change_that_names_it(pack: bytes) -> None:
    """Without the very pack nobody could say what is adopted."""
    world = released()
    twin = world.fork()
    change = twin.propose_policy("evaluator", STRICTER)
    content = twin.state.need(change, r.Change).content

    assert codes(world.attempt("evaluator", c.ProposeChange(content, pack=pack))) == [Code.POLICY_PACK]


def test_a_pack_that_is_known_does_not_come_twice() -> None:
    """Every entry has one form."""
    world = released()
    world.propose_policy("evaluator", STRICTER)
    again = world.content(f.PolicyAdopt("policies/minimal/versions/2.0", packs_digest(STRICTER)))

    twice = world.decide("evaluator", c.ProposeChange(again, pack=codec.encode_pack(STRICTER)))
    once = world.decide("evaluator", c.ProposeChange(again))

    assert codes(twice) == [Code.POLICY_PACK]
    assert isinstance(once, Accepted)


def test_an_open_change_goes_stale_says_what_differs_and_is_rebased() -> None:
    """What was signed under the old version is not applied under the new one."""
    world = released()
    change = world.propose("evaluator", f.SafeguardReattest(f"{MODEL}/safeguards/input-filter"), draft=True)
    old, files = world.policy, new_threshold()
    world.adopt(files)

    facts = evaluate(world.policy, world.state, world.state.need(change, r.Change), world.now)
    [moved] = [unmet for unmet in facts.unmet if unmet.code is Code.BASE_MOVED]
    assert facts.stale
    assert (old.digest.hex() in moved.requirement, world.policy.digest.hex() in moved.actual) == (True, True)

    world.must("evaluator", c.RebaseChange(change, world.revised(change)))
    assert not evaluate(world.policy, world.state, world.state.need(change, r.Change), world.now).stale


def test_two_versions_under_review_do_not_both_come_into_force() -> None:
    """Whichever is adopted first moves the base of the other."""
    world = released()
    first, second = world.propose_policy("evaluator", STRICTER), world.propose_policy("evaluator", new_threshold())
    for who in ("owner-a", "reviewer-a"):
        world.sign(who, first)

    assert Code.BASE_MOVED in codes(world.sign("owner-a", second))


def test_another_pack_by_the_name_of_the_one_in_force_is_told_from_the_same_one() -> None:
    """The same pack is in force already; another one can't take its name."""
    world, said = adopted(STRICTER), []
    for files in (STRICTER, version(("Real help", "True help"), called="2.0")):
        firing = f.PolicyAdopt("policies/minimal/versions/2.0", packs_digest(files))
        pack = packs.new_to(world.state, (firing,), codec.encode_pack(files))
        shelved = packs.shelve(world.state, (firing,), pack)
        assert not isinstance(shelved, Refused)
        content = replace(world, state=shelved).content(firing)
        said.append(codes(world.attempt("evaluator", c.ProposeChange(content, pack=pack))))

    assert said == [[Code.NO_SUCH_EDGE], [Code.POLICY_IMMUTABLE]]


def test_a_version_never_changes_and_may_come_back() -> None:
    """The old version can be adopted again, as it was; another pack can't take its name."""
    world = adopted(STRICTER)
    other = version(("Real help", "True help"), called="1.0")
    firing = f.PolicyAdopt("policies/minimal/versions/1.0", packs_digest(other))
    shelved = packs.shelve(world.state, (firing,), codec.encode_pack(other))
    assert not isinstance(shelved, Refused)
    content = replace(world, state=shelved).content(firing)

    assert codes(world.attempt("evaluator", c.ProposeChange(content, pack=codec.encode_pack(other)))) == [
        Code.POLICY_IMMUTABLE
    ]
    world.adopt(sketch())
    assert world.policy == World.found().policy
    assert replayed(world).findings == []


def test_an_obligation_that_a_version_names_first_begins_with_it() -> None:
    """Its grid counts from the adoption; one that was known keeps its own."""
    more = "obligations:\n  yearly-review: {every: 365d, fulfilled_by: {evidence: external_review}, blocking: false}\n"
    world = released()
    kept = world.state.need("obligations/quarterly-report", r.Obligation)

    world.adopt(version(("obligations:\n", more)))

    begun = world.state.need("obligations/yearly-review", r.Obligation)
    assert begun.grids == ((1, world.entries[-1].time, 365 * 86_400_000_000),)
    assert world.state.need("obligations/quarterly-report", r.Obligation) == kept


def test_a_report_meanwhile_moves_the_base_just_where_its_id_is_carried_over() -> None:
    """What carrying over reads is what was signed for; a version that keeps its ids is not held up by reports."""
    says = "succeeds: [{policy: minimal, thresholds: {abuse: [misuse]}}]\nobligations:\n"
    renamed = version(("  misuse:\n", "  abuse:\n"), ("obligations:\n", says))
    world = released()
    carried, kept = world.propose_policy("evaluator", renamed), world.propose_policy("evaluator", version(called="3.0"))

    world.fire("evaluator", f.DeterminationReport(MISUSE, "reached"))

    stale = {
        name: evaluate(world.policy, world.state, world.state.need(name, r.Change), world.now).moved
        for name in (carried, kept)
    }
    assert stale == {carried: (MISUSE,), kept: ()}
