"""A shared safeguard degrades: one classifier guards five models, through a real server and the real command line.

Two models at asl-3 lean on it, three at asl-2 do not. Two `gate watch` are left open over the whole story, restart
included; what they printed is compared at its end, so a flip that is told twice, or not at all, is found. Time passes
by the server's clock alone.
"""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from ops import demo
from tests.integration.cli_runner import SHA256, Cli, command_line
from tests.support.server import ServerThread, install
from tests.support.service import ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PACK: Final = Path(__file__).parents[1] / "fixtures" / "shared-classifier"
HOUR: Final = 3_600
DAY: Final = 24 * HOUR
CLASSIFIER: Final = "safeguards/classifier"
LEANING: Final = ("opus", "sonnet")
OTHERS: Final = ("haiku", "instant", "tiny")
GUARDED: Final = ("partners", "api")
NOT_ACTIVE: Final = ("SAFEGUARD_NOT_ACTIVE", CLASSIFIER)
ENDED: Final = ("ATTESTATION_ENDED", CLASSIFIER)
HIGHER: Final = """\
title: {model} may reach cbrn-3, so it goes to asl-3
triggers:
  - determination.confirm: models/{model}/determinations/cbrn-3
  - level.assign: {{level: models/{model}/levels/deployment, to: asl-3}}
evidence: [{evidence}]
"""
LOWER: Final = """\
title: {model} is far from cbrn-3
triggers:
  - determination.rule_out: models/{model}/determinations/cbrn-3
  - level.assign: {{level: models/{model}/levels/deployment, to: asl-2}}
evidence: [{evidence}]
"""
FIRE: Final = """\
title: {trigger} for the classifier
triggers: [{{{trigger}: safeguards/classifier}}]
"""
REATTEST: Final = """\
title: The classifier was shown to work again
triggers: [{{safeguard.reattest: {{safeguard: safeguards/classifier, evidence: [{evidence}]}}}}]
evidence: [{evidence}]
"""


@dataclass(slots=True)
class Watch:
    """A `gate watch` in a process of its own, and the verdicts that it has printed."""

    process: subprocess.Popen[str]
    told: list[str] = field(default_factory=list)

    def hear(self) -> str:
        """Wait for the next line, and return its verdict."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.poll()
        self.told.append(json.loads(line)["verdict"].removeprefix("VERDICT_"))
        return self.told[-1]

    def interrupt(self) -> list[str]:
        """Interrupt it as Ctrl-C does, and return everything that it ever printed."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate()
        assert self.process.returncode == 130
        return self.told + [json.loads(line)["verdict"] for line in rest.splitlines()]


@dataclass(slots=True)
class Company:
    """Everybody's command line, and the clock of the server that they call."""

    cli: Cli
    clock: ShiftedClock

    def verdicts(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        """Ask the gate about every model in every context; return (code, resource) of the reasons of each DENY."""
        asked = {
            (model, context): self.cli("release-bot", "gate", "check", model, "--context", context, "--json")
            for model in (*LEANING, *OTHERS)
            for context in ("internal", *GUARDED)
        }
        found = {}
        for question, outcome in asked.items():
            reasons = [(row["code"], row["resource"]) for row in outcome.json["reasons"]]
            assert outcome.code == bool(reasons), outcome
            if reasons:
                found[question] = reasons
        return found

    def classifier(self) -> Any:  # noqa: ANN401  # JSON
        """Show the classifier."""
        [row] = self.cli.must("auditor", "safeguards", "show", CLASSIFIER, "--json").json["safeguards"]
        return row

    def sign(self, change: str, *people: str) -> Any:  # noqa: ANN401  # JSON
        """Have a change signed by some; return it as the last one left it."""
        return [self.cli.must(who, "sign", change, "--yes", "--json").json for who in people][-1]

    def enact(self, text: str, who: str = "engineer") -> None:
        """Have a change proposed, signed by the quorum that most things take, and applied."""
        applied = self.sign(self.cli.propose(text, who=who), "rso", "safeguards-lead")
        assert applied["state"] == "CHANGE_STATE_APPLIED", applied

    def report(self, season: str) -> str:
        """Upload the red-team report of a season."""
        file = self.cli.file(f"{season}.md", f"# Red team, {season}\n")
        uploaded = self.cli.must("engineer", "evidence", "upload", file, "--kind", "red_team_report", "--json").json
        return str(uploaded["name"])

    def later(self, seconds: int) -> str:
        """Return a moment to come by the server's clock, as people type it."""
        return (datetime.fromtimestamp(self.clock.now_us() / 1e6, UTC) + timedelta(seconds=seconds)).isoformat()


def everywhere(*reasons: tuple[str, str]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return what the gate has against both models that lean on the classifier, wherever it guards; nothing else."""
    return {(model, context): list(reasons) for model in LEANING for context in GUARDED}


def bring_up(company: Company) -> str:
    """Bring five models and the classifier to where the gate allows everything; return what verified the classifier."""
    cli = company.cli
    for number, model in enumerate((*LEANING, *OTHERS)):
        cli.must("evaluator", "models", "create", model, "--artifact", f"{number}{SHA256[1:]}")
        results = cli.document()
        if model in LEANING:
            cli.must("evaluator", "assessments", "report", model, "cbrn-3", "cannot_rule_out", "--evidence", results)
        company.enact((HIGHER if model in LEANING else LOWER).format(model=model, evidence=results), "evaluator")
    assert company.verdicts() == everywhere(NOT_ACTIVE)

    report = company.report("spring")
    cli.must("engineer", "safeguards", "start", CLASSIFIER)
    cli.must("engineer", "safeguards", "verify", CLASSIFIER, "--evidence", report)
    company.enact(FIRE.format(trigger="safeguard.activate"))
    assert company.verdicts() == {}
    return report


@contextmanager
def watching(company: Company) -> Iterator[dict[str, Watch]]:
    """Leave a `gate watch` open for each model that leans on the classifier, each having said ALLOW."""
    data = company.cli.server.data
    words = [*demo.interlock(), "--profile", "release-bot", "gate", "watch", "--context", "api", "--json"]
    open_ones = {
        model: Watch(
            subprocess.Popen(
                [*words, model],
                env=demo.environment(data),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        )
        for model in LEANING
    }
    try:
        assert {watch.hear() for watch in open_ones.values()} == {"ALLOW"}
        yield open_ones
    finally:
        for watch in open_ones.values():
            if watch.process.poll() is None:
                watch.process.kill()
                watch.process.communicate()


def degrade(company: Company, watches: dict[str, Watch]) -> None:
    """Step 1: once, and both models that lean on it are denied where it guards; who leans on it is listed."""
    company.cli.must("monitor-bot", "safeguards", "degrade", CLASSIFIER, "--reason", "it answers nobody")

    assert [watch.hear() for watch in watches.values()] == ["DENY", "DENY"]
    assert company.verdicts() == everywhere(NOT_ACTIVE)
    shown = company.classifier()
    assert (shown["state"], shown["leaning_models"]) == (
        "SAFEGUARD_STATE_DEGRADED",
        ["models/opus", "models/sonnet"],
    )
    assert (
        "leaned on by  models/opus, models/sonnet" in company.cli.must("auditor", "safeguards", "show", CLASSIFIER).out
    )


def fall_back(company: Company, watch: Watch) -> Any:  # noqa: ANN401  # JSON
    """Step 2, first half: for one model, in one context, by a quorum of its own; ALLOW with an advisory."""
    words = ["--for", "classifier", "--context", "api", "--until", company.later(72 * HOUR)]
    title = "The domain is blocked, a smaller model answers"
    proposed = company.cli.must("engineer", "measures", "propose", "opus", *words, "--title", title, "--json").json
    change = company.cli.must("auditor", "changes", "show", proposed["name"], "--json").json
    assert sorted(row["role"] for row in change["slots"]) == ["ceo", "incident-lead"]
    assert company.cli("rso", "sign", proposed["name"], "--yes").code != 0
    company.sign(proposed["name"], "ceo")
    assert company.verdicts() == everywhere(NOT_ACTIVE)

    company.sign(proposed["name"], "incident-lead")
    assert watch.hear() == "ALLOW"
    assert company.verdicts() == {at: why for at, why in everywhere(NOT_ACTIVE).items() if at != ("opus", "api")}
    answer = company.cli.must("release-bot", "gate", "check", "opus", "--context", "api", "--json").json
    measure = company.cli.must("auditor", "measures", "show", "1", "--json").json
    assert answer["valid_until_time"] == measure["until_time"]
    [told] = answer["advisories"]
    assert (told["code"], told["resource"]) == ("INTERIM_MEASURE", CLASSIFIER)
    assert "interimMeasures/1" in told["actual"]
    return measure


def ran_out(company: Company, watch: Watch) -> None:
    """Step 2, second half: its end came while no server ran, and the next one denies."""
    assert watch.hear() == "DENY"
    assert company.verdicts() == everywhere(NOT_ACTIVE)
    [row] = company.cli.must("auditor", "measures", "list", "--all", "--json").json["interim_measures"]
    assert row["state"] == "INTERIM_MEASURE_STATE_RUN_OUT"


def attestation_ends(company: Company, old: str, watches: dict[str, Watch]) -> None:
    """Step 3: two reasons; restoring takes one of them away, and only an applied reattest the other."""
    cli, clock = company.cli, company.clock
    clock.jump(57 * DAY)  # a virtual machine that was set aside: the clock is right, and its ticks stood still
    assert [reasons[0][0] for reasons in company.verdicts().values()] == ["CLOCK"] * 15
    cli.must("admin", "audit", "accept-clock", "--now", company.later(0))
    assert company.verdicts() == everywhere(NOT_ACTIVE, ENDED)

    company.enact(FIRE.format(trigger="safeguard.restore"))
    assert company.classifier()["state"] == "SAFEGUARD_STATE_ACTIVE"
    assert company.verdicts() == everywhere(ENDED)

    for evidence in (old, company.report("spring")):  # the same bytes again are as old as they were
        stale = cli("rso", "sign", cli.propose(REATTEST.format(evidence=evidence), who="engineer"), "--yes", "--json")
        assert (stale.code, "EVIDENCE_STALE" in stale.codes) == (3, True)
    fresh = cli.propose(REATTEST.format(evidence=company.report("summer")), who="engineer")
    company.sign(fresh, "rso")
    assert company.verdicts() == everywhere(ENDED)
    assert company.sign(fresh, "safeguards-lead")["state"] == "CHANGE_STATE_APPLIED"
    assert [watch.hear() for watch in watches.values()] == ["ALLOW", "ALLOW"]
    assert company.verdicts() == {}


def suspend(company: Company, watches: dict[str, Watch]) -> None:
    """Step 4: what was degraded when it was suspended is degraded when it is resumed; retiring it is refused."""
    cli = company.cli
    cli.must("monitor-bot", "safeguards", "degrade", CLASSIFIER)
    assert [watch.hear() for watch in watches.values()] == ["DENY", "DENY"]
    cli.must("monitor-bot", "safeguards", "suspend", CLASSIFIER)
    shown = company.classifier()
    assert (shown["state"], shown["remembered_state"]) == ("SAFEGUARD_STATE_SUSPENDED", "SAFEGUARD_STATE_DEGRADED")
    company.enact(FIRE.format(trigger="safeguard.resume"))
    assert company.classifier()["state"] == "SAFEGUARD_STATE_DEGRADED"
    assert company.verdicts() == everywhere(NOT_ACTIVE)

    refused = cli("engineer", "safeguards", "retire", CLASSIFIER, "--json")
    assert (refused.code, refused.codes) == (3, ["SAFEGUARD_LEANED_ON"])
    assert refused.refusal["unmet"][0]["actual"] == "leaned on by models/opus, models/sonnet"
    assert company.classifier()["state"] == "SAFEGUARD_STATE_DEGRADED"


def test_a_shared_safeguard_degrades(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The four steps, in order; each flip is told once by each open watch, over a restart and a jump of the clock."""
    clock = ShiftedClock()
    data = install(tmp_path / "data", str(PACK))
    before = ServerThread(data, clock=clock).start()
    company = Company(command_line(before, capsys, tmp_path, monkeypatch), clock)
    old = bring_up(company)
    with watching(company) as watches:
        degrade(company, watches)
        fall_back(company, watches["opus"])
        before.__exit__(None, None, None)
        clock.move(72 * HOUR)
        with ServerThread(data, clock=clock, listen=before.address):
            ran_out(company, watches["opus"])
            attestation_ends(company, old, watches)
            suspend(company, watches)
            told = {model: watch.interrupt() for model, watch in watches.items()}
            company.cli.must("auditor", "audit", "verify")

    assert told == {
        "opus": ["ALLOW", "DENY", "ALLOW", "DENY", "ALLOW", "DENY"],
        "sonnet": ["ALLOW", "DENY", "ALLOW", "DENY"],
    }
