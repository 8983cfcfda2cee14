"""The main story: a model goes from ASL-2 to a provisional ASL-3, through a real server and the real command line.

The steps are those of the demo (``ops/story/story.yaml``). Here each answer is read as JSON and must name what the
story says is seen, by reason codes and fields; the commands run in this process. The demo itself is played as well,
each command a process: what it prints last, and that it leaves nothing running.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from interlock.cli import main
from ops import demo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _answers(*printed: str) -> list[Any]:
    """Return the JSON documents that a command printed: its result, its error."""
    return [json.loads(text) for text in printed if text.lstrip().startswith("{")]


def _codes(value: object) -> Iterator[str]:
    """Yield every reason code in a JSON value, in order."""
    match value:
        case dict():
            for key, inner in value.items():
                if key == "code" and isinstance(inner, str):
                    yield inner
                elif key == "codes" and isinstance(inner, list):
                    yield from inner
                else:
                    yield from _codes(inner)
        case list():
            for inner in value:
                yield from _codes(inner)
        case _:
            return


def _at(value: object, path: str) -> object:
    """Return what stands at a dotted path in a JSON value; numbers index lists."""
    for word in path.split("."):
        value = value[int(word)] if isinstance(value, list) else value[word]  # type: ignore[index]  # JSON of any shape
    return value


def _hear(command: demo.Command, watch: demo.Watch) -> None:
    """Check the last document that a watch printed, and that it ended as the story says."""
    told = watch.end()
    assert watch.process.returncode == command.exit, told
    last = json.loads(told.splitlines()[-1])
    assert sorted(_codes(last)) == sorted(command.codes or ()), told
    for path, wanted in command.seen.items():
        assert _at(last, path) == wanted, f"{path}\n{told}"


def _play(command: demo.Command, words: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Run one command of the story with ``--json`` and check everything that it says must be seen."""
    arguments = [*command.arguments(words), "--json"]
    capsys.readouterr()
    code = main.run(arguments)
    printed = capsys.readouterr()
    told = f"{demo.shown(arguments)}\n{printed.out}{printed.err}"
    assert code == command.exit, told
    answers = _answers(printed.out, printed.err)
    if command.codes is not None:
        assert sorted(_codes(answers)) == sorted(command.codes), told
    for path, wanted in command.seen.items():
        assert _at(answers[0], path) == wanted, f"{path}\n{told}"
    if command.note:
        words[command.note] = datetime.now(UTC).isoformat()


def test_the_story_is_seen_as_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step of the precautionary activation ends with the exit code, the reason codes and the facts told."""
    data = tmp_path / "data"
    monkeypatch.chdir(demo.ROOT)
    for name in os.environ.keys() - demo.environment(data).keys():
        monkeypatch.delenv(name)
    for name, value in demo.environment(data).items():
        monkeypatch.setenv(name, value)
    words = {"data": str(data), "address": demo.free_address()}
    steps = demo.load_story()
    opening, _, rest = demo.around_the_server(tuple(step for step in steps if not step.offline))

    for command in opening:
        _play(command, words, capsys)
    with demo.running_server(data, tmp_path / "server.log"):
        for _, commands in rest:
            watching: tuple[demo.Command, demo.Watch] | None = None
            for command in commands:
                if command.watch:
                    watching = command, demo.Watch.open([*command.arguments(words), "--json"], data)
                    continue
                _play(command, words, capsys)
                if watching is not None:
                    _hear(*watching)
                    watching = None
    for step in steps:
        for command in step.commands if step.offline else ():
            _play(command, words, capsys)


def test_the_story_has_every_step_in_order() -> None:
    """The story has the scenario's seventeen steps, and the auditor's two, numbered, and each does something."""
    steps = demo.load_story()

    assert [step.number for step in steps] == list(range(1, 20))
    assert all(step.commands for step in steps)


def test_the_demo_ends_with_the_gate_before_and_after_and_the_verified_line(tmp_path: Path) -> None:
    """The demo's last three lines are a DENY, an ALLOW, and `verified: N entries, root …`."""
    done = _demo(tmp_path)
    output, _ = done.communicate()

    assert done.returncode == 0, output
    denied, allowed, verified = output.splitlines()[-3:]
    assert denied.split()[0] == "DENY"
    assert allowed.split()[0] == "ALLOW"
    assert re.fullmatch(r"verified: \d+ entries, root [0-9a-f]{64}", verified)
    made = {path.name for path in (tmp_path / "data").iterdir()}
    assert {"demo.ilbundle", "log.pub"} <= made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    """An interrupt in the middle of the story stops the server as well, and the demo says that it was interrupted."""
    done = _demo(tmp_path)
    assert done.stdout is not None
    ready = next(line for line in done.stdout if line.startswith("ready "))

    done.send_signal(number)
    done.communicate()

    assert done.returncode == 130
    assert not _answering(ready.split()[1])


def _demo(tmp_path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(demo.ROOT / "ops" / "demo.py"), "--data", str(tmp_path / "data")],
        cwd=demo.ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _answering(address: str) -> bool:
    """Say whether somebody still listens at an address."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
