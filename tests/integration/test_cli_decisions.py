"""`gate check --decision` and `gate verify`: a decision from the real server to a file, and judged without one."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from interlock.client import Interlock
from tests.integration.cli_runner import SHA256, Cli, Outcome, command_line
from tests.support.server import ForkedServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread

OTHER = "00" * 32
NO_GRPC = """
import sys
from interlock.cli import main
code = main.run(sys.argv[1:])
assert "grpc" not in sys.modules, "grpc was imported"
raise SystemExit(code)
"""


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a fresh server that allows m."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.release("m")
    return line


def check(cli: Cli, file: Path, *words: str, artifact: str = SHA256) -> Outcome:
    """Ask for a decision in a file."""
    asked = ("gate", "check", "m", "-c", "internal", "-a", artifact, "--decision", str(file))
    return cli("release-bot", *asked, *words)


def verify(cli: Cli, file: Path, *words: str, context: str = "internal", artifact: str = SHA256) -> Outcome:
    """Judge a file; further words come last."""
    return cli("release-bot", "gate", "verify", str(file), "-c", context, "-a", artifact, *words)


def codes(outcome: Outcome) -> list[str]:
    """Return the faults of a no."""
    assert (outcome.code, outcome.json["verdict"]) == (1, "DENY")
    return [fault["code"] for fault in outcome.json["faults"]]


@pytest.fixture
def file(cli: Cli) -> Path:
    """Give a decision that allows."""
    path = cli.folder / "m.decision"
    assert check(cli, path).code == 0
    return path


def test_a_decision_goes_from_the_gate_to_a_file_and_holds(cli: Cli, file: Path) -> None:
    """ALLOW ends in 0 both times; the file is its owner's alone, and verify says what it can't know."""
    outcome = verify(cli, file, "--model", "m")

    assert outcome.code == 0
    assert outcome.out.startswith("ALLOW m internal")
    assert "not checked for tightening since position" in outcome.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_verify_needs_neither_server_nor_grpc(cli: Cli, file: Path) -> None:
    """With the server gone, in a new process, with key and log id alone or with the profile: 0, and no grpc."""
    profile = cli.server.profile("release-bot")
    cli.server.stop()
    words = ["gate", "verify", str(file), "-c", "internal", "-a", SHA256]
    alone = [*words, "--log-id", profile.log_id, "--key", profile.decision_key]
    for arguments, home in ((alone, "/nonexistent"), ([*words, "--profile", "release-bot"], str(cli.server.home))):
        command = [sys.executable, "-c", NO_GRPC, *arguments]
        done = subprocess.run(command, env={**os.environ, "INTERLOCK_HOME": home}, check=False, capture_output=True)

        assert done.returncode == 0, done.stderr


def test_a_key_alone_asks_for_the_log(cli: Cli, file: Path) -> None:
    """Regression: offline, with the key and no log id, it asked for a profile. It says that the id is wanted."""
    key = cli.server.profile("release-bot").decision_key
    alone = ["gate", "verify", str(file), "-c", "internal", "-a", SHA256, "--key", key]
    command = [sys.executable, "-m", "interlock.cli", *alone]

    done = subprocess.run(
        command, env={**os.environ, "INTERLOCK_HOME": "/nonexistent"}, check=False, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "give --log-id or a profile" in done.stderr


def test_a_key_may_be_in_a_file(cli: Cli, file: Path) -> None:
    """`--key` takes a file with the key."""
    key = cli.file("decision.pub", cli.server.profile("release-bot").decision_key + "\n")

    assert verify(cli, file, "--key", key).code == 0


@pytest.mark.parametrize(
    ("words", "parts", "code"),
    [
        ((), {"context": "api"}, "DECISION_CONTEXT"),
        ((), {"artifact": OTHER}, "DECISION_ARTIFACT"),
        (("--model", "other"), {}, "DECISION_MODEL"),
        (("--log-id", "0" * 32), {}, "DECISION_LOG"),
        (("--policy", OTHER), {}, "DECISION_POLICY"),
        (("--key", "ab" * 32), {}, "DECISION_SIGNATURE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_decision_about_something_else_is_a_no(
    cli: Cli, file: Path, words: tuple[str, ...], parts: dict[str, str], code: str
) -> None:
    """Another context, artifact, model, log, policy or key: exit 1, with its code."""
    assert codes(verify(cli, file, "--json", *words, **parts)) == [code]


def test_a_changed_file_is_a_no(cli: Cli, file: Path) -> None:
    """A changed payload has no signature; what is no envelope at all has none either."""
    value = json.loads(file.read_bytes())
    changed = [json.dumps(value | {"payload": value["payload"][4:]}).encode(), b"", b"{}", b"\0" * 99, b"[" * 4096]
    for data in changed:
        file.write_bytes(data)

        assert codes(verify(cli, file, "--json")) == ["DECISION_SIGNATURE"]


@pytest.mark.parametrize("content", ["precious\n", '{"name": "package"}', "[1]", "\0" * (1 << 21)], ids=len)
@pytest.mark.parametrize("words", [(), ("--no-such-option",)], ids=["well-typed", "mistyped"])
def test_what_is_no_decision_is_not_removed(cli: Cli, content: str, words: tuple[str, ...]) -> None:
    """Regression: a name given by mistake cost its file. It is left as it is, and nobody is asked: exit 2."""
    mine = cli.folder / "mine"
    mine.write_text(content)
    before = cli("auditor", "audit", "checkpoint", "--json").out

    done = check(cli, mine, *words)

    assert (done.code, mine.read_text()) == (2, content)
    assert cli("auditor", "audit", "checkpoint", "--json").out == before


@pytest.mark.parametrize("content", ["", "an envelope"])
def test_what_may_be_a_decision_makes_way(cli: Cli, file: Path, content: str) -> None:
    """An empty file is replaced, and so is an earlier decision however it was rewritten: with spaces and escapes."""
    rewritten = file.read_text().replace('"payloadType"', ' "\\u0070ayloadType"')
    assert verify(cli, file).code == 0
    other = cli.folder / "other.decision"
    other.write_text(rewritten if content else "")
    cli.must("owner", "hold", "place", "m")

    assert check(cli, other).code == 1
    assert codes(verify(cli, other, "--json")) == ["DECISION_FAILED"]


def test_a_denial_is_written_and_never_verifies(cli: Cli, file: Path) -> None:
    """DENY ends in 1, replaces the ALLOW of before, and verify ends in 1 too."""
    cli.must("owner", "hold", "place", "m")

    assert check(cli, file).code == 1
    assert codes(verify(cli, file, "--json")) == ["DECISION_FAILED"]


@pytest.mark.parametrize(
    "words",
    [
        ("gate", "verify", "nothing", "-c", "internal", "-a", SHA256),
        ("gate", "verify", ".", "-c", "internal", "-a", SHA256),
        ("gate", "verify", "nothing", "-c", "internal"),
        ("gate", "verify", "nothing", "-a", SHA256),
        ("gate", "verify", "nothing", "-c", "internal", "-a", "short"),
        ("gate", "verify", "nothing", "-c", "internal", "-a", SHA256, "--key", "nothing"),
        ("gate", "verify", "nothing", "-c", "internal", "-a", SHA256, "--log-id", "x"),
        ("gate", "check", "m", "-c", "internal", "--decision", "d"),
        ("gate", "check", "m", "-c", "internal", "-a", SHA256, "--decision", "."),
        ("gate", "check", "m", "-c", "internal", "-a", SHA256, "--decision", "-"),
        ("gate", "check", "m", "-c", "internal", "-a", SHA256, "--decision", ""),
        ("gate", "verify", "nothing", "-c", "internal", "-a", SHA256, "--key", "/dev/zero"),
        ("gate", "check", "m", "-c", "internal", "-a", SHA256, "--decision", "no/such/folder"),
        ("gate", "check", "m", "-c", "internal", "--wait", "soon"),
        ("gate", "check", "m", "-c", "internal", "--wait", ""),
        ("gate", "check", "m", "-c", "internal", "-a", ""),
        ("gate", "watch", "m", "-c", "internal", "-a", "", "--until-allow"),
        ("gate", "explain", "m", "-c", "internal", "-a", ""),
    ],
)
def test_what_can_not_be_used_is_usage(cli: Cli, words: tuple[str, ...]) -> None:
    """A file that is not there or a word that means nothing: exit 2."""
    assert cli("release-bot", *words).code == 2


@pytest.mark.parametrize("option", ["--model", "--policy", "--key", "--log-id"])
def test_a_variable_that_nobody_set_widens_no_question(cli: Cli, file: Path, option: str) -> None:
    """The decision holds; an empty value for what pins it down is usage, and does not stand for any."""
    assert check(cli, file).code == verify(cli, file).code == 0

    assert verify(cli, file, option, "").code == 2


def test_a_decision_goes_to_no_device(cli: Cli, tmp_path: Path) -> None:
    """Whoever names /dev/stdout must not lose the device: what is there and no file is usage, and stays."""
    pipe = tmp_path / "stdout"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(pipe)

    assert (check(cli, pipe).code, check(cli, link).code) == (2, 2)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()


def test_no_answer_leaves_no_decision(cli: Cli, file: Path) -> None:
    """An earlier ALLOW does not outlive a question that nobody answered."""
    cli.server.stop()

    assert check(cli, file, "--timeout", "0.5").code == 5
    assert not file.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--artifact", ""),
        ("--artifact", SHA256, "--contxt", "api"),
        ("--artifact", SHA256, "--wait", "10 parsecs"),
        (),
        ("--artifact", SHA256, "--min-position", "nan"),
    ],
    ids=["empty", "unknown option", "no duration", "no artifact", "no number"],
)
@pytest.mark.parametrize("spelled", ["--decision {}", "--decision={}", "-d {}", "-d{}"])
def test_a_mistyped_question_leaves_no_decision(cli: Cli, file: Path, words: tuple[str, ...], spelled: str) -> None:
    """Regression: an earlier ALLOW outlived a question that was refused as usage before the file was looked at."""
    assert file.exists()

    asked = cli("release-bot", "gate", "check", "m", "--context", "internal", *spelled.format(file).split(" "), *words)

    assert (asked.code, file.exists()) == (2, False)


def test_a_view_behind_what_was_asked_for_is_no_yes(cli: Cli, file: Path) -> None:
    """A server without the entry that the answer has to include: exit 5, and no file."""
    assert check(cli, file, "--min-position", "100000", "--timeout", "0.5").code == 5
    assert not file.exists()


@pytest.mark.parametrize(("key", "code"), [("ab" * 32, 5), ("", 2)], ids=["another", "none"])
def test_a_decision_that_the_profile_can_not_tell_is_not_written(cli: Cli, file: Path, key: str, code: int) -> None:
    """What another key signed is no answer; a profile without the key can't ask for a decision."""
    path = cli.server.home / "release-bot" / "profile.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"decision_key": key}))

    assert check(cli, file).code == code
    assert not file.exists()


def test_a_foreign_artifact_is_denied_in_writing(cli: Cli, file: Path) -> None:
    """An artifact that is not the model's is DENY, and the file is a FAILED decision."""
    assert check(cli, file, artifact=OTHER).code == 1
    assert codes(verify(cli, file, "--json", artifact=OTHER)) == ["DECISION_FAILED"]


def test_waiting_ends_with_the_hold(cli: Cli, file: Path) -> None:
    """`--wait` asks until somebody opens the gate, and leaves one decision in the log for it."""
    with Interlock.from_profile("auditor") as auditor:
        before = auditor.audit.checkpoint().size
        cli.must("owner", "hold", "place", "m")
        text = "title: Go on\nsummary: It is over.\ntriggers:\n  - hold.lift: holds/1\n"
        change = cli.propose(text)
        waiting = [sys.executable, "-m", "interlock.cli", "--profile", "release-bot", "gate", "check", "m"]
        options = ["-c", "internal", "-a", SHA256, "--decision", str(file), "--wait", "2m"]
        with subprocess.Popen([*waiting, *options], stdout=subprocess.PIPE) as process:
            cli.must("owner", "sign", change, "--yes")
            cli.must("reviewer", "sign", change, "--yes")
            out, _ = process.communicate(timeout=60)
        written = auditor.audit.checkpoint().size - before

    assert process.returncode == 0, out
    assert verify(cli, file).code == 0
    assert written == 5  # the hold, the change, two signatures, one decision


def test_waiting_gives_up_with_a_denial(cli: Cli, file: Path) -> None:
    """When the time is over the answer is no, in writing."""
    cli.must("owner", "hold", "place", "m")

    assert check(cli, file, "--wait", "1s").code == 1
    assert codes(verify(cli, file, "--json")) == ["DECISION_FAILED"]


def test_a_server_killed_under_the_question_never_ends_in_0(
    data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the kill falls, an exit of 0 has a decision that holds, and another exit has none that does."""
    with ForkedServer(data) as server:
        line = command_line(server, capsys, tmp_path, monkeypatch)  # type: ignore[arg-type]  # it asks for no thread
        line.release("m")
        file = line.folder / "m.decision"
        answers: list[int] = []
        asked = threading.Event()

        def ask() -> None:
            while 5 not in answers and len(answers) < 200:
                answers.append(check(line, file, "--timeout", "1").code)
                asked.set()

        asker = threading.Thread(target=ask)
        asker.start()
        asked.wait(30)
        server.kill()
        asker.join()

    assert answers[-1] == 5
    assert set(answers[:-1]) == {0}
    assert not file.exists()
