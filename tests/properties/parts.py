"""Parts of a random log, as an export would choose them: each verifies, and ends in what the whole log ends in."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

from interlock.client.verify import Trust, verify_bundle
from interlock.statemachine import commands as c
from interlock.statemachine import digest
from interlock.statemachine import resources as r
from tests.properties.moves import log_key_of
from tests.support.bundles import VKEY
from tests.support.excerpts import Cut
from tests.support.world import LOG_ID

if TYPE_CHECKING:
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.state import State
    from tests.support.world import World


def check_parts(world: World) -> None:
    """Judge the range from the first digest on, and the selection of each model at the last."""
    world.must(c.SYSTEM, digest.digest_of(world.state))
    stated = [entry.seq for entry in world.entries if isinstance(entry.command, c.StateDigest)]
    ended = _judge(world, Cut.range(world, stated[0], len(world.entries)))
    assert ended == world.state
    for model in sorted(item.name for item in world.state.all_of(r.Model)):
        ended = _judge(world, Cut.selection(world, stated[-1], model))
        assert ended.holds_on(model) == world.state.holds_on(model)
        assert all(world.state.items[name] == item for name, item in ended.items.items())


def _judge(world: World, cut: Cut) -> State:
    """Return the state that a part ends in. People here sign without having seen a head: that is not held to them."""
    genesis = world.entries[0].command
    assert isinstance(genesis, c.Genesis)
    founded = hashlib.sha256(genesis.document).digest()
    states: list[State] = []

    def see(_entry: Entry, state: State, _policy: object) -> None:
        states.append(state)

    trust = Trust(VKEY, LOG_ID, founded, accept_asserted=True, partial_ok=True)
    signed = replace(cut, signer=log_key_of(world))
    report = verify_bundle(BytesIO(signed.data).read, trust, visit=see)
    assert [row for row in report.findings if row.code not in {"SIGN_OFF_CHECKPOINT", "PARTIAL"}] == []
    return states[-1]
