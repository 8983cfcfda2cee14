"""`interlock keys`, and a log founded with nothing else: from everyone's own keys to a signed-in approver."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interlock.service.genesis.packs import read_pack
from interlock.service.genesis.plan import check_plan
from interlock.service.genesis.reviewed import read_reviewed
from interlock.statemachine.policy import load_pack
from tests.support.server import ServerThread

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]


def interlock(*words: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "interlock.cli", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **(environment or {})},
    )


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    """Give a file with a passphrase."""
    path = tmp_path / "passphrase"
    path.write_text("correct horse\n")
    return path


def test_keys_are_encrypted_and_for_their_owner_only(tmp_path: Path, passphrase: Path) -> None:
    """Two files of mode 0600, and what is printed holds public keys only."""
    made = interlock("keys", "create", "rso", "--folder", tmp_path / "rso", "--passphrase-file", passphrase)

    files = sorted((tmp_path / "rso").iterdir())
    assert made.returncode == 0
    assert [path.name for path in files] == ["login.key", "signoff.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert all(path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") for path in files)
    assert "PRIVATE" not in made.stdout + made.stderr


def test_no_key_is_written_over(tmp_path: Path, passphrase: Path) -> None:
    """Where one of the keys is there, none is written, and the one that was there stays."""
    first = interlock("keys", "create", "rso", "--use", "login", "--folder", tmp_path, "--passphrase-file", passphrase)
    before = (tmp_path / "login.key").read_bytes()

    again = interlock("keys", "create", "rso", "--folder", tmp_path, "--passphrase-file", passphrase)

    assert (first.returncode, again.returncode) == (0, 2)
    assert (tmp_path / "login.key").read_bytes() == before
    assert not (tmp_path / "signoff.key").exists()


@pytest.mark.parametrize("words", [("../rso",), ("Rso",), ("rso", "--use", "other")])
def test_bad_words_are_usage_errors(words: tuple[str, ...], tmp_path: Path, passphrase: Path) -> None:
    """An id that is none, or an unknown use: exit 2, nothing written."""
    refused = interlock("keys", "create", *words, "--folder", tmp_path / "k", "--passphrase-file", passphrase)

    assert refused.returncode == 2
    assert not (tmp_path / "k").exists()


def test_keys_need_a_passphrase(tmp_path: Path) -> None:
    """Without a terminal and without a passphrase there are no keys; an empty one is none."""
    (tmp_path / "empty").write_text("\n")

    nobody = interlock("keys", "create", "rso", "--folder", tmp_path / "k")
    empty = interlock("keys", "create", "rso", "--folder", tmp_path / "k", "--passphrase-file", tmp_path / "empty")

    assert (nobody.returncode, empty.returncode) == (2, 2)
    assert not (tmp_path / "k").exists()


def test_the_example_of_a_founding_holds() -> None:
    """`ops/genesis.example.yaml` is read, and nothing in it would be refused."""
    plan, pack = read_reviewed(ROOT / "ops" / "genesis.example.yaml")

    check_plan(plan, load_pack(read_pack(pack)))


def test_people_found_a_log_with_their_own_keys(tmp_path: Path, passphrase: Path) -> None:
    """Keys made by each, one file of public halves, approvers countersign, profiles beside keys: they log in."""
    home = tmp_path / "profiles"
    people = {"alice": "owner", "bob": "reviewer", "carol": "admin"}
    document: dict[str, object] = {"format": 1, "policy": "minimal", "principals": (rows := [])}
    for who in (*people, "recovery-1", "recovery-2"):
        uses = ("--use", "recovery") if who not in people else ()
        made = interlock(
            *("keys", "create", who, *uses, "--folder", home / who, "--passphrase-file", passphrase, "--json")
        )
        keys = {key["use"]: key["public_key"] for key in json.loads(made.stdout)["keys"]}
        rows.append({"id": who, "kind": "human", "person": f"p-{who}", "keys": keys, "recovery": who not in people})
        if who in people:
            rows[-1]["grants"] = [{"role": people[who]}]
    (tmp_path / "genesis.yaml").write_text(json.dumps(document))
    for who in ("alice", "bob"):
        shutil.copy(passphrase, home / who / "signoff.key.passphrase")

    founded = interlock(
        *("init", tmp_path / "data", "--genesis", tmp_path / "genesis.yaml"),
        *("--countersign", f"alice={home / 'alice' / 'signoff.key'}"),
        *("--countersign", f"bob={home / 'bob' / 'signoff.key'}"),
    )
    assert founded.returncode == 0, founded.stderr
    with ServerThread(tmp_path / "data"):  # it writes its port into the profiles
        for who in people:
            shutil.copy(tmp_path / "data" / "principals" / who / "profile.json", home / who)
        environment = {"INTERLOCK_HOME": str(home), "INTERLOCK_PASSPHRASE_FILE": str(passphrase)}
        known = interlock("--profile", "alice", "whoami", "--json", environment=environment)

    assert known.returncode == 0, known.stderr
    assert json.loads(known.stdout)["principal"]["name"] == "principals/alice"
