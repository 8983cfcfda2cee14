"""`embedded_server`: a real server of a fresh log, for as long as a test or a `with` block takes.

Lives here: starting, asking and stopping it. Not here: bringing a model through the gate (`release.py`), the fixtures
(`plugin.py`). Importing this imports neither grpc nor anything of the service.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.client.aio.sdk import AsyncInterlock
    from interlock.client.sdk import Interlock
    from interlock.v1.gate_pb2 import CheckReleaseResponse

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
_OURS: Final = "INTERLOCK_"


class EmbeddedServerError(RuntimeError):
    """The server could not be founded or started, or a model could not be brought to ALLOW."""


class EmbeddedServer:
    """A running server with everybody's keys. Made by `embedded_server`.

    ``address`` is `host:port`, ``home`` the folder with a profile for each account (what INTERLOCK_HOME names),
    ``log_id`` the log's id in hex, ``people`` the accounts' ids.
    """

    def __init__(self, folder: Path, ready: dict[str, Any]) -> None:
        """Take a server that has said that it is ready."""
        self.folder = folder
        self.home = _home(folder)
        self.address = str(ready["address"])
        self.log_id = str(ready["log_id"])
        self.people = tuple(sorted(path.parent.name for path in self.home.glob("*/profile.json")))
        self._clients: dict[str, Interlock] = {}

    def client(self, who: str) -> Interlock:
        """Return the client of an account, such as `release-bot`; the same each time, closed with the server."""
        from interlock.client.sdk import Interlock  # noqa: PLC0415  # it imports grpc

        profile = self._profile(who)
        if profile.name not in self._clients:
            self._clients[profile.name] = Interlock.from_profile(str(profile), environment={})
        return self._clients[profile.name]

    def async_client(self, who: str) -> AsyncInterlock:
        """Return a new client of an account, for the running event loop; use it with `async with`."""
        from interlock.client.aio.sdk import AsyncInterlock  # noqa: PLC0415  # it imports grpc

        return AsyncInterlock.from_profile(str(self._profile(who)), environment={})

    def environment(self, who: str) -> dict[str, str]:
        """Return the variables with which `interlock` and `from_profile()` act as an account of this server."""
        return {"INTERLOCK_HOME": str(self.home), "INTERLOCK_PROFILE": self._profile(who).name}

    def allow(self, model: str, context: str, *, artifact: str = "") -> CheckReleaseResponse:
        """Bring a model to ALLOW as the policy in force wants it, and return the gate's answer.

        Registers the model unless it is there, uploads a document of each kind that is asked for, and has one change
        signed by everybody it takes: all thresholds ruled out, each standard at its baseline, what that needs active.
        Raises EmbeddedServerError with the gate's reasons where it still says DENY.
        """
        from interlock.client.testing.release import allow  # noqa: PLC0415  # it brings all of the rules

        return allow(self, model, context, artifact)

    def hold(self, model: str, reason: str = "") -> None:
        """Take ALLOW away again: an approver places a hold, which counts at once."""
        from interlock.client.testing.release import People  # noqa: PLC0415  # as above

        People(self).who_may("hold.place").holds.place(model, reason=reason)

    def close_clients(self) -> None:
        """Close every client that was given out."""
        while self._clients:
            self._clients.popitem()[1].close()

    def _profile(self, who: str) -> Path:
        name = who.removeprefix("principals/")
        if name not in self.people:
            raise EmbeddedServerError(f"there is no {name!r} here; there are {', '.join(self.people)}")
        return self.home / name


@contextmanager
def embedded_server(
    pack: str = "minimal", *, folder: Path | None = None, start_seconds: float = START_SECONDS
) -> Iterator[EmbeddedServer]:
    """Found a log by a policy pack (a shipped one's name, or a folder) and serve it on a free port while entered.

    Everything is in a temporary folder, removed at the end however this ends, even where this process is killed.
    ``folder``, which must not exist, is kept instead, to look into. Raises EmbeddedServerError, which names the
    `server` extra where that is missing.
    """
    top = Path(tempfile.mkdtemp(prefix="interlock-test-"))
    data = (top / "data") if folder is None else folder
    try:
        _found(data, pack)
        with _kept(data, top, start_seconds) as ready:
            server = EmbeddedServer(data, ready)
            try:
                yield server
            finally:
                server.close_clients()
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _found(data: Path, pack: str) -> None:
    command = [*_interlock(), "init", str(data), "--dev", "--pack", pack, "--listen", "127.0.0.1:0", "--json"]
    done = subprocess.run(  # noqa: S603  # our own program, without a shell
        command, capture_output=True, text=True, check=False, env=_environment(), timeout=START_SECONDS
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise EmbeddedServerError(f"`interlock init` ended with exit code {done.returncode}: {said}")


@contextmanager
def _kept(data: Path, top: Path, start_seconds: float) -> Iterator[dict[str, Any]]:
    """Serve while entered. The keeper, in a session of its own, gets no Ctrl-C: it ends with our end of the pipe."""
    serve = [*_interlock(), "serve", "--data", str(data), "--listen", "127.0.0.1:0", "--json"]
    log = top / "server.log"
    with log.open("wb") as errors:
        keeper = subprocess.Popen(  # noqa: S603  # as above
            [sys.executable, "-m", "interlock.client.testing.keeper", str(top), *serve],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            start_new_session=True,
        )
    try:
        yield _ready(keeper, data, log, start_seconds)
    finally:
        _let_go(keeper)


def _ready(keeper: subprocess.Popen[bytes], data: Path, log: Path, start_seconds: float) -> dict[str, Any]:
    late = threading.Timer(start_seconds, keeper.kill)
    late.daemon = True
    late.start()
    line = keeper.stdout.readline() if keeper.stdout is not None else b""
    late.cancel()
    if not line:
        said = log.read_text("utf-8", errors="replace").strip()[-2000:]
        raise EmbeddedServerError(f"`interlock serve` did not start: {said or 'it said nothing'}")
    ready: dict[str, Any] = json.loads(line)
    for path in _home(data).glob("*/profile.json"):
        profile = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(profile | {"address": ready["address"]}), "utf-8")
    return ready


def _let_go(keeper: subprocess.Popen[bytes]) -> None:
    for pipe in (keeper.stdin, keeper.stdout):
        if pipe is not None:
            pipe.close()
    try:
        keeper.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()


def _home(data: Path) -> Path:
    return data / "principals"


def _interlock() -> list[str]:
    return [sys.executable, "-m", "interlock.cli"]


def _environment() -> dict[str, str]:
    """Return our environment without what would configure another server or act as somebody else."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
