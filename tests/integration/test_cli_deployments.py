"""`interlock deployments`: recorded with a decision's file, turned by a hold, listed, ended, looked back at."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interlock.client import Interlock, InvalidRequestError
from tests.integration.cli_runner import SHA256, Cli, Outcome, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread

OTHER = "00" * 32


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a fresh server that allows m."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.release("m")
    return line


@pytest.fixture
def file(cli: Cli) -> str:
    """Give the file of a decision about m that allows."""
    path = str(cli.folder / "m.decision")
    cli.must("release-bot", "gate", "check", "m", "-c", "internal", "-a", SHA256, "--decision", path)
    return path


def record(cli: Cli, *words: str, artifact: str = SHA256) -> Outcome:
    """Record a deployment of m."""
    return cli(
        "release-bot", "deployments", "record", "m", "-c", "internal", "-l", "cluster-a/eu", "-a", artifact, *words
    )


def names(outcome: Outcome) -> list[str]:
    """Return what a listing lists."""
    return [row["name"] for row in outcome.json["deployments"]]


def test_a_deployment_from_its_record_to_its_end(cli: Cli, file: str) -> None:
    """It is recorded on a decision's file, turns with a hold, is listed as such with exit 1, and ends."""
    made = record(cli, "--decision", file, "--json").json
    before = cli("auditor", "deployments", "list", "--out-of-compliance")
    cli.must("owner", "hold", "place", "m")
    turned = cli("auditor", "deployments", "list", "--out-of-compliance", "--json")
    shown = cli.must("monitor-bot", "deployments", "show", "1")
    ended = cli.must("release-bot", "deployments", "end", "1", "--json").json
    after = cli("auditor", "deployments", "list", "--out-of-compliance", "--json")

    assert (made["name"], made["decision"], made["verdict_at_record"]) == (
        "deployments/1",
        "decisions/1",
        "VERDICT_ALLOW",
    )
    assert (before.code, before.out) == (0, "")
    assert (turned.code, names(turned)) == (1, ["deployments/1"])
    assert "out of compliance" in shown.out
    assert "HOLD_PLACED" in shown.out
    assert ended["state"] == "DEPLOYMENT_STATE_ENDED"
    assert (after.code, names(after)) == (0, [])
    assert names(cli.must("auditor", "deployments", "list", "--json")) == []
    assert names(cli.must("auditor", "deployments", "list", "--all", "--json")) == ["deployments/1"]


def test_a_decision_without_its_artifact_is_a_mistake(cli: Cli, file: str) -> None:
    """Regression: it was said to be about another artifact. Exit 2, naming the option; nothing is recorded."""
    asked = ("deployments", "record", "m", "-c", "internal", "-l", "cluster-a/eu", "--decision")

    said = [cli("release-bot", *asked, relied) for relied in (file, "decisions/1")]

    assert [row.code for row in said] == [2, 2]
    assert all("--decision needs --artifact" in row.err for row in said)
    assert names(cli.must("auditor", "deployments", "list", "--all", "--json")) == []


def test_a_mistyped_name_is_never_in_compliance(cli: Cli) -> None:
    """Regression: exit 0 and "no deployment is out of compliance" for a model or context that there is none of."""
    asked = ("deployments", "list", "--out-of-compliance", "--json")

    ends = [cli("auditor", *asked, *words) for words in (("-m", "n"), ("-c", "nowhere"))]
    watch = cli("auditor", "deployments", "watch", "-m", "n", "--json")

    assert [(done.code, done.refusal["reason"]) for done in ends] == [(3, "NOT_FOUND"), (2, "INVALID_FIELD")]
    assert (watch.code, watch.refusal["reason"]) == (3, "NOT_FOUND")
    assert cli("auditor", *asked, "-m", "m", "-c", "api").code == 0


def test_a_denied_deployment_is_recorded_with_exit_zero(cli: Cli) -> None:
    """Recording is done even where the gate denies; the output says what it has against it."""
    cli.must("owner", "hold", "place", "m")

    done = record(cli)

    assert done.code == 0
    assert "out of compliance" in done.out
    assert "DENY" in done.out


def test_a_look_back(cli: Cli) -> None:
    """As of the entry that recorded it the deployment was compliant, whatever became of it."""
    position = record(cli, "--json").json["position"]
    cli.must("owner", "hold", "place", "m")

    then = cli.must("auditor", "deployments", "show", "1", "--as-of", position, "--json").json
    listed = cli("auditor", "deployments", "list", "--out-of-compliance", "--as-of", position, "--json")

    assert not then["out_of_compliance"]
    assert (listed.code, names(listed)) == (0, [])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--decision", "decisions/9"), 3),
        (("--decision", "no-such-file"), 2),
        (("--location", "two words"), 2),
        (("--context", "nowhere"), 3),
        (("--artifact", "short"), 2),
    ],
)
def test_what_can_not_be_recorded(cli: Cli, words: tuple[str, ...], code: int) -> None:
    """What does not exist is refused, what means nothing is usage; nothing is recorded."""
    assert record(cli, *words).code == code
    assert names(cli.must("auditor", "deployments", "list", "--all", "--json")) == []


def test_who_may_not_deploy_is_not_allowed(cli: Cli) -> None:
    """Exit 4 for a right that is missing."""
    assert cli("owner", "deployments", "record", "m", "-c", "internal", "-l", "x").code == 4


def test_a_file_about_other_weights_is_not_what_was_relied_on(cli: Cli, file: str) -> None:
    """The client reads the signed statement: it is about another artifact, so nothing is sent."""
    done = record(cli, "--decision", file, "--json", artifact=OTHER)

    assert (done.code, done.refusal["reason"]) == (2, "DECISION_ARTIFACT")


def test_a_file_that_was_meddled_with_is_refused(cli: Cli, file: str) -> None:
    """A decision whose signature does not hold is nobody's decision."""
    with open(file, "rb") as source:  # noqa: PTH123  # bytes in, bytes out
        data = source.read()

    with Interlock.from_profile("release-bot") as client, pytest.raises(InvalidRequestError) as caught:
        client.deployments.record("m", "internal", "x", artifact=SHA256, decision=data.replace(b'"sig":"', b'"sig":"A'))

    assert caught.value.reason == "DECISION_SIGNATURE"


def test_the_gate_names_the_decision_that_it_recorded(cli: Cli, file: str) -> None:
    """`gate check --decision` prints the resource, which `record --decision` takes as well as the file."""
    done = cli.must("release-bot", "gate", "check", "m", "-c", "internal", "-a", SHA256, "--decision", file)

    assert "decisions/2" in done.out
    assert record(cli, "--decision", "decisions/2", "--json").json["decision"] == "decisions/2"


def test_a_change_file_can_record_a_deployment(cli: Cli) -> None:
    """The trigger has its name and arguments in a change's file; who may not deploy is refused."""
    text = (
        "title: Out it goes\ntriggers:\n  - determination.rule_out: models/m/determinations/misuse\n"
        f"  - deployment.record: {{model: models/m, context: internal, artifact: {SHA256}, location: cluster-a}}\n"
    )

    done = cli("evaluator", "changes", "propose", "-f", cli.file("d.yaml", text), "--json")

    assert done.code in {3, 4}
    assert "RIGHT_MISSING" in done.codes


def test_watching_from_the_command_line(cli: Cli) -> None:
    """`watch --json` prints a document a line: that nothing is out, then each turn as it comes."""
    record(cli)
    words = [sys.executable, "-m", "interlock.cli", "--profile", "release-bot", "deployments", "watch", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        cli.must("owner", "hold", "place", "m")
        turned = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert (first["complete"], "deployment" in first) == (True, False)
    assert (turned["deployment"]["name"], turned["deployment"]["out_of_compliance"]) == ("deployments/1", True)
    assert process.returncode == 130


def test_the_sdk_goes_on_from_a_token(cli: Cli) -> None:
    """A watch that is begun with the token of an answer yields what turned since, and nothing before."""
    record(cli)
    with Interlock.from_profile("release-bot") as client:
        watch = client.deployments.watch("m")
        first = next(watch)
        cli.must("owner", "hold", "place", "m")
        turned = next(watch)
        again = next(client.deployments.watch("m", resume_token=first.resume_token))

    assert turned == again
    assert turned.deployment.out_of_compliance
