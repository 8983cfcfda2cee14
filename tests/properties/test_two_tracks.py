"""Two tracks: a recommendation never blocks, in any pack and any state, by construction.

Packs are drawn as what they mean, also such as no loader would take: every safeguard on either track, in any stage.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.client.packs import shipped_pack
from interlock.statemachine import resources as r
from interlock.statemachine.diffing import Way, compare_policies
from interlock.statemachine.explain import Verdict, explain
from interlock.statemachine.names import leaf_of, safeguard_name
from interlock.statemachine.policy import load_pack
from interlock.statemachine.policy.shipped import shipped_pack_names
from interlock.statemachine.simulating import simulate
from interlock.statemachine.state import State
from tests.support.world import DAY_US, START_US

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.statemachine.policy import Policy, Track
    from tests.properties.moves import Draw

MODEL = "models/m"
NOW = START_US
PACKS = {name: load_pack(shipped_pack(name)) for name in shipped_pack_names()}
STAGES = ("planned", "implementing", "verified", "active", "degraded", "suspended", "retired")
CONCLUSIONS = ("undetermined", "ruled_out", "cannot_rule_out", "reached")


def on_tracks(policy: Policy, tracks: Mapping[str, Track]) -> Policy:
    """Return the policy with each safeguard on a track."""
    specs = {key: replace(spec, track=tracks[key]) for key, spec in policy.safeguards.items()}
    return replace(policy, safeguards=MappingProxyType(specs), digest=str(sorted(tracks.items())).encode())


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw a pack with each safeguard on either track."""
    policy = PACKS[draw(st.sampled_from(sorted(PACKS)))]
    tracks: tuple[Track, ...] = ("commitment", "recommendation")
    track = st.sampled_from(tracks)
    return on_tracks(policy, {key: draw(track) for key in policy.safeguards})


def a_state(draw: Draw, policy: Policy) -> State:
    """Draw what is known of a model: all but its safeguards is mostly in order, so that these decide."""
    state = State().put(r.Model(MODEL))
    for threshold in policy.thresholds:
        conclusion = draw(st.sampled_from(CONCLUSIONS[1:] if draw(st.integers(0, 9)) else CONCLUSIONS))
        if conclusion != CONCLUSIONS[0]:
            name = f"{MODEL}/determinations/{threshold}"
            state = state.put(r.Determination(name, conclusion, True, NOW + DAY_US))  # noqa: FBT003  # confirmed
    assignable = [level.id for level in policy.levels if not level.stub]
    for standard in policy.standards:
        level = draw(st.sampled_from([assignable[-1], *assignable]))
        state = state.put(r.Level(f"{MODEL}/levels/{standard}", "confirmed", level))
    for spec in policy.safeguards.values():
        name = safeguard_name(MODEL, spec.id, shared=spec.shared)
        stage = draw(st.sampled_from(["active"] * 9 + [*STAGES]))
        until = NOW + draw(st.sampled_from([-1, DAY_US, DAY_US]))
        state = state.put(r.Safeguard(name, stage, attested_until=until, attested_at=NOW - 1))
    return state.after_entry(NOW)


def asked(policy: Policy, state: State) -> dict[str, Verdict]:
    """Return what the gate says in each context."""
    return {place.id: explain(policy, state, MODEL, place.id, "0a" * 32, NOW) for place in policy.contexts}


@settings(max_examples=200)
@given(st.data())
def test_a_recommendation_never_blocks(data: st.DataObject) -> None:
    """No reason names one, no verdict turns by its state, and none turns where it is taken out of the pack."""
    policy = data.draw(policies())
    state = a_state(data.draw, policy)
    recommended = {key for key, spec in policy.safeguards.items() if spec.track == "recommendation"}
    without = replace(
        policy,
        safeguards=MappingProxyType({k: s for k, s in policy.safeguards.items() if k not in recommended}),
        digest=b"without",
    )
    broken = state
    for item in list(state.all_of(r.Safeguard)):
        if leaf_of(item.name) in recommended:
            broken = broken.put(replace(item, stage="retired"))

    for context, verdict in asked(policy, state).items():
        assert recommended.isdisjoint(leaf_of(row.resource) for row in verdict.reasons)
        assert {leaf_of(row.resource) for row in verdict.advisories} <= recommended
        # What a recommendation replaces is another matter: no loader lets it replace a commitment.
        if not any(policy.safeguards[key].replaces for key in recommended):
            assert asked(without, state)[context].reasons == verdict.reasons
        assert asked(policy, broken)[context].reasons == verdict.reasons


@settings(max_examples=100)
@given(st.data())
def test_demoting_is_always_seen(data: st.DataObject) -> None:
    """A commitment that becomes a recommendation is a difference that loosens; the other way round it tightens."""
    policy = data.draw(policies())
    key = data.draw(st.sampled_from(sorted(policy.safeguards)))
    tracks = {name: spec.track for name, spec in policy.safeguards.items()}
    high, low = (on_tracks(policy, tracks | {key: track}) for track in ("commitment", "recommendation"))

    down = [row for row in compare_policies(high, low) if row.subject == key]
    up = [row for row in compare_policies(low, high) if row.subject == key]

    assert [row.way for row in down] == [Way.LOOSENS]
    assert [row.way for row in up] == [Way.TIGHTENS]


def edited(draw: Draw, policy: Policy) -> Policy:
    """Draw another version: a few parts of what the gate reads said otherwise."""
    safeguards, thresholds, standards = dict(policy.safeguards), dict(policy.thresholds), dict(policy.standards)
    places = frozenset(place.id for place in policy.contexts)
    levels = [level.id for level in policy.levels]
    for key in draw(st.lists(st.sampled_from(sorted(safeguards)), max_size=3, unique=True)):
        spec = safeguards[key]
        match draw(st.integers(0, 5)):
            case 0:
                del safeguards[key]
            case 1:
                safeguards[key] = replace(spec, track=draw(st.sampled_from(["commitment", "recommendation"])))
            case 2:
                covers = frozenset(draw(st.lists(st.sampled_from(sorted(places)), unique=True)))
                safeguards[key] = replace(spec, covers=covers)
            case 3:
                level = draw(st.sampled_from(levels))
                safeguards[key] = replace(spec, level=level, level_index=policy.level_index(level))
            case 4:
                safeguards[key] = replace(spec, attested_for_us=draw(st.sampled_from([1, DAY_US, 9 * DAY_US])))
            case _:
                causes = draw(st.lists(st.sampled_from(sorted(thresholds)), max_size=2, unique=True))
                safeguards[key] = replace(spec, for_thresholds=tuple(causes))
    for key in draw(st.lists(st.sampled_from(sorted(thresholds)), max_size=2, unique=True)):
        asks = {standard: draw(st.sampled_from(levels)) for standard in standards if draw(st.booleans())}
        thresholds[key] = replace(thresholds[key], asks=MappingProxyType(asks))
    for key in draw(st.lists(st.sampled_from(sorted(standards)), max_size=1)):
        applies_in = frozenset(draw(st.lists(st.sampled_from(sorted(places)), unique=True)))
        standards[key] = replace(standards[key], applies_in=applies_in)
    contexts = policy.contexts
    if draw(st.integers(0, 4)) == 0:
        wanted = tuple(draw(st.lists(st.sampled_from(sorted(thresholds)), unique=True)))
        contexts = (replace(contexts[0], thresholds=wanted), *contexts[1:])
    frozen = (MappingProxyType(dict(part)) for part in (safeguards, thresholds, standards))
    parts = dict(zip(("safeguards", "thresholds", "standards"), frozen, strict=True))
    return replace(policy, contexts=contexts, digest=repr((safeguards, thresholds, standards)).encode(), **parts)  # type: ignore[arg-type]  # three mappings


@settings(max_examples=300)
@given(st.data())
def test_whatever_opens_the_gate_was_said_to_loosen(data: st.DataObject) -> None:
    """Where adopting turns a DENY into ALLOW, in whatever state, the words have a line that loosens."""
    policy = PACKS[data.draw(st.sampled_from(sorted(PACKS)))]
    other, state = edited(data.draw, policy), a_state(data.draw, policy)

    if any(row.allowed for row in simulate(policy, other, state, NOW).turned):
        assert Way.LOOSENS in {row.way for row in compare_policies(policy, other)}
