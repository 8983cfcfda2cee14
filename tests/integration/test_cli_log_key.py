"""The log gets another key, by the command line and a real server: who names it, who signs since, who notices."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from interlock.client.witness import create_witness, load_witness
from interlock.proofs.errors import NoteError
from interlock.proofs.log_keys import LogKeys
from tests.integration.cli_runner import Cli, Outcome, command_line
from tests.support.people import People
from tests.support.server import ServerThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUORUM: Final = ("recovery-1", "recovery-2")


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """Give a witness's folder, with its passphrase beside."""
    (tmp_path / "secret").write_text("of the witness")
    create_witness(tmp_path / "w", "witness.example/w1", b"of the witness")
    return tmp_path / "w"


@pytest.fixture
def served(data: Path, witness: Path) -> Iterator[ServerThread]:
    """Serve a log that knows the witness."""
    keys = witness.parent / "witnesses"
    keys.write_text(load_witness(witness, lambda _key: b"of the witness").vkey + "\n")
    with ServerThread(data, witnesses=str(keys)) as running:
        yield running


@pytest.fixture
def cli(
    served: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of that server."""
    return command_line(served, capsys, tmp_path, monkeypatch)


def cosign(cli: Cli, witness: Path) -> Outcome:
    """Run the witness once."""
    words = ("audit", "witness", str(witness), "--once", "--key-passphrase-file", str(witness.parent / "secret"))
    return cli("auditor", *words, "--json")


def signed(cli: Cli, document: str, *who: str) -> list[str]:
    """Have members of the quorum sign a document; return the files."""
    made = []
    for one in who:
        folder, out = cli.server.home / one, cli.folder / f"{one}.json"
        secret = ("--passphrase-file", str(folder / "passphrase"))
        words = ("--as", one, "--key", str(folder / "recovery.key"), "--out", str(out), "--yes", *secret)
        cli.must("owner", "recover", "sign", document, *words)
        made.append(str(out))
    return made


def written(cli: Cli, *words: str, key: str = "", last: str = "") -> str:
    """Make a new key in the server's folder, and write the document that names it; return the document's file."""
    private, public = key or str(cli.server.data / "keys" / "log-next.key"), str(cli.folder / "new-key.json")
    cli.must("owner", "recover", "log-key", "--out", private, "--public", public, "--no-passphrase")
    last = last or cli.file("last.txt", cli.must("auditor", "audit", "checkpoint").out)
    document = str(cli.folder / "recovery.bin")
    cli.must("owner", "recover", "write", "--log-key", public, "--last", last, "--out", document, *words)
    return document


def rename(cli: Cli, *words: str) -> Outcome:
    """Have the quorum name a new key."""
    document = written(cli, *words)
    return cli.must("owner", "recover", "send", document, *signed(cli, document, *QUORUM))


def test_the_new_key_signs_and_the_old_one_nothing(cli: Cli, witness: Path) -> None:
    """Clients and witnesses refuse the new key until they have judged who named it; then they go on."""
    old = cli.must("auditor", "audit", "key").out.strip()
    cli.must("evaluator", "models", "create", "m")
    assert cosign(cli, witness).code == 0
    before = cli.must("auditor", "audit", "checkpoint").out

    done = rename(cli)
    assert "log: another key is in force" in done.out
    assert "on everything" in done.out

    for refused in (cli("auditor", "audit", "checkpoint", "--json"), cosign(cli, witness)):
        assert refused.code != 0
        assert refused.refusal["reason"] == "NOTE_NOT_SIGNED"
        assert "audit verify" in refused.refusal["message"]
    told = cli.must("auditor", "audit", "verify")
    assert "names another log key: the one before it ends at" in told.out
    new = cli.must("auditor", "audit", "key").out.strip()
    assert new != old
    head = cli.must("auditor", "audit", "checkpoint").out
    assert LogKeys.from_vkey(new).open(head)[0].size > LogKeys.from_vkey(old).open(before)[0].size
    with pytest.raises(NoteError):
        LogKeys.from_vkey(old).open(head)
    assert cosign(cli, witness).code == 0
    assert cli.must("auditor", "audit", "verify").code == 0
    assert cli("auditor", "audit", "checkpoint", "--list").code == 0


def test_a_stranger_judges_the_file_by_either_key(cli: Cli) -> None:
    """A bundle, a range and a checkpoint from before: under the founding's key and under the present one."""
    cli.must("evaluator", "models", "create", "m")
    old, kept = (cli.must("auditor", "audit", *words).out for words in (("key",), ("checkpoint",)))
    rename(cli)
    cli.must("auditor", "audit", "verify")
    new = cli.must("auditor", "audit", "key").out
    since = ("--since-checkpoint", cli.file("kept.txt", kept))
    later = ("--since-checkpoint", cli.file("later.txt", cli.must("auditor", "audit", "checkpoint").out))
    full, part = str(cli.folder / "full.ilbundle"), str(cli.folder / "part.ilbundle")
    cli.must("auditor", "audit", "export", "--out", full)
    cli.must("auditor", "audit", "export", "--out", part, "--model", "m")

    for key in (old, new):
        pin = ("--key", cli.file("log.pub", key))
        assert cli.must("nobody", "audit", "verify", full, *pin, *since, *later).code == 0
        assert cli.must("nobody", "audit", "verify", part, *pin, "--partial-ok").code == 0


def test_it_goes_on_after_a_restart(cli: Cli, data: Path) -> None:
    """The key that waited lies in the first place, the old one is gone, `log.pub` says so; the server starts."""
    old = (data / "keys" / "log.key").read_bytes()
    waiting = written(cli)
    fresh = (data / "keys" / "log-next.key").read_bytes()
    cli.must("owner", "recover", "send", waiting, *signed(cli, waiting, *QUORUM))

    assert (data / "keys" / "log.key").read_bytes() == fresh
    assert not (data / "keys" / "log-next.key").exists()
    cli.server.stop()
    named = (data / "log.pub").read_text()
    with ServerThread(data) as again:
        assert again.ready["checkpoint"]
        assert again.ready["log_key"] == named.strip()
    for public in (cli.must("auditor", "audit", "key").out, named):  # killed before the files were put in their places
        (data / "keys" / "log-next.key").write_bytes(fresh)
        (data / "keys" / "log-next.key").chmod(0o600)
        (data / "keys" / "log.key").write_bytes(old)
        (data / "log.pub").write_text(public)
        with ServerThread(data) as again:
            assert again.ready["checkpoint"]
        assert (data / "keys" / "log.key").read_bytes() == fresh
        assert (data / "log.pub").read_text() == named
    (data / "keys" / "log.key").write_bytes(old)  # whoever puts the old one back, or starts with a copy of before
    (data / "log.pub").write_text(cli.must("auditor", "audit", "key").out)
    with ServerThread(data) as wrong:
        assert wrong.ready["checkpoint"] == ""
        told = cli("release-bot", "gate", "check", "m", "--context", "internal", "--json")
        assert told.code == 1
        assert "LEDGER" in told.out


def test_what_the_server_refuses(cli: Cli, data: Path) -> None:
    """A key whose private half is not here, an end that is no head of this log: nothing is written."""
    other = written(cli, key=str(cli.folder / "elsewhere.key"))
    no = cli("owner", "recover", "send", other, *signed(cli, other, *QUORUM), "--json")
    assert (no.code, no.codes) == (3, ["LOG_KEY_FILE"])
    (cli.folder / "new-key.json").unlink()
    good = written(cli)
    wrong = data / "keys" / "log-next.key"
    wrong.write_bytes((cli.folder / "elsewhere.key").read_bytes())  # another key than the one that was signed for
    no = cli("owner", "recover", "send", good, *signed(cli, good, *QUORUM), "--json")
    assert (no.code, no.codes) == (3, ["LOG_KEY_FILE"])
    assert cli.must("auditor", "audit", "verify").code == 0
    assert cli.must("auditor", "audit", "key").out == (data / "log.pub").read_text()


def test_a_thief_of_the_old_key_goes_on_with_a_copy(cli: Cli, data: Path, tmp_path: Path) -> None:
    """A server of the log as it was before, with its key of then: whoever knows the new key believes nothing of it."""
    cli.server.stop()
    shutil.copytree(data, tmp_path / "stolen")
    with ServerThread(data) as honest:
        cli.server = honest
        rename(cli)
        cli.must("auditor", "audit", "verify")
    with ServerThread(tmp_path / "stolen") as thief:
        with People(thief) as people:
            for _ in range(4):
                people.new_model()
        file = data / "principals" / "auditor" / "profile.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "address": thief.address}))
        shown = cli("auditor", "audit", "checkpoint", "--json")
        judged = cli("auditor", "audit", "verify", "--json")

    assert shown.refusal["reason"] == "LOG_KEY_ENDED"
    assert judged.code == 1
    assert not judged.json["verified"]
