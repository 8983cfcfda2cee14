"""Proofs, checkpoints and the witness on the command line: standard formats out, and what happens when a log lies."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interlock.client import AsyncInterlock
from interlock.client.profile import load_profile
from interlock.client.witness import create_witness
from interlock.proofs import bundle, cosignature, merkle, note
from interlock.v1 import audit_pb2, bundle_pb2
from tests.integration.cli_runner import Cli, Outcome, command_line
from tests.support.people import People, refused
from tests.support.server import ServerThread, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interlock.client.verify import VerifyReport

    Install = Callable[[str], Path]

NAME = "witness.example/w1"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a witness's folder, made as `witness-key` does, with its passphrase beside."""
    (tmp_path / "secret").write_text("of the witness")
    create_witness(tmp_path / "w", NAME, b"of the witness")
    return tmp_path / "w"


@pytest.fixture
def witness_key(place: Path) -> str:
    """Give the witness's verifier key."""
    from interlock.client.witness import load_witness  # noqa: PLC0415

    return load_witness(place, lambda _key: b"of the witness").vkey


@pytest.fixture
def served(data: Path, tmp_path: Path, witness_key: str) -> Iterator[ServerThread]:
    """Serve a log that knows the witness."""
    (tmp_path / "witnesses").write_text(f"# who watches\n\n{witness_key}\n")
    with ServerThread(data, witnesses=str(tmp_path / "witnesses")) as running:
        yield running


@pytest.fixture
def cli(
    served: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of that server."""
    cli = command_line(served, capsys, tmp_path, monkeypatch)
    cli.must("evaluator", "models", "create", "m")
    cli.must("owner", "hold", "place", "m")
    return cli


def cosign(cli: Cli, place: Path, who: str = "auditor") -> Outcome:
    """Run the witness once."""
    words = ("audit", "witness", str(place), "--once", "--key-passphrase-file", str(place.parent / "secret"))
    return cli(who, *words, "--json")


def log_of(cli: Cli) -> note.NoteVerifier:
    """Return the log's key, as the auditor's profile pins it."""
    return note.NoteVerifier.from_vkey(load_profile(cli.server.home / "auditor" / "profile.json").log_key)


def unpacked(hashes: list[str]) -> list[bytes]:
    """Read a list of base64 hashes."""
    return [base64.b64decode(text) for text in hashes]


def test_an_inclusion_proof_is_printed_as_rfc_6962_names_it(cli: Cli) -> None:
    """Another tool can check it: leaf_index, audit_path, tree_size, root, and the note that signs it."""
    entry = base64.b64decode(cli.must("auditor", "audit", "show", "1", "--json").json["stored"]["entry"])
    proof = cli.must("auditor", "audit", "prove", "1").json
    head = note.open_checkpoint(proof["checkpoint"], log_of(cli))

    assert (proof["leaf_index"], proof["tree_size"]) == (1, head.size)
    assert base64.b64decode(proof["sha256_root_hash"]) == head.root
    merkle.verify_inclusion(merkle.leaf_hash(entry), 1, head.size, unpacked(proof["audit_path"]), head.root)


def test_a_proof_in_an_older_tree_is_had_by_its_size(cli: Cli) -> None:
    """`--size` names the tree; what this profile saw later extends it."""
    cli.must("auditor", "audit", "checkpoint")

    proof = cli.must("auditor", "audit", "prove", "1", "--size", "2").json

    assert proof["tree_size"] == 2
    assert note.open_checkpoint(proof["checkpoint"], log_of(cli)).size == 2


def test_a_consistency_proof_is_printed_as_rfc_6962_names_it(cli: Cli) -> None:
    """first, second, consistency, and both notes."""
    proof = cli.must("auditor", "audit", "prove", "--from", "1", "--to", "3").json
    older, newer = (note.open_checkpoint(proof[name], log_of(cli)) for name in ("first_checkpoint", "checkpoint"))

    assert (proof["first"], proof["second"], older.size, newer.size) == (1, 3, 1, 3)
    merkle.verify_consistency(1, 3, unpacked(proof["consistency"]), older.root, newer.root)


def test_a_bundle_brings_its_witnesses_along(cli: Cli, place: Path, witness_key: str) -> None:
    """The head and the heads before with their cosignatures; a reader counts those of the witnesses it was told of."""
    cosign(cli, place)
    cli.must("owner", "hold", "place", "m")
    cosign(cli, place)
    out, stranger = str(cli.folder / "w.ilbundle"), cosignature.WitnessKey("other.example", log_of(cli).public_key)
    cli.must("auditor", "audit", "export", "--out", out)
    key = cli.file("log.pub", cli.must("auditor", "audit", "key").out)
    both = cli.file("keys", f"# those we rely on\n{witness_key}\n{stranger.vkey}\n")
    verify = ("audit", "verify", out, "--key", key)

    report = cli.must("nobody", *verify, "--witness", witness_key, "--json").json
    live = cli.must("auditor", "audit", "verify", "--witness", witness_key, "--json").json
    one_of_two = cli.must("nobody", *verify, "--witness", both, "--witnesses", "1").out
    both_of_two = cli("nobody", *verify, "--witness", both, "--json")
    with Path(out).open("rb") as file:
        notes = [
            bundle_pb2.BundleCheckpoint.FromString(segment.data).note
            for segment in bundle.read_segments(file.read)
            if segment.kind in {bundle.Kind.HEAD, bundle.Kind.CHECKPOINT}
        ]

    assert report["witnessed"] == live["witnessed"] == [NAME]
    assert f"1 of 2 witnesses ({NAME})" in one_of_two
    assert both_of_two.code == 1
    assert [row["code"] for row in both_of_two.json["findings"]] == ["COSIGNATURES_MISSING"]
    assert sum(NAME in text for text in notes) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--witnesses", "1"),
        ("--witness", "nonsense+key"),
        ("--witness", "no-such-file"),
        ("--witness", "KEY", "--witnesses", "2"),
        ("--witness", "KEY", "--witness", "KEY", "--witnesses", "2"),
    ],
    ids=" ".join,
)
def test_witnesses_that_can_not_be_counted_are_a_usage_error(
    cli: Cli, witness_key: str, words: tuple[str, ...]
) -> None:
    """No keys, none that is one, fewer than are asked for; who is named twice is one."""
    given = [word.replace("KEY", witness_key) for word in words]

    assert cli("auditor", "audit", "verify", *given).code == 2


@pytest.mark.parametrize(
    "words", [(), ("1", "--from", "1"), ("--to", "3"), ("--size", "2"), ("1", "--to", "3")], ids=" ".join
)
def test_half_a_question_is_a_usage_error(cli: Cli, words: tuple[str, ...]) -> None:
    """A position or a range, not both and not neither."""
    assert cli("auditor", "audit", "prove", *words).code == 2


def test_every_checkpoint_shown_can_be_printed(cli: Cli) -> None:
    """`--list` gives each note whole, smallest first."""
    newest = cli.must("auditor", "audit", "checkpoint").out
    cli.must("auditor", "audit", "prove", "1", "--size", "2")

    told = cli.must("auditor", "audit", "checkpoint", "--list", "--json").json["checkpoints"]
    text = cli.must("auditor", "audit", "checkpoint", "--list").out

    assert [row["size"] for row in told] == sorted(row["size"] for row in told)
    assert {2, note.open_checkpoint(newest, log_of(cli)).size} <= {row["size"] for row in told}
    assert text == "\n".join(row["note"] for row in told)


def test_a_witness_is_made_with_an_encrypted_key(cli: Cli, tmp_path: Path) -> None:
    """`witness-key` prints the verifier key of type 0x04 and nothing else, and does not overwrite."""
    words = ("audit", "witness-key", str(tmp_path / "new"), "--name", NAME)
    secret = ("--key-passphrase-file", str(tmp_path / "secret"))

    told = cli.must("auditor", *words, *secret)

    assert cosignature.WitnessKey.from_vkey(told.out.strip()).name == NAME
    assert b"ENCRYPTED" in (tmp_path / "new" / "witness.key").read_bytes()
    assert cli("auditor", *words, *secret).code == 2


def test_a_head_is_cosigned_and_served_with_its_cosignature(cli: Cli, place: Path, witness_key: str) -> None:
    """The server keeps what its witness says, and gives it with the checkpoint; the log's signature stays as it was."""
    told = cosign(cli, place)
    shown = cli.must("auditor", "audit", "checkpoint").out

    assert told.code == 0
    assert told.json["note"] == shown
    (found,) = cosignature.open_cosignatures(shown, [cosignature.WitnessKey.from_vkey(witness_key)])
    assert found.timestamp > 1_700_000_000
    assert note.open_checkpoint(shown, log_of(cli)).size == told.json["size"]


def test_a_witness_goes_on_from_its_own_head(cli: Cli, place: Path) -> None:
    """A larger tree is signed after a proof; the same one again with a new time, kept instead of the old."""
    first = cosign(cli, place).json
    again = cosign(cli, place).json
    cli.must("owner", "hold", "place", "m")
    second = cosign(cli, place).json

    assert (first["before"], again["before"], second["before"]) == (0, first["size"], first["size"])
    assert second["size"] == first["size"] + 1
    assert again["note"].count("\N{EM DASH}") == 2
    assert json.loads((place / "witness.json").read_text())["name"] == NAME


def test_a_witness_that_lost_its_memory_does_not_sign(cli: Cli, place: Path) -> None:
    """A missing memory is no empty one: whoever can delete it must not get a second history signed."""
    (place / "witness.json").unlink()

    told = cosign(cli, place)

    assert told.code == 2
    assert "cosigned" not in told.out
    assert "witness-key" in told.err


def test_without_its_passphrase_a_witness_names_the_option_that_it_has(
    cli: Cli, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INTERLOCK_PASSPHRASE_FILE is for the keys of the profile, never for the witness's."""
    monkeypatch.setenv("INTERLOCK_PASSPHRASE_FILE", str(place / "nowhere"))
    made = cli("auditor", "audit", "witness-key", str(place / "another"), "--name", NAME, "--json")
    opened = cli("auditor", "audit", "witness", str(place), "--once", "--json")

    for told in (made, opened):
        assert (told.code, told.refusal["reason"]) == (2, "NO_PASSPHRASE")
        assert "--key-passphrase-file" in told.refusal["message"]


def test_a_witness_that_the_log_does_not_know_is_refused(cli: Cli, tmp_path: Path) -> None:
    """Cosignatures of strangers are not kept."""
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "secret").write_text("x")
    create_witness(tmp_path / "strange" / "w", "stranger.example/w", b"x")

    told = cosign(cli, tmp_path / "strange" / "w")

    assert (told.code, told.refusal["fields"][0]["field"]) == (2, "note")
    assert cli.must("auditor", "audit", "checkpoint").out.count("\N{EM DASH}") == 1


def test_only_a_checkpoint_of_this_log_can_be_cosigned(cli: Cli, place: Path) -> None:
    """A note of another key, a bad line of a known witness, a time to come or gone: each is the sender's mistake."""
    from interlock.client.witness import load_witness  # noqa: PLC0415

    own = load_witness(place, lambda _key: b"of the witness")
    head = cli.must("auditor", "audit", "checkpoint").out
    text = head.partition("\n\n")[0] + "\n"
    now = int(time.time())
    good = cosignature.sign(text, NAME, own.key, now)
    origin, _, root = text.splitlines()
    other = f"{origin}\n99\n{root}\n"
    foreign = note.sign_note(text, log_of(cli).name, own.key)
    with People(cli.server) as people:
        audit = people["auditor"].audit
        for bad in (
            foreign + good,
            head + cosignature.sign(other, NAME, own.key, now),
            head + cosignature.sign(text, NAME, own.key, 2**40),
            head + cosignature.sign(text, NAME, own.key, 1),
            "not a note",
        ):
            with refused("INVALID_FIELD"):
                audit.AddCosignature(audit_pb2.AddCosignatureRequest(note=bad))
        assert audit.AddCosignature(audit_pb2.AddCosignatureRequest(note=head + good)).note == head + good


class TestTwoHistories:
    """One log key, two logs: what a copy of the data folder, or an operator with the key, can make."""

    @pytest.fixture
    def forked(
        self,
        installations: Install,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        witness_key: str,
    ) -> Iterator[tuple[Cli, Cli]]:
        """Serve a log and a fork of it, which agree up to the founding."""
        (tmp_path / "witnesses").write_text(witness_key)
        folders = [copy_of(installations("minimal"), tmp_path / name) for name in ("one", "other")]
        with (
            ServerThread(folders[0], witnesses=str(tmp_path / "witnesses")) as one,
            ServerThread(folders[1], witnesses=str(tmp_path / "witnesses"), may_fail=True) as other,
        ):
            first = command_line(one, capsys, tmp_path, monkeypatch)
            first.must("evaluator", "models", "create", "first")
            first.must("auditor", "audit", "checkpoint")
            second = Cli(other, capsys, first.folder)
            monkeypatch.setenv("INTERLOCK_HOME", str(other.home))
            second.must("evaluator", "models", "create", "second")
            monkeypatch.setenv("INTERLOCK_HOME", str(one.home))
            yield first, second

    def shown_the_other(self, first: Cli, second: Cli) -> None:
        """Let the auditor of the first log meet the second one at the same address."""
        path = first.server.home / "auditor" / "profile.json"
        profile = json.loads(path.read_text())
        path.write_text(json.dumps({**profile, "address": second.server.address}))
        (first.server.home / "auditor" / "session.json").unlink(missing_ok=True)

    def heads_of(self, kept: str, log: note.NoteVerifier) -> list[note.Checkpoint]:
        """Return both heads of a proof of a fork, each signed by the log."""
        return [note.open_checkpoint(text, log) for text in json.loads(Path(kept).read_text())["notes"]]

    @pytest.mark.parametrize("more", [0, 2], ids=["of the same size", "larger"])
    def test_a_client_keeps_both_heads(
        self, forked: tuple[Cli, Cli], monkeypatch: pytest.MonkeyPatch, more: int
    ) -> None:
        """Two notes of one size by one key with two roots: kept in a file, printed, exit 1."""
        first, second = forked
        monkeypatch.setenv("INTERLOCK_HOME", str(second.server.home))
        for number in range(more):
            second.must("evaluator", "models", "create", f"later{number}")
        monkeypatch.setenv("INTERLOCK_HOME", str(first.server.home))
        self.shown_the_other(first, second)

        told = first("auditor", "audit", "checkpoint", "--json")
        said = first("auditor", "audit", "checkpoint")

        one, other = self.heads_of(told.refusal["kept"], log_of(first))
        assert (told.code, told.refusal["reason"], said.code) == (1, "LOG_FORKED", 1)
        assert one.size == other.size
        assert one.root != other.root
        for text in told.refusal["notes"]:
            assert text.splitlines()[2] in said.err

    def test_a_verification_keeps_both_heads(self, forked: tuple[Cli, Cli]) -> None:
        """`audit verify` finds the head it saw before to be none of this log, and keeps both."""
        first, second = forked
        self.shown_the_other(first, second)

        told = first("auditor", "audit", "verify", "--json")

        assert told.code == 1
        assert "LOG_FORKED" in [row["code"] for row in told.json["findings"]]
        (kept,) = (first.server.home / "auditor").glob("fork-*.json")
        one, other = self.heads_of(str(kept), log_of(first))
        assert one.root != other.root

    def test_a_verification_by_asyncio_keeps_both_heads(self, forked: tuple[Cli, Cli]) -> None:
        """The proof of a fork is kept whichever client finds it."""
        first, second = forked
        self.shown_the_other(first, second)

        async def verify() -> VerifyReport:
            async with AsyncInterlock.from_profile("auditor") as client:
                return await client.verify()

        report = asyncio.run(verify())

        assert "LOG_FORKED" in [finding.code for finding in report.findings]
        (kept,) = (first.server.home / "auditor").glob("fork-*.json")
        one, other = self.heads_of(str(kept), log_of(first))
        assert one.root != other.root

    def test_a_witness_keeps_both_heads_and_signs_neither_again(self, forked: tuple[Cli, Cli], place: Path) -> None:
        """The second history gets no cosignature."""
        first, second = forked
        cosign(first, place)
        before = (place / "witness.json").read_bytes()
        self.shown_the_other(first, second)

        told = cosign(first, place)

        assert (told.code, told.refusal["reason"]) == (1, "LOG_FORKED")
        assert (place / "witness.json").read_bytes() == before
        one, other = self.heads_of(told.refusal["kept"], log_of(first))
        assert (one.size, one.root != other.root) == (other.size, True)

    def test_a_witness_tells_a_server_of_its_fork(self, forked: tuple[Cli, Cli], place: Path) -> None:
        """Handed a head that its own key signed and that is none of its log, a server relies on it no more."""
        first, second = forked
        text = cosign(first, place).json["note"]
        with People(second.server) as people:
            audit = people["auditor"].audit
            with refused("LEDGER"):
                audit.AddCosignature(audit_pb2.AddCosignatureRequest(note=text))
            with refused("LEDGER"):
                audit.GetCheckpoint(audit_pb2.GetCheckpointRequest())


def test_a_restored_copy_is_found_by_the_witness_and_then_by_the_server(
    data: Path,
    tmp_path: Path,
    place: Path,
    witness_key: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Database and high-water mark were put back: nothing smaller is signed, and the server learns of it."""
    (tmp_path / "witnesses").write_text(witness_key)
    with ServerThread(data, witnesses=str(tmp_path / "witnesses")):
        pass
    shutil.copytree(data, tmp_path / "old")
    with ServerThread(data, witnesses=str(tmp_path / "witnesses")) as server:
        cli = command_line(server, capsys, tmp_path, monkeypatch)
        cli.must("evaluator", "models", "create", "m")
        assert cosign(cli, place).code == 0
    with ServerThread(tmp_path / "old", witnesses=str(tmp_path / "witnesses"), may_fail=True) as restored:
        monkeypatch.setenv("INTERLOCK_HOME", str(restored.home))

        told = cosign(cli, place)

        assert (told.code, told.refusal["reason"]) == (5, "LOG_ROLLED_BACK")
        with People(restored) as people, refused("LEDGER"):
            people["auditor"].audit.GetCheckpoint(audit_pb2.GetCheckpointRequest())


def test_an_entry_that_was_changed_in_the_store_is_not_proven(cli: Cli) -> None:
    """What is shown must be what is in the tree: the edited row does not reach it, exit is not 0."""
    with closing(sqlite3.connect(cli.server.data / "interlock.db")) as database, database:
        database.execute("update entries set bytes = bytes || x'00' where seq = 1")

    told = cli("auditor", "audit", "prove", "1")

    assert told.code in {1, 5}
    assert told.out == ""
