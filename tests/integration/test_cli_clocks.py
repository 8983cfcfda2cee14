"""What a deployment, an adoption and an open incident oblige to, through a real server with restarts: no job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.cli_runner import SHA256, Cli, command_line
from tests.support.server import ServerThread, copy_of, install
from tests.support.service import ShiftedClock
from tests.support.versions import version
from tests.support.world import SKETCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

DAY: Final = 86_400
LATER: Final = "c" * 64
CLOCKS: Final = """
  transparency-report:
    title: What it can do is told
    after: {deployment: recorded, contexts: [internal], within: 0d}
    fulfilled_by: {evidence: risk_report}
    blocking: false
  change-notes:
    title: What changed is told
    after: {adoption: policy, within: 30d}
    fulfilled_by: {evidence: board_notice}
    blocking: true
  progress:
    title: How it goes on is told
    after: {incident: determination, at_least: serious, within: 28d, repeats: true}
    fulfilled_by: {evidence: internal_feedback}
    blocking: false
"""
PACK: Final = {"policy.yaml": (SKETCH.read_text().rstrip() + CLOCKS).encode()}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found a log whose pack has a clock of each kind."""
    folder = tmp_path_factory.mktemp("pack")
    (folder / "policy.yaml").write_bytes(PACK["policy.yaml"])
    return install(tmp_path_factory.mktemp("installed") / "clocks", str(folder))


@pytest.fixture
def clock() -> ShiftedClock:
    """Give the server's clock."""
    return ShiftedClock()


@pytest.fixture
def server(installation: Path, tmp_path: Path, clock: ShiftedClock) -> Iterator[ServerThread]:
    """Serve a fresh log under a clock that can be moved."""
    with ServerThread(copy_of(installation, tmp_path / "data"), clock=clock) as running:
        yield running


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line, and a model that is released internally."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.release("m")
    return line


def document(cli: Cli, kind: str, words: str) -> str:
    """Upload a document with bytes of its own and return its name."""
    file = cli.file(f"{kind}.md", f"# {words}\n")
    name: str = cli.must("evaluator", "evidence", "upload", file, "--kind", kind, "--json").json["name"]
    return name


def sign(cli: Cli, change: str) -> None:
    """Have a change signed by both, so that it is applied."""
    cli.must("owner", "sign", change, "--yes")
    cli.must("reviewer", "sign", change, "--yes")


def rows(cli: Cli, obligation: str, *words: str) -> list[Any]:
    """Return the periods of an obligation that are listed."""
    listed = cli.must("auditor", "obligations", "list", "--json", *words).json["obligations"]
    return [row for row in listed if row["name"].startswith(f"obligations/{obligation}/")]


def deploy(cli: Cli, model: str = "m", artifact: str = SHA256) -> None:
    """Record a deployment."""
    words = ("-c", "internal", "--location", "eu", "--artifact", artifact)
    cli.must("release-bot", "deployments", "record", model, *words)


def rested(cli: Cli, server: ServerThread, clock: ShiftedClock, days: int, kind: str) -> tuple[ServerThread, str]:
    """Start the server again after some days, and upload a document then."""
    server.stop()
    clock.move(days * DAY)
    again = ServerThread(server.data, clock=clock).start()
    return again, document(cli, kind, f"made {clock.now_us()}")


def reasons(cli: Cli) -> list[tuple[str, str]]:
    """Return (code, resource) of what the gate has against m internally."""
    answer = cli("release-bot", "gate", "check", "m", "--context", "internal", "--json").json
    return [(row["code"], row["resource"]) for row in answer["reasons"]]


def test_a_deployment_says_what_is_owed_for_it_still(cli: Cli) -> None:
    """Whoever records it is told at once, and whoever looks at it, until the obligation is met."""
    before = document(cli, "risk_report", "made before")
    recorded = cli.must(
        "release-bot", "deployments", "record", "m", "-c", "internal", "--location", "a", "--artifact", SHA256
    )
    owed = cli.must("release-bot", "deployments", "show", "deployments/1", "--json").json["obligations"]
    cli.must("owner", "obligations", "fulfil", "transparency-report/1", "-e", before)
    met = cli.must("release-bot", "deployments", "show", "deployments/1", "--json").json

    assert "transparency-report/1  overdue" in recorded.out
    assert [(row["name"], row["overdue"]) for row in owed] == [("obligations/transparency-report/periods/1", True)]
    assert not met["obligations"]


def test_a_deployment_owes_a_report_that_may_have_been_made_before(cli: Cli, server: ServerThread) -> None:
    """Overdue at once, told everywhere, blocking nothing, also after a restart; a later artifact owes another one."""
    before = document(cli, "risk_report", "made before")
    deploy(cli)
    deploy(cli)
    server.stop()
    with ServerThread(server.data):
        late, told, gate = rows(cli, "transparency-report"), cli.must("auditor", "status").out, reasons(cli)
        advised = cli.must("release-bot", "gate", "check", "m", "-c", "internal", "--json").json["advisories"]
        line = cli.must("auditor", "obligations", "list").out
        cli.must("owner", "obligations", "fulfil", "transparency-report/1", "-e", before)
        again = cli("owner", "obligations", "fulfil", "transparency-report/1", "-e", before, "--json")
        met = rows(cli, "transparency-report")
        report = cli.document()
        added = f"title: t\ntriggers:\n  - model.add_artifact: {{model: models/m, artifact: {LATER}}}\n"
        sign(cli, cli.propose(f"{added}evidence: [{report}]\n"))
        deploy(cli, artifact=LATER)
        later = rows(cli, "transparency-report")
        shown = cli.must("auditor", "obligations", "show", "transparency-report/2").out

    assert [(row["overdue"], row["cause"], row["blocking"]) for row in late] == [(True, "models/m", False)]
    assert "overdue: transparency-report/1 for models/m" in told
    assert "What it can do is told, for models/m" in line
    assert gate == []
    assert [row["code"] for row in advised] == ["OBLIGATION_OVERDUE"]
    assert (again.code, again.codes) == (3, ["NO_SUCH_EDGE"])
    assert met == []
    assert [row["cause"] for row in later] == [f"models/m/artifacts/{LATER}"]
    assert f"for models/m, artifact {LATER[:12]}" in shown


def test_an_adoption_owes_its_reasons_and_denies_when_they_are_late(
    cli: Cli, server: ServerThread, clock: ShiftedClock
) -> None:
    """The founding owes none; thirty days after an adoption every release is denied, with no job run."""
    none = rows(cli, "change-notes")
    folder = cli.folder / "next"
    folder.mkdir()
    (folder / "policy.yaml").write_bytes(
        version(("title: What changed", "title: All that changed"), of=PACK)["policy.yaml"]
    )
    diff = cli("auditor", "policy", "diff", "in-force", str(folder)).out
    sign(cli, cli.must("evaluator", "policy", "adopt", str(folder), "--json").json["name"])
    due, in_time = rows(cli, "change-notes"), reasons(cli)
    server, _ = rested(cli, server, clock, 15, "board_notice")
    server, notes = rested(cli, server, clock, 15, "board_notice")
    late = reasons(cli)
    alone = cli("owner", "obligations", "fulfil", "change-notes/1", "-e", notes, "--json")
    words = ("obligations", "fulfil", "change-notes/1", "-e", notes, "--propose", "--json")
    sign(cli, cli.must("evaluator", *words).json["name"])
    met = reasons(cli)
    server.stop()

    assert none == []
    assert "All that changed" in diff
    assert [(row["cause"], row["blocking"]) for row in due] == [("policies/minimal/versions/2.0", True)]
    assert (in_time, late, met) == ([], [("OBLIGATION_OVERDUE", "obligations/change-notes/periods/1")], [])
    assert alone.codes == ["CHANGE_REQUIRED"]


def test_an_open_incident_owes_again_until_it_is_closed(cli: Cli, server: ServerThread, clock: ShiftedClock) -> None:
    """Each report opens the next period, over restarts; missed it stays owed; closing ends what is not overdue."""
    cli.must("owner", "incidents", "report", "m", "-s", "serious", "-t", "The filter was off")
    cli.must("owner", "incidents", "triage", "1", "serious")
    first = cli.must("owner", "incidents", "show", "1", "--json").json["obligations"]
    cli.must("owner", "obligations", "fulfil", "progress/1", "-e", document(cli, "internal_feedback", "one"))
    ahead = cli(
        "owner", "obligations", "fulfil", "progress/2", "-e", document(cli, "internal_feedback", "two"), "--json"
    )
    server, _ = rested(cli, server, clock, 29, "internal_feedback")
    server, notice = rested(cli, server, clock, 29, "internal_feedback")
    late = [(row["name"].rsplit("/", 1)[1], row["overdue"]) for row in rows(cli, "progress")]
    cli.must("owner", "obligations", "fulfil", "progress/2", "-e", notice)
    told = cli.must("auditor", "status").out
    sign(cli, cli.must("evaluator", "incidents", "close", "1", "--propose", "--json").json["name"])
    closed = cli.must("auditor", "incidents", "show", "1").out
    ended = [(row["name"].rsplit("/", 1)[1], row["state"]) for row in rows(cli, "progress", "--all")]
    left = rows(cli, "progress")
    server.stop()

    assert [(row["name"], row["overdue"]) for row in first] == [("obligations/progress/periods/1", False)]
    assert (ahead.code, ahead.codes) == (3, ["EVIDENCE_STALE"])
    assert late == [("2", True)]
    assert "progress/3 for incidents/1 by" in told
    assert "ended" in closed
    assert ended == [
        ("1", "OBLIGATION_STATE_FULFILLED"),
        ("2", "OBLIGATION_STATE_FULFILLED"),
        ("3", "OBLIGATION_STATE_ENDED"),
    ]
    assert left == []


def test_a_part_of_the_log_is_decided_with_the_clocks_in_it(cli: Cli) -> None:
    """A selection has what opened periods for other models, with all that their verdicts rest on; a range, too."""
    cli.file("log.pub", cli.must("auditor", "audit", "key").out)
    key = ("--key", str(cli.folder / "log.pub"))
    cli.release("n", "b" * 64)
    cli.must("owner", "hold", "place", "n", "--reason", "Until we know")
    cli.must("owner", "incidents", "report", "m", "-s", "serious", "-t", "It fell over")
    deploy(cli, "n", "b" * 64)
    deploy(cli)
    cli.must("owner", "obligations", "fulfil", "progress/1", "-e", document(cli, "internal_feedback", "one"))
    cli.must("auditor", "audit", "export", "--out", str(cli.folder / "whole.ilbundle"))
    cli.must("auditor", "audit", "export", "--out", str(cli.folder / "m.ilbundle"), "--model", "m")
    cli.must("owner", "obligations", "fulfil", "transparency-report/1", "-e", document(cli, "risk_report", "of n"))
    size = cli.must("auditor", "audit", "checkpoint", "--json").json["size"]
    cli.must("auditor", "audit", "export", "--out", str(cli.folder / "range.ilbundle"), "--from", str(int(size) - 1))

    for name, words in (("whole", ()), ("m", ("--partial-ok",)), ("range", ())):
        report = cli.must(
            "nobody", "audit", "verify", str(cli.folder / f"{name}.ilbundle"), *key, *words, "--json"
        ).json
        assert report["verified"] or report["part"], name
