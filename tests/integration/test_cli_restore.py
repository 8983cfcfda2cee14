"""A database that was set back, by the command line and a real server: denied, accepted by the quorum, told to all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interlock.client.witness import create_witness, load_witness
from tests.integration.cli_runner import Cli, command_line
from tests.integration.test_cli_log_key import QUORUM, cosign, signed
from tests.support.server import ServerThread

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """Give a witness's folder, with its passphrase beside."""
    (tmp_path / "secret").write_text("of the witness")
    create_witness(tmp_path / "w", "witness.example/w1", b"of the witness")
    keys = tmp_path / "witnesses"
    keys.write_text(load_witness(tmp_path / "w", lambda _key: b"of the witness").vkey + "\n")
    return tmp_path / "w"


def serving(data: Path, witness: Path) -> ServerThread:
    """Return a server of the log that knows the witness."""
    return ServerThread(data, witnesses=str(witness.parent / "witnesses"))


def set_back(data: Path, backup: Path) -> None:
    """Put the backup in the database's place."""
    for leftover in data.glob("interlock.db*"):
        leftover.unlink()
    shutil.copy(backup, data / "interlock.db")


@pytest.fixture
def cli(
    data: Path,
    witness: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cli]:
    """Give a command line at a server whose database was set back: auditor and witness saw more of it."""
    with serving(data, witness) as first:
        cli = command_line(first, capsys, tmp_path, monkeypatch)
        cli.release("wren-1")
        cli.must("auditor", "audit", "verify")
    shutil.copy(data / "interlock.db", tmp_path / "backup.db")
    with serving(data, witness) as second:
        cli.server = second
        cli.must("evaluator", "models", "create", "lost")
        cli.must("auditor", "audit", "verify")
        assert cosign(cli, witness).code == 0
    set_back(data, tmp_path / "backup.db")
    with serving(data, witness) as third:
        cli.server = third
        yield cli


def gate(cli: Cli) -> list[str]:
    """Return why the gate says no."""
    told = cli("release-bot", "gate", "check", "wren-1", "--context", "internal", "--json")
    return [row["code"] for row in told.json["reasons"]]


def new_key(cli: Cli) -> str:
    """Make the key that waits in the server's folder; return what the quorum is given of it."""
    public = str(cli.folder / "new-key.json")
    waits = str(cli.server.data / "keys" / "log-next.key")
    cli.must("owner", "log-key", "create", "--out", waits, "--public", public, "--no-passphrase")
    return public


def acceptance(cli: Cli, public: str, last: str, lost: str) -> str:
    """Write the document; return its file."""
    out = str(cli.folder / "recovery.bin")
    cli.must("owner", "recover", "write", "--log-key", public, "--last", last, "--lost", lost, "--out", out)
    return out


def test_the_quorum_accepts_a_restore(cli: Cli, witness: Path) -> None:
    """The gate denies for the rollback, then for the hold; client and witness stop until they have said yes."""
    assert gate(cli) == ["LOG_ROLLED_BACK"]
    assert cli("owner", "hold", "place", "wren-1").code != 0
    public, last, mark = new_key(cli), str(cli.folder / "restored.json"), cli.server.data / "highwater.json"
    cli.must("requester", "recover", "restored", "--out", last)
    value = json.loads(mark.read_text())

    other = cli.file("other.json", json.dumps({**value, "size": value["size"] + 1}))
    wrong = acceptance(cli, public, last, other)
    no = cli("owner", "recover", "send", wrong, *signed(cli, wrong, *QUORUM), "--json")
    assert no.codes == ["LOG_HEAD"]
    before = cli.file("before.json", json.dumps({**json.loads(Path(last).read_text()), "root": "00" * 32}))
    wrong = acceptance(cli, public, before, str(mark))
    no = cli("owner", "recover", "send", wrong, *signed(cli, wrong, *QUORUM), "--json")
    assert no.codes == ["LOG_HEAD"]
    good = acceptance(cli, public, last, str(mark))
    one, two = signed(cli, good, *QUORUM)
    no = cli("owner", "recover", "send", good, one, "--json")
    assert no.codes == ["SIGN_OFF_MISSING"]
    assert gate(cli) == ["LOG_ROLLED_BACK"]

    cli.must("owner", "recover", "send", good, one, two)

    assert gate(cli) == ["HOLD_PLACED"]
    again = cli("owner", "recover", "send", good, one, two, "--json")
    assert again.codes == ["NOT_ROLLED_BACK"]
    _who_saw_more(cli, witness)
    _lifted(cli)


def _who_saw_more(cli: Cli, witness: Path) -> None:
    told = cli("auditor", "audit", "verify")
    assert told.code == 1
    assert "LOG_RESTORED" in told.out
    assert "accepts a restore" in told.out
    assert cosign(cli, witness).code != 0
    assert list((cli.server.home / "auditor").glob("fork-*.json"))

    let_go = cli.must("auditor", "audit", "verify", "--accept-restored").out
    assert "a loss was accepted here" in let_go
    assert "0 heads signed before are in it; what was seen besides is let go of" in let_go

    assert cli.must("auditor", "audit", "verify").code == 0
    assert cosign(cli, witness).code != 0
    words = ("audit", "witness", str(witness), "--once", "--key-passphrase-file", str(witness.parent / "secret"))
    cli.must("auditor", *words, "--accept-restored")
    assert list(witness.glob("fork-*.json"))
    assert cosign(cli, witness).code == 0


def _lifted(cli: Cli) -> None:
    hold = cli.must("auditor", "hold", "list", "--placed", "--json").json["holds"][0]["name"]
    for who in ("evaluator", "owner", "reviewer"):
        cli.must(who, "audit", "verify", "--accept-restored")
    change = cli.propose(f"title: We looked\ntriggers: [hold.lift: {hold}]\n")
    cli.must("owner", "sign", change, "--yes")
    cli.must("reviewer", "sign", change, "--yes")
    assert gate(cli) == []
