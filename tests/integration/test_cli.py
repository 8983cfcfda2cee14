"""The command line against a real server: words in, exit code and output out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import SHA256, Cli, command_line

if TYPE_CHECKING:
    from tests.support.server import ServerThread


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a fresh server."""
    return command_line(server, capsys, tmp_path, monkeypatch)


# The gate -------------------------------------------------------------------------------------------------------------


def test_the_gate_says_no_with_every_reason_and_1(cli: Cli) -> None:
    """DENY is one line, then each reason with its rule and code, and exit 1."""
    cli.must("evaluator", "models", "create", "m")

    denied = cli("release-bot", "gate", "check", "m", "--context", "internal")

    assert denied.code == 1
    first, *reasons = denied.out.splitlines()
    assert first.startswith("DENY m internal")
    assert {"DETERMINATION_MISSING", "LEVEL_UNASSIGNED"} == {line.split()[2] for line in reasons}


def test_the_gate_says_yes_with_0(cli: Cli) -> None:
    """ALLOW is one line and exit 0, in words and in JSON."""
    cli.release("m")

    allowed = cli("release-bot", "gate", "check", "models/m", "--context", "internal", "--artifact", SHA256)

    assert (allowed.code, len(allowed.out.splitlines())) == (0, 1)
    assert allowed.out.startswith("ALLOW m internal")
    answer = cli("release-bot", "gate", "check", "m", "-c", "internal", "--json")
    assert (answer.code, answer.json["verdict"], answer.json["reasons"]) == (0, "VERDICT_ALLOW", [])


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("m", "-c", "nowhere"), 1, "CONTEXT_UNKNOWN"),
        (("nothing", "-c", "internal"), 1, "MODEL_UNKNOWN"),
        (("m", "-c", "internal", "-a", "0" * 64), 1, "ARTIFACT_UNKNOWN"),
    ],
    ids=["context", "model", "artifact"],
)
def test_what_the_gate_does_not_know_it_denies(cli: Cli, words: tuple[str, ...], code: int, reason: str) -> None:
    """An unknown model, context or artifact is a no, not an error."""
    cli.release("m")

    answer = cli("release-bot", "gate", "check", *words, "--json")

    assert answer.code == code
    assert reason in [row["code"] for row in answer.json["reasons"]]


@pytest.mark.parametrize("words", [("M!", "-c", "internal"), ("m", "-c", "internal", "-a", "xyz")], ids=" ".join)
def test_what_the_gate_can_not_be_asked_is_usage(cli: Cli, words: tuple[str, ...]) -> None:
    """A malformed name never ends in 0."""
    assert cli("release-bot", "gate", "check", *words).code == 2


def test_a_gate_that_can_not_be_reached_is_5(cli: Cli) -> None:
    """No server, no answer: nothing that looks like one is printed."""
    cli.release("m")
    cli.server.stop()

    answer = cli("release-bot", "gate", "check", "m", "-c", "internal", "--timeout", "0.5")

    assert answer.code == 5
    assert answer.out == ""


def test_a_gate_whose_log_is_shorter_than_what_was_seen_is_5(cli: Cli) -> None:
    """A profile that has seen more than the server has believes none of its answers."""
    cli.release("m")
    cli.must("release-bot", "gate", "check", "m", "-c", "internal")
    seen = cli.server.home / "release-bot" / "seen.json"
    value = json.loads(seen.read_text())
    seen.write_text(json.dumps({**value, "position": 10_000}))

    assert cli("release-bot", "gate", "check", "m", "-c", "internal", "--timeout", "1").code == 5


def test_the_installed_command_answers_a_pipeline(cli: Cli) -> None:
    """As a process of its own: exit code, one line, no escape sequence where output is piped."""
    cli.release("m")
    words = ["-p", "release-bot", "gate", "check", "m", "--context", "internal"]

    done = subprocess.run(
        [sys.executable, "-m", "interlock.cli", *words], capture_output=True, check=False, env={**os.environ}
    )

    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rb"ALLOW m internal  at position \d+, [^\x1b]*\n", done.stdout)
    assert done.stderr == b""


# Sessions and people -------------------------------------------------------------------------------------------------


def test_whoami_names_roles_and_rights(cli: Cli) -> None:
    """Who one is, in words and in JSON; a development log says so."""
    told = cli.must("owner", "whoami")
    me = cli.must("owner", "whoami", "--json").json

    assert "owner on everything" in told.out
    assert "development" in told.out
    assert me["principal"]["name"] == "principals/owner"
    assert me["principal"]["grants"][0]["approves"]
    assert "change.sign" in me["rights"]


def test_a_session_is_kept_and_ended(cli: Cli) -> None:
    """Login keeps a token in the profile, logout removes it at both ends."""
    session = cli.server.home / "owner" / "session.json"

    cli.must("owner", "login")
    token = json.loads(session.read_text())["token"]
    cli.must("owner", "whoami")
    kept = json.loads(session.read_text())["token"]
    cli.must("owner", "logout")

    assert kept == token
    assert not session.exists()


def test_a_token_that_the_server_does_not_know_is_replaced(cli: Cli) -> None:
    """A session that ended meanwhile costs a login, not a failure."""
    cli.must("owner", "login")
    session = cli.server.home / "owner" / "session.json"
    session.write_text(session.read_text().replace(json.loads(session.read_text())["token"], "x" * 43))

    cli.must("owner", "whoami")


def test_accounts_are_listed_and_shown(cli: Cli) -> None:
    """Everybody who was founded is there, with roles and keys."""
    names = {row["name"] for row in cli.must("owner", "principals", "list", "--json").json["principals"]}
    shown = cli.must("owner", "principals", "show", "owner").out

    assert {"principals/owner", "principals/reviewer", "principals/recovery-1"} <= names
    assert "signoff key" in shown
    assert "recovery quorum" in cli.must("owner", "principals", "list").out


def test_a_tool_without_the_right_is_not_allowed(cli: Cli) -> None:
    """A missing right is 4, and the right is named."""
    refused = cli("release-bot", "models", "list", "--json")

    assert refused.code == 4
    assert refused.refusal["kind"] == "NotAllowed"


def test_the_policy_in_force_can_be_read(cli: Cli) -> None:
    """Its name and digest are listed; each file of its pack can be printed as it was adopted."""
    [listed] = cli.must("owner", "policy", "list", "--json").json["policies"]
    text = cli.must("owner", "policy", "show", "--file", "policy.yaml").out

    assert listed["in_force"]
    assert "policy: minimal" in text
    assert listed["digest"] in cli.must("owner", "policy", "show").out
    assert cli("owner", "policy", "show", "--file", "no.yaml").code == 2


@pytest.mark.parametrize(
    "words", [("models", "show", "nothing"), ("changes", "show", "99"), ("evidence", "show", "99")]
)
def test_what_does_not_exist_is_refused(cli: Cli, words: tuple[str, ...]) -> None:
    """A name that nothing has is 3."""
    refused = cli("owner", *words, "--json")

    assert refused.code == 3
    assert refused.refusal["kind"] == "NotFound"


def test_a_name_that_is_taken_is_refused(cli: Cli) -> None:
    """The same model twice is 3."""
    cli.must("evaluator", "models", "create", "m")

    refused = cli("evaluator", "models", "create", "m", "--json")

    assert (refused.code, refused.refusal["kind"]) == (3, "AlreadyExists")


# Models, assessments, safeguards -------------------------------------------------------------------------------------


def test_a_model_is_listed_and_drawn(cli: Cli) -> None:
    """The listing has levels and verdicts, the drawing determinations and safeguards as well."""
    cli.release("m")

    [line] = cli.must("owner", "models", "list").out.splitlines()
    drawn = cli.must("owner", "models", "show", "m").out

    assert line.split()[:4] == ["models/m", "registered", "deployment", "basic"]
    for word in ("misuse", "ruled_out", "d left", "basic confirmed", "ALLOW"):
        assert word in drawn


def test_a_model_is_shown_as_it_was(cli: Cli) -> None:
    """`--as-of` takes a position or a time."""
    change = cli.release("m")
    applied = int(cli.must("owner", "changes", "show", change, "--json").json["applied_position"])

    before = cli.must("owner", "models", "show", "m", "--as-of", str(applied - 1), "--json").json
    after = cli.must("owner", "models", "show", "m", "--as-of", str(applied), "--json").json
    late = cli.must("owner", "models", "show", "m", "--as-of", datetime.now(UTC).isoformat(), "--json").json

    assert before["levels"][0]["assigned"] == ""
    assert after["levels"][0]["assigned"] == late["levels"][0]["assigned"] == "basic"
    assert int(before["log_position"]) == applied - 1


def test_a_retired_model_is_denied(cli: Cli) -> None:
    """Retiring is one person's word and final."""
    cli.release("m")

    cli.must("owner", "models", "retire", "m", "--reason", "superseded")

    answer = cli("release-bot", "gate", "check", "m", "-c", "internal", "--json")
    assert [row["code"] for row in answer.json["reasons"]] == ["MODEL_RETIRED"]


def test_an_assessment_runs_its_course(cli: Cli) -> None:
    """Open, report, conclude; the report raises what is required at once."""
    cli.must("evaluator", "models", "create", "m")
    opened = cli.must("evaluator", "assessments", "open", "m", "misuse", "--reason", "first", "--json").json
    reported = cli.must("evaluator", "assessments", "report", "m", "misuse", "cannot_rule_out", "-a", opened["name"])
    concluded = cli.must("evaluator", "assessments", "conclude", opened["name"], "--json").json

    assert "unconfirmed" in reported.out
    assert concluded["state"] == "ASSESSMENT_STATE_CONCLUDED"
    assert len(concluded["reports"]) == 1
    assert opened["name"] in cli.must("owner", "assessments", "list", "--model", "m").out
    assert "first" in cli.must("owner", "assessments", "show", opened["name"]).out
    assert cli("evaluator", "assessments", "abandon", opened["name"]).code == 3


def test_a_safeguard_is_started_verified_and_degraded(cli: Cli) -> None:
    """What one person may do, by model and id or by full name."""
    cli.must("evaluator", "models", "create", "m")
    report = cli.document("red_team_report", who="engineer")

    cli.must("engineer", "safeguards", "start", "m", "input-filter")
    verified = cli.must("engineer", "safeguards", "verify", "models/m/safeguards/input-filter", "-e", report, "--json")
    degraded = cli.must("monitor-bot", "safeguards", "degrade", "m", "input-filter", "--reason", "drift")

    assert verified.json["safeguards"][0]["state"] == "SAFEGUARD_STATE_VERIFIED"
    assert degraded.out.split() == ["models/m/safeguards/input-filter", "implementing"]
    assert "implementing" in cli.must("owner", "safeguards", "list", "m").out
    assert "drift" in cli.must("owner", "safeguards", "show", "m", "input-filter").out


def test_several_safeguards_stop_at_the_first_refusal(cli: Cli) -> None:
    """What was done before the refusal is told; the exit code is the refusal's."""
    cli.must("evaluator", "models", "create", "m")

    refused = cli("engineer", "safeguards", "start", "m", "input-filter", "no-such-thing", "--json")

    assert refused.code == 3
    assert [row["name"] for row in refused.json["safeguards"]] == ["models/m/safeguards/input-filter"]


# Evidence ------------------------------------------------------------------------------------------------------------


def test_a_document_goes_up_and_comes_back(cli: Cli) -> None:
    """The bytes that come back are those that went up, under the digest that was told."""
    data = os.urandom(3 << 20)
    file = cli.folder / "report.pdf"
    file.write_bytes(data)

    said = ("--kind", "evaluation_results", "--title", "Report", "--author", "engineer", "--json")
    record = cli.must("evaluator", "evidence", "upload", str(file), *said).json
    back = cli.folder / "back.pdf"
    cli.must("owner", "evidence", "download", record["name"], "-o", str(back))

    assert back.read_bytes() == data
    assert (record["media_type"], record["title"]) == ("application/pdf", "Report")
    assert record["sha256"] in cli.must("owner", "evidence", "show", record["name"]).out
    assert "engineer" in cli.must("owner", "evidence", "show", record["name"]).out
    assert record["name"] in cli.must("owner", "evidence", "list", "--kind", "evaluation_results").out
    assert cli.must("owner", "evidence", "list", "--kind", "other").out == ""


def test_a_download_overwrites_nothing(cli: Cli) -> None:
    """A file that is there is usage, and stays."""
    name = cli.document()
    there = cli.file("there", "mine")

    assert cli("owner", "evidence", "download", name, "-o", there).code == 2
    assert Path(there).read_text() == "mine"


def test_a_restricted_document_is_for_those_who_were_let_in(cli: Cli) -> None:
    """Without access the download is not allowed and leaves no file; with it, it works."""
    file = cli.file("secret.md", "secret")
    words = ("evidence", "upload", file, "-k", "evaluation_results", "--classification", "restricted", "--json")
    name = cli.must("evaluator", *words).json["name"]
    target = cli.folder / "copy.md"

    assert cli("reviewer", "evidence", "download", name, "-o", str(target)).code == 4
    assert list(cli.folder.glob("*copy*")) == []
    cli.must("evaluator", "evidence", "grant-access", name, "reviewer")
    cli.must("reviewer", "evidence", "download", name, "-o", str(target))
    assert target.read_text() == "secret"


# Status --------------------------------------------------------------------------------------------------------------


def test_status_is_one_screen(cli: Cli) -> None:
    """Server, log, policy, models, holds and what waits for the caller."""
    cli.release("m")
    cli.must("owner", "hold", "place", "m")
    change = cli.propose("title: lift\ntriggers: [hold.lift: holds/1]\n")

    told = cli.must("owner", "status").out
    value = cli.must("owner", "status", "--json").json

    for word in ("policies/minimal", "holds/1", change, "models/m", "entries, root"):
        assert word in told
    assert value["waiting_for_me"] == [change]
    assert value["models"][0]["name"] == "models/m"


def test_status_says_that_everything_is_held(cli: Cli) -> None:
    """`-` is how the contract writes it; people read `everything`."""
    hold = cli.must("admin", "hold", "place", "-", "--json").json["name"]

    assert f"{hold} on everything" in cli.must("owner", "status").out


def test_status_shows_a_tool_what_it_may_see(cli: Cli) -> None:
    """What the caller may not read is said to be hidden; the rest is shown."""
    told = cli.must("release-bot", "status")

    assert "not yours to see" in told.out
    assert cli.must("release-bot", "status", "--json").json["models"] is None


def test_text_that_nobody_can_see_is_refused(cli: Cli) -> None:
    """A reason with an escape sequence is usage, and what the refusal quotes of it can't act on the screen."""
    cli.must("evaluator", "models", "create", "m")

    refused = cli("owner", "hold", "place", "m", "--reason", "x\x1b[2J\u202e")

    assert refused.code == 2
    assert not {"\x1b", "\u202e"} & set(refused.err)
    assert cli.must("owner", "hold", "list").out == ""
