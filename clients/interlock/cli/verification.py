"""`interlock audit verify`, `export` and `key`: what takes a log to a machine that trusts nobody, and judges it there.

Nothing here imports grpc unless a server is asked: a bundle is verified with neither server nor network.
"""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from interlock.cli.arguments import moment_or_position
from interlock.cli.exits import ExitCode
from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it
from interlock.cli.witness_keys import CosignedOption, LeastOption, WitnessOption, with_witnesses

if TYPE_CHECKING:
    from interlock.cli.terminal import Piece
    from interlock.client.verify import Step, Trust, VerifyReport
    from interlock.client.verify.report import Counts

PartialOption = Annotated[
    bool, typer.Option("--partial-ok", help="Take a bundle that covers some models alone. For `export --model`.")
]
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
MAX_TEXT_BYTES: Final = 1 << 20


def verify(
    run: Run,
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="What `audit export` wrote; without it, the server's log.")
    ] = None,
    key: Annotated[
        str, typer.Option("--key", metavar="FILE|KEY", help="The log's public key, as `audit key` prints it.")
    ] = "",
    genesis: Annotated[
        str, typer.Option("--genesis", metavar="SHA256", help="Digest of the founding document; else the profile's.")
    ] = "",
    since_checkpoint: Annotated[
        Path | None,
        typer.Option("--since-checkpoint", metavar="FILE", help="A checkpoint kept from before, to be in the log."),
    ] = None,
    accept_asserted: Annotated[
        bool, typer.Option("--accept-asserted", help="Take the server's word where nobody signed.")
    ] = False,
    partial_ok: PartialOption = False,
    accept_restored: Annotated[
        bool,
        typer.Option(
            "--accept-restored", help="Let go of what was seen and is lost, where the quorum accepted a restore."
        ),
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="The server's log, as without BUNDLE.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="From the first entry, also what was verified here before.")
    ] = False,
    witness: WitnessOption = None,
    witnesses: LeastOption = None,
    cosigned_since: CosignedOption = None,
) -> int:
    """Verify a whole log here: hashes, signatures, and every entry decided again. Exit 1 with findings.

    A BUNDLE is verified with no server and no network, against --key; without it the key and the founding that the
    profile pins. Nothing else of the server or of the file is believed. A server's log is gone on from where the last
    verification without findings ended, which is kept beside the profile.
    """
    if bundle is not None and live:
        raise typer.BadParameter("give a BUNDLE or --live, not both")
    if bundle is not None and full:
        raise typer.BadParameter("a BUNDLE is always judged in full: --full is for a server's log")
    if bundle is None and partial_ok:
        raise typer.BadParameter("--partial-ok is for a BUNDLE: a server's log is verified whole")
    given = witness or ()
    if bundle is None:
        with run.client() as client, run.terminal.progress("verifying") as progress:
            trust = replace(client.trust(), accept_asserted=accept_asserted, accept_restored=accept_restored)
            trust = _also(replace(trust, log_key=_key_of(key)) if key else trust, genesis, since_checkpoint)
            report = client.verify(progress, with_witnesses(trust, given, witnesses, cosigned_since), full=full)
    else:
        trust = trust_of(run, key, genesis, since_checkpoint, accept=accept_asserted, partial=partial_ok)
        trust = replace(trust, accept_restored=accept_restored)
        report = _verify_file(run, bundle, with_witnesses(trust, given, witnesses, cosigned_since))
    tell(run, report)
    return ExitCode.DONE if report.verified else ExitCode.NO


def export(
    run: Run,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write it, such as `q2.ilbundle`.")],
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME|POSITION", help="A range: as the log was then, and every entry since."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME|POSITION", help="A range: up to here; else to the head.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", metavar="MODEL", help="Only what concerns this model. May come more than once."),
    ] = None,
    with_evidence: Annotated[
        bool, typer.Option("--with-evidence", help="With the bytes of every document of it that you may read.")
    ] = False,
) -> None:
    """Export the log into one file, to be verified anywhere with `audit verify FILE --key log.pub`.

    The file holds every entry up to one signed checkpoint, the checkpoints before, policy packs, change contents, texts
    and, where asked for, documents. With --from or --to it holds a range: the state that the log stated last before it,
    the entries that gave it, and every entry since. With --model it holds all that concerns some models alone, and the
    proof that nothing of it is left out. It appears when it is whole. Opening a restricted document leaves an entry.
    """
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise typer.BadParameter(f"{out} can't be a file: give its name in a folder that is there")
    if model and (start or end):
        raise typer.BadParameter("--model goes from the founding to the head: not together with --from or --to")
    ends = moment_or_position(start), moment_or_position(end)
    with run.client() as client, run.terminal.progress("exporting") as progress:
        entries = client.export(
            out, with_evidence=with_evidence, start=ends[0], end=ends[1], models=model or (), progress=progress
        )
    size = out.stat().st_size
    if run.as_json:
        run.terminal.json({"file": str(out), "entries": entries, "bytes": size})
        return
    run.terminal.line(f"{entries} entries in {out}, {size} bytes")


def key(
    run: Run,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it there, such as `log.pub`.")
    ] = None,
) -> None:
    """Print the log's public key: one line, a C2SP verifier key. Asks no server.

    It is the one that the profile pins, or the newest that `audit verify` has shown here to be the log's since. Whoever
    verifies a bundle needs it, and should have it from elsewhere than the bundle.
    """
    from interlock.client.log_keys import known_keys
    from interlock.client.profile import find_profile, load_profile

    profile = load_profile(find_profile(run.profile, run.environment))
    known = known_keys(profile)
    if out is not None:
        _write(out, f"{known.vkey}\n")
    if run.as_json:
        ended = [{"log_key": known.vkey_of(key), "last_size": key.last_size} for key in known.keys[:-1]]
        value = {"log_key": known.vkey, "log_id": profile.log_id.hex(), "genesis": profile.genesis_digest.hex()}
        run.terminal.json({**value, "ended": ended})
        return
    run.terminal.line(known.vkey)


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, "ascii")
    except OSError as error:
        raise typer.BadParameter(f"{out} can't be written: {error.strerror}") from error


def _verify_file(run: Run, bundle: Path, trust: Trust) -> VerifyReport:
    from interlock.client.verify import verify_bundle

    try:
        with bundle.open("rb") as file, run.terminal.progress("verifying") as progress:
            return verify_bundle(file.read, trust, progress)
    except OSError as error:
        raise typer.BadParameter(f"{bundle} can't be read: {error.strerror}") from error


def trust_of(run: Run, key: str, genesis: str, since: Path | None, *, accept: bool, partial: bool = False) -> Trust:
    """Return what a bundle is held to: the given key, or else all that the profile pins."""
    from interlock.client.errors import ProfileError
    from interlock.client.profile import find_profile, load_profile
    from interlock.client.verify import Trust

    if key:
        return _also(Trust(_key_of(key), accept_asserted=accept, partial_ok=partial), genesis, since)
    try:
        profile = load_profile(find_profile(run.profile, run.environment))
    except ProfileError as error:
        said = f"without --key a bundle is held to the log of your profile, and {error.message}"
        raise ProfileError(f"{said}. Give --key with the log's public key", reason=error.reason) from error
    pinned = Trust(profile.log_key, profile.log_id, profile.genesis_digest, accept_asserted=accept, partial_ok=partial)
    return _also(pinned, genesis, since)


def _also(trust: Trust, genesis: str, since: Path | None) -> Trust:
    """Add what the command line pins."""
    if genesis:
        if not _DIGEST.fullmatch(genesis):
            raise typer.BadParameter("--genesis takes a SHA-256 in 64 lower-case hexadecimal digits")
        trust = replace(trust, genesis_digest=bytes.fromhex(genesis))
    if since is not None:
        trust = replace(trust, notes=(*trust.notes, _checkpoint(since)))
    return trust


def _key_of(text: str) -> str:
    """Return the verifier key that was given, or that a file holds."""
    from interlock.proofs.errors import RefusedError
    from interlock.proofs.note import NoteVerifier

    line = text if "+" in text and not Path(text).is_file() else _text(Path(text), "--key").strip()
    try:
        NoteVerifier.from_vkey(line)
    except RefusedError as error:
        raise typer.BadParameter(f"--key: no verifier key: {error}") from error
    return line


def _checkpoint(file: Path) -> str:
    """Return a checkpoint that was kept. By which key of the log it was signed, the log will say."""
    from interlock.proofs import note
    from interlock.proofs.errors import RefusedError

    text = _text(file, "--since-checkpoint")
    try:
        note.Checkpoint.from_text(note.split_note(text).text)
    except RefusedError as error:
        raise typer.BadParameter(f"{file} is no checkpoint: {error}") from error
    return text


def _text(file: Path, option: str) -> str:
    try:
        with file.open("rb") as source:
            return source.read(MAX_TEXT_BYTES).decode()
    except OSError as error:
        raise typer.BadParameter(f"{option}: {file} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{option}: {file} is no text") from error


def tell(run: Run, report: VerifyReport) -> None:
    """Print what a verification found."""
    if run.as_json:
        run.terminal.json(_report_json(report))
    else:
        _show_report(run, report)


def _show_report(run: Run, report: VerifyReport) -> None:
    terminal = run.terminal
    if report.development:
        terminal.line(
            ("development", "bold yellow"), " genesis: one person made everybody's keys and could sign for all"
        )
    for step in report.steps:
        name = f"{step.number}. {step.name}"
        terminal.line(f"{name:<14} ", _mark(step), f"  {step.detail}" if step.detail else "")
    if report.before.entries:
        terminal.line(f"judged before: {_in_words(report.before)}")
        terminal.line(f"judged now:    {_in_words(report.now)}")
    for key in report.retired:
        terminal.line(
            f"entry {key.retired_by} names another log key: the one before it ends at {key.last_size} entries"
        )
    for row in report.restores:
        lost = f"{row.kept_size} entries were kept, a head of {row.lost_size} was lost"
        terminal.line((f"entry {row.accepted_by} accepts a restore: ", "bold yellow"), lost)
    for gone in report.erased:
        terminal.line(f"entry {gone.position}: its {gone.field} was erased by entry {gone.by}")
    if report.anew:
        terminal.line(f"judged from the first entry on: {report.anew}")
    if report.not_kept:
        terminal.line(f"not kept for the next time: {report.not_kept}")
    for finding in report.findings:
        where = f"entry {finding.position}" if finding.position >= 0 else "the log"
        terminal.line((f"{where}: ", "bold red"), (finding.code, "bold"), f" ({finding.step}): {finding.detail}")
    terminal.line((report.last_line, "bold green" if report.verified else "bold red"))


def _mark(step: Step) -> Piece:
    if step.passed:
        return ("ok", "green")
    return ("FAILED", "bold red") if step.unjudged_from is None else ("NOT JUDGED", "bold yellow")


def _in_words(counts: Counts) -> str:
    steps = f"{counts.signed} loosening steps signed, {counts.asserted} asserted"
    return f"{counts.entries} entries, {counts.sign_offs} statements, {steps}"


def _report_json(report: VerifyReport) -> dict[str, object]:
    return {
        "verified": report.verified,
        "entries": report.entries,
        "root": report.root.hex(),
        "development": report.development,
        "genesis_digest": report.genesis_digest.hex(),
        "genesis_pinned": report.genesis_pinned,
        "countersigned_by": list(report.countersigned),
        "sign_offs": report.sign_offs,
        "signed": report.signed,
        "part": asdict(report.part) if report.part is not None else None,
        "asserted": report.asserted,
        "witnessed": list(report.witnessed),
        "log_keys": [{"public_key": row.public_key.hex(), "last_size": row.last_size} for row in report.keys],
        "restores": [
            {
                "position": row.accepted_by,
                "kept": {"size": row.kept_size, "root": row.kept_root.hex()},
                "lost": {"size": row.lost_size, "root": row.lost_root.hex()},
            }
            for row in report.restores
        ],
        "erased": [asdict(row) for row in report.erased],
        "before": asdict(report.before),
        "now": asdict(report.now),
        "anew": report.anew,
        "not_kept": report.not_kept,
        "steps": [
            {
                "number": row.number,
                "name": row.name,
                "passed": row.passed,
                "unjudged_from": row.unjudged_from,
                "detail": row.detail,
            }
            for row in report.steps
        ],
        "findings": [
            {"step": row.step, "position": row.position, "code": row.code, "detail": row.detail}
            for row in report.findings
        ],
    }
