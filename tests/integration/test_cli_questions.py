"""`interlock gate explain` and `gate batch`: the tree drawn, many questions, exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import SHA256, Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread


@pytest.fixture
def released(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a fresh server that allows `m` internally."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.release("m")
    return line


def lines(*questions: dict[str, str]) -> str:
    """Return questions as a file's text."""
    return "".join(json.dumps(question) + "\n" for question in questions)


def test_the_tree_is_drawn_with_grounds(released: Cli) -> None:
    """Every rule in words, what is met with its entry, its signers and its end; exit 0; nothing coloured in a pipe."""
    shown = released("release-bot", "gate", "explain", "m", "--context", "internal")

    assert shown.code == 0
    assert all(f"rule {number}" in shown.out for number in range(1, 9))
    assert "✓ met" in shown.out
    assert "signed by owner, reviewer" in shown.out
    assert "until 20" in shown.out
    assert "\x1b" not in shown.out


def test_a_no_is_drawn_with_its_code(released: Cli) -> None:
    """What is not met stands out with its code and resource; exit 1."""
    released.must("owner", "hold", "place", "m")

    shown = released("release-bot", "gate", "explain", "m", "--context", "internal")

    assert shown.code == 1
    assert "✗ not met  HOLD_PLACED  holds/1" in shown.out


def test_the_past_has_its_own_exit_code(released: Cli) -> None:
    """As of a position or a time the verdict of then is the exit code; who may not read the past gets 4."""
    now = released("auditor", "gate", "explain", "m", "-c", "internal", "--json").json["answer"]
    before = str(int(now["log_position"]) - 1)

    assert released("auditor", "gate", "explain", "m", "-c", "internal", "--as-of", before).code == 1
    assert released("auditor", "gate", "explain", "m", "-c", "internal", "--as-of", now["instant"]).code == 0
    assert released("release-bot", "gate", "explain", "m", "-c", "internal", "--as-of", before).code == 4


def test_what_was_not_judged_is_not_said_to_be_unmet(released: Cli) -> None:
    """Of an unknown context nothing is known about rules 4 to 6: they are marked so, drawn and in JSON."""
    asked = ("gate", "explain", "m", "--context", "nowhere")

    drawn, told = released("release-bot", *asked), released("release-bot", *asked, "--json").json

    assert drawn.out.count("– not judged  rule ") == 3
    assert "✗ not met  rule 1 " in drawn.out
    assert [row["rule"] for row in told["tree"]["children"] if row["not_judged"]] == [4, 5, 6]
    assert not told["tree"].get("not_judged")
    assert [(row["code"], row["resource"]) for row in told["answer"]["reasons"]] == [
        ("CONTEXT_UNKNOWN", told["answer"]["policy"])
    ]


@pytest.mark.parametrize("moment", ["2020-01-01", "2999-01-01", "999999"])
def test_outside_of_the_log_is_a_mistake_that_says_where_the_log_is(released: Cli, moment: str) -> None:
    """Regression: exit 3 and "log does not exist". Exit 2, with the log's first and last instant."""
    now = released("auditor", "gate", "explain", "m", "-c", "internal", "--json").json["answer"]

    said = released("auditor", "gate", "explain", "m", "-c", "internal", "--as-of", moment)

    assert said.code == 2
    assert "the log goes from 20" in said.err
    assert "(position 0) to 20" in said.err
    assert f"(position {now['log_position']})" in said.err


def test_many_questions_from_a_file(released: Cli) -> None:
    """Exit 0 only where all may go; with --json a line an answer, in the order asked."""
    good = {"model": "m", "context": "internal", "artifact": SHA256}
    bad = {"model": "models/m", "context": "nowhere"}

    both = released("release-bot", "gate", "batch", "-f", released.file("q.jsonl", lines(good, bad)), "--json")
    one = released("release-bot", "gate", "batch", "-f", released.file("one.jsonl", lines(good)))

    answers = [json.loads(line) for line in both.out.splitlines()]
    assert [row["answer"]["verdict"] for row in answers] == ["VERDICT_ALLOW", "VERDICT_DENY"]
    assert [row["question"]["context"] for row in answers] == ["internal", "nowhere"]
    assert (both.code, one.code) == (1, 0)
    assert "1 of 1 may go" in one.out


NO_QUESTIONS = (
    "",
    "{}",
    "[]",
    "nonsense",
    '{"model": "m"}',
    '{"model": "m", "context": "api", "where": "x"}',
    '{"model": "m", "context": "a", "model": "n"}',
    '{"model": 1, "context": "api"}',
    '{"model": "m", "context": "api"}\n' * 1001,
)


def test_no_file_of_questions_is_read_without_end(released: Cli) -> None:
    """Regression: /dev/zero filled the memory. What is longer than all questions can be is usage."""
    assert released("release-bot", "gate", "batch", "-f", "/dev/zero").code == 2


def test_a_line_ends_with_a_line_feed_and_nothing_else(released: Cli) -> None:
    """What Unicode takes for the end of a line may stand within a question: the server says what is wrong with it."""
    told = released("release-bot", "gate", "batch", "-f", released.file("q", '{"model": "m\u2028", "context": "api"}'))

    assert told.code == 2
    assert "questions[0].model" in told.err


def test_what_is_no_question_is_usage(released: Cli) -> None:
    """A file that can't be read whole is not asked in part: exit 2."""
    ends = [released("release-bot", "gate", "batch", "-f", released.file("q", text)).code for text in NO_QUESTIONS]

    assert ends == [2] * len(NO_QUESTIONS)


def test_no_answer_is_no_yes(released: Cli) -> None:
    """Without a server both end in 5."""
    file = released.file("q.jsonl", lines({"model": "m", "context": "internal"}))
    released.server.stop()

    assert released("release-bot", "gate", "batch", "-f", file, "--timeout", "0.5").code == 5
    assert released("release-bot", "gate", "explain", "m", "-c", "internal", "--timeout", "0.5").code == 5
