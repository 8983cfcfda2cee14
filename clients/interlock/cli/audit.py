"""`interlock audit`: read the trail, and verify all of it here."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import erasing, inquiry, proving, verification, witnessing
from interlock.cli.arguments import AsOfOption, moment, moment_or_position
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run, command, group
from interlock.cli.views.entry import entry_json, show_entry, show_entry_line, show_proof, whole_json
from interlock.cli.views.past import show_state, state_json

if TYPE_CHECKING:
    from interlock.client.errors import InterlockError

app = group("The audit trail: read it, follow it, verify it here from its first byte.")


class Order(StrEnum):
    """Which entries come first."""

    OLDEST = "oldest"
    NEWEST = "newest"


@command(app, "log", example="interlock audit log --model aurora-4 --trigger 'safeguard.*'")
def log(
    run: Run,
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Only what wrote this model.")] = "",
    resource: Annotated[
        str,
        typer.Option("--resource", metavar="NAME", help="Only what wrote this or one below it; `*` may close it."),
    ] = "",
    actor: Annotated[str, typer.Option("--actor", metavar="PRINCIPAL", help="Only by this principal.")] = "",
    trigger: Annotated[
        str, typer.Option("--trigger", metavar="TRIGGER", help="Only this trigger; `*` may close it.")
    ] = "",
    start: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only at or after.")] = None,
    end: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only before.")] = None,
    order: Annotated[Order, typer.Option(help="Which come first.")] = Order.OLDEST,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 1000,
) -> None:
    """List entries: every step with actor, position and evidence digests; it says where there are more than --limit."""
    from itertools import islice

    with run.client() as client:
        found = client.audit.list(
            model=model,
            resource=resource,
            actor=actor,
            trigger=trigger,
            start=moment(start),
            end=moment(end),
            descending=order is Order.NEWEST,
        )
        rows = list(islice(found, limit + 1))
    more, rows = len(rows) > limit, rows[:limit]
    if run.as_json:
        run.terminal.json({"entries": [entry_json(row) for row in rows], "more": more})
        return
    for row in rows:
        show_entry_line(run.terminal, row)
    if more:
        further = "later ones by --since" if order is Order.OLDEST else "earlier ones by --until"
        run.terminal.note((f"there are more than these {limit}: ask for more by --limit, or for {further}", "dim"))
    if not rows:
        run.terminal.note(("no entry", "dim"))


@command(app, "state", example="interlock audit state models/aurora-4 --as-of 2026-05-22T10:00:00Z")
def state(
    run: Run,
    resource: Annotated[
        str, typer.Argument(metavar="[NAME]", help="This and what is below it, or `*` closing it; none: everything.")
    ] = "",
    as_of: AsOfOption = None,
) -> None:
    """Show whatever the log holds as it was: each resource as its last entry left it, all of one position."""
    with run.client() as client:
        found = client.audit.state_at(resource, as_of=moment_or_position(as_of))
    if run.as_json:
        run.terminal.json(state_json(found))
        return
    show_state(run.terminal, found)


@command(app, "show", example="interlock audit show 17")
def show(run: Run, seq: Annotated[int, typer.Argument(metavar="POSITION", min=0, help="Position in the log.")]) -> int:
    """Show one entry whole, and prove that these very bytes are in the tree that the log signed. Exit 1 if not.

    Texts that it names are shown where they are still there; their digests are checked here.
    """
    from interlock.client.errors import DataLossError, UnavailableError, UnprovenError

    with run.client() as client:
        record = client.audit.get(seq)
        try:
            proof, unproven = client.audit.inclusion_proof(seq, entry=record.entry), ""
        except (DataLossError, UnprovenError, UnavailableError) as error:
            proof, unproven = None, f"{error.message} [{error.reason}]"
    if run.as_json:
        run.terminal.json(whole_json(record, proof, unproven))
    else:
        show_entry(run.terminal, record)
        show_proof(run.terminal, proof, unproven)
    return ExitCode.DONE if proof is not None else ExitCode.NO


@command(app, "tail", example="interlock audit tail --after 41 --follow")
def tail(
    run: Run,
    after: Annotated[int, typer.Option("--after", min=-1, metavar="POSITION", help="Start after this position.")] = -1,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new entries as they come.")] = False,
) -> None:
    """Print every entry after a position; with --json, one document a line.

    A connection that breaks is taken up behind the last entry printed: nothing comes twice, nothing is left out.
    """
    import json

    def broken(error: InterlockError) -> None:
        run.terminal.note(f"disconnected ({error.reason}); going on as soon as the server is back")

    with run.client() as client:
        for record in client.audit.tail(after, follow=follow, on_break=broken):
            if run.as_json:
                typer.echo(json.dumps(entry_json(record)))
            else:
                show_entry_line(run.terminal, record)


@command(app, "accept-clock", example="interlock audit accept-clock")
def accept_clock(
    run: Run,
    now: Annotated[
        str | None, typer.Option("--now", metavar="TIME", help="What time it is; else by this machine's clock.")
    ] = None,
) -> None:
    """Accept the server's clock after it has jumped forward; takes the role admin.

    Until then the gate denies with CLOCK and only tightening is written. Your own clock is the second opinion: where
    the server's is more than an hour from it, nothing is accepted, exit 3. Set a wrong clock right instead.
    """
    moment_now = moment(now) or datetime.now(UTC)
    with run.client() as client:
        record = client.audit.accept_clock(moment_now)
    if run.as_json:
        run.terminal.json(entry_json(record))
        return
    show_entry_line(run.terminal, record)


command(app, "why", example="interlock audit why aurora-4 --context api --at 2026-05-03T12:00:00Z")(inquiry.why)
command(app, "diff", example="interlock audit diff --from 2026-04-01 --to 2026-07-01 --model aurora-4")(inquiry.diff)
command(app, "checkpoint", example="interlock audit checkpoint > head.note")(proving.checkpoint)
command(app, "prove", example="interlock audit prove 17 --size 41")(proving.prove)
command(app, "witness", example="interlock audit witness ./witness --once")(witnessing.witness)
command(app, "witness-key", example="interlock audit witness-key ./witness --name witness.example/w1")(
    witnessing.witness_key
)
command(app, "erase", example="interlock audit erase 17 --text reason")(erasing.erase)
command(app, "export", example="interlock audit export --out q2.ilbundle --with-evidence")(verification.export)
command(app, "key", example="interlock audit key --out log.pub")(verification.key)
command(app, "verify", example="interlock audit verify q2.ilbundle --key log.pub --since-checkpoint april.txt")(
    verification.verify
)
