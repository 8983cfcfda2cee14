"""What `keys prove`, `register` and `rotate` share: registrations as a change file, written here and read back.

Lives here: keys to the lines of a change file, and such a file to triggers. Not here: the commands (`keys.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.views.common import when_micros
from interlock.client import names
from interlock.client.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from interlock.cli.change_file import ChangeFile
    from interlock.cli.run import Run
    from interlock.v1.change_pb2 import Change
    from interlock.v1.trigger_pb2 import Trigger


def registration_file(principal: str, triggers: Iterable[Trigger]) -> str:
    """Return a change file that registers keys of an account."""
    lines = [f"title: Keys of {names.principal(principal)}", "triggers:"]
    for trigger in triggers:
        key = trigger.credential_register
        lines += [
            "  - credential.register:",
            f"      principal: {key.principal}",
            f"      use: {key.use}",
            f'      public_key: "{key.public_key.hex()}"',
            f'      proof: "{key.proof.hex()}"',
        ]
        if key.held_in:
            lines.append(f"      held_in: {key.held_in}")
        if key.until:
            lines.append(f"      until: {when_micros(key.until)}")
        if key.replaces:
            lines += [f'      replaces: "{key.replaces}"', f'      replaces_proof: "{key.replaces_proof.hex()}"']
    return "\n".join(lines)


def load_registrations(path: Path) -> ChangeFile:
    """Read such a file. Raises InvalidRequestError where it is none, or fires anything else."""
    from interlock.cli.change_file import load_change_file

    wanted = load_change_file(path)
    others = [kind for row in wanted.triggers if (kind := row.WhichOneof("kind")) != "credential_register"]
    if others:
        row = FieldViolation(str(path), f"it fires {', '.join(map(str, others))}: propose it with `changes propose`")
        raise InvalidRequestError(f"{path} does more than register keys", reason="CHANGE_FILE", fields=(row,))
    return wanted


def propose(run: Run, triggers: Iterable[Trigger], title: str, summary: str = "") -> None:
    """Propose a change of these triggers, and tell where it stands."""
    from interlock.cli.views.change import show_outcome
    from interlock.cli.views.common import to_json

    with run.client() as client:
        change: Change = client.changes.propose(triggers, title=title, summary=summary)
    if run.as_json:
        run.terminal.json(to_json(change))
        return
    show_outcome(run.terminal, change)
