"""The server's commands as processes that need not load the server: forked from one that has, by `multiprocessing`.

A start takes a second of a processor, nearly all of it for imports, and the suite starts more than a hundred servers.
What is forked runs the same command with the same words, output, signals and exit code. `test_serve.py`
starts it as users do.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.reduction import DupFd
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FORKING: Final = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["interlock.service.__main__", "interlock.service.commands.process"])


class Command:
    """`python -m interlock.service` with some words; has what `subprocess.Popen` has and tests use."""

    def __init__(
        self, words: Sequence[str], log: IO[bytes], environment: Mapping[str, str], *, own_session: bool
    ) -> None:
        """Start it; what it writes to its standard error goes to ``log``."""
        reading, writing = os.pipe()
        self.stdout = os.fdopen(reading, "r", encoding="utf-8")
        try:
            order = (tuple(words), dict(environment), own_session, DupFd(writing), DupFd(log.fileno()))
            self._process = _FORKING.Process(target=_serve, args=order, daemon=True)
            self._process.start()
        finally:
            os.close(writing)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and what it was forked from has not said so yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it as a crash would."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code. Raises TimeoutError after ``timeout`` seconds."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise TimeoutError(f"process {self.pid} still runs after {timeout} s")
        return code


def _serve(words: tuple[str, ...], environment: dict[str, str], own_session: bool, out: Any, log: Any) -> None:  # noqa: ANN401, FBT001  # duplicated descriptors; pickled in order
    for kept, given in ((1, out), (2, log)):
        descriptor = given.detach()
        os.dup2(descriptor, kept)
        os.close(descriptor)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, encoding="utf-8") for number in (1, 2))
    if own_session:
        os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    from interlock.service.__main__ import app  # noqa: PLC0415  # in the process that has it, not in that of the tests

    app(words, prog_name="python -m interlock.service")
