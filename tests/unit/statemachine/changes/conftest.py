"""Worlds in which ``models/m`` is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interlock.statemachine import firings as f
from tests.unit.statemachine.changes.reviews import MODEL

if TYPE_CHECKING:
    from tests.support.world import World


@pytest.fixture
def world(world: World) -> World:
    """Return the sketch's world with a model."""
    world.fire("evaluator", f.ModelRegister(MODEL))
    return world


@pytest.fixture
def wide(wide_world: World) -> World:
    """Return the wide pack's world with a model."""
    wide_world.fire("evaluator", f.ModelRegister(MODEL))
    return wide_world
