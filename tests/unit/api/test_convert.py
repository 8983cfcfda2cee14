"""From the fold to messages: what the integration tests' pack does not have."""

from __future__ import annotations

from interlock.service.api.convert.change import change_message, etag_of
from interlock.service.api.convert.model import model_message
from interlock.service.api.convert.safeguard import safeguard_message, safeguards_of, shared_safeguards
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.v1 import change_pb2, safeguard_pb2
from tests.support.service import view_of
from tests.support.world import World, sha256_of, sketch

M, N = "models/m", "models/n"
SHARED = "safeguards/input-filter"


def world_of(*edits: tuple[str, str]) -> World:
    """Return a world by an edited sketch, with two models."""
    text = sketch()["policy.yaml"].decode()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    world = World.found({"policy.yaml": text.encode()})
    for model in (M, N):
        world.must("evaluator", c.Fire(f.ModelRegister(model, (sha256_of(model),))))
    return world


def sharing() -> World:
    """Return a world whose only safeguard is shared."""
    return world_of(("scope: model ", "scope: shared "))


def test_a_shared_safeguard_is_each_model_s() -> None:
    """Every model shows the shared safeguard under its one name, and so does the listing without a model."""
    view = view_of(sharing())

    assert safeguards_of(view, M) == safeguards_of(view, N) == shared_safeguards(view) == [SHARED]


def test_a_shared_safeguard_shows_all_who_lean_on_it() -> None:
    """Models whose level lists it lean on it; others don't."""
    world = sharing()
    world.enact(f.LevelAssign(f"{M}/levels/deployment", "guarded"))

    message = safeguard_message(view_of(world), SHARED, world.now)

    assert list(message.leaning_models) == [M]
    assert (message.position, message.state) == (-1, safeguard_pb2.SAFEGUARD_STATE_PLANNED)


def test_a_model_s_safeguard_is_in_no_shared_listing() -> None:
    """What belongs to a model has the model's name."""
    view = view_of(world_of())

    assert safeguards_of(view, M) == [f"{M}/safeguards/input-filter"]
    assert shared_safeguards(view) == []


def test_one_figure_is_the_lower_of_two_levels() -> None:
    """A model's level in one word is the lower of its standards', and empty while one is unassigned."""
    world = world_of(
        (
            "  deployment: {baseline: basic, applies_in: all}\n",
            "  deployment: {baseline: basic, applies_in: all}\n  security: {baseline: basic, applies_in: all}\n",
        )
    )
    world.enact(f.LevelAssign(f"{M}/levels/deployment", "guarded"))
    view = view_of(world)
    before = model_message(view, world.state.need(M, r.Model), world.now)
    world.enact(f.LevelAssign(f"{M}/levels/security", "basic"))
    view = view_of(world)

    after = model_message(view, world.state.need(M, r.Model), world.now)

    assert (before.asl, after.asl) == ("", "basic")
    assert [level.name for level in after.levels] == [f"{M}/levels/deployment", f"{M}/levels/security"]


def test_a_context_that_wants_an_artifact_is_judged_by_the_newest() -> None:
    """The verdicts of a model are those of what would be released, not of nothing."""
    world = world_of(("unguarded: true}, api]", "unguarded: true}, {id: api, artifact: required}]"))

    codes = {
        row.context: list(row.codes)
        for row in model_message(view_of(world), world.state.need(M, r.Model), world.now).verdicts
    }

    assert codes["api"] == codes["internal"] == ["DETERMINATION_MISSING", "LEVEL_UNASSIGNED"]


def test_a_closed_change_asks_for_nothing() -> None:
    """Whatever has moved since, a change that is over is neither stale nor expired, and lacks nothing."""
    world = world_of()
    name = world.propose("evaluator", f.LevelAssign(f"{M}/levels/deployment", "basic"))
    world.must("evaluator", c.WithdrawProposedChange(name))
    world.enact(f.LevelAssign(f"{M}/levels/deployment", "guarded"))
    world.wait(400 * 86_400_000_000)

    message = change_message(view_of(world), world.state.need(name, r.Change), world.now)

    assert message.state == change_pb2.CHANGE_STATE_WITHDRAWN
    assert (message.approved, message.stale, message.expired) == (False, False, False)
    assert not message.unmet
    assert not message.moved


def test_an_open_change_expires_by_time() -> None:
    """Past its end a change under review says so, and what is unmet names it."""
    world = world_of()
    name = world.propose("evaluator", f.LevelAssign(f"{M}/levels/deployment", "basic"))
    world.wait(15 * 86_400_000_000)

    message = change_message(view_of(world), world.state.need(name, r.Change), world.now)

    assert message.expired
    assert "CHANGE_EXPIRED" in [row.code for row in message.unmet]


def test_the_etag_stands_for_the_signed_bytes() -> None:
    """Revision and content digest make the etag: another revision of the same words has another."""
    world = world_of()
    name = world.propose("evaluator", f.LevelAssign(f"{M}/levels/deployment", "basic"))
    first = world.state.need(name, r.Change)
    world.must("evaluator", c.RebaseChange(name, world.revised(name)))
    second = world.state.need(name, r.Change)

    assert etag_of(first) == f"1-{first.content_digest.hex()[:16]}"
    assert etag_of(second).startswith("2-")
    assert etag_of(first)[2:] != etag_of(second)[2:]
