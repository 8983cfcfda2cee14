"""Standard streams that are closed, full or read by nobody: the exit code still tells a no from a failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from interlock.client.testing import embedded_server
from tests.support.server import ForkedServer, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from interlock.client.testing.embedded import EmbeddedServer

INTERLOCK: Final = f"{sys.executable} -m interlock.cli"
CHECK: Final = f"{INTERLOCK} gate check m -c internal"
WATCH: Final = f"{INTERLOCK} gate watch m -c internal --until-allow"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """Serve a log that allows m."""
    with embedded_server() as running:
        running.allow("m", "internal")
        yield running


def shell(words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a line of bash."""
    return subprocess.run(
        ["/bin/bash", "-c", words], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def ask(server: EmbeddedServer) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Give what runs a line of bash as the release bot."""
    return lambda words: shell(words, server.environment("release-bot"))


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """Give an environment in which there is no profile: every question fails, with 2."""
    return {"INTERLOCK_HOME": str(tmp_path)}


def gone(command: str) -> str:
    """Return a line of bash that runs ``command`` with nobody reading its output, and ends as it does."""
    return f"mkfifo p; exec 3<>p 4>p 3<&-; {command} >&4"


@pytest.mark.parametrize("command", [CHECK, f"{CHECK} --json", WATCH, f"{WATCH} --json", f"{INTERLOCK} gate --help"])
def test_a_result_that_nobody_reads_is_no_answer(
    ask: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path, command: str
) -> None:
    """The gate allows, and the pipe is broken: exit 5, neither yes nor no, and no traceback."""
    done = ask(f"cd {tmp_path}; {gone(command)}")

    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("words", ["", " --json"])
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&- <&-"])
def test_a_closed_output_is_one_that_nobody_wants(
    ask: Callable[[str], subprocess.CompletedProcess[str]], words: str, closed: str
) -> None:
    """Whoever closes the output asks for the exit code alone."""
    assert ask(f"{CHECK}{words} {closed}").returncode == 0


@pytest.mark.parametrize("words", ["", " --json"])
def test_an_error_that_nobody_reads_keeps_its_code(nowhere: dict[str, str], tmp_path: Path, words: str) -> None:
    """A broken stderr turns no error into another one."""
    done = shell(f"cd {tmp_path}; mkfifo p; exec 3<>p 4>p 3<&-; {CHECK}{words} 2>&4", nowhere)

    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("words", ["", " --json"])
def test_an_error_is_never_printed_as_a_result(nowhere: dict[str, str], words: str) -> None:
    """With stderr closed nothing of an error comes out of stdout."""
    done = shell(f"{CHECK}{words} 2>&-", nowhere)

    assert (done.returncode, done.stdout) == (2, "")


def test_a_frozen_server_takes_no_watch_and_no_time(installations: Callable[[str], Path], tmp_path: Path) -> None:
    """A server that is connected and says nothing is unavailable when the time is over, not when the pings fail."""
    with ForkedServer(copy_of(installations("minimal"), tmp_path / "data"), may_fail=True) as server:
        environment = {"INTERLOCK_HOME": str(server.home), "INTERLOCK_PROFILE": "release-bot"}
        assert shell(f"{INTERLOCK} whoami", environment).returncode == 0
        server.process.send_signal(signal.SIGSTOP)
        done = shell(f"timeout 12 {INTERLOCK} --timeout 1 gate watch m -c internal", environment)
        server.process.send_signal(signal.SIGCONT)

    assert done.returncode == 5
