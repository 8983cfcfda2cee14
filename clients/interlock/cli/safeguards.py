"""`interlock safeguards`: what one person may do with safeguards, several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.arguments import AsOfOption, EvidenceOption, ReasonOption, moment_or_position, safeguard_names
from interlock.cli.run import Run, command, group
from interlock.cli.views.common import left, to_json, when, word
from interlock.client import names
from interlock.client.errors import InterlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interlock.client.sdk import Interlock
    from interlock.v1.safeguard_pb2 import Safeguard

app = group("Safeguards: start, verify, degrade, suspend … Activating and restoring take a change.")

NamesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL SAFEGUARD…", help="A model and ids of its safeguards, or resource names; several at once."
    ),
]


@command(app, "list", example="interlock safeguards list aurora-4")
def list_(
    run: Run,
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="A model; none: the shared safeguards.")] = "",
) -> None:
    """List the safeguards of a model, or the shared ones."""
    with run.client() as client:
        rows = list(client.safeguards.list(model=model))
    if run.as_json:
        run.terminal.json({"safeguards": [to_json(row) for row in rows]})
        return
    run.terminal.rows([_row(row) for row in rows], empty="no safeguard")


@command(app, "show", example="interlock safeguards show aurora-4 real-time-classifiers")
def show(run: Run, name: NamesArgument, as_of: AsOfOption = None) -> None:
    """Show safeguards: state, attestation, evidence, who leans on them."""
    chosen, at = safeguard_names(name), moment_or_position(as_of)
    with run.client() as client:
        rows = [client.safeguards.get(item, as_of=at) for item in chosen]
    if run.as_json:
        run.terminal.json({"safeguards": [to_json(row) for row in rows]})
        return
    for row in rows:
        _show(run, row)


@command(app, "start", example="interlock safeguards start aurora-4 real-time-classifiers")
def start(run: Run, name: NamesArgument) -> None:
    """Begin work on safeguards."""
    _each(run, name, lambda client, item: client.safeguards.start(item))


@command(app, "verify", example="interlock safeguards verify aurora-4 real-time-classifiers --evidence 7")
def verify(run: Run, name: NamesArgument, evidence: EvidenceOption = None) -> None:
    """Record that safeguards were shown to work, by evidence."""
    _each(run, name, lambda client, item: client.safeguards.verify(item, evidence=evidence or ()))


@command(app, "replan", example="interlock safeguards replan aurora-4 real-time-classifiers --reason 'new vendor'")
def replan(run: Run, name: NamesArgument, reason: ReasonOption = "") -> None:
    """Send safeguards back to planning."""
    _each(run, name, lambda client, item: client.safeguards.replan(item, reason=reason))


@command(app, "degrade", example="interlock safeguards degrade aurora-4 real-time-classifiers --reason 'drift'")
def degrade(run: Run, name: NamesArgument, reason: ReasonOption = "") -> None:
    """Record that safeguards no longer do what they should; takes effect at once."""
    _each(run, name, lambda client, item: client.safeguards.degrade(item, reason=reason))


@command(app, "suspend", example="interlock safeguards suspend aurora-4 real-time-classifiers --reason 'outage'")
def suspend(run: Run, name: NamesArgument, reason: ReasonOption = "") -> None:
    """Switch safeguards off; takes effect at once."""
    _each(run, name, lambda client, item: client.safeguards.suspend(item, reason=reason))


@command(app, "retire", example="interlock safeguards retire safeguards/old-filter --reason 'replaced'")
def retire(run: Run, name: NamesArgument, reason: ReasonOption = "") -> None:
    """Take safeguards out of use; refused while a level leans on them."""
    _each(run, name, lambda client, item: client.safeguards.retire(item, reason=reason))


def _each(run: Run, words: Sequence[str], act: Callable[[Interlock, str], Safeguard]) -> None:
    """Act on each safeguard in turn; the first refusal stops, and what was done is told before it."""
    chosen = safeguard_names(words)
    done: list[Safeguard] = []
    with run.client() as client:
        try:
            for item in chosen:
                done.append(act(client, item))  # what was done has to be known when the next one fails
                if not run.as_json:
                    _show_outcome(run, done[-1])
        except InterlockError:
            if len(chosen) > 1 and not run.as_json:
                run.terminal.note(f"{len(done)} of {len(chosen)} done; then:")
            raise
        finally:
            if run.as_json:
                run.terminal.json({"safeguards": [to_json(row) for row in done]})


def _show_outcome(run: Run, row: Safeguard) -> None:
    from interlock.v1 import safeguard_pb2

    run.terminal.line((row.name, "bold"), f"  {word(safeguard_pb2.SafeguardState, row.state)}")


def _row(row: Safeguard) -> list[str | tuple[str, str]]:
    from interlock.v1 import safeguard_pb2

    return [
        (row.name, "bold"),
        word(safeguard_pb2.SafeguardState, row.state),
        (f"EXCEPTED until {when(row.excepted_until_time)} by {row.exception}" if row.exception else "", "bold red"),
        (f"{row.standard} {row.level} {'commitment' if row.commitment else 'recommendation'}", "dim"),
        row.title,
    ]


def _show(run: Run, row: Safeguard) -> None:
    terminal = run.terminal
    _show_outcome(run, row)
    end = when(row.attested_until_time)
    left_words, style = left(row.attested_until_time, row.since_time)
    kind = "commitment" if row.commitment else "recommendation, never blocks"
    terminal.rows(
        [
            ["title", row.title],
            ["for", f"{row.standard} {row.level}, {kind}; guards {', '.join(row.contexts)}"],
            ["attested", (f"until {end}" if end else "not attested", style if left_words == "ended" else "")],
            ["evidence", ", ".join(row.evidence) or "none"],
            ["since", f"{when(row.since_time)} by {names.leaf(row.since_by)}" if row.since_by else "never moved"],
            ["reason", row.reason or "-"],
            ["leaned on by", ", ".join(row.leaning_models) or "nobody"],
        ],
        indent=2,
    )
