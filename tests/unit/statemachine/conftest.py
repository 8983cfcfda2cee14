"""Worlds to start from: founded once, forked for each test."""

from __future__ import annotations

import pytest

from tests.support.world import World
from tests.unit.statemachine.packs import WIDE_CAST, wide


@pytest.fixture(scope="session")
def _founded() -> World:
    return World.found()


@pytest.fixture(scope="session")
def _founded_wide() -> World:
    return World.found(wide(), WIDE_CAST)


@pytest.fixture
def world(_founded: World) -> World:
    """Return a log under the sketch, just founded."""
    return _founded.fork()


@pytest.fixture
def wide_world(_founded_wide: World) -> World:
    """Return a log under the wide pack, just founded."""
    return _founded_wide.fork()
