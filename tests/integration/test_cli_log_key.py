"""The log gets another key, by the command line and a real server: who names it, who signs since, who notices."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from interlock.client.keyfile import load_key
from interlock.client.witness import create_witness, load_witness
from interlock.proofs import keys
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
    cli.must("owner", "log-key", "create", "--out", private, "--public", public, "--no-passphrase")
    last = last or cli.file("last.txt", cli.must("auditor", "audit", "checkpoint").out)
    document = str(cli.folder / "recovery.bin")
    cli.must("owner", "recover", "write", "--log-key", public, "--last", last, "--out", document, *words)
    return document


def rename(cli: Cli, *words: str) -> Outcome:
    """Have the quorum name a new key."""
    document = written(cli, *words)
    return cli.must("owner", "recover", "send", document, *signed(cli, document, *QUORUM))


def proposed(cli: Cli, *, private: str = "") -> str:
    """Make a new key with the old one's word, in the server's folder unless told; propose the rotation."""
    own, public = cli.server.data / "keys", cli.folder / f"new-{len(list(cli.folder.glob('new-*')))}.json"
    words = ("--replaces", str(own / "log.key"), "--out", private or str(own / "log-next.key"), "--no-passphrase")
    cli.must("owner", "log-key", "create", *words, "--public", str(public))
    name: str = cli.must("requester", "log-key", "rotate", str(public), "--json").json["name"]
    return name


def rotate(cli: Cli) -> Outcome:
    """Have people rotate the key; return what the last of them saw."""
    change = proposed(cli)
    cli.must("owner", "sign", change, "--yes")
    return cli.must("reviewer", "sign", change, "--yes")


WAYS: Final = {"recovery": rename, "rotation": rotate}
"""How the log gets another key."""


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


@pytest.mark.parametrize("way", WAYS)
def test_a_stranger_judges_the_file_by_either_key(way: str, cli: Cli) -> None:
    """A bundle, a range and a checkpoint from before: under the founding's key and under the present one."""
    cli.must("evaluator", "models", "create", "m")
    old, kept = (cli.must("auditor", "audit", *words).out for words in (("key",), ("checkpoint",)))
    WAYS[way](cli)
    cli.must("auditor", "audit", "verify")
    new = cli.must("auditor", "audit", "key").out
    since = ("--since-checkpoint", cli.file("kept.txt", kept))
    later = ("--since-checkpoint", cli.file("later.txt", cli.must("auditor", "audit", "checkpoint").out))
    full, part = str(cli.folder / "full.ilbundle"), str(cli.folder / "part.ilbundle")
    cli.must("evaluator", "models", "create", "n")
    cli.must("auditor", "audit", "export", "--out", full)
    cli.must("auditor", "audit", "export", "--out", part, "--model", "m")  # which states a digest to begin a range with
    cli.must("evaluator", "models", "create", "o")
    ranged = str(cli.folder / "range.ilbundle")
    head = cli.must("auditor", "audit", "checkpoint").out.splitlines()[1]
    cli.must("auditor", "audit", "export", "--out", ranged, "--from", str(int(head) - 1))

    for key in (old, new):
        pin = ("--key", cli.file("log.pub", key))
        assert cli.must("nobody", "audit", "verify", full, *pin, *since, *later).code == 0
        assert cli.must("nobody", "audit", "verify", part, *pin, "--partial-ok").code == 0
        assert cli.must("nobody", "audit", "verify", ranged, *pin).code == 0


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


@pytest.mark.parametrize("way", WAYS)
def test_a_thief_of_the_old_key_goes_on_with_a_copy(way: str, cli: Cli, data: Path, tmp_path: Path) -> None:
    """A second server of the log as it was, with its key of then: whoever knows the new key believes nothing of it."""
    cli.server.stop()
    shutil.copytree(data, tmp_path / "stolen")
    with ServerThread(data) as honest:
        cli.server = honest
        WAYS[way](cli)
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


# Rotated by a change ----------------------------------------------------------------------------------------------


def test_a_change_rotates_the_key(cli: Cli, witness: Path, data: Path) -> None:
    """Nothing is held; clients and witnesses refuse the new key until they have judged the change, then they go on."""
    old = cli.must("auditor", "audit", "key").out.strip()
    cli.release("m")
    assert cosign(cli, witness).code == 0
    before, fresh = cli.must("auditor", "audit", "checkpoint").out, data / "keys" / "log-next.key"
    change = proposed(cli)
    waiting = fresh.read_bytes()
    shown = cli.must("owner", "sign", change, "--yes").out
    assert "log.rotate_key" in shown
    assert cli.must("auditor", "audit", "checkpoint").code == 0

    cli.must("reviewer", "sign", change, "--yes")

    assert cli.must("release-bot", "gate", "check", "m", "--context", "internal").code == 0
    assert (data / "keys" / "log.key").read_bytes() == waiting
    assert not fresh.exists()
    for refused in (cli("auditor", "audit", "checkpoint", "--json"), cosign(cli, witness)):
        assert refused.code != 0
        assert refused.refusal["reason"] == "NOTE_NOT_SIGNED"
        assert "audit verify" in refused.refusal["message"]
    assert "names another log key: the one before it ends at" in cli.must("auditor", "audit", "verify").out
    new, head = cli.must("auditor", "audit", "key").out.strip(), cli.must("auditor", "audit", "checkpoint").out
    assert new == (data / "log.pub").read_text().strip() != old
    assert LogKeys.from_vkey(new).open(head)[0].size > LogKeys.from_vkey(old).open(before)[0].size
    with pytest.raises(NoteError):
        LogKeys.from_vkey(old).open(head)
    assert cosign(cli, witness).code == 0
    assert cli.must("auditor", "audit", "verify").code == 0
    assert cli("auditor", "audit", "checkpoint", "--list").code == 0


def test_twice_and_after_restarts(cli: Cli, data: Path) -> None:
    """Each time the next key waits in the same place; a start in between finds either key where it was left."""
    cli.must("evaluator", "models", "create", "m")
    first = (data / "keys" / "log.key").read_bytes()
    rotate(cli)
    second, named = (data / "keys" / "log.key").read_bytes(), (data / "log.pub").read_text()
    cli.server.stop()
    (data / "keys" / "log-next.key").write_bytes(second)  # killed between the entry and its files
    (data / "keys" / "log-next.key").chmod(0o600)
    (data / "keys" / "log.key").write_bytes(first)
    with ServerThread(data) as again:
        assert again.ready["checkpoint"]
        assert ((data / "keys" / "log.key").read_bytes(), (data / "log.pub").read_text()) == (second, named)
        cli.server = again
        for who in ("requester", "owner", "reviewer", "auditor"):
            cli.must(who, "audit", "verify")
        rotate(cli)
        told = cli.must("auditor", "audit", "verify").out
        assert told.count("names another log key") == 2
    (data / "keys" / "log.key").write_bytes(second)  # the one between, put back
    (data / "log.pub").write_text(named)
    with ServerThread(data) as wrong:
        assert wrong.ready["checkpoint"] == ""


def test_without_the_private_half_nothing_is_applied(cli: Cli, data: Path) -> None:
    """The step that would apply it is refused, whichever it is, and can be done again once the file is there."""
    elsewhere, waits = cli.folder / "elsewhere.key", data / "keys" / "log-next.key"
    change = proposed(cli, private=str(elsewhere))
    cli.must("owner", "sign", change, "--yes")
    for content in (None, b"no key", (data / "keys" / "log.key").read_bytes()):
        if content is not None:
            waits.write_bytes(content)
            waits.chmod(0o600)
        no = cli("reviewer", "sign", change, "--yes", "--json")
        assert (no.code, no.codes) == (3, ["LOG_KEY_FILE"])
    assert cli.must("auditor", "audit", "checkpoint").code == 0
    assert cli.must("auditor", "audit", "key").out == (data / "log.pub").read_text()

    waits.write_bytes(elsewhere.read_bytes())
    cli.must("reviewer", "sign", change, "--yes")

    assert cli.must("auditor", "audit", "verify").code == 0
    assert cli.must("auditor", "audit", "key").out == (data / "log.pub").read_text()


def test_the_hour_can_be_chosen(cli: Cli, data: Path) -> None:
    """Signed ahead and applied by hand: refused without the file, as a sign-off is."""
    elsewhere, public = cli.folder / "elsewhere.key", cli.folder / "new.json"
    words = ("--replaces", str(data / "keys" / "log.key"), "--out", str(elsewhere), "--no-passphrase")
    cli.must("owner", "log-key", "create", *words, "--public", str(public))
    parts = "".join(f"      {name}: '{value}'\n" for name, value in json.loads(public.read_text()).items())
    text = f"title: A new key\napply_separately: true\ntriggers:\n  - log.rotate_key:\n{parts}"
    change = cli.propose(text, who="requester")
    cli.must("owner", "sign", change, "--yes")
    cli.must("reviewer", "sign", change, "--yes")
    no = cli("owner", "changes", "apply", change, "--json")
    assert (no.code, no.codes) == (3, ["LOG_KEY_FILE"])
    (data / "keys" / "log-next.key").write_bytes(elsewhere.read_bytes())
    (data / "keys" / "log-next.key").chmod(0o600)

    cli.must("owner", "changes", "apply", change)

    assert cli.must("auditor", "audit", "verify").code == 0


def test_the_new_key_is_under_the_passphrase_of_the_file_that_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the variable that the server reads as well; the fingerprint is the one that signers are shown."""
    out, public = cli.folder / "next.key", cli.folder / "new.json"
    monkeypatch.setenv("INTERLOCK_PASSPHRASE_FILE", cli.file("secret", "a passphrase of the server\n"))

    made = cli.must("owner", "log-key", "create", "--out", str(out), "--public", str(public), "--json").json

    key = load_key(out, lambda _path: b"a passphrase of the server")
    assert keys.public_bytes(key).hex() == made["public_key"] == json.loads(public.read_text())["public_key"]
    assert made["fingerprint"] == keys.fingerprint(keys.public_bytes(key))


def test_what_can_not_be_proposed(cli: Cli, data: Path) -> None:
    """A key for which the old one says no word: told before the server is asked, or by the server."""
    public = str(cli.folder / "new.json")
    cli.must("owner", "log-key", "create", "--out", str(cli.folder / "a.key"), "--public", public, "--no-passphrase")
    no = cli("requester", "log-key", "rotate", public, "--json")
    assert "--replaces" in no.refusal["message"]
    words = ("--replaces", str(cli.folder / "a.key"), "--out", str(cli.folder / "b.key"), "--no-passphrase")
    cli.must("owner", "log-key", "create", *words, "--public", public)
    no = cli("requester", "log-key", "rotate", public, "--json")
    assert no.codes == ["POSSESSION"]
    no = cli("owner", "log-key", "create", *words[:1], str(data / "log.pub"), *words[2:], "--public", public, "--json")
    assert no.refusal["reason"] == "NO_KEY"


def test_regression_where_the_public_half_can_not_be_written_no_private_one_is_left(cli: Cli) -> None:
    """A key without its public half would be in the way of the next attempt."""
    out, nowhere = cli.folder / "a.key", cli.folder / "no-such-folder" / "new.json"
    refused = cli("owner", "log-key", "create", "--out", str(out), "--public", str(nowhere), "--no-passphrase")

    assert refused.code != 0
    assert not out.exists()
