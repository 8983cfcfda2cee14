"""Fixtures for pytest, there by themselves where Interlock is installed (entry point `pytest11`).

Nothing is started, and nothing heavy imported, before a test asks for one of them. Off with `-p no:interlock`.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interlock.client.sdk import Interlock
    from interlock.client.testing.embedded import EmbeddedServer


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the one setting."""
    parser.addini(
        "interlock_pack", "Policy pack of the fixture interlock_server: a name or a folder", default="minimal"
    )


@pytest.fixture(scope="session")
def interlock_server_by() -> Iterator[Callable[[str], EmbeddedServer]]:
    """Give servers by policy pack, a shipped one's name or a folder; each starts once and serves the whole session."""
    from interlock.client.testing.embedded import embedded_server  # noqa: PLC0415  # for those who ask only

    running: dict[str, EmbeddedServer] = {}
    with ExitStack() as stack:

        def server_by(pack: str) -> EmbeddedServer:
            if pack not in running:
                running[pack] = stack.enter_context(embedded_server(pack))
            return running[pack]

        yield server_by


@pytest.fixture(scope="session")
def interlock_server(
    interlock_server_by: Callable[[str], EmbeddedServer], pytestconfig: pytest.Config
) -> EmbeddedServer:
    """Give a server for the whole session, by the pack of the ini setting `interlock_pack`.

    Tests share its log: give each its own models.
    """
    return interlock_server_by(str(pytestconfig.getini("interlock_pack")))


@pytest.fixture
def interlock_client(interlock_server: EmbeddedServer) -> Callable[[str], Interlock]:
    """Give the client of an account of the server, such as `interlock_client("release-bot")`."""
    return interlock_server.client


@pytest.fixture
def interlock_fresh_server(pytestconfig: pytest.Config) -> Iterator[EmbeddedServer]:
    """Give a server for this test alone, with an empty log; it takes a second or two to make."""
    from interlock.client.testing.embedded import embedded_server  # noqa: PLC0415  # for those who ask only

    with embedded_server(str(pytestconfig.getini("interlock_pack"))) as server:
        yield server
