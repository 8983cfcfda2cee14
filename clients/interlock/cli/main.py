"""The `interlock` command: all groups put together, and the one place where errors become exit codes.

Lives here: the root and the outermost handler. Not here: any command. Importing this imports neither grpc nor
cryptography, and a test holds it to that.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.main import get_command

from interlock.cli.exits import ExitCode, exit_code_of
from interlock.cli.failures import show_error, show_fault, show_usage
from interlock.cli.help import WIDEST
from interlock.cli.joined import RootGroup
from interlock.cli.run import Common, JsonOption, PassphraseOption, ProfileOption, TimeoutOption
from interlock.cli.stale import remove_old_decision
from interlock.cli.terminal import Terminal
from interlock.client.errors import InterlockError

if TYPE_CHECKING:
    from collections.abc import Sequence


def build() -> typer.Typer:
    """Return the whole command."""
    app = typer.Typer(
        name="interlock",
        cls=RootGroup,
        help="Ties a model's release to the safeguards that its safety level requires.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": WIDEST},
    )
    app.callback()(_root)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"interlock {version('interlock')}")
        except PackageNotFoundError:
            typer.echo("interlock, not installed as a package")
        raise typer.Exit


def _root(
    context: typer.Context,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
    timeout: TimeoutOption = None,
    passphrase_file: PassphraseOption = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Keep the options that stand before the command for it."""
    context.obj = Common(as_json, profile, timeout, passphrase_file)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with the code that `exits.py` says; no failure of any kind ends in 0."""
    _stand_in_for_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # What an old terminal can't show is spelled out rather than a reason to stop.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # gRPC's own lines about a handshake that fails say less than our error, which follows.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    code = run(words)
    sys.exit(code if _written_out() or code else ExitCode.UNAVAILABLE)


def _stand_in_for_closed_streams() -> None:
    """Open the null device where we were started without a standard stream.

    Otherwise the next socket or file would get its number, and errors would be printed where results are.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode))


def _written_out() -> bool:
    """Say whether all that was printed to stdout is out; what is left over must not fail again as Python ends."""
    written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            written = written and stream is not sys.stdout
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return written


def run(words: list[str]) -> int:
    """Run the command in this process and return its exit code."""
    terminal = Terminal(as_json="--json" in words)
    remove_old_decision(words)
    try:
        outcome = get_command(build()).main(args=words, prog_name="interlock", standalone_mode=False)
    except typer.TyperException as error:
        return show_usage(terminal, error)
    except typer.Abort:
        terminal.note("interrupted; nothing more was sent")
        return ExitCode.INTERRUPTED
    except InterlockError as error:
        show_error(terminal, error)
        return exit_code_of(error)
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise  # shell completion ends by itself
        # typer's own answer to a reader of stdout that went away; its 1 would be a no.
        show_fault(terminal, "nobody reads the output any more")
        return ExitCode.UNAVAILABLE
    except OSError as error:
        show_fault(terminal, f"{error.filename or 'the system'}: {error.strerror or error}")
        return ExitCode.UNAVAILABLE
    except Exception as error:  # noqa: BLE001  # the outermost handler: a fault must not look like an answer
        show_fault(terminal, f"a fault of this program: {type(error).__name__}: {error}")
        if os.environ.get("INTERLOCK_DEBUG"):
            traceback.print_exc()
        return ExitCode.UNAVAILABLE
    return outcome if isinstance(outcome, int) else ExitCode.DONE
