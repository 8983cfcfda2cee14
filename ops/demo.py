"""Play the main story against a real server, through the real command line: `make demo`.

What lives here: the player. Not here: the story (``story/story.yaml``), which tests/scenarios plays as well, with more
to check. Each command is printed with its real output; the player goes on only on the exit code that the story expects.
It leaves nothing running; the data directory ``.demo/`` stays for whoever wants to look, until the next run.
"""

from __future__ import annotations

import argparse
import os
import queue
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ROOT: Final = Path(__file__).resolve().parents[1]
STORY: Final = ROOT / "ops" / "story" / "story.yaml"
WIDTH: Final = 110
READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
_INTERRUPTED: Final = 130


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Command(_Closed):
    """One command of the story and what must come of it; ``serve`` stands for starting the server.

    A ``watch`` says something at once, stays open over the next command, and ends by itself by what that does.
    """

    who: str = Field(default="", alias="as")
    run: str = ""
    serve: bool = False
    watch: bool = False
    exit: int = 0
    codes: tuple[str, ...] | None = None
    seen: dict[str, Any] = {}
    note: str = ""
    gate: str = ""
    folded: bool = False

    def arguments(self, words: dict[str, str]) -> list[str]:
        """Return what stands after `interlock`, with the words in braces filled in."""
        profile = ["--profile", self.who] if self.who else []
        return [*profile, *(word.format_map(words) for word in shlex.split(self.run))]


class Step(_Closed):
    """One row of the story. ``offline`` ones come last, the server stopped: without a network, where we can."""

    number: int
    title: str
    folded: bool = False
    offline: bool = False
    commands: tuple[Command, ...]


def load_story() -> tuple[Step, ...]:
    """Return the steps in order."""
    value = YAML(typ="safe", pure=True).load(STORY.read_text("utf-8"))
    return tuple(Step.model_validate(step) for step in value["steps"])


class UnexpectedError(Exception):
    """Something did not happen as the story says; the message says what."""


def free_address() -> str:
    """Return an address on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def interlock() -> list[str]:
    """Return how to start `interlock` of this very environment."""
    script = Path(sys.executable).with_name("interlock")
    return [str(script)] if script.exists() else [sys.executable, "-m", "interlock.cli"]


def environment(data: Path) -> dict[str, str]:
    """Return the environment of every command: ours without other settings of Interlock, and where profiles are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    return kept | {"INTERLOCK_HOME": str(data / "principals"), "COLUMNS": str(WIDTH)}


def without_network() -> tuple[str, ...]:
    """Return what a command is run under to have no network at all; nothing where this system does not let us."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    for options in (("-rn",), ("-n",)):
        alone = (unshare, *options)
        if not subprocess.run([*alone, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode:
            return alone
    return ()


def shown(arguments: list[str], within: tuple[str, ...] = ()) -> str:
    """Return a command as one would type it, in lines that fit; an option stays with its value."""
    parts: list[str] = []
    for word in arguments:
        follows = parts and parts[-1].startswith("-") and " " not in parts[-1] and not word.startswith("-")
        if follows:
            parts[-1] += f" {shlex.quote(word)}"
        else:
            parts.append(shlex.quote(word))
    before = " ".join((Path(within[0]).name, *within[1:], "")) if within else ""
    lines, line = [], f"$ {before}interlock"
    for part in parts:
        if len(line) + len(part) + 3 > WIDTH:
            lines.append(f"{line} \\")
            line = "   "
        line += f" {part}"
    return "\n".join((*lines, line))


@dataclass(slots=True)
class Watch:
    """A command that was left open, and what it has said."""

    process: subprocess.Popen[str]
    first: str

    @classmethod
    def open(cls, arguments: list[str], data: Path) -> Watch:
        """Start a command, and return once it has said something."""
        process = subprocess.Popen(
            [*interlock(), *arguments],
            cwd=ROOT,
            env=environment(data),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        return cls(process, process.stdout.readline().rstrip("\n"))

    def end(self) -> str:
        """Wait for its end, and return what else it has said. Raises UnexpectedError where it does not end."""
        try:
            return self.process.communicate(timeout=STOP_SECONDS)[0].rstrip("\n")
        except subprocess.TimeoutExpired:
            raise UnexpectedError("a watch was told nothing") from None
        finally:
            _stop(self.process)


@contextmanager
def running_server(data: Path, log: Path) -> Iterator[str]:
    """Run `interlock serve` on ``data``; give its ready line. Stopped, by SIGTERM, whatever happens inside."""
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            [*interlock(), "serve", "--data", str(data)],
            cwd=ROOT,
            env=environment(data),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the player only, which then stops the server in good order
        )
        try:
            yield _ready_line(process, log)
        finally:
            _stop(process)


def _ready_line(process: subprocess.Popen[str], log: Path) -> str:
    """Return what the server says first on stdout; the rest is read and dropped, so that it never blocks."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        with process.stdout as pipe:
            for line in pipe:
                lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    try:
        first = lines.get(timeout=READY_SECONDS)
    except queue.Empty:
        raise UnexpectedError(f"the server was not ready after {READY_SECONDS:.0f} s; see {log}") from None
    if not first:
        raise UnexpectedError(f"the server ended before it was ready:\n{log.read_text('utf-8')}")
    return first.rstrip("\n")


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(slots=True)
class Player:
    """Plays the story: runs commands, prints them, keeps what the last lines need."""

    data: Path
    words: dict[str, str] = field(default_factory=dict)
    gates: dict[str, str] = field(default_factory=dict)
    last_line: str = ""
    dense: bool = False
    watching: tuple[Command, Watch] | None = None

    def play(self, steps: tuple[Step, ...]) -> None:
        """Play the whole story. Raises UnexpectedError at the first command that ends otherwise than it should."""
        try:
            self._play(steps)
        finally:
            if self.watching is not None:
                _stop(self.watching[1].process)

    def _play(self, steps: tuple[Step, ...]) -> None:
        opening, server, rest = around_the_server(tuple(step for step in steps if not step.offline))
        print(_heading(steps[0]))
        for command in opening:
            self._do(command, folded=False)
        with running_server(self.data, self.data / "server.log") as ready:
            print(f"\n{shown(server.arguments(self.words))}\n{ready}")
            for step, commands in rest:
                if step.number != steps[0].number:
                    print(f"\n{_heading(step)}")
                    self.dense = False
                for command in commands:
                    if command.watch:
                        self._watch(command)
                    else:
                        self._do(command, folded=step.folded or command.folded)
                        self._hear()
        alone = without_network()
        for step in steps:
            if step.offline:
                print(f"\n{_heading(step)}")
                for command in step.commands:
                    self._do(command, folded=False, within=alone)

    def _watch(self, command: Command) -> None:
        """Start a watch and print what it says at once."""
        arguments = command.arguments(self.words)
        print(f"\n{shown(arguments)}", flush=True)
        self.watching = command, Watch.open(arguments, self.data)
        print(self.watching[1].first)

    def _hear(self) -> None:
        """Print what a watch has said since, which ends it."""
        if self.watching is None:
            return
        (command, watch), self.watching = self.watching, None
        said = watch.end()
        print(f"\n{shown(command.arguments(self.words))}  # goes on:\n{said}\n[exit {watch.process.returncode}]")
        if watch.process.returncode != command.exit:
            raise UnexpectedError(f"the watch ended with {watch.process.returncode}; the story expects {command.exit}")

    def _do(self, command: Command, *, folded: bool, within: tuple[str, ...] = ()) -> None:
        arguments = command.arguments(self.words)
        if not (folded and self.dense):
            print()
        self.dense = folded
        print(shown(arguments, within), flush=True)  # before it runs: whoever waits sees for what
        done = subprocess.run(
            [*within, *interlock(), *arguments],
            cwd=ROOT,
            env=environment(self.data),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        output = done.stdout.rstrip("\n")
        lines = output.splitlines() or [""]
        as_expected = done.returncode == command.exit
        print(f"  {_summary(lines)}" if folded and as_expected else output)
        if not as_expected:
            raise UnexpectedError(f"this ended with {done.returncode}; the story expects {command.exit}")
        if done.returncode:
            print(f"[exit {done.returncode}]")
        if command.note:
            self.words[command.note] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if command.gate:
            self.gates[command.gate] = lines[0]
        self.last_line = lines[-1]


def around_the_server(
    steps: tuple[Step, ...],
) -> tuple[tuple[Command, ...], Command, tuple[tuple[Step, tuple[Command, ...]], ...]]:
    """Return the commands before the server starts, the one that starts it, and the steps after."""
    first, *others = steps
    at = next(index for index, command in enumerate(first.commands) if command.serve)
    after = ((first, first.commands[at + 1 :]), *((step, step.commands) for step in others))
    return first.commands[:at], first.commands[at], after


def _summary(lines: list[str]) -> str:
    """Return the last line that is no detail of another."""
    return next((line for line in reversed(lines) if not line.startswith(" ")), lines[-1])


def _heading(step: Step) -> str:
    return f"── {step.number} ── {step.title}"


def _make_way(data: Path) -> None:
    """Remove the data directory of an earlier run, and nothing else that may be there."""
    if not data.exists():
        return
    if not (data / "principals").is_dir() and any(data.iterdir()):
        raise UnexpectedError(f"{data} is there already and is no data directory of a demo")
    shutil.rmtree(data)


def _end_in_good_order(_number: int, _frame: FrameType | None) -> None:
    """Let SIGTERM and SIGHUP unwind the stack like Ctrl-C, so that the server is stopped."""
    raise KeyboardInterrupt


def main() -> int:
    """Play the story; the last lines are the gate's word before and after, and what `audit verify` said."""
    parser = argparse.ArgumentParser(description="Play the main story against a real server.")
    parser.add_argument("--data", type=Path, default=Path(".demo"), help="data directory to make (default: .demo)")
    data: Path = parser.parse_args().data
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end_in_good_order)
    started = time.monotonic()
    player = Player(ROOT / data, {"data": str(data), "address": free_address()})
    try:
        _make_way(player.data)
        player.play(load_story())
    except UnexpectedError as error:
        print(f"\nThe demo stops here: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # nobody reads on, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left running.", file=sys.stderr)
        return _INTERRUPTED
    print(f"\nPlayed in {time.monotonic() - started:.0f} s; nothing is left running; what it made is in {data}/.\n")
    print("The gate on aurora-4, before and after:")
    print(f"  {player.gates['before']}\n  {player.gates['after']}")
    print(player.last_line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
