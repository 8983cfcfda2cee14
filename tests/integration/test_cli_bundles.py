"""Bundles on the command line: exported from a real server, judged without one."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interlock.client.verify import BUNDLE_STEPS
from tests.integration.cli_runner import Cli, command_line

if TYPE_CHECKING:
    from tests.support.server import ServerThread


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server on which m is released and held."""
    cli = command_line(server, capsys, tmp_path, monkeypatch)
    cli.release("m")
    cli.must("owner", "hold", "place", "m", "--reason", "Until we know")
    return cli


def _export(cli: Cli, name: str = "q2.ilbundle", *words: str, who: str = "auditor") -> str:
    out = str(cli.folder / name)
    cli.must(who, "audit", "export", "--out", out, *words)
    return out


def _key(cli: Cli) -> str:
    return cli.file("log.pub", cli.must("auditor", "audit", "key").out)


def test_a_bundle_is_verified_without_the_server(cli: Cli) -> None:
    """With the key alone, and after the server has stopped: the same steps, and one for the file."""
    bundle, key = _export(cli), _key(cli)
    head = cli.must("auditor", "audit", "checkpoint", "--json").json
    cli.server.stop()

    told = cli.must("nobody", "audit", "verify", bundle, "--key", key).out.splitlines()

    assert told[0].startswith("development")
    assert [line.split()[:3] for line in told[1:10]] == [
        [f"{number}.", name, "ok"] for number, name in enumerate(BUNDLE_STEPS, start=1)
    ]
    assert "not pinned" in told[2]
    assert told[-1] == f"verified: {head['size']} entries, root {head['root']}"


def test_steps_that_did_not_look_at_everything_say_so(cli: Cli) -> None:
    """A byte of an entry is another: replay stops there, and no step after it is said to hold. Exit code 1 as ever."""
    bundle, key = _export(cli), _key(cli)
    data = bytearray(Path(bundle).read_bytes())
    at = data.index(b"hold.place") + 3
    data[at] ^= 1
    Path(bundle).write_bytes(data)

    told = cli("nobody", "audit", "verify", bundle, "--key", key)
    report = cli("nobody", "audit", "verify", bundle, "--key", key, "--json").json

    steps = {row["name"]: row for row in report["steps"]}
    (stopped,) = {row["position"] for row in report["findings"] if row["step"] == "replay"}
    later = ("sign-offs", "consent", "digests")
    assert (told.code, "NOT JUDGED" in told.out) == (1, True)
    assert {steps[name]["unjudged_from"] for name in later} == {stopped}
    assert not any(steps[name]["passed"] for name in (*later, "replay", "tree", "file"))
    assert steps["genesis"]["passed"]


def test_the_key_may_be_given_itself_and_the_founding_pinned(cli: Cli) -> None:
    """`--key` takes the line, `--genesis` the digest; JSON says what was pinned and who signed for what."""
    bundle = _export(cli)
    pinned = cli.must("auditor", "audit", "key", "--json").json

    report = cli.must(
        "nobody", "audit", "verify", bundle, "--key", pinned["log_key"], "--genesis", pinned["genesis"], "--json"
    ).json

    assert report["verified"]
    assert report["genesis_pinned"]
    assert (report["signed"], report["asserted"]) == (2, 0)


def test_another_founding_than_the_pinned_one_is_found_in_a_bundle(cli: Cli) -> None:
    """An operator who founds another log with the same key is found by who noted the digest down."""
    bundle, key = _export(cli), _key(cli)

    told = cli("nobody", "audit", "verify", bundle, "--key", key, "--genesis", "00" * 32, "--json")

    assert told.code == 1
    assert [row["code"] for row in told.json["findings"]] == ["GENESIS_DIFFERS"]


def test_without_a_key_a_bundle_is_held_to_the_profile(cli: Cli) -> None:
    """Whoever has a profile has key and founding pinned in it."""
    report = cli.must("auditor", "audit", "verify", _export(cli), "--json").json

    assert report["genesis_pinned"]


def test_without_a_key_and_a_profile_it_says_which_option_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An auditor with the client alone has no profile, and nothing of `interlock init` helps."""
    from interlock.cli import main  # noqa: PLC0415  # it takes time to import

    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "nothing"))

    assert main.run(["audit", "verify", str(tmp_path / "q2.ilbundle")]) == 2
    assert "Give --key" in capsys.readouterr().err


def test_documents_come_along_where_they_are_asked_for(cli: Cli) -> None:
    """Every text is given; documents by digest only, or with their bytes."""
    without, key = _export(cli), _key(cli)
    with_them = _export(cli, "all.ilbundle", "--with-evidence")

    held = cli.must("nobody", "audit", "verify", without, "--key", key).out
    given = cli.must("nobody", "audit", "verify", with_them, "--key", key).out

    assert "0 texts and 1 documents by digest only" in held
    assert "0 texts and 0 documents by digest only" in given


def test_a_restricted_document_needs_access_and_leaves_an_entry(cli: Cli) -> None:
    """Who has no access gets its digest only; who has gets its bytes, and the log says so."""
    file = cli.file("secret.md", "# weights\n")
    words = ("--kind", "evaluation_results", "--classification", "restricted")
    cli.must("evaluator", "evidence", "upload", file, *words)
    key = _key(cli)
    before = cli.must("auditor", "audit", "checkpoint", "--json").json["size"]

    refused = _export(cli, "auditor.ilbundle", "--with-evidence")
    same = cli.must("auditor", "audit", "checkpoint", "--json").json["size"]
    given = _export(cli, "uploader.ilbundle", "--with-evidence", who="evaluator")
    after = cli.must("auditor", "audit", "checkpoint", "--json").json["size"]

    assert (same, after) == (before, before + 1)
    assert "1 documents by digest only" in cli.must("nobody", "audit", "verify", refused, "--key", key).out
    assert "0 documents by digest only" in cli.must("nobody", "audit", "verify", given, "--key", key).out


def test_a_checkpoint_kept_from_before_must_be_in_the_bundle(cli: Cli) -> None:
    """`--since-checkpoint` accepts a head of this log's past, and finds a bundle that is older than it."""
    early, key = _export(cli, "early.ilbundle"), _key(cli)
    cli.must("owner", "hold", "place", "m")
    kept = cli.file("april.txt", cli.must("auditor", "audit", "checkpoint").out)
    late = _export(cli, "late.ilbundle")

    good = cli("nobody", "audit", "verify", late, "--key", key, "--since-checkpoint", kept)
    old = cli("nobody", "audit", "verify", early, "--key", key, "--since-checkpoint", kept, "--json")

    assert good.code == 0
    assert old.code == 1
    assert [row["code"] for row in old.json["findings"]] == ["LOG_ROLLED_BACK"]


@pytest.mark.parametrize(
    "words",
    [
        ("missing.ilbundle",),
        ("--live", "q2.ilbundle"),
        ("q2.ilbundle", "--key", "nothing"),
        ("q2.ilbundle", "--key", "name+00000000+AAAA"),
        ("q2.ilbundle", "--genesis", "abc"),
        ("q2.ilbundle", "--since-checkpoint", "missing.txt"),
        ("q2.ilbundle", "--since-checkpoint", "junk.txt"),
    ],
    ids=["no file", "both", "no key", "bad key", "bad digest", "no checkpoint", "bad checkpoint"],
)
def test_what_cannot_be_used_is_a_usage_error(
    cli: Cli, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2 before anything is judged."""
    _export(cli)
    cli.file("junk.txt", "junk\n")
    monkeypatch.chdir(cli.folder)

    assert cli("auditor", "audit", "verify", *words).code == 2


def test_a_damaged_bundle_is_found(cli: Cli) -> None:
    """One bit, and the last line does not say verified."""
    bundle, key = cli.folder / "q2.ilbundle", _key(cli)
    data = bytearray(_read(_export(cli)))
    data[len(data) // 2] ^= 1
    bundle.write_bytes(bytes(data))

    told = cli("nobody", "audit", "verify", str(bundle), "--key", key)

    assert told.code == 1
    assert told.out.splitlines()[-1].startswith("NOT VERIFIED")


def test_an_export_replaces_a_file_only_when_it_is_whole(cli: Cli) -> None:
    """What was there stays when the export is refused, and nothing half written is left beside it."""
    kept = cli.file("kept.ilbundle", "old")

    told = cli("release-bot", "audit", "export", "--out", kept)

    assert told.code == 4
    assert _read(kept) == b"old"
    assert [path.name for path in cli.folder.iterdir() if "kept" in path.name] == ["kept.ilbundle"]


def test_two_exports_of_one_head_are_alike(cli: Cli) -> None:
    """A bundle is a function of the log: whoever exported it, its bytes are the same."""
    first, second = _export(cli, "a.ilbundle"), _export(cli, "b.ilbundle", who="owner")

    assert _digest(first) == _digest(second)


def test_live_and_no_bundle_are_the_same(cli: Cli) -> None:
    """`--live` only says what no BUNDLE means."""
    with_it = cli.must("auditor", "audit", "verify", "--live").out
    without = cli.must("auditor", "audit", "verify").out

    assert with_it.splitlines()[-1] == without.splitlines()[-1]


def test_verifying_a_bundle_imports_no_grpc(cli: Cli) -> None:
    """Neither server nor network: grpc is not even loaded."""
    bundle, key = _export(cli), _key(cli)
    program = (
        "import sys\nfrom interlock.cli import main\n"
        f"code = main.run(['audit', 'verify', {bundle!r}, '--key', {key!r}])\n"
        "sys.exit(code or 'grpc' in sys.modules or any(n.startswith('interlock.service') for n in sys.modules))\n"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123  # a path as the command line takes it
        return file.read()


def _digest(path: str) -> str:
    return hashlib.sha256(_read(path)).hexdigest()
