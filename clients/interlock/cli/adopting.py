"""`interlock policy diff`, `simulate`, `adopt`: from a pack that was written to one that is in force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli import linting, verification
from interlock.cli.exits import ExitCode
from interlock.cli.inquiry import AssertedOption, GenesisOption, KeyOption, read_past
from interlock.cli.run import Run, command
from interlock.cli.views.common import to_json
from interlock.client import names
from interlock.client.errors import DataLossError, InterlockError, NotAllowedError

if TYPE_CHECKING:
    from interlock.client import Interlock
    from interlock.client.verify import Trust
    from interlock.statemachine.policy.model import Policy
    from interlock.v1.policy_pb2 import SimulatePolicyResponse

IN_FORCE: Final = "in-force"
_NAMED: Final = "policies/"

PackArgument = Annotated[
    str,
    typer.Argument(metavar="PACK", help="A folder, or a pack that ships.", autocompletion=linting.complete_pack),
]


def _complete_version(incomplete: str) -> list[str]:
    return [*linting.complete_pack(incomplete), *([IN_FORCE] if IN_FORCE.startswith(incomplete) else [])]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group."""
    command(app, "diff", example="interlock policy diff in-force house-rules")(diff)
    command(app, "simulate", example="interlock policy simulate house-rules")(simulate)
    command(app, "adopt", example="interlock policy adopt house-rules --title 'House rules 2'")(adopt)


def diff(
    run: Run,
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD",
            help="A folder, a pack that ships, `in-force`, or `policies/ID/versions/V`.",
            autocompletion=_complete_version,
        ),
    ],
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW", help="The same, for what is to come in its place.", autocompletion=_complete_version
        ),
    ],
) -> int:
    """Say in words what one version changes of another, what loosens first. Exit 1 where anything loosens.

    Only `in-force` and `policies/…` ask a server. What is known under old ids is told with each threshold, level and
    safeguard: carried over by the pack's `succeeds:`, or lost.
    """
    from interlock.cli.views.policy import difference_json, show_differences
    from interlock.statemachine.diffing import Way, compare_policies

    before, after = _policy(run, old), _policy(run, new)
    found = compare_policies(before, after)
    if run.as_json:
        rows = [difference_json(row) for row in found]
        run.terminal.json({"old": before.name, "new": after.name, "differences": rows})
    else:
        show_differences(run.terminal, before.name, after.name, found)
    return ExitCode.NO if any(row.way is Way.LOOSENS for row in found) else ExitCode.DONE


def simulate(
    run: Run,
    pack: PackArgument,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="PROFILE|BUNDLE",
            help="A profile or a bundle; else the profile in use.",
            autocompletion=linting.complete_against,
        ),
    ] = "",
    key: KeyOption = "",
    genesis: GenesisOption = "",
    accept_asserted: AssertedOption = False,
) -> int:
    """Say which verdicts would flip if a pack were adopted now, and why; from DENY to ALLOW first. Nothing is written.

    Asked of a server, or of a bundle, which is verified first. Exit 1 where anything flips, or a rule asks for people
    that there are too few of.
    """
    from interlock.cli.views.policy import show_simulation
    from interlock.client.packs import read_pack

    files = read_pack(pack)
    policy = _load(pack, files)
    if _is_bundle(against):
        trust = verification.trust_of(run, key, genesis, None, accept=accept_asserted)
        found = _by_bundle(run, Path(against), trust, policy)
        if found is None:
            return ExitCode.NO
    else:
        with replace(run, profile=against or run.profile).client() as client:
            found = client.policy.simulate(files)
    if run.as_json:
        run.terminal.json(to_json(found))
    else:
        show_simulation(run.terminal, policy.name, found)
    return ExitCode.NO if found.flips or found.unfillable else ExitCode.DONE


def adopt(
    run: Run,
    pack: PackArgument,
    title: Annotated[str, typer.Option("--title", "-t", help="One line. [default: Adopt and the version's name]")] = "",
    summary: Annotated[str, typer.Option("--summary", "-s", help="Why.")] = "",
    evidence: Annotated[
        list[str] | None, typer.Option("--evidence", "-e", metavar="EVIDENCE", help="A document to attach.")
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Keep it a draft.")] = False,
) -> None:
    """Propose the change that adopts a pack, under the sign-offs that the policy in force asks for."""
    from interlock.cli.changes import change_json
    from interlock.cli.views.change import show_outcome
    from interlock.client.packs import read_pack

    files = read_pack(pack)
    _load(pack, files)
    with run.client() as client:
        documents = [names.evidence(item) for item in evidence or []]
        change = client.policy.adopt(files, title=title, summary=summary, evidence=documents, draft=draft)
        if run.as_json:
            run.terminal.json(change_json(change))
        else:
            show_outcome(run.terminal, change)
        _warn(run, client, files)


def _warn(run: Run, client: Interlock, files: dict[str, bytes]) -> None:
    """Say which rules nobody could sign for under a pack that is proposed: that stands, whatever becomes of this."""
    from interlock.cli.views.policy import unfillable_words

    try:
        found = client.policy.simulate(files)
    except NotAllowedError:
        return  # who proposes need not be a reader
    except InterlockError as error:
        run.terminal.note("not known whether there is anybody to sign under it, see `policy simulate`: ", str(error))
        return
    for rule in found.unfillable:
        run.terminal.note(("! ", "bold red"), "once it is adopted, ", unfillable_words(rule))


def _policy(run: Run, which: str) -> Policy:
    """Return the policy of a pack here, or of a version that a server has."""
    from interlock.client.packs import read_pack

    if which != IN_FORCE and not which.startswith(_NAMED):
        return _load(which, read_pack(which))
    with run.client() as client:
        version = client.policy.get(which) if which != IN_FORCE else client.policy.get()
    files = {row.path: row.content for row in version.pack.files}
    policy = _load(version.name, files)
    if policy.digest.hex() != version.digest:
        raise DataLossError(f"the pack of {version.name} does not have its digest", reason="DIGEST_MISMATCH")
    return policy


def _load(which: str, files: dict[str, bytes]) -> Policy:
    """Return the policy of a pack's files; what does not load is a usage error that says how to find out more."""
    from interlock.statemachine.policy import PackError, load_pack

    try:
        return load_pack(files)
    except PackError as error:
        raise typer.BadParameter(f"{which} does not load: interlock policy lint {which}\n{error}") from error


def _is_bundle(which: str) -> bool:
    """Say whether this is a file that begins as a bundle does; profiles go by name or folder."""
    from interlock.proofs.bundle import MAGIC

    try:
        with Path(which).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _by_bundle(run: Run, bundle: Path, trust: Trust, new: Policy) -> SimulatePolicyResponse | None:
    """Return what adopting would do at a bundle's end; None, with its findings told, where it does not verify."""
    from interlock.cli.views.policy import simulation_message
    from interlock.statemachine.simulating import simulate as judge

    past = read_past(run, bundle, trust, (None,))
    moment = past.moments[0] if past is not None else None
    if moment is None or moment.policy is None:
        return None
    found = judge(moment.policy, new, moment.state, moment.instant)
    return simulation_message(found, moment.position, moment.instant)
