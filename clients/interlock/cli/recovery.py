"""`interlock recover`: the recovery quorum brings people back, with keys that are kept offline."""

from __future__ import annotations

import secrets
import time
from pathlib import Path  # typer evaluates it
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when_micros
from interlock.client import files, names
from interlock.client.errors import ContentError, ProfileError

if TYPE_CHECKING:
    from interlock.statemachine.entry import RecoveryDocument

app = group("Recovery: what the recovery quorum signs offline, and hands in; everything is held with it.")

_DAY_US: Final = 86_400_000_000
_NONCE_BYTES: Final = 16

DocumentArgument = Annotated[
    Path, typer.Argument(metavar="DOCUMENT", exists=True, dir_okay=False, help="What `recover write` wrote.")
]


@command(app, "write", example="interlock recover write --file back.yaml --out recovery.bin")
def write(
    run: Run,
    file: Annotated[
        Path, typer.Option("--file", "-f", exists=True, dir_okay=False, help="A change file with what is to be done.")
    ],
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="Where to write the document.")],
    days: Annotated[int, typer.Option("--days", min=1, max=90, help="How long it may be handed in.")] = 7,
) -> None:
    """Write the document that the recovery quorum signs: accounts restored, keys registered, roles held before.

    No server is asked; any profile says which log.
    """
    from interlock.cli.change_file import load_change_file
    from interlock.client.profile import find_profile, load_profile
    from interlock.statemachine import codec
    from interlock.statemachine.entry import RecoveryDocument

    log_id = load_profile(find_profile(run.profile, run.environment)).log_id
    triggers = tuple(codec.firing_of(row) for row in load_change_file(file).triggers)
    end = time.time_ns() // 1000 + days * _DAY_US
    document = RecoveryDocument(log_id, triggers, end, secrets.token_bytes(_NONCE_BYTES))
    data = codec.encode_recovery(document)
    with files.replacing(out) as target:
        target.write(data)
    _show(run, document, data)


@command(app, "sign", example="interlock recover sign recovery.bin --as recovery-1 --key recovery.key --out one.json")
def sign(
    run: Run,
    document: DocumentArgument,
    signer: Annotated[str, typer.Option("--as", metavar="PRINCIPAL", help="Your account of the recovery quorum.")],
    key: Annotated[Path, typer.Option("--key", exists=True, dir_okay=False, help="Your recovery key.")],
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="Where to write the signed envelope.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Sign without being asked once more.")] = False,
) -> None:
    """Show everything that a recovery would do, then sign it with your recovery key. No server is asked."""
    from interlock.client.keyfile import read_passphrase
    from interlock.client.signers import open_signer
    from interlock.client.signing import seal
    from interlock.statemachine.recovery import build_consent

    data, opened = _read(document)
    _show(run, opened, data)
    if not yes and not run.terminal.interactive:
        raise ProfileError("nobody can be asked here; use --yes to sign all the same", reason="NOT_INTERACTIVE")
    if not yes:
        typer.confirm("Sign this recovery?", abort=True, err=True)
    named = run.passphrase_file
    passphrase = run.ask_passphrase if named is None else lambda _path: read_passphrase(named)
    envelope = seal(open_signer(key, passphrase), build_consent(data, names.principal(signer)))
    with files.replacing(out) as target:
        target.write(envelope.to_json())
    run.terminal.note(f"signed: {out}")


@command(app, "send", example="interlock recover send recovery.bin one.json two.json")
def send(
    run: Run,
    document: DocumentArgument,
    envelope: Annotated[
        list[Path], typer.Argument(metavar="ENVELOPE…", exists=True, dir_okay=False, help="What `recover sign` wrote.")
    ],
) -> None:
    """Hand a signed recovery in; no session is needed. What it says happens at once, and everything is held.

    Lifting that hold takes a change, signed by the people who are back.
    """
    data, _ = _read(document)
    with run.client() as client:
        done = client.identity.recover(data, [path.read_bytes() for path in envelope])
    if run.as_json:
        run.terminal.json(to_json(done))
        return
    run.terminal.lines("\n".join(done.moved), indent=2)
    run.terminal.line((f"recovered at position {done.position}", "bold green"), f"; {done.hold} is on everything")


def _read(path: Path) -> tuple[bytes, RecoveryDocument]:
    """Return a document's bytes, and what they say. Raises ContentError."""
    from interlock.statemachine import codec

    data = path.read_bytes()
    try:
        return data, codec.decode_recovery(data)
    except codec.CodecError as error:
        raise ContentError(f"{path}: {error}", reason="CONTENT") from error


def _show(run: Run, document: RecoveryDocument, data: bytes) -> None:
    """Show all that a signature over a document binds."""
    import hashlib

    from interlock.cli.views.trigger import trigger_line

    if run.as_json:
        run.terminal.json({"sha256": hashlib.sha256(data).hexdigest(), "log_id": document.log_id.hex()})
        return
    run.terminal.line(("a recovery", "bold"), ": this is what is signed")
    for number, firing in enumerate(document.triggers, start=1):
        run.terminal.line(f"{number:>2}. {trigger_line(firing)}", indent=2)
    run.terminal.line("and a hold on everything", indent=2)
    run.terminal.rows(
        [
            ["log id", document.log_id.hex()],
            ["to be handed in until", when_micros(document.not_after)],
            ["sha256", hashlib.sha256(data).hexdigest()],
        ],
        indent=2,
    )
