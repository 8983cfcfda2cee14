"""What an auditor asks of the past: why a verdict was what it was, and what changed; of a server and of a bundle."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interlock.v1 import hold_pb2, trigger_pb2
from tests.integration.cli_runner import SHA256, Cli, command_line
from tests.support.people import People, Subject, trigger
from tests.support.server import ServerThread, copy_of
from tests.support.versions import version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Ask = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Story:
    """A model that was allowed, held and let go; positions by step, and where its log is kept as a bundle."""

    subject: Subject
    at: dict[str, int]
    document: str
    change: str
    bundle: Path
    key: Path
    server: ServerThread

    @property
    def model(self) -> str:
        """The model's id."""
        return self.subject.model.removeprefix("models/")

    @property
    def offline(self) -> tuple[str, ...]:
        """Options that ask the bundle."""
        return ("--bundle", str(self.bundle), "--key", str(self.key))


@pytest.fixture(scope="module")
def story(installations: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Tell the story through a real server, which goes on to run, and export its log."""
    from interlock.client.sdk import Interlock  # noqa: PLC0415  # as a user of the SDK would

    folder = tmp_path_factory.mktemp("inquiry")
    at: dict[str, int] = {}
    with ServerThread(copy_of(installations("minimal"), folder / "data")) as server, People(server) as people:

        def mark(step: str) -> None:
            at[step] = people["auditor"].checkpoint().size - 1

        subject = people.new_model(SHA256)
        mark("registered")
        report = people["evaluator"].upload("evaluation_results")
        change = people.enact(subject.rule_out(), subject.assign(), evidence=[report.name])
        mark("allowed")
        hold = people["owner"].holds.PlaceHold(hold_pb2.PlaceHoldRequest(target=subject.model))
        mark("held")
        people.enact(trigger(hold_lift=trigger_pb2.HoldLift(hold=hold.name)))
        mark("lifted")
        with Interlock.from_profile(str(server.home / "auditor")) as client:
            client.export(folder / "q2.ilbundle")
            (folder / "log.pub").write_text(client.profile.log_key)
        yield Story(subject, at, report.name, change.name, folder / "q2.ilbundle", folder / "log.pub", server)


@pytest.fixture
def cli(story: Story, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Give a command line for everybody of the story's server."""
    return command_line(story.server, capsys, tmp_path, monkeypatch)


def leaves(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requirements that have none below them."""
    return [leaf for child in tree["children"] for leaf in leaves(child)] if tree["children"] else [tree]


@pytest.mark.parametrize("offline", [False, True], ids=["server", "bundle"])
def test_why_it_was_allowed_names_entry_signer_and_document(cli: Cli, story: Story, offline: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Each requirement that was met has the entry that met it; what was signed for has its signers and evidence."""
    words = story.offline if offline else ()

    found = cli.must(
        "auditor", "audit", "why", story.model, "-c", "internal", "--at", str(story.at["allowed"]), "--json", *words
    ).json

    assert (found["verdict"], found["position"], found["policy_was_in_force"]) == ("ALLOW", story.at["allowed"], True)
    determined = next(row for row in leaves(found["tree"]) if row["resource"] == story.subject.determination)
    assert determined["entries"] == [story.at["allowed"]]
    assert determined["signers"] == ["principals/owner", "principals/reviewer"]
    assert determined["evidence"] == [story.document]
    assert found["evidence"][story.document]["kind"] == "evaluation_results"
    assert found["entries"][str(story.at["allowed"])]["actor"] == "principals/reviewer"


@pytest.mark.parametrize("offline", [False, True], ids=["server", "bundle"])
def test_why_it_was_denied_names_the_hold(cli: Cli, story: Story, offline: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """While it was held the verdict was DENY, by the hold's entry; exit code 1, whatever is true today."""
    words = story.offline if offline else ()

    done = cli("auditor", "audit", "why", story.model, "-c", "internal", "--at", str(story.at["held"]), *words)
    today = cli("auditor", "audit", "why", story.model, "-c", "internal", *words)

    assert (done.code, today.code) == (1, 0)
    assert "DENY" in done.out
    assert "HOLD_PLACED" in done.out
    assert f"entry {story.at['held']}" in done.out
    assert "hold.place" in done.out


@pytest.mark.parametrize("offline", [False, True], ids=["server", "bundle"])
def test_another_pack_judges_the_same_moment(cli: Cli, story: Story, offline: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """By rules that ask for more the same facts are a DENY, and what the pack has no id for is said."""
    words = story.offline if offline else ()
    at = str(story.at["allowed"])

    done = cli("auditor", "audit", "why", story.model, "-c", "api", "--at", at, "--policy", "rsp-2.2", "--json", *words)

    found = done.json
    assert done.code == 1
    assert (found["verdict"], found["policy_was_in_force"]) == ("DENY", False)
    assert found["policy"].startswith("policies/rsp")
    assert any(row["code"] == "DETERMINATION_MISSING" for row in leaves(found["tree"]))
    assert any(row.startswith(story.subject.determination) for row in found["not_carried"])


@pytest.mark.parametrize("offline", [False, True], ids=["server", "bundle"])
def test_another_pack_judges_by_what_its_ids_stand_for(cli: Cli, story: Story, offline: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """As adopting it would: what it calls otherwise is determined by the entries that determined the old."""
    says = "succeeds: [{policy: minimal, thresholds: {fraud: [misuse]}}]\nobligations:\n"
    pack = cli.folder / "called-otherwise"
    pack.mkdir()
    files = version(("  misuse:\n", "  fraud:\n"), ("obligations:\n", says))
    (pack / "policy.yaml").write_bytes(files["policy.yaml"])
    words = ("-c", "internal", "--at", str(story.at["allowed"]), "--policy", str(pack), "--json")

    found = cli.must("auditor", "audit", "why", story.model, *words, *(story.offline if offline else ())).json

    [determined] = [row for row in leaves(found["tree"]) if row["resource"].endswith("/determinations/fraud")]
    assert (found["verdict"], found["not_carried"]) == ("ALLOW", [])
    assert (determined["entries"], determined["evidence"]) == ([story.at["allowed"]], [story.document])


@pytest.mark.parametrize("offline", [False, True], ids=["server", "bundle"])
def test_another_pack_judges_by_what_the_auditor_says_that_its_ids_stand_for(
    cli: Cli,
    story: Story,
    offline: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """A pack that says nothing of its past is told by `--map`; what it then says is as if the pack had said it."""
    pack = cli.folder / "says-nothing"
    pack.mkdir()
    (pack / "policy.yaml").write_bytes(version(("  misuse:\n", "  fraud:\n"))["policy.yaml"])
    words = ("-c", "internal", "--at", str(story.at["allowed"]), "--policy", str(pack), "--json")
    asked = ("audit", "why", story.model, *words, *(story.offline if offline else ()))

    without, mapped = cli("auditor", *asked).json, cli.must("auditor", *asked, "--map", "fraud=misuse").json

    [determined] = [row for row in leaves(mapped["tree"]) if row["resource"].endswith("/determinations/fraud")]
    assert (without["verdict"], mapped["verdict"], mapped["not_carried"]) == ("DENY", "ALLOW", [])
    assert (determined["entries"], mapped["mapped"]) == ([story.at["allowed"]], {"fraud": ["misuse"]})
    for wrong in ("fraud", "fraud=", "=misuse", "fraud=nothing", "misuse=misuse", "levels/fraud=misuse"):
        assert cli("auditor", *asked, "--map", wrong).code == 2
    assert cli("auditor", "audit", "why", story.model, "-c", "internal", "--map", "fraud=misuse").code == 2


def test_the_pack_that_was_in_force_gives_the_verdict_that_was_given(cli: Cli, story: Story) -> None:
    """Deciding again by the very rules of then is the same answer."""
    at = str(story.at["allowed"])
    words = ("audit", "why", story.model, "-c", "internal", "--at", at, "--json")

    assert cli.must("auditor", *words, "--policy", "minimal").json == cli.must("auditor", *words).json


@pytest.mark.parametrize("offline", [False, True], ids=["server", "bundle"])
def test_a_diff_tells_by_model_what_moved_and_who_signed(cli: Cli, story: Story, offline: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Between two positions: verdict, level, determination, hold, the change and its two sign-offs."""
    words = story.offline if offline else ()
    span = ("--from", str(story.at["registered"]), "--to", str(story.at["held"]))

    found = cli.must("auditor", "audit", "diff", *span, "-m", story.model, "--json", *words).json

    (of_model,) = found["differences"]
    moved = {row["resource"]: (row["before"], row["after"]) for row in of_model["moved"]}
    assert moved[story.subject.level] == ("-", "confirmed(basic)")
    assert moved[story.subject.determination][1].startswith("ruled_out/confirmed")
    assert moved["holds/1"] == ("-", f"placed on {story.subject.model}")
    assert moved[story.change] == ("-", "applied")
    assert [(row["signer"], row["decision"]) for row in of_model["sign_offs"]] == [
        ("principals/owner", "approve"),
        ("principals/reviewer", "approve"),
    ]
    internal = next(row for row in of_model["verdicts"] if row["context"] == "internal")
    assert (internal["before"]["verdict"], internal["after"]["codes"]) == ("DENY", ["HOLD_PLACED"])


def test_a_diff_from_before_the_founding_has_everything(cli: Cli, story: Story) -> None:
    """A moment before the log began is an empty log, for a server and for a bundle alike."""
    words = ("audit", "diff", "--from", "2001-01-01", "--to", str(story.at["lifted"]), "--json")

    live, offline = cli.must("auditor", *words).json, cli.must("auditor", *words, *story.offline).json

    assert live == offline
    assert live["from"]["position"] == -1
    assert {row["subject"] for row in live["differences"]} == {story.subject.model, ""}
    assert story.subject.model in cli.must("auditor", *words[:-1]).out


def test_moments_the_wrong_way_round_are_a_mistake_of_usage(cli: Cli, story: Story) -> None:
    """From after to is exit code 2."""
    span = ("--from", str(story.at["held"]), "--to", str(story.at["registered"]))

    assert cli("auditor", "audit", "diff", *span).code == 2
    assert cli("auditor", "audit", "why", story.model, "-c", "internal", "--at", "2001-01-01").code == 2


def test_a_bundle_says_nothing_of_what_came_after_it(cli: Cli, story: Story) -> None:
    """A moment past its last entry: a hold may have been placed by then, also after the export. No verdict, exit 2."""
    words = ("audit", "why", story.model, "-c", "internal")

    there = cli("auditor", *words, *story.offline)
    later = cli("auditor", *words, *story.offline, "--at", "2100-01-01")
    until = cli("auditor", "audit", "diff", "--from", "0", "--to", "2100-01-01", *story.offline)

    assert there.code == 0
    assert (later.code, later.out, until.code) == (2, "", 2)
    assert "its last entry is" in later.err


@pytest.mark.parametrize("question", ["why", "diff"])
def test_a_bundle_is_read_once(cli: Cli, story: Story, tmp_path: Path, question: str) -> None:
    """A pipe, as `<(…)` gives one, answers as the file does: what was judged is what is shown."""
    os.mkfifo(tmp_path / "pipe")
    asked = {
        "why": ("audit", "why", story.model, "-c", "internal", "--at", str(story.at["allowed"]), "--json"),
        "diff": ("audit", "diff", "--from", str(story.at["registered"]), "--json"),
    }[question]
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(story.bundle.read_bytes(),), daemon=True)
    writer.start()

    done = cli("auditor", *asked, "--bundle", str(tmp_path / "pipe"), "--key", str(story.key))

    assert (done.code, done.json) == (0, cli.must("auditor", *asked, *story.offline).json)


def test_a_file_exchanged_meanwhile_shows_nothing_of_itself(
    cli: Cli, story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the verdict and the entries that it names the file becomes another: those judged are shown."""
    from interlock.client import why as judging  # noqa: PLC0415  # without `cli`'s profile

    bundle = tmp_path / "q2.ilbundle"
    bundle.write_bytes(story.bundle.read_bytes())
    asked = ("audit", "why", story.model, "-c", "internal", "--at", str(story.at["allowed"]), "--json")
    judge = judging.why

    def exchanged(*words: Any) -> Any:  # noqa: ANN401  # whatever it takes and gives
        bundle.write_bytes(b"another file")
        return judge(*words)

    monkeypatch.setattr(judging, "why", exchanged)
    done = cli("auditor", *asked, "--bundle", str(bundle), "--key", str(story.key))

    assert bundle.read_bytes() == b"another file"
    assert (done.code, done.json) == (0, cli.must("auditor", *asked, *story.offline).json)


def test_a_range_between_two_moments_answers_at_these_moments(cli: Cli, story: Story, tmp_path: Path) -> None:
    """It has one entry past its end, which shows that no other was made by then."""
    start, end = (_time_of(cli, story.at[step] + 1) for step in ("registered", "held"))
    span = ("--from", start, "--to", end)
    cli.must("auditor", "audit", "export", "--out", str(tmp_path / "r.ilbundle"), *span)
    asked = ("--bundle", str(tmp_path / "r.ilbundle"), "--key", str(story.key))

    offline = cli.must("auditor", "audit", "diff", *span, *asked, "--json").json
    why = cli("auditor", "audit", "why", story.model, "-c", "internal", "--at", end, *asked, "--json").json

    assert offline == cli.must("auditor", "audit", "diff", *span, "--json").json
    assert (why["verdict"], why["position"]) == ("DENY", story.at["held"])


@pytest.mark.parametrize("offline", [False, True], ids=["server", "bundle"])
def test_an_entry_counts_from_its_own_microsecond_on(cli: Cli, story: Story, offline: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """At the very instant of the hold it is placed; one microsecond before, it is not."""
    before = _time_of(cli, story.at["held"])
    at = (datetime.fromisoformat(before) + timedelta(microseconds=1)).isoformat()
    words = ("audit", "why", story.model, "-c", "internal", *(story.offline if offline else ()), "--json", "--at")

    verdicts = [cli("auditor", *words, when).json for when in (before, at)]

    assert [(row["verdict"], row["position"]) for row in verdicts] == [
        ("ALLOW", story.at["held"] - 1),
        ("DENY", story.at["held"]),
    ]


def _time_of(cli: Cli, position: int) -> str:
    """Return the last moment before an entry."""
    entry = cli.must("auditor", "audit", "show", str(position), "--json").json["entry"]
    before = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(entry["time"]) - 1)
    return before.isoformat()


def test_a_bundle_that_does_not_verify_answers_nothing(cli: Cli, story: Story, tmp_path: Path) -> None:
    """One flipped byte, and there are findings instead of a verdict."""
    data = bytearray(story.bundle.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.ilbundle").write_bytes(data)
    words = ("--bundle", str(tmp_path / "bad.ilbundle"), "--key", str(story.key))

    done = cli("auditor", "audit", "why", story.model, "-c", "internal", *words)

    assert done.code == 1
    assert "NOT VERIFIED" in done.out
    assert "ALLOW" not in done.out


def test_a_bundle_needs_no_profile_and_no_server(cli: Cli, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the log's key the bundle is all that is asked."""
    from interlock.cli import main  # noqa: PLC0415  # without `cli`'s profile

    monkeypatch.setenv("INTERLOCK_HOME", "/nowhere")

    assert main.run(["audit", "why", story.model, "--context", "internal", *story.offline]) == 0
    del cli


def test_an_entry_is_shown_with_its_proof_and_what_was_signed(cli: Cli, story: Story) -> None:
    """The stored bytes are proven in a signed tree; envelopes are decoded, the command is in words."""
    shown = cli.must("auditor", "audit", "show", str(story.at["allowed"]), "--json").json

    (envelope,) = shown["envelopes"]
    assert shown["proof"]["proven"]
    assert shown["proof"]["tree_size"] > story.at["allowed"]
    assert envelope["statement"]["predicate"]["signer"] == "principals/reviewer"
    assert envelope["statement"]["predicate"]["decision"] == "approve"
    assert shown["command"].endswith(story.change)
    told = cli.must("auditor", "audit", "show", str(story.at["allowed"])).out
    assert "proven" in told
    assert "approve by reviewer as reviewer" in told


def test_an_entry_is_shown_with_its_texts(cli: Cli, story: Story) -> None:
    """A text comes with the entry that names it, its digest checked."""
    hold = cli.must("owner", "hold", "place", story.model, "--reason", "a look at run 12", "--json").json

    shown = cli.must("auditor", "audit", "show", str(hold["position"]), "--json").json

    assert [(row["field"], row["text"]) for row in shown["texts"]] == [("reason", "a look at run 12")]
    assert "a look at run 12" in cli.must("auditor", "audit", "show", str(hold["position"])).out


@pytest.mark.parametrize("offline", [False, True], ids=["server", "bundle"])
def test_a_printed_time_given_back_is_that_very_moment(cli: Cli, story: Story, offline: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """The time of the hold, as `audit log`, `show` and `why` print it, is when it was placed, and not just before."""
    words = story.offline if offline else ()
    held = str(story.at["held"])
    ask = ("audit", "why", story.model, "-c", "internal", "--at")
    told = {
        "log": next(row for row in cli.must("auditor", "audit", "log").out.splitlines() if row.split()[0] == held),
        "show": cli.must("auditor", "audit", "show", held).out,
        "why": cli("auditor", *ask, held, *words).out,
        "state": cli.must("auditor", "audit", "state", "--as-of", held).out,
    }

    for shown in told.values():
        when = re.search(r"\d{4}-\d\d-\d\dT[\d:.]+Z", shown)
        assert when is not None, shown
        found = cli("auditor", *ask, when[0], *words, "--json").json
        assert (found["verdict"], found["position"]) == ("DENY", story.at["held"])
