"""The compiled tables: nothing stands in them that the domain design does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.statemachine.machines import tables
from interlock.statemachine.triggers import DIRECTIONS, Direction, Trigger

if TYPE_CHECKING:
    from tests.support.world import World

EDGES = {
    "model": {
        "absent": {"model.register": "registered"},
        "registered": {
            "model.add_artifact": "registered",
            "model.record_run": "registered",
            "model.retire": "retired",
        },
    },
    "assessment": {
        "absent": {"assessment.open": "open"},
        "open": {"assessment.conclude": "concluded", "assessment.abandon": "abandoned"},
    },
    "hold": {"absent": {"hold.place": "placed"}, "placed": {"hold.lift": "lifted"}},
    "deployment": {"absent": {"deployment.record": "live"}, "live": {"deployment.end": "ended"}},
    "principal": {
        "absent": {"principal.create": "invited"},
        "invited": {
            "credential.register": "active",
            "credential.bind": "active",
            "principal.suspend": "suspended",
            "principal.remove": "removed",
            "principal.link": "invited",
            "principal.unlink": "invited",
        },
        "active": {
            "recovery.suspend": "suspended",
            "principal.suspend": "suspended",
            "principal.remove": "removed",
            "principal.link": "active",
            "principal.unlink": "active",
        },
        "suspended": {
            "principal.restore": "active",
            "principal.remove": "removed",
            "principal.link": "suspended",
            "principal.unlink": "suspended",
        },
        "removed": {"principal.restore": "invited", "principal.link": "removed", "principal.unlink": "removed"},
    },
    "credential": {
        "absent": {"credential.register": "active", "credential.bind": "active"},
        "active": {
            "credential.revoke": "revoked",
            "credential.revoke[compromised]": "revoked",
            "recovery.revoke": "revoked",
        },
        "revoked": {"credential.revoke[compromised]": "revoked"},
    },
    "grant": {"absent": {"grant.give": "active"}, "active": {"grant.end": "ended"}},
    "log": {"closed": {"log.rotate_key": "closed"}},
    "change": {
        "absent": {"change.propose": "in_review", "change.propose[draft]": "draft"},
        "draft": {
            "change.submit": "in_review",
            "change.amend": "draft",
            "change.attach": "draft",
            "change.detach": "draft",
            "change.rebase": "draft",
            "change.withdraw": "withdrawn",
        },
        "in_review": {
            "change.amend": "in_review",
            "change.attach": "in_review",
            "change.detach": "in_review",
            "change.rebase": "in_review",
            "change.sign": "in_review",
            "change.withdraw_sign_off": "in_review",
            "change.reject": "in_review",
            "change.reject[veto]": "rejected",
            "change.withdraw": "withdrawn",
            "change.apply": "applied",
        },
        "applied": {"change.ratify": "applied"},
    },
}


@pytest.mark.parametrize("kind", sorted(EDGES))
def test_machine_has_exactly_the_designed_edges(kind: str) -> None:
    """The plain machines have exactly the edges of the domain design."""
    table = next(table for table in tables.FIXED if table.kind == kind)

    edges = {(source, trigger): target for source, row in EDGES[kind].items() for trigger, target in row.items()}

    assert dict(table.edges) == edges


@pytest.mark.parametrize("table", tables.FIXED, ids=lambda table: table.kind)
def test_no_automatic_edges(table: tables.Table) -> None:
    """The library adds no edge of its own, such as ``to_<state>``."""
    assert not [trigger for _, trigger in table.edges if trigger.startswith("to_")]


@pytest.mark.parametrize("trigger", list(Trigger))
def test_every_trigger_has_an_edge(trigger: Trigger, world: World) -> None:
    """No trigger of the directions table is without a machine."""
    every = [*tables.FIXED, tables.level_table(world.policy)]

    names = {name.split("[")[0] for table in every for _, name in table.edges}

    assert trigger.value in names


def test_every_edge_has_a_direction(world: World) -> None:
    """No machine has an edge whose trigger is missing from the directions table; a change's own are apart."""
    every = [*tables.FIXED, tables.level_table(world.policy)]

    names = {name.split("[")[0] for table in every for _, name in table.edges if table.kind != "change"}

    assert names | {"change.ratify"} == {trigger.value for trigger in DIRECTIONS}


def test_what_is_settled_only_tightens() -> None:
    """Only a tightening trigger is acknowledged where the state is already there."""
    settled = {trigger.split("[")[0] for rows in tables.SETTLED.values() for _, trigger in rows}

    assert {DIRECTIONS[Trigger(name)] for name in settled} == {Direction.TIGHTENS}


@pytest.mark.parametrize("table", tables.FIXED, ids=lambda table: table.kind)
def test_what_is_settled_has_no_edge(table: tables.Table) -> None:
    """A state in which a trigger is already settled has no edge for it."""
    assert not set(tables.SETTLED.get(table.kind, ())) & table.edges.keys()


def test_sources_lists_where_a_trigger_can_fire() -> None:
    """Sources are every state that has the edge."""
    assert tables.SAFEGUARD.sources("safeguard.restore") == ("degraded",)
