"""`interlock audit witness` and `witness-key`: a witness of somebody else's log, on a machine of one's own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it

if TYPE_CHECKING:
    from interlock.client.keyfile import Passphrase
    from interlock.client.witness import Witnessed

EVERY_SECONDS: Final = 60.0
_NAME_THE_FILE: Final = "use --key-passphrase-file"

FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="The witness's own folder: key and memory.")]
KeyPassphraseOption = Annotated[
    Path | None,
    typer.Option("--key-passphrase-file", metavar="FILE", help="Passphrase of the witness's key; else it is asked."),
]


def witness(
    run: Run,
    folder: FolderArgument,
    once: Annotated[bool, typer.Option("--once", help="Cosign the newest head and end.")] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.1, metavar="SECONDS", help="How often to look.")
    ] = EVERY_SECONDS,
    accept_restored: Annotated[
        bool,
        typer.Option(
            "--accept-restored", help="Let go of the own head, where `audit verify` showed that it was given up."
        ),
    ] = False,
    key_passphrase_file: KeyPassphraseOption = None,
) -> None:
    """Follow a log and cosign its heads, as long as each extends all that were signed before.

    A head is stored here before its cosignature is sent to the server. Nothing is signed for a log that was rolled
    back; two heads that disagree are kept as proof of the fork and printed, exit 1.
    """
    from interlock.client.errors import UnavailableError
    from interlock.client.log_keys import known_keys
    from interlock.client.witness import load_witness

    own = load_witness(folder, _passphrase(run, key_passphrase_file))
    with run.client() as client:
        while True:
            try:
                known, now = known_keys(client.profile), int(time.time())
                _show(run, own.cosign(client.audit, known, now, accept_restored=accept_restored))
            except UnavailableError as error:
                if once:
                    raise
                run.terminal.note(f"nothing signed ({error.reason}): {error.message}")
            if once:
                return
            time.sleep(every)


def witness_key(
    run: Run,
    folder: FolderArgument,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The witness's name, such as witness.example/w1; for ever.")
    ],
    key_passphrase_file: KeyPassphraseOption = None,
) -> None:
    """Make a witness: its key, encrypted, and its empty memory. Prints the verifier key to hand out (C2SP vkey).

    The server keeps its cosignatures once the key is in the file that its configuration names as `witnesses`.
    """
    from interlock.client.keyfile import read_passphrase
    from interlock.client.witness import create_witness

    passphrase = read_passphrase(key_passphrase_file) if key_passphrase_file else run.ask_new_passphrase(_NAME_THE_FILE)
    vkey = create_witness(folder, name, passphrase)
    if run.as_json:
        run.terminal.json({"name": name, "folder": str(folder), "verifier_key": vkey})
        return
    run.terminal.exact(f"{vkey}\n")


def _passphrase(run: Run, file: Path | None) -> Passphrase:
    from interlock.client.keyfile import read_passphrase

    return (
        (lambda key: run.ask_passphrase(key, _NAME_THE_FILE)) if file is None else (lambda _key: read_passphrase(file))
    )


def _show(run: Run, done: Witnessed) -> None:
    if run.as_json:
        import json

        row = {"size": done.size, "root": done.root.hex(), "before": done.before, "note": done.note}
        typer.echo(json.dumps(row))
        return
    run.terminal.line(f"cosigned {done.size} entries, root {done.root.hex()}, which extend {done.before}")
