"""Processes of a run: the load generator, the peers, and how they end."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from tests.bench.load import Load, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

STOP_SECONDS: Final = 20


@contextmanager
def running(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a program while entered; its standard output is piped, its standard error goes to ``log``.

    It gets a process group of its own, which ends with it: MLflow leaves consumers behind that would be measured later.
    And a session of its own, as our server gets one too: Linux shares the processors out among sessions first
    (``sched_autogroup_enabled``), so a server in the load generator's session would have to share with that one.
    """
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def echo(data: Path, sizes: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Run the bare echo with a log's own TLS keys; give its address and process id."""
    keys = data / "keys"
    paths = [str(keys / "server.key"), str(keys / "server.crt")]
    command = [sys.executable, "-m", "tests.bench.echo", *paths, *map(str, sizes)]
    with running(command, data.parent / "echo.log") as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid


def generate(*loads: Load) -> list[Result]:
    """Run the load generator once, in a process of its own. Raises CalledProcessError where a call was refused."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        input=json.dumps([asdict(load) for load in loads]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Result(**found) for found in json.loads(done.stdout)]


def encoded(requests: Sequence[bytes]) -> tuple[str, ...]:
    """Return requests as a load takes them."""
    return tuple(base64.b64encode(request).decode() for request in requests)
