"""What every command works with: its common options, the terminal, a client; and how a command is declared.

`command` turns a function whose first parameter is a `Run` into a command that also takes the common options, with an
example in its help. Nothing here imports grpc; `Run.client` does, when it is called.
"""

from __future__ import annotations

import functools
import getpass
import inspect
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from interlock.cli.help import COMMON_PANEL, Command, Group
from interlock.cli.terminal import Terminal
from interlock.client.errors import ProfileError
from interlock.client.profile import profile_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from interlock.client.sdk import Interlock

Body = TypeVar("Body", bound="Callable[..., int | None]")

DEFAULT_TIMEOUT_SECONDS: Final = 30.0

NAME_THE_FILE: Final = "use --passphrase-file or set INTERLOCK_PASSPHRASE_FILE"

GREATEST_NUMBER: Final = (1 << 63) - 1
"""What fits the contract's positions and sizes, int64."""

GREATEST_SECONDS: Final = 366 * 24 * 3600.0
"""How long anything may be waited for: more is meant as "for ever", which no call may take."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command."""

    terminal: Terminal
    profile: str | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    passphrase_file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def as_json(self) -> bool:
        """Whether the result is to be JSON."""
        return self.terminal.as_json

    def client(self) -> Interlock:
        """Return a client for the chosen profile; use it as a context manager. Raises ProfileError."""
        from interlock.client.sdk import Interlock

        return Interlock.from_profile(
            self.profile,
            passphrase=self.ask_passphrase,
            passphrase_file=self.passphrase_file,
            timeout_seconds=self.timeout_seconds,
            environment=self.environment,
        )

    @property
    def named_passphrase_file(self) -> Path | None:
        """The file of --passphrase-file or INTERLOCK_PASSPHRASE_FILE, for keys that no profile names."""
        from interlock.client.keyfile import PASSPHRASE_VARIABLE

        named = self.environment.get(PASSPHRASE_VARIABLE)
        return self.passphrase_file or (Path(named) if named else None)

    def ask_passphrase(self, key: Path, otherwise: str = NAME_THE_FILE) -> bytes:
        """Ask for the passphrase of a key. Raises ProfileError, with ``otherwise``, where nobody can be asked."""
        if not self.terminal.interactive:
            raise ProfileError(f"{key} needs a passphrase: {otherwise}", reason="NO_PASSPHRASE")
        return getpass.getpass(f"Passphrase for {key}: ").encode()

    def ask_new_passphrase(self, otherwise: str = NAME_THE_FILE) -> bytes:
        """Ask for a new passphrase, twice. Raises ProfileError, with ``otherwise``, where nobody can be asked."""
        if not self.terminal.interactive:
            raise ProfileError(f"new keys need a passphrase: {otherwise}", reason="NO_PASSPHRASE")
        passphrase = getpass.getpass("Passphrase for the new keys: ")
        if getpass.getpass("Again: ") != passphrase:
            raise ProfileError("these were two different passphrases; nothing was written", reason="WRONG_PASSPHRASE")
        return passphrase.encode()


def _complete_profile(incomplete: str) -> list[str]:
    return [name for name in profile_names(os.environ) if name.startswith(incomplete)]


@dataclass(frozen=True, slots=True)
class Common:
    """The common options as far as they were given; they may stand before the command or after it."""

    as_json: bool = False
    profile: str | None = None
    timeout_seconds: float | None = None
    passphrase_file: Path | None = None

    def after(self, before: Common) -> Run:
        """Return the run that these options ask for, those given ``before`` the command filling the gaps."""
        return Run(
            Terminal(as_json=self.as_json or before.as_json),
            self.profile or before.profile,
            self.timeout_seconds or before.timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
            self.passphrase_file or before.passphrase_file,
        )


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.", rich_help_panel=COMMON_PANEL)]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME|PATH",
        help="Who you are, at which server; else INTERLOCK_PROFILE.",
        rich_help_panel=COMMON_PANEL,
        autocompletion=_complete_profile,
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        metavar="SECONDS",
        help=f"Give up on a call after this long; else {DEFAULT_TIMEOUT_SECONDS:g}.",
        rich_help_panel=COMMON_PANEL,
    ),
]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="Passphrase of your keys; else INTERLOCK_PASSPHRASE_FILE, else asked.",
        rich_help_panel=COMMON_PANEL,
    ),
]
_COMMON: Final[tuple[tuple[str, Any, Any], ...]] = (
    ("command_context", typer.Context, inspect.Parameter.empty),
    ("as_json", JsonOption, False),
    ("profile", ProfileOption, None),
    ("timeout", TimeoutOption, None),
    ("passphrase_file", PassphraseOption, None),
)


_NEVER_EMPTY: Final = frozenset(
    {"artifact", "context", "decision", "key", "location", "log_id", "model", "policy", "wait"}
)
"""What narrows a question: given as the value of a variable that nobody set, it must not widen it."""


def _refuse_empty(context: typer.Context, arguments: Mapping[str, object]) -> None:
    for name in sorted(_NEVER_EMPTY & arguments.keys()):
        source = context.get_parameter_source(name)
        if arguments[name] == "" and source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(
                f"{option} is empty: a variable that nobody set? Leave it out where it does not matter"
            )


def _refuse_unbounded(arguments: Mapping[str, object]) -> None:
    """Refuse numbers that no server takes and no clock counts; the ranges of the options know no NaN."""
    for name, value in arguments.items():
        if isinstance(value, float) and not (math.isfinite(value) and abs(value) <= GREATEST_SECONDS):
            raise typer.BadParameter(f"{name.replace('_', ' ')} takes a number of seconds, at most a year of them")
        if isinstance(value, int) and abs(value) > GREATEST_NUMBER:
            raise typer.BadParameter(f"{name.replace('_', ' ')} takes a number up to {GREATEST_NUMBER}")


def group(summary: str) -> typer.Typer:
    """Return an empty group of commands."""
    return typer.Typer(cls=Group, help=summary, no_args_is_help=True, rich_markup_mode=None)


def command(app: typer.Typer, name: str, *, example: str) -> Callable[[Body], Body]:
    """Declare a command of ``app``: common options are added, ``example`` closes the help."""

    def declare(body: Body) -> Body:
        @functools.wraps(body)
        def start(
            *,
            command_context: typer.Context,
            as_json: bool,
            profile: str | None,
            timeout: float | None,
            passphrase_file: Path | None,
            **arguments: object,
        ) -> int | None:
            before = command_context.obj if isinstance(command_context.obj, Common) else Common()
            run = Common(as_json, profile, timeout, passphrase_file).after(before)
            _refuse_empty(command_context, arguments)
            _refuse_unbounded({"timeout": run.timeout_seconds, **arguments})
            return body(run, **arguments)

        own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
        common = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, annotation, default in _COMMON
        ]
        parameters = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own] + common
        # typer reads both: the signature and, beside it, the annotations.
        vars(start)["__signature__"] = inspect.Signature(parameters, return_annotation=int | None)
        start.__annotations__ = {item.name: item.annotation for item in parameters}
        vars(start).pop("__wrapped__", None)
        # The mark before the example keeps it on one line, to be copied.
        help_text = f"{inspect.cleandoc(body.__doc__ or '')}\n\n\b\nExample: {example}"
        app.command(name, cls=Command, help=help_text)(start)
        return body

    return declare
