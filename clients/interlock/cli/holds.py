"""`interlock hold`: one person stops a release at once; lifting takes a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.arguments import AsOfOption, ReasonOption, moment_or_position
from interlock.cli.run import Run, command, group
from interlock.cli.views.change import show_outcome
from interlock.cli.views.common import to_json, when
from interlock.client import names
from interlock.client.errors import DataLossError, RefusedError, Unmet

if TYPE_CHECKING:
    from interlock.client.sdk import Interlock
    from interlock.statemachine.policy.model import Policy
    from interlock.v1.hold_pb2 import Hold

app = group("Holds: stop a release at once. Lifting a hold takes a change.")

LIFT: Final = "hold.lift"


@command(app, "place", example="interlock hold place aurora-4 --reason 'odd outputs in red team run 12'")
def place(
    run: Run,
    target: Annotated[str, typer.Argument(metavar="MODEL|-", help="A model, or `-` for everything.")],
    reason: ReasonOption = "",
) -> None:
    """Place a hold; the next check sees it."""
    with run.client() as client:
        hold = client.holds.place(target, reason=reason)
    if run.as_json:
        run.terminal.json(to_json(hold))
    run.terminal.line((hold.name, "bold"), f" placed on {_target(hold)}; lifting it takes a change")


@command(app, "list", example="interlock hold list --model aurora-4 --placed")
def list_(
    run: Run,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="Only on this model, or everything.")
    ] = "",
    placed: Annotated[bool, typer.Option("--placed", help="Only those still placed.")] = False,
    as_of: AsOfOption = None,
) -> None:
    """List holds, newest first."""
    at = moment_or_position(as_of)
    with run.client() as client:
        rows = list(client.holds.list(model=model, placed_only=placed, as_of=at))
    if run.as_json:
        run.terminal.json({"holds": [to_json(row) for row in rows]})
        return
    run.terminal.rows([_row(row) for row in rows], empty="no hold")


@command(app, "show", example="interlock hold show 1 --as-of 2026-05-22T10:00:00Z")
def show(
    run: Run,
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="`1` or `holds/1`.")],
    as_of: AsOfOption = None,
) -> None:
    """Show a hold."""
    with run.client() as client:
        found = client.holds.get(hold, as_of=moment_or_position(as_of))
    if run.as_json:
        run.terminal.json(to_json(found))
        return
    run.terminal.rows([_row(found)])


@command(app, "lift", example="interlock hold lift 1 --propose --title 'false alarm, run 12 was mislabelled'")
def lift(
    run: Run,
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="`1` or `holds/1`.")],
    propose: Annotated[bool, typer.Option("--propose", help="Propose the change that lifts it.")] = False,
    title: Annotated[str, typer.Option("--title", "-t", help="Title of that change.")] = "",
    summary: Annotated[str, typer.Option("--summary", "-s", help="Why, in words.")] = "",
) -> None:
    """Say what lifting a hold takes: always a change; `--propose` proposes it."""
    from interlock.v1 import trigger_pb2

    with run.client() as client:
        found = client.holds.get(hold)
        if not found.placed:
            raise RefusedError(
                f"{found.name} is lifted already",
                reason="REQUIREMENTS_UNMET",
                unmet=(Unmet("NO_SUCH_EDGE", "a hold that is placed", "lifted", found.name, LIFT),),
            )
        if not propose:
            raise _takes_a_change(client, found)
        trigger = trigger_pb2.Trigger(hold_lift=trigger_pb2.HoldLift(hold=found.name))
        change = client.changes.propose(
            [trigger], title=title or f"Lift {found.name} on {_target(found)}", summary=summary
        )
    if run.as_json:
        run.terminal.json(to_json(change))
        return
    show_outcome(run.terminal, change)


def _row(hold: Hold) -> list[str | tuple[str, str]]:
    return [
        (hold.name, "bold"),
        ("placed", "bold red") if hold.placed else ("lifted", "dim"),
        (f"EXCEPTED until {when(hold.excepted_until_time)} by {hold.exception}" if hold.exception else "", "bold red"),
        _target(hold),
        (f"{when(hold.create_time)} by {names.leaf(hold.placed_by)}", "dim"),
        f"“{hold.reason}”" if hold.reason else "",
    ]


def _takes_a_change(client: Interlock, hold: Hold) -> RefusedError:
    """Return the refusal, with every sign-off that the policy in force asks for."""
    policy = _policy_in_force(client)
    rule = policy.rule_for(LIFT, None)
    from interlock.statemachine.signing import conditions_in_words

    wanted = tuple(
        Unmet("SIGN_OFF_MISSING", f"a sign-off by {slot.role}{conditions_in_words(slot)}", "none", hold.name, LIFT)
        for slot in rule.slots
    )
    return RefusedError(
        "nobody lifts a hold alone: it takes a change. "
        f"Propose it: interlock hold lift {names.leaf(hold.name)} --propose",
        reason="REQUIREMENTS_UNMET",
        unmet=(
            Unmet("CHANGE_REQUIRED", "an applied change that fires hold.lift", "one person", hold.name, LIFT),
            *wanted,
        ),
    )


def _policy_in_force(client: Interlock) -> Policy:
    """Return the policy in force, loaded here from its pack, whose digest is checked."""
    from interlock.statemachine.policy.files import pack_digest
    from interlock.statemachine.policy.loader import load_pack

    policy = client.policy.get()
    files = {row.path: row.content for row in policy.pack.files}
    if pack_digest(files).hex() != policy.digest:
        raise DataLossError(f"the pack of {policy.name} does not have its digest", reason="DIGEST_MISMATCH")
    return load_pack(files)


def _target(hold: Hold) -> str:
    return "everything" if hold.target == names.EVERYTHING else hold.target
