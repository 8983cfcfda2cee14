"""Shell completion: commands, joined commands and profiles complete as the shell asks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def _completed(line: str, home: Path) -> list[str]:
    words = line.split(" ")
    environment = {
        **os.environ,
        "_INTERLOCK_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "INTERLOCK_HOME": str(home),
    }
    command = [sys.executable, "-m", "interlock.cli"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("interlock mod", ["models"]),
        ("interlock gate ch", ["check"]),
        ("interlock audit ver", ["verify"]),
        ("interlock wi", ["withdraw", "withdraw-sign-off"]),
        ("interlock sign 1 --comm", ["--comment"]),
        ("interlock ser", ["serve"]),
        ("interlock serve --ready", ["--ready-file"]),
        ("interlock assessments report m t can", ["cannot_rule_out"]),
        ("interlock gate check m --profile r", ["release-bot", "rso"]),
    ],
)
def test_words_are_completed(tmp_path: Path, line: str, words: list[str]) -> None:
    """Commands, values of a choice, and the names of the profiles that are there."""
    for name in ("rso", "release-bot", "ceo"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "profile.json").write_text("{}")

    assert sorted(_completed(line, tmp_path)) == words
