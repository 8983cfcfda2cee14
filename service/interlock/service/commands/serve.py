"""`interlock serve`: runs the server. What it does is in ``process.py``, imported when it runs."""

# ruff: noqa: FBT002  # a flag on the command line is a boolean parameter

from __future__ import annotations

import gc
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

_HELP = """Run the server until it is told to stop (SIGTERM or Ctrl-C): running calls may finish, then it exits with 0.

Each setting comes from its default, then `interlock.toml`, then INTERLOCK_* variables, then these options.

\b
Example: interlock serve --data ./demo
"""


@app.command(help=_HELP)
def serve(  # each option is a parameter
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder that `interlock init` made. [default: interlock-data]")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Configuration file. [default: interlock.toml in the data folder]"),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="HOST:PORT (port 0: any free one), or unix:/PATH with --insecure."),
    ] = None,
    insecure: Annotated[bool | None, typer.Option("--insecure", help="No TLS; for a unix socket only.")] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the passphrase of the server's keys.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(metavar="FORMAT", help="json or console.")] = None,
    metrics_listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Address for Prometheus.")] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the ready line to this file too, as JSON, once the server answers."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ready line as JSON.")] = False,
) -> None:
    """Run the server."""
    gc.disable()  # while modules load: what they leave stays, and would be walked again and again
    from interlock.service.commands import process  # noqa: PLC0415  # heavy: only when the command runs

    gc.freeze()
    gc.enable()

    flags = {
        "data": str(data) if data else None,
        "listen": listen,
        "insecure": insecure,
        "passphrase_file": str(passphrase_file) if passphrase_file else None,
        "log_level": log_level,
        "log_format": log_format,
        "metrics_listen": metrics_listen,
    }
    raise typer.Exit(process.run(flags, config, ready_file, as_json=as_json))
