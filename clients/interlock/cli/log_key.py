"""`interlock log-key`: another key for the log, by a change; one that is lost is replaced by `interlock recover`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # typer evaluates it
from typing import Annotated

import typer

from interlock.cli.run import Run, command, group
from interlock.client import files
from interlock.client.errors import ContentError

app = group("The log's own key: make a new one, and have it signed for in a change.")


@command(
    app, "create", example="interlock log-key create --replaces keys/log.key --out keys/log-next.key --public new.json"
)
def create(
    run: Run,
    out: Annotated[
        Path, typer.Option("--out", dir_okay=False, help="The private key, best at once in the server's keys/ folder.")
    ],
    public: Annotated[
        Path,
        typer.Option(
            "--public", dir_okay=False, help="Where to write what `log-key rotate` and `recover write --log-key` take."
        ),
    ],
    replaces: Annotated[
        Path | None,
        typer.Option(
            "--replaces",
            exists=True,
            dir_okay=False,
            help="The server's keys/log.key: it says a word for the new one, which `log-key rotate` needs.",
        ),
    ] = None,
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Unencrypted, for a server whose keys have no passphrase.")
    ] = False,
) -> None:
    """Make a new key for the log, with the proof that whoever names it has it. No server is asked.

    The private key belongs into the server's folder as `keys/log-next.key`, under the passphrase of the server's keys.
    """
    from interlock.client.keyfile import read_passphrase
    from interlock.client.new_log_key import check_public_place, create_log_key
    from interlock.client.profile import find_profile, load_profile
    from interlock.proofs.keys import fingerprint

    check_public_place(public, out)
    profile = load_profile(find_profile(run.profile, run.environment))
    passphrase = None if no_passphrase else b""
    if not no_passphrase:
        named = run.named_passphrase_file
        passphrase = read_passphrase(named) if named is not None else run.ask_new_passphrase()
    with files.replacing(public) as target:  # first, so that no private half is left without its public one
        made = create_log_key(out, passphrase, profile.log_id, replaces)
        target.write(made.to_json())
    shown = fingerprint(made.public_key)
    if run.as_json:
        key = {"public_key": made.public_key.hex(), "fingerprint": shown}
        run.terminal.json({**key, "file": str(out), "public": str(public)})
        return
    run.terminal.line(f"public key {made.public_key.hex()}, private half in {out}")
    run.terminal.line(f"fingerprint {shown}, which those who sign are shown too")


@command(app, "rotate", example="interlock log-key rotate new.json")
def rotate(
    run: Run,
    new: Annotated[
        Path,
        typer.Argument(metavar="NEW", exists=True, dir_okay=False, help="What `log-key create --replaces` wrote."),
    ],
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change.")] = "",
) -> None:
    """Propose the change by which another key signs the log's checkpoints; nothing is held.

    The entry that applies it ends the old key: of a tree that has this entry, the old key signs no head. The private
    half must wait at the server by then, else the change is not applied. Clients and witnesses then refuse checkpoints
    until they have run `audit verify`.
    """
    from interlock.cli.registering import propose
    from interlock.client.new_log_key import read_public
    from interlock.v1 import trigger_pb2

    made = read_public(new)
    if not made.replaces_proof:
        wish = "make it with `log-key create --replaces keys/log.key`; without the old key a recovery names the new one"
        raise ContentError(f"{new} has no word of the old key: {wish}", reason="CONTENT")
    firing = trigger_pb2.LogRotateKey(public_key=made.public_key, proof=made.proof, replaces_proof=made.replaces_proof)
    propose(run, [trigger_pb2.Trigger(log_rotate_key=firing)], title or "The log gets another key")
