"""What is measured beside each other is started alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.bench.processes import echo
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path


def test_server_and_echo_each_run_in_a_session_of_their_own(data: Path) -> None:
    """Linux shares the processors out among sessions first: neither shares its part with the load generator."""
    with ServerProcess(data, own_session=True) as server, echo(data, [1]) as (_address, process):
        sessions = [os.getsid(server.process.pid), os.getsid(process)]

    assert sessions == [server.process.pid, process]
