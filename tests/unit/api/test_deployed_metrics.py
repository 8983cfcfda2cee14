"""The gauges of deployments: counted at the scrape, at the newest view and that very moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from interlock.service.metrics import Deployed, Metrics
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from tests.support.service import view_of
from tests.support.world import DAY_US, World

if TYPE_CHECKING:
    from interlock.service.ledger.view import View

MODEL = "models/m"


@dataclass
class Server:
    """What a scrape reads: a world that moves on, and a clock."""

    world: World
    seen: View
    now: int

    def move(self) -> None:
        """Show what the world has become."""
        self.seen, self.now = view_of(self.world), max(self.now, self.world.now)


@pytest.fixture
def server() -> Server:
    """Give a server whose gate allows models/m."""
    world = World.found()
    world.must("evaluator", c.Fire(f.ModelRegister(MODEL)))
    report = world.upload("evaluator", "evaluation_results")
    rule_out = f.DeterminationRuleOut(f"{MODEL}/determinations/misuse")
    world.enact(rule_out, f.LevelAssign(f"{MODEL}/levels/deployment", "basic"), evidence=[report])
    return Server(world, view_of(world), world.now)


def scraped(server: Server, metrics: Metrics, name: str) -> dict[str, float | None]:
    """Return a gauge by context."""
    read = metrics.registry.get_sample_value
    contexts = [context.id for context in server.world.policy.contexts]
    return {context: read(f"interlock_deployments_{name}", {"context": context}) for context in contexts}


@pytest.fixture
def metrics(server: Server) -> Metrics:
    """Give metrics that count the server's deployments."""
    counted = Metrics()
    counted.registry.register(Deployed(lambda: server.seen, lambda: server.now))
    return counted


def test_every_context_has_a_sample(server: Server, metrics: Metrics) -> None:
    """A context where nothing runs is zero, not missing: an alert can tell."""
    assert set(scraped(server, metrics, "live").values()) == {0.0}
    assert set(scraped(server, metrics, "out_of_compliance").values()) == {0.0}


def test_a_scrape_sees_the_newest_view(server: Server, metrics: Metrics) -> None:
    """A record, a hold and an end each show with the very next scrape."""
    counts = []
    for who, firing in (
        ("release-bot", f.DeploymentRecord(MODEL, "api", "", "a")),
        ("owner-a", f.HoldPlace(MODEL)),
        ("release-bot", f.DeploymentEnd("deployments/1")),
    ):
        server.world.must(who, c.Fire(firing))
        server.move()
        counts.append((scraped(server, metrics, "live")["api"], scraped(server, metrics, "out_of_compliance")["api"]))

    assert counts == [(1, 0), (1, 1), (0, 0)]


def test_a_scrape_sees_time_pass(server: Server, metrics: Metrics) -> None:
    """What the gate denies by time alone is counted although nothing was written."""
    server.world.must("release-bot", c.Fire(f.DeploymentRecord(MODEL, "api", "", "a")))
    server.move()
    before = scraped(server, metrics, "out_of_compliance")["api"]

    server.now += 1000 * DAY_US

    assert (before, scraped(server, metrics, "out_of_compliance")["api"]) == (0, 1)
