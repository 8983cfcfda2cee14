"""Signed decisions in files: written by `gate check --decision`, judged by `gate verify` without any server.

Nothing here imports grpc: whoever deploys need not be able to reach the log.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.exits import ExitCode
from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it
from interlock.cli.stale import may_go
from interlock.cli.views.common import ALLOW, DENY, when_micros
from interlock.client import names
from interlock.client.errors import ProfileError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.statemachine.decision import Checked
    from interlock.v1.gate_pb2 import CheckReleaseResponse

MAX_FILE_BYTES: Final = 1 << 20
MAX_KEY_BYTES: Final = 1 << 10
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_LOG_ID: Final = re.compile(r"[0-9a-f]{32}")


def make_way(path: Path) -> None:
    """Remove what an earlier run left: a decision about an earlier question must not outlive a failed one.

    Raises BadParameter where no file can be written later, and for what is there and no decision: somebody's file, or a
    device such as /dev/stdout, of which the name itself would go.
    """
    if str(path) in {".", "-"} or (path.exists() and not path.is_file()) or not path.absolute().parent.is_dir():
        raise typer.BadParameter("--decision takes the name of a file, in a folder that is there")
    if path.exists() and not _may_go(path):
        raise typer.BadParameter(
            f"{path} is there and no decision: it is left as it is. Give another name, or remove it"
        )
    path.unlink(missing_ok=True)


def _may_go(path: Path) -> bool:
    try:
        return may_go(path)
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be read: {error.strerror}") from error


def ask_until_allowed(
    ask: Callable[[], CheckReleaseResponse],
    seconds: float,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> CheckReleaseResponse:
    """Return the first ALLOW within ``seconds``, or what was said last. Raises what the last question raised.

    Only a server that can't be reached is asked again after an error; whatever else is raised would come again.
    """
    from interlock.client.groups.gate import is_allowed

    end, pause = now() + seconds, FIRST_PAUSE_SECONDS
    while True:
        try:
            answer = ask()
        except UnavailableError:
            if now() >= end:
                raise
        else:
            if is_allowed(answer) or now() >= end:
                return answer
        sleep(max(min(pause, end - now()), 0.0))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def verify(
    run: Run,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `gate check --decision` wrote.")],
    context: Annotated[str, typer.Option("--context", "-c", help="Where it is to go, such as `api`.")],
    artifact: Annotated[
        str, typer.Option("--artifact", "-a", metavar="SHA256", help="The weights manifest that goes.")
    ],
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Of this model; else of any.")] = "",
    policy: Annotated[
        str, typer.Option("--policy", metavar="SHA256", help="Under the policy with this digest; else under any.")
    ] = "",
    log_id: Annotated[str, typer.Option("--log-id", metavar="ID", help="Id of the log; else the profile's.")] = "",
    key: Annotated[
        str, typer.Option("--key", metavar="HEX|FILE", help="The log's public decision key; else the profile's.")
    ] = "",
) -> int:
    """Judge a signed decision here, with no server: exit 0 for an ALLOW that holds, 1 for anything else.

    Signature, log, context, artifact, model, policy and time are checked. What was tightened after the decision was
    made can't be known offline, and the output says since when.
    """
    from interlock.client.decision import verify_decision

    _check_digest("--artifact", artifact)
    if policy:
        _check_digest("--policy", policy)
    trusted_key, trusted_log = _trusted(run, key, log_id)
    checked = verify_decision(
        read_decision(file),
        key=trusted_key,
        log_id=trusted_log,
        context=context,
        artifact=artifact,
        now=datetime.now(UTC),
        model=names.model(model) if model else "",
        policy_digest=policy,
    )
    if run.as_json:
        run.terminal.json(_value(checked))
    else:
        _show(run, checked)
    return ExitCode.DONE if checked.allowed else ExitCode.NO


def _trusted(run: Run, key: str, log_id: str) -> tuple[bytes, str]:
    """Return the decision key and the log's id, from the command line or else from the profile."""
    if log_id and not _LOG_ID.fullmatch(log_id):
        raise typer.BadParameter("--log-id takes 32 lower-case hexadecimal digits")
    given = _key_of(key) if key else b""
    if given and log_id:
        return given, log_id
    from interlock.client.profile import find_profile, load_profile

    try:
        profile = load_profile(find_profile(run.profile, run.environment))
    except ProfileError as error:
        missing = " and ".join(name for name, has in (("--key", given), ("--log-id", log_id)) if not has)
        raise typer.BadParameter(
            f"give {missing} or a profile: a decision is judged by its log's key and its log's id. {error.message}"
        ) from error
    if not given and not profile.decision_key:
        raise ProfileError(f"{profile.folder} names no decision key: give --key", reason="NO_DECISION_KEY")
    return given or profile.decision_key, log_id or profile.log_id.hex()


def _key_of(text: str) -> bytes:
    if not _KEY.fullmatch(text):
        try:
            with Path(text).open("rb") as file:
                text = file.read(MAX_KEY_BYTES).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter("--key takes 64 lower-case hexadecimal digits, or a file with them") from error
    if not _KEY.fullmatch(text):
        raise typer.BadParameter("--key takes 64 lower-case hexadecimal digits, or a file with them")
    return bytes.fromhex(text)


def _check_digest(option: str, text: str) -> None:
    if not _KEY.fullmatch(text):
        raise typer.BadParameter(f"{option} takes a SHA-256 in 64 lower-case hexadecimal digits")


def read_decision(file: Path) -> bytes:
    """Return the bytes of a decision's file. Raises BadParameter where it can't be read."""
    try:
        with file.open("rb") as source:
            return source.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise typer.BadParameter(f"{file} can't be read: {error.strerror}") from error


def _show(run: Run, checked: Checked) -> None:
    terminal, decision = run.terminal, checked.decision
    if decision is None:
        terminal.line(DENY, "  nothing in the file can be relied on")
    else:
        terminal.line(
            ALLOW if checked.allowed else DENY,
            f" {names.leaf(decision.model)} {decision.context}",
            (f"  decided {when_micros(decision.instant)}, holds until {when_micros(decision.expires)}", "dim"),
        )
    for fault in checked.faults:
        terminal.line("  ", (fault.code, "bold"), f"  {fault.detail}")
    if decision is not None:
        terminal.line((f"  not checked for tightening since position {decision.position}", "dim"))


def _value(checked: Checked) -> dict[str, object]:
    """Return what JSON shows."""
    from dataclasses import asdict

    decision = checked.decision
    return {
        "verdict": "ALLOW" if checked.allowed else "DENY",
        "faults": [asdict(fault) for fault in checked.faults],
        "decision": None if decision is None else asdict(decision),
        "not_checked_since_position": None if decision is None else decision.position,
    }
