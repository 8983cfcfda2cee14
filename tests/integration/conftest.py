"""Fixtures: data folders made once a session, copied for each test, and real servers on free ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.server import ServerProcess, ServerThread, copy_of, install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Install = Callable[[str], Path]


@pytest.fixture(scope="session")
def installations(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Return a function from a pack's id to its data folder, made on first use; copy it, never serve it."""
    made: dict[str, Path] = {}

    def installation(pack: str) -> Path:
        if pack not in made:
            made[pack] = install(tmp_path_factory.mktemp("installed") / pack, pack)
        return made[pack]

    return installation


@pytest.fixture
def data(installations: Install, tmp_path: Path) -> Path:
    """Give a data folder of one's own, by the pack `minimal`."""
    return copy_of(installations("minimal"), tmp_path / "data")


@pytest.fixture
def rsp_data(installations: Install, tmp_path: Path) -> Path:
    """Give a data folder of one's own, by the pack `rsp-2.2`."""
    return copy_of(installations("rsp-2.2"), tmp_path / "rsp-data")


@pytest.fixture
def server(data: Path) -> Iterator[ServerThread]:
    """Serve `minimal` in a thread for one test."""
    with ServerThread(data) as running:
        yield running


@pytest.fixture
def server_process(data: Path) -> Iterator[ServerProcess]:
    """Serve `minimal` in a process of its own for one test."""
    with ServerProcess(data) as running:
        yield running


@pytest.fixture(scope="module")
def shared_server(installations: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """Serve `minimal` in a thread for all tests of a file: for those that don't mind each other's writes."""
    folder = copy_of(installations("minimal"), tmp_path_factory.mktemp("shared") / "data")
    with ServerThread(folder) as running:
        yield running
