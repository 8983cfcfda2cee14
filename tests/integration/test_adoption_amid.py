"""Another policy adopted in the middle of everything, through a real server: nothing vanishes, nobody's command breaks.

What stands: a hold, an incident, an interim measure, an exception, a waiver, deployments, an open assessment, and a
change of each kind under review. The version that comes drops a role that people hold, a context in which a model runs
and an obligation; it swaps two safeguards and gives a threshold the id of another one. Then the server is started
again, and a bundle of it is judged by the naive oracle.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from interlock.client import Interlock
from interlock.client.verify import Trust, verify_bundle
from interlock.statemachine.policy import load_pack
from tests.integration.cli_runner import SHA256, Cli, command_line
from tests.support.oracle import Oracle
from tests.support.server import ServerThread, copy_of, install
from tests.support.versions import SECOND, version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from interlock.statemachine.entry import Entry

pytestmark = pytest.mark.timeout(300)

FRAUD: Final = "thresholds:\n  fraud: {title: Fraud, asks: {deployment: guarded}, reassess: {every: 90d}}\n"
FIRST: Final = version(
    ("safeguards:\n", SECOND),
    ("thresholds:\n", FRAUD),
    ("- triggers: [hold.lift]", "- triggers: [hold.lift, safeguard.restore]"),
    ("every: 90d, fulfilled_by: {evidence: risk_report}, blocking: false",
     "every: 90d, fulfilled_by: {evidence: risk_report}, blocking: true"),
    called="1.0",
)  # fmt: skip
SAYS: Final = """\
succeeds:
  - policy: minimal
    thresholds: {misuse: [fraud], fraud: [misuse]}
    safeguards: {second: input-filter, input-filter: second}
obligations:
"""
NEXT: Final = version(
    ("obligations:\n", SAYS),
    ("  quarterly-report: {every: 90d", "  yearly-report: {every: 365d"),
    ("{id: internal, unguarded: true}, api", "api, web"),
    ("  engineer:  {may: [safeguard.start, safeguard.verify, change.propose, evidence.upload]}\n", ""),
    of=FIRST,
)
OPEN: Final = (
    "determination.rule_out: models/m/determinations/fraud",
    "level.assign: {level: models/n/levels/deployment, to: basic}",
    "safeguard.reattest: {safeguard: models/m/safeguards/second, evidence: [EVIDENCE]}",
    "hold.lift: holds/1",
    "grant.give: {principal: principals/auditor, role: engineer, scope: '*'}",
    "model.add_artifact: {model: models/n, artifact: " + "ab" * 32 + "}",
    "principal.create: {principal: principals/new, kind: human, person: persons/new}",
    "obligation.waive: {period: obligations/quarterly-report/periods/1, until: SOON}",
)
LOOKS: Final = (
    "whoami", "status", "inbox", "models list", "models show m", "models diagram m", "safeguards list m", "hold list",
    "incidents list", "measures list --all", "break-glass list", "obligations list", "deployments list",
    "deployments list --out-of-compliance", "assessments list", "changes list", "principals list",
    "grants list", "policy show", "policy list", "policy diagram", "evidence list",
    "gate check m --context api", "gate check m --context internal", "gate explain m --context api",
    "audit why m --context api --policy minimal", "policy simulate minimal", "policy diff in-force minimal",
    "audit diff --from 3",
)  # fmt: skip


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found a log under the first version."""
    folder = tmp_path_factory.mktemp("amid")
    pack = folder / "first"
    pack.mkdir()
    (pack / "policy.yaml").write_bytes(FIRST["policy.yaml"])
    return install(folder / "data", str(pack))


@pytest.fixture
def server(founded: Path, tmp_path: Path) -> Iterator[ServerThread]:
    """Serve it."""
    with ServerThread(copy_of(founded, tmp_path / "data")) as running:
        yield running


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody."""
    return command_line(server, capsys, tmp_path, monkeypatch)


def sign(cli: Cli, change: str) -> None:
    """Have a change signed by the two who have to."""
    cli.must("owner", "sign", change, "--yes")
    cli.must("reviewer", "sign", change, "--yes")


def soon(days: float = 0.5) -> str:
    """Return a moment to come."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def stage(cli: Cli) -> list[str]:
    """Bring everything about to stand; return the changes that are under review."""
    cli.must("evaluator", "models", "create", "m", "--artifact", SHA256)
    cli.must("evaluator", "models", "create", "n")
    report, results = cli.document("red_team_report"), cli.document()
    for safeguard in ("input-filter", "second"):
        cli.must("engineer", "safeguards", "start", "m", safeguard)
        cli.must("engineer", "safeguards", "verify", "m", safeguard, "--evidence", report)
    rows = [
        *(f"determination.rule_out: models/m/determinations/{name}" for name in ("misuse", "fraud")),
        "level.assign: {level: models/m/levels/deployment, to: guarded}",
        *(f"safeguard.activate: models/m/safeguards/{name}" for name in ("input-filter", "second")),
    ]
    sign(cli, propose(cli, results, *rows))
    for context in ("internal", "api"):
        cli.must("release-bot", "deployments", "record", "m", "-c", context, "--location", "eu", "--artifact", SHA256)
    cli.must("evaluator", "assessments", "open", "m", "misuse", "fraud")
    cli.must("owner", "safeguards", "degrade", "m", "input-filter", "--reason", "it leaks")
    words = ["safeguards/x", "--until", soon(), "--reason", "the fair is today", "--title", "An exception", "--json"]
    words[0] = "models/m/safeguards/input-filter"
    sign(cli, cli.must("evaluator", "break-glass", "open", *words).json["name"])
    words = ["--for", "second", "--context", "api", "--context", "internal", "--until", soon(9), "--title", "A measure"]
    sign(cli, cli.must("evaluator", "measures", "propose", "m", *words, "--json").json["name"])
    period = "obligations/quarterly-report/periods/1"
    sign(cli, propose(cli, results, f"obligation.waive: {{period: {period}, until: '{soon(200)}'}}"))
    cli.must("owner", "hold", "place", "n", "--reason", "not this one")
    cli.must("owner", "incidents", "report", "n", "--category", "other", "--severity", "serious", "--title", "Bad")
    rest = [row.replace("EVIDENCE", report).replace("SOON", f"'{soon(300)}'") for row in OPEN]
    return [propose(cli, results, row) for row in rest]


def propose(cli: Cli, results: str, *rows: str) -> str:
    """Propose a few triggers."""
    triggers = "".join(f"  - {row}\n" for row in rows)
    return cli.propose(f"title: t\ntriggers:\n{triggers}evidence: [{results}]\n")


def adopt(cli: Cli, files: dict[str, bytes], name: str) -> None:
    """Have a version adopted; what flips is what a server and a bundle foresaw."""
    folder, bundle = cli.folder / name, str(cli.folder / f"{name}.ilbundle")
    folder.mkdir()
    (folder / "policy.yaml").write_bytes(files["policy.yaml"])
    change, was = cli.must("evaluator", "policy", "adopt", str(folder), "--json").json["name"], allowed(cli)
    cli.must("auditor", "audit", "export", "--out", bundle)
    foreseen = []
    for words in ((), ("--against", bundle)):
        flips = cli("auditor", "policy", "simulate", str(folder), "--json", *words).json["flips"]
        foreseen.append({(row["model"].removeprefix("models/"), row["context"]): row["allowed"] for row in flips})
    sign(cli, change)
    is_ = allowed(cli)
    assert foreseen == [{key: is_[key] for key in is_ if is_[key] is not was[key]}] * 2
    assert foreseen[0]


def allowed(cli: Cli) -> dict[tuple[str, str], bool]:
    """Return what the gate says of each model in each place, with no artifact named."""
    found = {}
    for model in ("m", "n"):
        for context in ("internal", "api", "web"):
            found[model, context] = cli("release-bot", "gate", "check", model, "-c", context).code == 0
    return found


def judged(cli: Cli) -> dict[tuple[str, str], set[tuple[int, str]]]:
    """Return what the gate has against each model in each place."""
    found = {}
    for model in ("m", "n"):
        for context in ("internal", "api", "web"):
            rows = cli("release-bot", "gate", "check", model, "-c", context, "--artifact", SHA256, "--json").json
            found[model, context] = {(row["rule"], row["resource"]) for row in rows["reasons"]}
    return found


def oracle_of(cli: Cli, founded_with: Mapping[str, bytes] = FIRST) -> Oracle:
    """Verify a bundle of the whole log, and have the naive oracle read it."""
    bundle, oracle = cli.folder / "log.ilbundle", Oracle.of(founded_with["policy.yaml"])
    with Interlock.from_profile(str(cli.server.home / "auditor")) as client:
        client.export(bundle)
        key = client.profile.log_key

    def see(entry: Entry, _state: object, _policy: object) -> None:
        oracle.feed(entry)

    with bundle.open("rb") as file:
        report = verify_bundle(file.read, Trust(key), visit=see)
    assert report.findings == ()
    assert oracle.differences == []
    return oracle


def test_nothing_vanishes_and_nobody_s_command_breaks(cli: Cli, server: ServerThread) -> None:
    """What the gate says after it is the oracle's; so it is after a restart, and after going back."""
    waiting = stage(cli)
    before = judged(cli)

    adopt(cli, NEXT, "next")

    after, now = judged(cli), int(datetime.now(UTC).timestamp() * 1_000_000)
    oracle = oracle_of(cli)
    assert after == {key: oracle.failures(f"models/{key[0]}", key[1], SHA256, now) for key in after}
    assert before["m", "api"] == set()
    for change in waiting:
        shown = cli.must("auditor", "changes", "show", change, "--json").json
        assert shown["stale"], change
        assert load_pack(NEXT).name in shown["moved"], change
    for who in ("engineer", "owner", "auditor"):
        for words in LOOKS:
            outcome = cli(who, *words.split())
            assert outcome.code in {0, 1, 4}, (who, words, outcome.out, outcome.err)
    server.stop()
    with ServerThread(server.data) as again:
        line = Cli(again, cli._capsys, cli.folder)  # noqa: SLF001  # the same test's
        assert judged(line) == after
        adopt(line, version(of=FIRST, called="3.0"), "back")
        oracle = oracle_of(line)
        now = int(datetime.now(UTC).timestamp() * 1_000_000)
        assert judged(line) == {k: oracle.failures(f"models/{k[0]}", k[1], SHA256, now) for k in after}
