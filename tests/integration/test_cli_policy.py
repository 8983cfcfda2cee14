"""`interlock policy init` and `lint`: packs on one's own machine, with no server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interlock.statemachine.policy.shipped import shipped_pack_names

if TYPE_CHECKING:
    from pathlib import Path


def interlock(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with no profile anywhere."""
    return subprocess.run(
        [sys.executable, "-m", "interlock.cli", "policy", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )


@pytest.mark.parametrize("pack", shipped_pack_names())
def test_every_shipped_pack_is_written_out_and_clean(pack: str, tmp_path: Path) -> None:
    """`init` gives a folder that `lint` finds clean, with the digest of the pack as it ships."""
    written = interlock("init", pack, "--out", tmp_path / "mine")
    linted = interlock("lint", tmp_path / "mine", "--json")
    shipped = interlock("lint", pack, "--json")

    assert (written.returncode, linted.returncode) == (0, 0)
    assert json.loads(linted.stdout) == json.loads(shipped.stdout)


def test_init_writes_over_nothing(tmp_path: Path) -> None:
    """A folder that is there stays as it is."""
    refused = interlock("init", "minimal", "--out", tmp_path)

    assert refused.returncode == 2
    assert not list(tmp_path.iterdir())


def test_lint_says_where_and_what_to_write(tmp_path: Path) -> None:
    """An error has file, line, column, code and a fix, in words and in JSON; exit 1."""
    interlock("init", "minimal", "--out", tmp_path / "mine")
    file = tmp_path / "mine" / "policy.yaml"
    file.write_text(file.read_text().replace("track: commitment", "track: wish"))

    words, values = interlock("lint", tmp_path / "mine"), interlock("lint", tmp_path / "mine", "--json")

    finding = next(row for row in json.loads(values.stdout)["findings"] if row["severity"] == "error")
    assert (words.returncode, values.returncode, finding["code"]) == (1, 1, "NOT_ONE_OF")
    assert f"policy.yaml:{finding['line']}:{finding['column']}: error NOT_ONE_OF" in words.stdout


@pytest.mark.parametrize("words", [("lint", "no-such-pack"), ("init", "no-such-pack"), ("lint",)])
def test_a_pack_that_is_none_is_a_usage_error(words: tuple[str, ...], tmp_path: Path) -> None:
    """Exit 2, never 0."""
    assert interlock(*words, *([] if words[0] == "lint" else ["--out", tmp_path / "x"])).returncode == 2


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    """What a symbolic link leads to was not reviewed."""
    (tmp_path / "policy.yaml").symlink_to("/etc/hostname")

    assert interlock("lint", tmp_path).returncode == 2


def test_a_pipe_and_a_link_to_a_folder_are_refused(tmp_path: Path) -> None:
    """The one would never end, the other would be passed over without a word."""
    piped, linked = tmp_path / "piped", tmp_path / "linked"
    for folder in (piped, linked):
        folder.mkdir()
    os.mkfifo(piped / "policy.yaml")
    (linked / "notes").symlink_to(tmp_path)

    assert [interlock("lint", folder).returncode for folder in (piped, linked)] == [2, 2]


def test_lint_shows_the_calls_that_lead_to_a_fault_and_what_every_trigger_takes(tmp_path: Path) -> None:
    """A pack that loads and is unsafe: exit 1, the side door in numbered calls; `--quorums` says how few are enough."""
    interlock("init", "minimal", "--out", tmp_path / "mine")
    file = tmp_path / "mine" / "policy.yaml"
    slot = "{role: owner, distinct_from: [requester]}"
    weak = f"  - triggers: [policy.adopt, rules.adopt]\n    sign_offs: [{slot}, {slot}]\n"
    weak += "    source: {document: D, section: s}\n"
    file.write_text(file.read_text().replace("default:  ", f"{weak}default:  "))

    words, values = interlock("lint", tmp_path / "mine", "--quorums"), interlock("lint", tmp_path / "mine", "--json")

    doors = [row for row in json.loads(values.stdout)["findings"] if row["code"] == "SIDE_DOOR"]
    grant = next(row for row in json.loads(values.stdout)["quorums"] if row["trigger"] == "grant.give")
    assert (words.returncode, values.returncode) == (1, 1)
    assert any("policy.adopt" in row["calls"][0] for row in doors)
    assert {rule for way in grant["ways"] for rule in way["rules"]} == {"default", "rules/2"}
    assert "1. policy.adopt of a pack" in words.stdout
    assert "grant.give" in words.stdout
