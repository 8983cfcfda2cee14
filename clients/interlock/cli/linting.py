"""`interlock policy lint`: what is wrong in a pack, and what is proven of it; with no server, unless it counts people.

Not here: the proofs, which are the statemachine's (``policy/lint/``).
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import verification
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it
from interlock.client.profile import profile_names

if TYPE_CHECKING:
    from interlock.cli.terminal import Piece
    from interlock.statemachine.policy.findings import Finding
    from interlock.statemachine.policy.lint import Linted, Log, Quorum


def complete_pack(incomplete: str) -> list[str]:
    """Return the packs that ship and begin so."""
    """Return the packs that ship and begin so."""
    from interlock.statemachine.policy.shipped import shipped_pack_names

    return [name for name in shipped_pack_names() if name.startswith(incomplete)]


def complete_against(incomplete: str) -> list[str]:
    """Return the profiles that begin so."""
    return [name for name in profile_names(os.environ) if name.startswith(incomplete)]


def lint(
    run: Run,
    pack: Annotated[
        str,
        typer.Argument(metavar="PACK", help="A folder, or a pack that ships.", autocompletion=complete_pack),
    ],
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="PROFILE|FILE",
            help="Whether the people of a log can meet the rules: a server's, by profile, or a bundle's.",
            autocompletion=complete_against,
        ),
    ] = "",
    quorums: Annotated[bool, typer.Option("--quorums", help="Print what every trigger takes, by any way.")] = False,
    key: Annotated[
        str, typer.Option("--key", metavar="FILE|KEY", help="The log's public key, for a bundle; else the profile's.")
    ] = "",
) -> int:
    """Prove a pack, and say everything that is wrong in it. Exit 1 unless it is clean.

    Errors are unsafe or of no use, warnings are most likely not meant, notes are for the reviewer; clean is a pack
    without the first two. Each has line, column, code, what to write instead, and the shortest sequence of calls that
    shows it. Proven are: every machine, edge by edge; the invariants on a sound abstraction of a model in each context;
    that no rule is a side door to another; that every rule can be met.
    """
    from interlock.client.packs import read_pack
    from interlock.statemachine.policy.lint import lint_pack

    files = read_pack(pack)
    log = None
    if against:
        log = _log_of(run, against, key)
        if log is None:
            return ExitCode.NO
    linted = lint_pack(files, log)
    if run.as_json:
        run.terminal.json(_json(linted))
    else:
        _show(run, linted, quorums=quorums)
    return ExitCode.DONE if linted.clean else ExitCode.NO


def _log_of(run: Run, against: str, key: str) -> Log | None:
    """Return the log to count people in; None, with its findings told, for a bundle that does not verify."""
    from interlock.client.past import live_moment, read_bundle_past
    from interlock.statemachine.policy.lint import Log

    file = Path(against)
    if file.is_file() and file.suffix == ".ilbundle":
        trust = verification.trust_of(run, key, "", None, accept=False, partial=False)
        past = read_bundle_past(file, trust, (None,))
        moment = past.moments[0]
        if not past.report.verified or moment is None:
            verification.tell(run, past.report)
            return None
    else:
        with replace(run, profile=against).client() as client:
            moment = live_moment(client, None)
    return Log(moment.state, moment.instant)


def _show(run: Run, linted: Linted, *, quorums: bool) -> None:
    for finding in linted.findings:
        run.terminal.line(str(finding))
        for number, call in enumerate(finding.calls, start=1):
            run.terminal.line((f"{number}. {call}", "dim"), indent=4)
    if quorums:
        run.terminal.rows(_quorum_rows(linted))
    if linted.clean and linted.policy is not None:
        run.terminal.line(("clean", "bold green"), f"  sha256 {linted.policy.digest.hex()}")


def _quorum_rows(linted: Linted) -> list[list[Piece]]:
    """Return a row a trigger: how few people are enough by any way, whom its rule asks for, and other ways to it."""
    rows: list[list[Piece]] = []
    for quorum in linted.quorums:
        others = ["; ".join(route.calls) for route in quorum.routes if route.first != quorum.key]
        rows.append(
            [(str(quorum.key), "bold"), f"{people_of(quorum)} people", asks_of(quorum), (" or ".join(others), "yellow")]
        )
    return rows


def people_of(quorum: Quorum) -> int:
    """Return how few people are enough, by the easiest way."""
    return min(max(len(rule.slots) for rule in route.rules) for route in quorum.routes)


def asks_of(quorum: Quorum) -> str:
    """Return whom a trigger's own rule asks for."""
    from interlock.statemachine.policy.lint.people import in_words, kinds_of

    return in_words(kinds_of(quorum.rule))


def _json(linted: Linted) -> dict[str, object]:
    return {
        "clean": linted.clean,
        "digest": linted.policy.digest.hex() if linted.policy is not None else "",
        "findings": [_finding_json(finding) for finding in linted.findings],
        "quorums": [_quorum_json(quorum) for quorum in linted.quorums],
    }


def _finding_json(finding: Finding) -> dict[str, object]:
    return {
        "severity": finding.severity.value,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code.value,
        "message": finding.message,
        "fix": finding.fix,
        "calls": list(finding.calls),
    }


def _quorum_json(quorum: Quorum) -> dict[str, object]:
    return {
        "trigger": quorum.key.trigger,
        "standard": quorum.key.standard or "",
        "rule": quorum.rule.id,
        "asks": asks_of(quorum),
        "people": people_of(quorum),
        "ways": [{"rules": [rule.id for rule in route.rules], "calls": list(route.calls)} for route in quorum.routes],
    }
