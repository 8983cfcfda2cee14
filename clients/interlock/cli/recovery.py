"""`interlock recover`: the recovery quorum brings people back, with keys that are kept offline."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path  # typer evaluates it
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.run import Run, command, group
from interlock.cli.views.common import to_json, when_micros
from interlock.client import files, names
from interlock.client.errors import ContentError, ProfileError, RefusedError, Unmet

if TYPE_CHECKING:
    from interlock.client.profile import Profile
    from interlock.statemachine.entry import RecoveryDocument, TreeHead

app = group("Recovery: what the recovery quorum signs offline, and hands in; everything is held with it.")

_DAY_US: Final = 86_400_000_000
_NONCE_BYTES: Final = 16

DocumentArgument = Annotated[
    Path, typer.Argument(metavar="DOCUMENT", exists=True, dir_okay=False, help="What `recover write` wrote.")
]


@command(app, "suspend", example="interlock recover suspend recovery-3")
def suspend(
    run: Run,
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="An account of the recovery quorum.")],
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change.")] = "",
) -> None:
    """Propose the change by which a member of the recovery quorum counts no more, until `principals restore`.

    Whoever is left must still be enough for a recovery.
    """
    from interlock.cli.registering import propose
    from interlock.v1 import trigger_pb2

    who = names.principal(principal)
    taken = trigger_pb2.RecoverySuspend(principal=who)
    propose(run, [trigger_pb2.Trigger(recovery_suspend=taken)], title or f"{who} recovers nothing for now")


@command(app, "revoke", example="interlock recover revoke principals/recovery-3/credentials/4f1c09ab…")
def revoke(
    run: Run,
    credential: Annotated[
        str, typer.Argument(metavar="CREDENTIAL", help="A key of the recovery quorum, by its full name.")
    ],
    title: Annotated[str, typer.Option("--title", "-t", help="Title of the change.")] = "",
) -> None:
    """Propose the change by which a key of the recovery quorum counts no more, for ever."""
    from interlock.cli.registering import propose
    from interlock.v1 import trigger_pb2

    taken = trigger_pb2.RecoveryRevoke(credential=credential)
    propose(run, [trigger_pb2.Trigger(recovery_revoke=taken)], title or "A recovery key is revoked")


@command(app, "write", example="interlock recover write --file back.yaml --out recovery.bin")
def write(
    run: Run,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="Where to write the document.")],
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", exists=True, dir_okay=False, help="A change file with what is to be done."),
    ] = None,
    new_key: Annotated[
        Path | None,
        typer.Option("--log-key", exists=True, dir_okay=False, help="Name a new log key: what `log-key create` wrote."),
    ] = None,
    last: Annotated[
        Path | None,
        typer.Option("--last", exists=True, dir_okay=False, help="The last checkpoint that the old key is good for."),
    ] = None,
    lost: Annotated[
        Path | None,
        typer.Option("--lost", exists=True, dir_okay=False, help="Accept a restore: the server's highwater.json."),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=90, help="How long it may be handed in.")] = 7,
) -> None:
    """Write the document that the recovery quorum signs: what is given back, a new key for the log, or both.

    Given back are accounts restored, keys registered, roles held before. With --log-key the old key of the log ends: of
    a tree larger than that of --last, no checkpoint by it is the log's. With --lost as well, the quorum accepts that
    the database was set back: --last is then what `recover restored` wrote. No server is asked; any profile says which
    log.
    """
    from interlock.cli.change_file import load_change_file
    from interlock.client.new_log_key import read_public
    from interlock.statemachine import codec
    from interlock.statemachine.entry import NewLogKey, RecoveryDocument

    if file is None and new_key is None:
        raise typer.BadParameter("give --file, or --log-key with --last, or all of them")
    if (new_key is None) != (last is None):
        raise typer.BadParameter("--log-key and --last go together: a new key says where the old one ends")
    if lost is not None and new_key is None:
        raise typer.BadParameter(
            "--lost takes --log-key and --last: whoever saw what is lost must know the old key's end"
        )
    profile = _profile(run)
    triggers = tuple(codec.firing_of(row) for row in load_change_file(file).triggers) if file is not None else ()
    named = None
    if new_key is not None and last is not None:
        made = read_public(new_key)
        head = _tree_head(last) if lost is not None else _signed_head(profile, last)
        named = NewLogKey(made.public_key, made.proof, head)
    end = time.time_ns() // 1000 + days * _DAY_US
    gone = _tree_head(lost) if lost is not None else None
    document = RecoveryDocument(profile.log_id, triggers, end, secrets.token_bytes(_NONCE_BYTES), named, gone)
    _check(document)
    data = codec.encode_recovery(document)
    with files.replacing(out) as target:
        target.write(data)
    _show(run, document, data)


def _check(document: RecoveryDocument) -> None:
    """Raise RefusedError with everything that no server would do, before anybody signs for it."""
    from interlock.statemachine.recovery import faults_as_written

    faults = faults_as_written(document)
    if not faults:
        return
    unmet = tuple(Unmet(row.code.value, row.requirement, row.actual, row.resource, row.trigger) for row in faults)
    raise RefusedError(f"{unmet[0].code}: no recovery does this", reason="REQUIREMENTS_UNMET", unmet=unmet)


def _profile(run: Run) -> Profile:
    from interlock.client.profile import find_profile, load_profile

    return load_profile(find_profile(run.profile, run.environment))


def _signed_head(profile: Profile, path: Path) -> TreeHead:
    """Return the head of a checkpoint that the log signed. Raises DataLossError."""
    from interlock.client.log_keys import known_keys
    from interlock.client.proving import open_signed
    from interlock.statemachine.entry import TreeHead

    head = open_signed(path.read_text("utf-8"), known_keys(profile))
    return TreeHead(head.size, head.root)


def _tree_head(path: Path) -> TreeHead:
    """Return a head that nobody signed: a high-water mark, or what `recover restored` wrote. Raises ContentError."""
    from interlock.statemachine.entry import TreeHead

    try:
        kept = json.loads(path.read_bytes())
        return TreeHead(int(kept["size"]), bytes.fromhex(kept["root"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ContentError(f"{path} has no size and root: {error}", reason="CONTENT") from error


@command(app, "restored", example="interlock recover restored --out restored.json")
def restored(
    run: Run,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="Where to write size and root.")],
) -> None:
    """Read the whole log of a server that says LOG_ROLLED_BACK, and write the head that it was set back to.

    That server signs nothing. What it has is hashed here; `audit verify` judges it against the last checkpoint shown.
    """
    from interlock.proofs import merkle

    frontier = merkle.Frontier()
    with run.client() as client:
        for record in client.audit.tail():
            frontier = frontier.append(merkle.leaf_hash(record.entry))
    value = {"size": frontier.size, "root": frontier.root().hex()}
    with files.replacing(out) as target:
        target.write(json.dumps(value).encode() + b"\n")
    if run.as_json:
        run.terminal.json(value)
        return
    run.terminal.line(f"{frontier.size} entries, root {frontier.root().hex()}")


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
    named = run.named_passphrase_file
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
        value: dict[str, object] = {"sha256": hashlib.sha256(data).hexdigest(), "log_id": document.log_id.hex()}
        if document.log_key is not None:
            last = document.log_key.last
            value["log_key"] = document.log_key.public_key.hex()
            value["last"] = {"size": last.size, "root": last.root.hex()}
        if document.lost is not None:
            value["lost"] = {"size": document.lost.size, "root": document.lost.root.hex()}
        run.terminal.json(value)
        return
    run.terminal.line(("a recovery", "bold"), ": this is what is signed")
    for number, firing in enumerate(document.triggers, start=1):
        run.terminal.line(f"{number:>2}. {trigger_line(firing)}", indent=2)
    if document.log_key is not None:
        named = document.log_key
        run.terminal.line(f"a new log key: {named.public_key.hex()}", indent=2)
        ended = f"the old one ends at {named.last.size} entries, root {named.last.root.hex()}"
        run.terminal.line(f"{ended}: of a larger tree it signs nothing", indent=2)
    if document.lost is not None:
        gone = f"{document.lost.size} entries, root {document.lost.root.hex()}"
        run.terminal.line(("it is accepted that this was lost: ", "bold yellow"), gone, indent=2)
    run.terminal.line("and a hold on everything", indent=2)
    run.terminal.rows(
        [
            ["log id", document.log_id.hex()],
            ["to be handed in until", when_micros(document.not_after)],
            ["sha256", hashlib.sha256(data).hexdigest()],
        ],
        indent=2,
    )
