"""`interlock init`: makes the folder that a server needs. What it does is in ``found.py``, imported when it runs."""

# ruff: noqa: FBT002  # a flag on the command line is a boolean parameter

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

_HELP = """Make a log: its keys, its certificate, its first policy, and everyone who may act.

`--dev` makes an account for each role of a policy pack, with all keys in one folder: to try things out.
`--genesis FILE` takes a file that people have reviewed, with everyone's public keys: for real use.

\b
Example: interlock init ./demo --dev --pack minimal
"""


@app.command(help=_HELP)
def init(  # each option is a parameter
    data: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Folder to make. [default: interlock-data]")
    ] = None,
    data_option: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="The same, as an option.")
    ] = None,
    dev: Annotated[
        bool, typer.Option("--dev", help="Make everyone's keys here; the genesis says `development`.")
    ] = False,
    pack: Annotated[
        str | None,
        typer.Option(metavar="NAME|FOLDER", help="With --dev: a shipped policy pack, or a folder. [default: minimal]"),
    ] = None,
    genesis: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The reviewed file: principals, roles, public keys, policy pack, recovery."),
    ] = None,
    countersign: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=FILE",
            help="With --genesis: ID=KEYFILE of an approver at hand, who countersigns; repeat it for each.",
        ),
    ] = None,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Address that the server will listen on, and that profiles name.")
    ] = "127.0.0.1:7443",
    server_name: Annotated[
        str, typer.Option(metavar="NAME", help="The server's name, in its certificate and every login.")
    ] = "interlock",
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="A further host name or address for the certificate; may be repeated. Profiles name the first where "
            "--listen is every address (0.0.0.0, [::]).",
        ),
    ] = None,
    highwater: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File of the high-water mark, best on another volume.")
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="INTERLOCK_PASSPHRASE_FILE",
            help="Encrypt the server's own keys with the passphrase in this file.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a data folder."""
    if data is not None and data_option is not None:
        raise typer.BadParameter("give the folder once", param_hint="--data")
    if not dev and genesis is None:
        dev, genesis = _ask()
    if dev == (genesis is not None):
        raise typer.BadParameter("choose one of --dev and --genesis FILE", param_hint="--dev / --genesis")
    if genesis is None and countersign:
        raise typer.BadParameter("with --dev everyone countersigns", param_hint="--countersign")
    if genesis is not None and pack is not None:
        raise typer.BadParameter("the reviewed file names its policy", param_hint="--pack")
    from interlock.service.commands import found  # noqa: PLC0415  # heavy: only when the command runs

    wish = found.Wish(
        target=data or data_option or Path("interlock-data"),
        pack=pack,
        genesis=genesis,
        countersign=tuple(countersign or ()),
        listen=listen,
        server_name=server_name,
        hosts=tuple(host or ()),
        highwater=str(highwater or ""),
        passphrase_file=str(passphrase_file or ""),
    )
    raise typer.Exit(found.run(wish, as_json=as_json))


def _ask() -> tuple[bool, Path | None]:
    """Ask what kind of log it shall be; without a terminal that is a usage error."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "say --dev (to try things out) or --genesis FILE (for real use)", param_hint="--dev / --genesis"
        )
    typer.echo(
        "A development log has everyone's keys in one folder. A real one is founded by a file that people reviewed."
    )
    answer = typer.prompt("Path of the reviewed file, or `dev`", default="dev")
    return (True, None) if answer == "dev" else (False, Path(answer))
