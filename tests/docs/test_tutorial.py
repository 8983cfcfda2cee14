"""The tutorial, and the README's part by hand, run: each shell block in order, against the server that they start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops import demo
from tests.docs.pages import ROOT, Block, blocks, commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TUTORIAL = ROOT / "docs" / "tutorial.md"
README = ROOT / "README.md"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    """Each block does what the text says: nothing fails unasked, and the gate says no, yes, no in this order."""
    found = blocks(TUTORIAL)
    shell = [block.text for block in found if block.language == "sh" and block.info != "install"]

    with founded(tmp_path, shell) as rest:
        said = run_shell(tmp_path, rest)
        done = _python(tmp_path, found)

    assert re.findall(r"^(ALLOW|DENY)", said, re.MULTILINE) == ["DENY", "ALLOW", "DENY"]
    assert said.count("the gate said no, with exit code 1") == 2
    assert "refused with exit code 4" in said
    assert "refused with exit code 3" in said
    assert re.search(r"^verified: \d+ entries, root [0-9a-f]{64}$", said, re.MULTILINE)
    assert done == "HOLD_PLACED holds/1\n"


def test_the_readme_works_by_hand(tmp_path: Path) -> None:
    """The README's commands found a log, log in, register a model and get a DENY; its Python says why."""
    found = blocks(README)
    shell = [block.text for block in found if block.info == "by-hand"]

    with founded(tmp_path, shell) as rest:
        said = run_shell(tmp_path, rest)
        done = _python(tmp_path, found)

    assert "the gate said no, with exit code 1" in said
    assert "DETERMINATION_MISSING" in done


def test_the_readme_tests_a_program_of_ones_own(tmp_path: Path) -> None:
    """The README's few lines start a server, bring a model to ALLOW, and end."""
    text = next(block.text for block in blocks(README) if block.info == "embedded")

    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, env=_environment(tmp_path), check=False)

    assert done.returncode == 0


def test_the_readme_shows_commands_of_the_story_only() -> None:
    """Every command in the README's transcript is one that the demo runs, word for word."""
    words: dict[str, str] = {"data": ".demo", "address": "-", "released": "-"}
    story = [command.arguments(words) for step in demo.load_story() for command in step.commands]
    told = [row[1:] for row in commands(README, "console")]

    assert told
    assert [row for row in told if row not in story] == []


@contextmanager
def founded(folder: Path, shell: list[str]) -> Iterator[list[str]]:
    """Do the block that founds a log, run the server of the one that serves it, and give the others."""
    founding = next(text for text in shell if "interlock init" in text)
    serving = next(text for text in shell if "interlock serve" in text)
    run_shell(folder, [f"{founding.rstrip()} --listen {demo.free_address()}"])
    with demo.running_server(folder / "demo-data", folder / "server.log"):
        yield [text for text in shell if text not in {founding, serving}]


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment in which `interlock` is the one under test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    return kept | {"PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", "HOME": str(folder)}


def run_shell(folder: Path, texts: Iterable[str]) -> str:
    """Run blocks in one shell that stops at the first command that fails; return what they printed."""
    script = "\n".join(("set -eu", *texts))
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _python(folder: Path, found: Iterable[Block]) -> str:
    """Run the page's Python block as the tutorial leaves the environment; return what it printed."""
    text = next(block.text for block in found if block.language == "python")
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=folder,
        env={**_environment(folder), "INTERLOCK_HOME": str(folder / "demo-data" / "principals")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
