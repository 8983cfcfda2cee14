"""Policy migration: from `rsp-2.2` to `rsp-3` with work in flight, through a real server and the command line.

It begins where the precautionary activation ends (``ops/story``), half a year less five days later, so that what was
determined then is near the end of its cadence. That a server which is killed meanwhile comes back wholly before or
wholly after is in ``tests/faults/test_adoption.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from interlock.client.packs import shipped_pack
from ops import demo
from tests.integration.cli_runner import Cli, Outcome, command_line
from tests.support.server import ServerThread, copy_of
from tests.support.service import ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAY_SECONDS: Final = 86_400
LAST_STEP: Final = 16
NEW: Final = "policies/rsp-3/versions/1.0"
OLD: Final = "policies/rsp-2.2/versions/1.0"
ADOPTERS: Final = ("rso", "ceo", "safeguards-lead", "security-lead", "board")
AURORA_5: Final = """\
title: aurora-5 has a usage policy
triggers: [{{safeguard.activate: models/aurora-5/safeguards/usage-policy}}]
evidence: [{evidence}]
"""
SABOTAGE: Final = """\
title: No opportunities for sabotage
triggers: [{{determination.rule_out: models/aurora-4/determinations/sabotage}}]
evidence: [{evidence}]
"""


@dataclass(frozen=True, slots=True)
class Company:
    """Everybody's command line, the clock of the server, and the change that is under review."""

    cli: Cli
    clock: ShiftedClock
    open_change: str

    def must(self, who: str, *words: str) -> Outcome:
        """Run a command that has to end in 0."""
        return self.cli.must(who, *words)

    def gate(self, model: str = "aurora-4", context: str = "api") -> Any:  # noqa: ANN401  # JSON
        """Ask the gate."""
        return self.cli("release-bot", "gate", "check", model, "--context", context, "--json").json

    def codes(self, model: str = "aurora-4", context: str = "api") -> list[tuple[str, str]]:
        """Return what the gate has against a release: code, and the last part of the resource."""
        return [(row["code"], row["resource"].rpartition("/")[2]) for row in self.gate(model, context)["reasons"]]

    def sign(self, change: str, *people: str) -> Any:  # noqa: ANN401  # JSON
        """Have a change signed by some; return it as the last one left it."""
        return [self.must(who, "sign", change, "--yes", "--json").json for who in people][-1]

    def upload(self, kind: str) -> str:
        """Upload a document of today."""
        return self.cli.document(kind, "evals-lead")

    def adopt(self, pack: str) -> int:
        """Have a pack adopted; return the position of the entry that did it."""
        change = self.must("evals-lead", "policy", "adopt", pack, "--json").json["name"]
        return int(self.sign(change, *ADOPTERS)["applied_position"])


def play(cli: Cli, words: dict[str, str]) -> None:
    """Play the precautionary activation up to where the gate is open again."""
    for step in demo.load_story():
        for command in step.commands if 1 < step.number <= LAST_STEP else ():
            if not command.watch:
                outcome = cli(*command.arguments(words)[1:])
                assert outcome.code == command.exit, f"{command.run}\n{outcome.out}{outcome.err}"


@pytest.fixture(scope="module")
def clock() -> ShiftedClock:
    """Give the server's clock."""
    return ShiftedClock()


@pytest.fixture
def company(
    installations: Callable[[str], Path],
    tmp_path: Path,
    clock: ShiftedClock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Company]:
    """Give the company 175 days after the activation, with one change under review that one person has signed."""
    data = copy_of(installations("rsp-2.2"), tmp_path / "data")
    monkeypatch.chdir(demo.ROOT)
    with ServerThread(data, clock=clock) as server:
        cli = command_line(server, capsys, tmp_path, monkeypatch)
        play(cli, {"data": str(data), "address": server.address})
        clock.move(175 * DAY_SECONDS)
        cli.must("evals-lead", "models", "create", "aurora-5")
        report = cli.document("capability_report", "evals-lead")
        cli.must("safeguards-engineer", "safeguards", "start", "aurora-5", "usage-policy")
        cli.must("safeguards-engineer", "safeguards", "verify", "aurora-5", "usage-policy", "--evidence", report)
        change = cli.propose(AURORA_5.format(evidence=report), who="evals-lead")
        cli.must("rso", "sign", change, "--yes")
        yield Company(cli, clock, change)


def pack_of(company: Company, name: str, *edits: tuple[str, str]) -> str:
    """Write a later version of rsp-3; return its folder."""
    text = shipped_pack("rsp-3")["policy.yaml"].decode()
    for old, new in (('version: "1.0"', f'version: "{name}"'), *edits):
        assert old in text, old
        text = text.replace(old, new, 1)
    folder = company.cli.folder / name
    folder.mkdir()
    (folder / "policy.yaml").write_text(text)
    return str(folder)


def promoted() -> tuple[str, str]:
    """Return the edit that makes offline monitoring a commitment again."""
    text = shipped_pack("rsp-3")["policy.yaml"].decode()
    found = re.search(r"  offline-monitoring:\n(?:    .*\n)*?    track: recommendation\n", text)
    assert found is not None
    return found.group(), found.group().replace("recommendation", "commitment")


def compare(company: Company) -> None:
    """Step 1: in words, what loosens first."""
    cli = company.cli
    differs = cli("rso", "policy", "diff", "rsp-2.2", "rsp-3", "--json")
    rows = differs.json["differences"]
    ways = [row["way"] for row in rows]
    words = {(row["area"], row["subject"]): row["words"] for row in rows}
    assert (differs.code, ways) == (1, sorted(ways, key=["loosens", "tightens", "neutral"].index))
    assert "its determinations carry over" in words["thresholds", "chem-bio-known"] or any(
        "its determinations carry over" in row["words"] for row in rows if row["subject"] == "chem-bio-known"
    )
    assert "undetermined for every model" in words["thresholds", "sabotage"]
    assert "no longer read" in words["thresholds", "cyber"]
    assert "new recommendation" in words["safeguards", "state-actor-security"]
    assert {("obligations", "risk-report"), ("obligations", "roadmap-revision")} <= words.keys()
    assert not any(row["foremost"] for row in rows)


def try_out(company: Company) -> None:
    """Step 2: which verdicts would flip, and why."""
    cli = company.cli
    tried = cli("rso", "policy", "simulate", "rsp-3", "--json")
    flips = {(row["model"], row["context"]): (row["allowed"], [r["resource"] for r in row["reasons"]])
             for row in tried.json["flips"]}  # fmt: skip
    assert flips == {
        (f"models/{model}", context): (False, [f"models/{model}/determinations/sabotage"])
        for model in ("aurora-3", "aurora-4")
        for context in ("internal", "api")
    }


def adopt(company: Company) -> tuple[str, int]:
    """Step 3: under the sign-offs of the policy in force, the board's from outside; return change and position."""
    must = company.must
    change = must("evals-lead", "policy", "adopt", "rsp-3", "--title", "RSP 3", "--json").json["name"]
    before = company.sign(change, *ADOPTERS[:-1])
    assert [row["role"] for row in before["slots"] if not row["filled_by"]] == ["board"]
    assert company.codes() == []
    position = int(company.sign(change, "board")["applied_position"])

    return change, position


def go_on(company: Company, position: int) -> None:
    """Step 4: at the very next check; the open change is stale, says what differs, is rebased and signed anew."""
    cli, must = company.cli, company.must
    assert company.codes() == company.codes("aurora-3") == [("DETERMINATION_MISSING", "sabotage")]
    stale = must("auditor", "changes", "show", company.open_change, "--json").json
    assert (stale["stale"], stale["moved"]) == (True, [NEW])
    assert NEW in next(row["actual"] for row in stale["unmet"] if row["code"] == "BASE_MOVED")
    assert cli("ceo", "sign", company.open_change, "--yes").code != 0
    must("evals-lead", "changes", "rebase", company.open_change)
    done = company.sign(company.open_change, "rso", "safeguards-lead", "security-lead")
    assert done["state"] == "CHANGE_STATE_APPLIED"
    then = cli("auditor", "audit", "why", "aurora-4", "--context", "api", "--at", str(position - 1), "--json")
    assert (then.code, then.json["policy"]) == (0, OLD)


def demoted(company: Company, change: str) -> None:
    """Step 5: a commitment that became a recommendation is an advisory, and the log shows who signed for that."""
    cli, must = company.cli, company.must
    ruled_out = cli.propose(SABOTAGE.format(evidence=company.upload("capability_report")), who="evals-lead")
    company.sign(ruled_out, "rso", "ceo")
    must("classifier-monitor", "safeguards", "degrade", "aurora-4", "offline-monitoring", "--reason", "feed is down")
    answer = company.gate()
    assert (answer["verdict"], [row["resource"] for row in answer["advisories"]]) == (
        "VERDICT_ALLOW", ["models/aurora-4/safeguards/offline-monitoring"],
    )  # fmt: skip
    adopted = must("auditor", "changes", "show", change, "--json").json
    assert {row["filled_by"] for row in adopted["slots"]} == {f"principals/{who}" for who in ADOPTERS}
    report = must("auditor", "policy", "report", "--json").json
    told = next(row for row in report["recommended"] if row["id"] == "offline-monitoring")
    assert (told["committed_in"], told["change"], set(told["signed_by_roles"])) == (OLD, change, set(ADOPTERS))
    assert "offline-monitoring" not in {row["id"] for row in report["committed"]}
    public = must("auditor", "policy", "report").out.partition("## Recommended, not committed")[2]
    assert re.search(rf"\*\*offline-monitoring\*\*.*\n *A commitment in `{OLD}`, until entry \d+, {change}", public)


def promoted_back(company: Company) -> None:
    """Step 6: promoted back, it blocks again; going the other way is marked loudest."""
    cli = company.cli
    stricter = pack_of(company, "3.1", promoted())
    would = cli("rso", "policy", "simulate", stricter, "--json").json["flips"]
    assert [(row["model"], row["context"], row["allowed"]) for row in would] == [("models/aurora-4", "api", False)]
    company.adopt(stricter)
    assert company.codes() == [("SAFEGUARD_NOT_ACTIVE", "offline-monitoring")]
    looser = cli("rso", "policy", "simulate", pack_of(company, "3.2"))
    assert re.search(r"! models/aurora-4 api\s+DENY → ALLOW\n.*it would go out without", looser.out)


def audited(company: Company) -> None:
    """Step 7: a bundle over all versions verifies; one word in a pack is found, and which pack it is."""
    cli, must = company.cli, company.must
    bundle = cli.folder / "log.ilbundle"
    must("auditor", "audit", "export", "--out", str(bundle))
    must("auditor", "audit", "verify", str(bundle))
    digest = must("auditor", "policy", "show", NEW, "--json").json["digest"]
    data = bundle.read_bytes()
    word = b"Used where it has high-stakes opportunities"
    assert word in data
    bundle.write_bytes(data.replace(word, word.replace(b"high", b"tiny"), 1))
    altered = cli("auditor", "audit", "verify", str(bundle), "--json")
    assert altered.code == 1
    assert any(digest in row["detail"] and "policy pack" in row["detail"] for row in altered.json["findings"])


def test_a_company_moves_from_rsp_2_2_to_rsp_3_with_work_in_flight(company: Company) -> None:
    """The seven steps, in order: what is said before, who signs, what holds at the very next check, and ever after."""
    assert (company.codes(), company.codes("aurora-3")) == ([], [])

    compare(company)
    try_out(company)
    change, position = adopt(company)
    go_on(company, position)
    demoted(company, change)
    promoted_back(company)
    company.clock.move(6 * DAY_SECONDS)

    # What was determined under the old id lapses when it would have lapsed.
    assert ("DETERMINATION_LAPSED", "chem-bio-known") in company.codes()
    audited(company)
