"""The CI job of docs/how-to/ci.md, its steps run as they are written, against a real server and without one."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from interlock.client.profile import load_profile
from interlock.client.testing import EmbeddedServer, embedded_server
from tests.docs.pages import ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

WEIGHTS = b"layer-0 6b86b273\n"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
JOB = ROOT / "ops" / "ci" / "github-actions.yml"
PAGE = ROOT / "docs" / "how-to" / "ci.md"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """Give one server to all tests of this file."""
    with embedded_server() as running:
        yield running


class Runner:
    """Runs steps of the job as the CI would: in its folder, with the step's environment and the job's secrets."""

    def __init__(self, folder: Path, server: EmbeddedServer, model: str) -> None:
        (folder / "temp").mkdir()
        (folder / "ops").symlink_to(ROOT / "ops")
        (folder / "deploy.sh").write_text('#!/bin/sh\ntouch "deployed-$1"\n')
        (folder / "deploy.sh").chmod(0o755)
        (folder / "weights.manifest").write_bytes(WEIGHTS)
        self.folder = folder
        self.model = model
        profile = load_profile(server.home / "release-bot" / "profile.json")
        self.values = {
            "secrets.INTERLOCK_PROFILE": _packed(profile.folder),
            "vars.INTERLOCK_DECISION_KEY": profile.decision_key.hex(),
            "vars.INTERLOCK_LOG_ID": profile.log_id.hex(),
        }
        self._job: Any = YAML(typ="safe").load(JOB.read_text("utf-8"))

    def __call__(self, job: str, **changed: str) -> int:
        """Run the last step of a job that runs a script, and return its exit code."""
        step = [row for row in self._job["jobs"][job]["steps"] if "ops/ci/" in row.get("run", "")][-1]
        said = {**self._job["env"], **step["env"], "MODEL": self.model, "WAIT": "", **changed}
        given = {name: self._filled(str(value)) for name, value in said.items()}
        around = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**around, "PATH": path, "RUNNER_TEMP": str(self.folder / "temp"), **given}
        # A home of its own: no profile of whoever runs the suite is found in the deploying step.
        environment |= {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        return subprocess.run(
            ["/bin/bash", "-e", "-c", step["run"]], cwd=self.folder, env=environment, check=False
        ).returncode

    def deployed(self) -> bool:
        """Say whether the deployment ran."""
        return (self.folder / "deployed-weights.manifest").exists()

    def decision(self) -> Path:
        """Return where the decision is."""
        return self.folder / str(self._job["env"]["DECISION"])

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: self.values[found[1]], text)


def _packed(folder: Path) -> str:
    """Pack a profile as the page says."""
    [command] = re.findall(r"^ *(tar .+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    words = command.replace("./release-bot", shlex.quote(str(folder)))
    return subprocess.run(["/bin/bash", "-c", words], check=True, capture_output=True, text=True).stdout


def test_no_open_session_is_packed(server: EmbeddedServer) -> None:
    """Regression: the whole folder was packed, with a session that anybody could go on with."""
    server.client("release-bot").identity.whoami()
    profile = server.home / "release-bot"
    assert (profile / "session.json").exists()

    packed = base64.b64decode(_packed(profile))

    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert sorted(archive.getnames()) == ["login.key", "passphrase", "profile.json"]


def test_what_the_gate_allows_is_deployed(server: EmbeddedServer, tmp_path: Path) -> None:
    """ALLOW: the first step ends in 0, its decision lets the second deploy, with neither server nor profile."""
    server.allow("allowed", "api", artifact=SHA256)
    run = Runner(tmp_path, server, "allowed")

    assert (run("gate"), run("deploy")) == (0, 0)
    assert run.deployed()


@pytest.mark.parametrize("changed", [{"CONTEXT": "internal"}, {"MODEL": "denied"}], ids=str)
def test_a_decision_about_another_release_deploys_nothing(
    server: EmbeddedServer, tmp_path: Path, changed: dict[str, str]
) -> None:
    """A decision is good for one context and model."""
    server.allow("allowed", "api", artifact=SHA256)
    run = Runner(tmp_path, server, "allowed")

    assert run("gate") == 0
    assert run("deploy", **changed) == 1
    assert not run.deployed()


def test_other_weights_than_were_allowed_are_not_deployed(server: EmbeddedServer, tmp_path: Path) -> None:
    """Regression: the deploying job took the digest from the job before it, whatever weights it had itself."""
    server.allow("allowed", "api", artifact=SHA256)
    run = Runner(tmp_path, server, "allowed")

    assert run("gate") == 0
    (tmp_path / "weights.manifest").write_text("others")
    assert run("deploy", ARTIFACT=SHA256) == 1
    (tmp_path / "weights.manifest").unlink()
    assert run("deploy", ARTIFACT=SHA256) == 2
    assert not run.deployed()


def test_what_the_gate_denies_is_not_deployed(server: EmbeddedServer, tmp_path: Path) -> None:
    """DENY: the first step ends in 1; its decision is there to be read, and the second step refuses it."""
    run = Runner(tmp_path, server, "denied")

    assert run("gate") == 1
    assert run.decision().exists()
    assert run("deploy") == 1
    assert not run.deployed()


def test_without_an_answer_nothing_is_deployed(server: EmbeddedServer, tmp_path: Path) -> None:
    """A server that cannot be reached: exit 5, and an earlier decision does not outlive the question."""
    run = Runner(tmp_path, server, "allowed")
    run.decision().write_text("an earlier one")
    gone = tmp_path / "gone"
    gone.mkdir()
    for file in (server.home / "release-bot").iterdir():
        (gone / file.name).write_bytes(file.read_bytes())
    profile = (gone / "profile.json").read_text().replace(server.address, "127.0.0.1:1")
    (gone / "profile.json").write_text(profile)
    run.values["secrets.INTERLOCK_PROFILE"] = _packed(gone)

    assert run("gate") == 5
    assert not run.decision().exists()
    assert run("deploy") == 2
    assert not run.deployed()


@pytest.mark.parametrize("unset", ["MODEL", "CONTEXT", "weights.manifest"])
def test_a_variable_that_nobody_set_leaves_no_decision_of_before(
    server: EmbeddedServer, tmp_path: Path, unset: str
) -> None:
    """Regression: the file of an earlier ALLOW was still there for the step that deploys. The same without weights."""
    server.allow("allowed", "api", artifact=SHA256)
    run = Runner(tmp_path, server, "allowed")
    assert run("gate") == 0
    shutil.rmtree(tmp_path / "temp" / "release-bot")  # each job unpacks the profile into a folder of its own

    (tmp_path / unset).unlink(missing_ok=True)
    assert run("gate", **{unset: ""}) == 2

    assert not run.decision().exists()
    assert run("deploy") == 2
    assert not run.deployed()


def test_deploying_nothing_is_a_mistake(tmp_path: Path) -> None:
    """A lost argument is usage, and no green job."""
    words = ["/bin/sh", str(ROOT / "ops" / "ci" / "with-decision.sh")]

    assert subprocess.run(words, cwd=tmp_path, check=False, stderr=subprocess.DEVNULL).returncode == 2


def test_the_page_shows_the_job_as_it_is() -> None:
    """The listing is the file that the tests run."""
    [shown] = [block.text for block in blocks(PAGE) if block.language == "yaml"]

    assert shown == JOB.read_text("utf-8")
