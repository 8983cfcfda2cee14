"""What users' tests get: a real server, everybody's keys, and nothing left behind however a test ends."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interlock.client import NotAllowedError
from interlock.client.testing import EmbeddedServer, EmbeddedServerError, embedded_server
from interlock.v1 import gate_pb2
from tests.docs.pages import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SHA256 = "3e9a7d2c51f04b86a1c8e5f2907d64b3c2f1a8e09b7d5643e1f08a9c7b6d5e43"
PAGE = ROOT / "docs" / "how-to" / "testing.md"
PLUGIN = "interlock.client.testing.plugin"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """Give one server to all tests of this file."""
    with embedded_server() as running:
        yield running


def _pytest(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one test file as a user would, with temporary folders under ``folder``."""
    (folder / "tmp").mkdir()
    (folder / "test_release.py").write_text(text)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        [*command, "test_release.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _left(folder: Path) -> list[str]:
    return [path.name for path in (folder / "tmp").iterdir() if path.name.startswith("interlock")]


def _is_gone(pid: int) -> bool:
    """Wait until a process has ended; it is nobody's child here any more."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 30)[0])
    finally:
        os.close(handle)


# The server -----------------------------------------------------------------------------------------------------------


def test_a_model_is_brought_to_allow_and_held_again(server: EmbeddedServer) -> None:
    """A fresh model is denied, `allow` drives real changes until it is not, a hold counts at once."""
    gate = server.client("release-bot").gate

    before = gate.allows("aurora-4", "api")
    answer = server.allow("aurora-4", "api", artifact=SHA256)
    between = gate.allows("aurora-4", "api", artifact=SHA256)
    server.hold("aurora-4", reason="for a test")

    assert (before, between, gate.allows("aurora-4", "api")) == (False, True, False)
    assert answer.verdict == gate_pb2.VERDICT_ALLOW


def test_a_model_that_is_allowed_stays_as_it_is(server: EmbeddedServer) -> None:
    """Asking again writes nothing but the question."""
    server.allow("twice", "api")
    size = server.client("auditor").audit.checkpoint().size

    server.allow("twice", "internal")

    assert server.client("auditor").audit.checkpoint().size == size


def test_a_policy_with_safeguards_is_met_as_well(tmp_path: Path) -> None:
    """With `rsp-2.2` the baseline's safeguards are activated too; a folder of one's own is kept to look into."""
    with embedded_server("rsp-2.2", folder=tmp_path / "kept") as server:
        server.allow("aurora-3", "api")
        active = list(server.client("auditor").safeguards.list(model="aurora-3"))

    assert len(active) >= 4
    assert (tmp_path / "kept" / "interlock.toml").exists()


def test_a_context_that_the_policy_does_not_know_is_told(server: EmbeddedServer) -> None:
    """What cannot be brought to ALLOW says why."""
    with pytest.raises(EmbeddedServerError, match="CONTEXT_UNKNOWN"):
        server.allow("lost", "moon")


def test_clients_are_kept_and_act_as_their_account(server: EmbeddedServer) -> None:
    """One client for each account; a tool may not do what people do; who is not there is told."""
    assert server.client("release-bot") is server.client("principals/release-bot")
    with pytest.raises(NotAllowedError):
        server.client("release-bot").models.create("not-mine")
    with pytest.raises(EmbeddedServerError, match="release-bot"):
        server.client("nobody")


def test_an_asyncio_client_is_there_too(server: EmbeddedServer) -> None:
    """The same server, awaited."""
    server.allow("awaited", "internal")

    async def ask() -> bool:
        async with server.async_client("release-bot") as client:
            return await client.gate.allows("awaited", "internal")

    assert asyncio.run(ask())


def test_the_command_line_acts_as_an_account(server: EmbeddedServer) -> None:
    """`environment` is all that a script needs."""
    server.allow("by-hand", "api")
    command = [sys.executable, "-m", "interlock.cli", "gate", "check", "by-hand", "--context", "api"]

    done = subprocess.run(command, env={**os.environ, **server.environment("release-bot")}, check=False)

    assert done.returncode == 0


def test_a_server_that_cannot_be_founded_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown pack is told with the command's own words, and leaves no folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(EmbeddedServerError, match="no-such-pack"), embedded_server("no-such-pack"):
        pass

    assert list(tmp_path.iterdir()) == []


# The plugin -----------------------------------------------------------------------------------------------------------

_USE = """
def test_by_pack(interlock_server, interlock_server_by):
    assert interlock_server_by("minimal") is interlock_server

def test_own_server(interlock_server, interlock_fresh_server):
    assert interlock_fresh_server.log_id != interlock_server.log_id

def test_that_fails(interlock_server):
    assert interlock_server.people == ()
"""


def test_the_page_works_as_it_is_written(tmp_path: Path) -> None:
    """The how-to's tests pass, the other fixtures serve as well, and a failing test leaves nothing behind."""
    shown = {block.info: block.text for block in blocks(PAGE) if block.language == "python"}

    done = _pytest(tmp_path, shown["test_release.py"] + _USE)

    assert "1 failed, 5 passed" in done.stdout, done.stdout
    assert _left(tmp_path) == []


def test_the_page_works_without_pytest(tmp_path: Path) -> None:
    """Its script starts a server, brings a model to ALLOW and asks through the command line."""
    shown = {block.info: block.text for block in blocks(PAGE) if block.language == "python"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        [sys.executable, "-c", shown["embedded.py"]],
        env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.stdout.splitlines()[-1] == "exit code 0", done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, or a kill that no code survives: server and folder are gone all the same."""
    text = (
        "import os, pathlib, signal\n"
        "def test_it(interlock_server):\n"
        "    keeper = [int(pid) for pid in os.listdir('/proc') if pid.isdigit()\n"
        "              and str(interlock_server.folder) in pathlib.Path('/proc', pid, 'cmdline').read_text()]\n"
        "    pathlib.Path('pids').write_text(' '.join(map(str, keeper)))\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    signal.pause()\n"
    )

    done = _pytest(tmp_path, text)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]

    assert done.returncode != 0
    assert len(pids) == 2  # the keeper and the server
    assert all(_is_gone(pid) for pid in pids)
    assert _left(tmp_path) == []


def test_who_does_not_use_it_does_not_pay(tmp_path: Path) -> None:
    """With the plugin loaded, a run imports neither grpc nor the SDK nor anything of the service."""
    text = (
        "import sys\n"
        "def test_light():\n"
        "    heavy = {'grpc', 'google', 'cryptography', 'interlock.client.sdk', 'interlock.service'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )

    done = _pytest(tmp_path, text)

    assert done.returncode == 0, done.stdout


def test_the_plugin_is_installed_by_an_entry_point() -> None:
    """Pytest finds it by itself in every environment where Interlock is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["entry-points"]["pytest11"] == {"interlock": PLUGIN}
    assert hasattr(import_module(PLUGIN), "interlock_server")
