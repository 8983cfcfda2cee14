"""`interlock audit why` and `audit diff`: what an auditor asks of the past, of a server or of a bundle.

With `--bundle` there is neither server nor network: the whole bundle is verified first, and only what verifies answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import verification
from interlock.cli.arguments import ModelArgument, moment_or_position
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it
from interlock.client import names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock.client.past import BundlePast, When
    from interlock.client.spool import Spool
    from interlock.client.verify import Trust
    from interlock.statemachine.compare import Moment
    from interlock.statemachine.policy.model import Policy

BundleOption = Annotated[
    Path | None,
    typer.Option("--bundle", "-b", metavar="FILE", help="Ask this bundle, verified first, and no server."),
]
KeyOption = Annotated[
    str, typer.Option("--key", metavar="FILE|KEY", help="The log's public key; else the profile's. For --bundle.")
]
GenesisOption = Annotated[
    str, typer.Option("--genesis", metavar="SHA256", help="Digest of the founding document; else the profile's.")
]
AssertedOption = Annotated[
    bool, typer.Option("--accept-asserted", help="Take the server's word where nobody signed. For --bundle.")
]


def why(
    run: Run,
    model: ModelArgument,
    context: Annotated[str, typer.Option("--context", "-c", metavar="CONTEXT", help="Id of the context.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME|POSITION", help="When, or after which entry; else at the head.")
    ] = None,
    artifact: Annotated[
        str,
        typer.Option(
            "--artifact", "-a", metavar="SHA256", help="Which weights; else the newest of then, if asked for."
        ),
    ] = "",
    policy: Annotated[
        str, typer.Option("--policy", metavar="PACK", help="Judge by this pack instead: a shipped id or a folder.")
    ] = "",
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="ID=OLD[,OLD]",
            help="What an id of that pack stands for, besides what the pack says; repeat.",
        ),
    ] = None,
    bundle: BundleOption = None,
    key: KeyOption = "",
    genesis: GenesisOption = "",
    accept_asserted: AssertedOption = False,
    partial_ok: verification.PartialOption = False,
) -> int:
    """Say why a model might go to a context at a moment, or might not: each requirement with what met or failed it.

    Entry, signers and documents are named for each. `--policy` decides the same moment by other rules. Exit 1 for DENY.
    """
    from interlock.cli.views.why import show_why, why_json
    from interlock.client.mapping import MapError
    from interlock.client.past import live_entries, live_moment
    from interlock.client.spool import Spool
    from interlock.client.why import why as judge

    other, stands_for = _other_policy(policy) if policy else None, _mapped(mapped or ())
    if stands_for and other is None:
        raise typer.BadParameter("--map is about the ids of a pack: --policy")
    when = moment_or_position(at)
    try:
        if bundle is not None:
            trust = verification.trust_of(run, key, genesis, None, accept=accept_asserted, partial=partial_ok)
            with Spool() as spool:
                past = read_past(run, bundle, trust, (when,), names.model(model), spool)
                if past is None:
                    return ExitCode.NO
                found = judge(_there(past, 0, at), names.model(model), context, artifact, other, stands_for)
                entries = spool.entries(found.positions)
        else:
            with run.client() as client:
                found = judge(live_moment(client, when), names.model(model), context, artifact, other, stands_for)
                entries = live_entries(client, found.positions)
    except LookupError as error:
        raise typer.BadParameter(f"--at {at}: {error}") from error
    except MapError as error:
        raise typer.BadParameter(f"--map: {error}") from error
    if run.as_json:
        run.terminal.json(why_json(found, entries))
    else:
        show_why(run.terminal, found, entries)
    return ExitCode.DONE if found.allowed else ExitCode.NO


def diff(
    run: Run,
    start: Annotated[str, typer.Option("--from", metavar="TIME|POSITION", help="Since when, or after which entry.")],
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME|POSITION", help="Until when, or which entry; else the head.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Only what changed for this one.")] = "",
    bundle: BundleOption = None,
    key: KeyOption = "",
    genesis: GenesisOption = "",
    accept_asserted: AssertedOption = False,
    partial_ok: verification.PartialOption = False,
) -> int:
    """Say what changed between two moments, by model: verdicts, levels, safeguards, holds, changes, sign-offs."""
    from interlock.cli.views.diff import diff_json, show_diff
    from interlock.client.past import live_moment
    from interlock.statemachine.compare import WHOLE_LOG, compare

    whens, covers = (moment_or_position(start), moment_or_position(end)), None
    if bundle is not None:
        trust = verification.trust_of(run, key, genesis, None, accept=accept_asserted, partial=partial_ok)
        past = read_past(run, bundle, trust, whens, names.model(model) if model else "")
        if past is None:
            return ExitCode.NO
        before, after = _there(past, 0, start), _there(past, 1, end)
        covers = past.report.part.models if past.report.part is not None and past.report.part.models else None
    else:
        with run.client() as client:
            before, after = live_moment(client, whens[0]), live_moment(client, whens[1])
    try:
        found = compare(before, after)
    except ValueError as error:
        raise typer.BadParameter(f"--from is after --to: {error}") from error
    if model:
        found = tuple(row for row in found if row.subject == names.model(model))
    if covers is not None:
        found = tuple(row for row in found if row.subject in covers or row.subject == WHOLE_LOG)
    if run.as_json:
        run.terminal.json(diff_json(before, after, found))
    else:
        show_diff(run.terminal, before, after, found)
    return ExitCode.DONE


def read_past(
    run: Run, bundle: Path, trust: Trust, whens: Sequence[When], model: str = "", spool: Spool | None = None
) -> BundlePast | None:
    """Return the past that a bundle holds; None, with its findings told, for one that does not verify.

    It is read once: what was judged is what is asked, and ``spool`` keeps its entries. Raises BadParameter where it
    does not have all that concerns the model asked about (empty: about none).
    """
    from interlock.cli.views.common import when_micros
    from interlock.client.past import read_bundle_past

    try:
        with run.terminal.progress("verifying") as progress:
            past = read_bundle_past(bundle, trust, whens, progress, spool)
    except OSError as error:
        raise typer.BadParameter(f"{bundle} can't be read: {error.strerror}") from error
    if not past.report.verified:
        verification.tell(run, past.report)
        return None
    if model and not past.judges(model):
        raise typer.BadParameter(f"{bundle} says nothing of {model}: {past.report.last_line}")
    run.terminal.note((f"{past.report.last_line}; it ends at {when_micros(past.until)}", "dim"))
    return past


def _there(past: BundlePast, number: int, text: str | None) -> Moment:
    from interlock.cli.views.common import when_micros

    moment = past.moments[number]
    if moment is None:
        ends = f"its last entry is {past.last}, of {when_micros(past.until)}, and what was made later is not in it"
        ends += f". {past.last} stands for how the log was after that entry"
        if past.report.part is not None:
            ends += ", and so does the position of each entry that is in it; else give a time"
        raise typer.BadParameter(f"the bundle does not say how the log was at {text or 'its head'}; {ends}")
    return moment


def _mapped(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return what `--map` says: ids of a pack, each with those that it stands for. Raises BadParameter."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        own, equals, old = word.partition("=")
        sources = tuple(old.split(","))
        if not own or not equals or not all(sources) or own in found:
            raise typer.BadParameter(f"--map {word}: write ID=OLD, or ID=OLD,OLD, each ID once")
        found[own] = sources
    return found


def _other_policy(pack: str) -> Policy:
    """Return the policy of a pack on this machine. Raises BadParameter with its first error."""
    from interlock.client.packs import read_pack
    from interlock.statemachine.policy.findings import PackError
    from interlock.statemachine.policy.loader import load_pack

    try:
        return load_pack(read_pack(pack))
    except PackError as error:
        raise typer.BadParameter(f"--policy {pack}: {error}") from error
