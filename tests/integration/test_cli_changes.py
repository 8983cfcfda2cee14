"""Changes on the command line: proposed from a file, shown, signed, rejected, revised, applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from interlock.client.profile import load_profile
from tests.integration.cli_runner import RULE_OUT, Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread

LIFT = "title: Lift it\ntriggers: [hold.lift: holds/1]\n"


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server on which the model m is held."""
    cli = command_line(server, capsys, tmp_path, monkeypatch)
    cli.must("evaluator", "models", "create", "m")
    cli.must("owner", "hold", "place", "m", "--reason", "odd outputs")
    return cli


def _state(cli: Cli, change: str) -> dict[str, object]:
    value: dict[str, object] = cli.must("owner", "changes", "show", change, "--json").json
    return value


# Holds ---------------------------------------------------------------------------------------------------------------


def test_nobody_lifts_a_hold_alone(cli: Cli) -> None:
    """Without a change lifting is refused, and the refusal names every sign-off that the policy asks for."""
    refused = cli("owner", "hold", "lift", "1", "--json")

    assert refused.code == 3
    assert refused.codes == ["CHANGE_REQUIRED", "SIGN_OFF_MISSING", "SIGN_OFF_MISSING"]
    assert "--propose" in cli("owner", "hold", "lift", "1").err
    assert "placed" in cli.must("owner", "hold", "list", "--placed").out


def test_who_may_propose_can_start_lifting_it(cli: Cli) -> None:
    """`--propose` makes the change; signed by the quorum, it lifts the hold."""
    change = cli.must("evaluator", "hold", "lift", "holds/1", "--propose", "--summary", "false alarm", "--json").json

    cli.must("owner", "sign", change["name"], "--yes")
    applied = cli.must("reviewer", "sign", change["name"], "--yes", "--json").json

    assert applied["state"] == "CHANGE_STATE_APPLIED"
    assert cli.must("owner", "hold", "list", "--placed").out == ""
    assert cli("owner", "hold", "lift", "1", "--json").codes == ["NO_SUCH_EDGE"]


def test_who_may_not_propose_is_not_allowed(cli: Cli) -> None:
    """An approving role alone does not propose."""
    assert cli("owner", "hold", "lift", "1", "--propose").code == 4


# Proposing and showing -----------------------------------------------------------------------------------------------


def test_a_change_is_proposed_and_shows_what_is_unmet_by_trigger(cli: Cli) -> None:
    """The file becomes a change under review; missing evidence and each sign-off are listed."""
    change = cli.propose(RULE_OUT.format(model="m", evidence=""))

    told = cli.must("owner", "changes", "show", change).out
    value = _state(cli, change)

    assert "Rule misuse out for m" in told
    assert "determination.rule_out models/m/determinations/misuse" in told
    codes = [row["code"] for row in value["unmet"]]  # type: ignore[attr-defined]  # JSON
    assert sorted(codes) == ["EVIDENCE_MISSING", *["SIGN_OFF_MISSING"] * 4]
    assert value["decoded_content"]["triggers"][1]["level_assign"]["to"] == "basic"  # type: ignore[index]  # JSON
    assert change in cli.must("owner", "changes", "list", "--model", "m", "--state", "in_review").out
    assert cli.must("owner", "changes", "list", "--state", "applied").out == ""


def test_a_file_with_mistakes_is_usage_with_their_places(cli: Cli) -> None:
    """Nothing is sent; each mistake is told at file, line and column."""
    file = cli.file("c.yaml", "title: t\ntriggers:\n  - level.rise: m\n  - hold.lift: 3\n")

    refused = cli("evaluator", "changes", "propose", "-f", file)

    assert refused.code == 2
    assert f"{file}:3:5" in refused.err
    assert f"{file}:4:16" in refused.err


def test_a_change_that_can_not_fire_is_refused(cli: Cli) -> None:
    """The server's refusal arrives whole."""
    file = cli.file("c.yaml", "title: t\ntriggers:\n  - hold.lift: holds/7\n")

    assert cli("evaluator", "changes", "propose", "-f", file, "--json").code == 3


def test_preview_says_what_applying_would_do(cli: Cli) -> None:
    """Edges in order, what is unmet, and nothing written."""
    change = cli.propose(LIFT)

    would = cli.must("owner", "changes", "preview", change, "--json").json

    assert [(row["trigger"], row["from"], row["to"]) for row in would["transitions"]] == [
        ("hold.lift", "placed", "lifted")
    ]
    assert len(would["unmet"]) == 2
    assert "placed → lifted" in cli.must("owner", "changes", "preview", change).out


# Signing -------------------------------------------------------------------------------------------------------------


def test_what_is_signed_is_shown_first(cli: Cli) -> None:
    """Every trigger, document, base position and digest that the signature binds is on the screen before it is made."""
    report = cli.document()
    change = cli.propose(RULE_OUT.format(model="m", evidence=report))
    value = _state(cli, change)

    told = cli.must("owner", "sign", change, "--yes").out
    before, _, after = told.partition("\nsigned\n")

    profile = load_profile(cli.server.home / "owner" / "profile.json")
    record = cli.must("owner", "evidence", "show", report, "--json").json
    for part in (
        "Rule misuse out for m",
        "The evaluations show nothing.",
        "determination.rule_out models/m/determinations/misuse",
        "level.assign models/m/levels/deployment to=basic",
        record["sha256"],
        profile.log_id.hex(),
        "models/m/determinations/misuse",
    ):
        assert part in before
    assert value["revision"] == 1
    assert "sign-off by reviewer" in after
    assert "sign-off by owner" not in after


def test_nobody_signs_by_accident(cli: Cli) -> None:
    """Where nobody can be asked, `--yes` is needed, and nothing was signed."""
    change = cli.propose(LIFT)

    assert cli("owner", "sign", change).code == 2
    assert _state(cli, change)["sign_offs"] == []


def test_a_signature_while_evidence_is_missing_is_refused_whole(cli: Cli) -> None:
    """Everything unmet is listed, and nothing is half signed."""
    change = cli.propose(RULE_OUT.format(model="m", evidence=""))

    refused = cli("owner", "sign", change, "--yes", "--json")

    assert refused.code == 3
    assert "EVIDENCE_MISSING" in refused.codes
    assert _state(cli, change)["sign_offs"] == []


def test_who_asked_for_it_does_not_sign_it(cli: Cli) -> None:
    """A requester without an approving role is told so."""
    change = cli.propose(LIFT)

    refused = cli("evaluator", "sign", change, "--yes", "--json")

    assert refused.code in {3, 4}
    assert {"NO_APPROVING_ROLE", "REQUESTER_CONFLICT"} <= set(refused.codes)


def test_the_inbox_holds_what_waits_for_me(cli: Cli) -> None:
    """A change waits for who can still fill a slot, and for nobody else."""
    change = cli.propose(LIFT)

    assert change in cli.must("owner", "inbox").out
    cli.must("owner", "sign", change, "--yes")
    assert cli.must("owner", "inbox").out == ""
    assert change in cli.must("reviewer", "inbox").out
    assert cli.must("evaluator", "inbox", "--json").json == {"changes": []}


def test_a_reject_stands_until_it_is_taken_back(cli: Cli) -> None:
    """With a reject nothing is approved; its author's signed withdrawal opens the way."""
    change = cli.propose(LIFT)
    cli.must("reviewer", "reject", change, "--comment", "not yet", "--yes")
    cli.must("owner", "sign", change, "--yes")

    told = cli.must("owner", "changes", "show", change).out
    withdrawn = cli.must("reviewer", "withdraw-sign-off", change, "--yes", "--json").json

    assert "SIGN_OFF_REJECTED" in told
    assert "“not yet”" in told
    assert "SIGN_OFF_REJECTED" not in [row["code"] for row in withdrawn["unmet"]]
    assert cli.must("reviewer", "sign", change, "--yes", "--json").json["state"] == "CHANGE_STATE_APPLIED"


def test_a_comment_goes_with_the_signature(cli: Cli) -> None:
    """The comment is shown with the sign-off that names its digest."""
    change = cli.propose(LIFT)

    cli.must("owner", "sign", change, "--yes", "--comment", "read it twice", "--role", "owner")

    assert "“read it twice”" in cli.must("reviewer", "changes", "show", change).out


# Revising ------------------------------------------------------------------------------------------------------------


def test_one_word_of_the_summary_voids_the_approvals(cli: Cli) -> None:
    """An amended change is another revision: earlier sign-offs are kept and do not count."""
    change = cli.propose(LIFT)
    cli.must("owner", "sign", change, "--yes")

    amended = cli.must("evaluator", "changes", "amend", change, "--summary", "false alarm", "--json").json

    assert amended["revision"] == 2
    assert [row["void_reason"] for row in amended["sign_offs"]] == ["REVISION_CHANGED"]
    assert "void: REVISION_CHANGED" in cli.must("owner", "changes", "show", change).out
    assert cli("evaluator", "changes", "amend", change).code == 2


def test_a_change_is_amended_from_a_file(cli: Cli) -> None:
    """Texts and triggers come from the file; evidence has commands of its own."""
    change = cli.propose(LIFT)
    other = cli.file("other.yaml", "title: Lift it now\ntriggers: [hold.lift: holds/1]\n")
    more = cli.file("more.yaml", f"{LIFT}evidence: [evidence/9]\n")

    cli.must("evaluator", "changes", "amend", change, "-f", other)

    assert "Lift it now" in cli.must("owner", "changes", "list").out
    assert cli("evaluator", "changes", "amend", change, "-f", more).code == 2


def test_evidence_is_attached_and_detached(cli: Cli) -> None:
    """Each makes a revision that names the documents by digest."""
    change = cli.propose(RULE_OUT.format(model="m", evidence=""))
    report = cli.document()

    attached = cli.must("evaluator", "changes", "attach", change, report, "--json").json
    detached = cli.must("evaluator", "changes", "detach", change, report, "--json").json

    assert [row["evidence"] for row in attached["decoded_content"]["evidence"]] == [report]
    assert (attached["revision"], detached["revision"]) == (2, 3)
    assert detached["decoded_content"]["evidence"] == []


def test_a_stale_change_is_refused_until_it_is_rebased(cli: Cli) -> None:
    """When what it was written against has moved, signing is refused with what moved; a rebase mends it."""
    report = cli.document()
    change = cli.propose(RULE_OUT.format(model="m", evidence=report))
    cli.must("evaluator", "assessments", "report", "m", "misuse", "ruled_out")

    stale = cli("owner", "sign", change, "--yes", "--json")
    rebased = cli.must("evaluator", "changes", "rebase", change, "--json").json

    assert (stale.code, stale.refusal["kind"]) == (3, "Stale")
    assert "BASE_MOVED" in stale.codes
    assert (rebased["revision"], rebased["stale"]) == (2, False)


def test_a_draft_is_submitted(cli: Cli) -> None:
    """A draft waits for nobody until it is put to review."""
    change = cli.propose(LIFT, "--draft")

    assert cli.must("owner", "inbox").out == ""
    submitted = cli.must("evaluator", "changes", "submit", change)

    assert "in_review" in submitted.out
    assert change in cli.must("owner", "inbox").out


def test_a_change_can_wait_for_its_application(cli: Cli) -> None:
    """`apply_separately` keeps an approved change until somebody applies it."""
    change = cli.propose(f"{LIFT}apply_separately: true\n")
    cli.must("owner", "sign", change, "--yes")
    signed = cli.must("reviewer", "sign", change, "--yes")

    applied = cli.must("owner", "changes", "apply", change, "--json").json

    assert "approved" in signed.out
    assert applied["state"] == "CHANGE_STATE_APPLIED"


def test_a_change_is_taken_back(cli: Cli) -> None:
    """A withdrawn change is final."""
    change = cli.propose(LIFT)

    assert "withdrawn" in cli.must("evaluator", "changes", "withdraw", change).out
    assert cli("owner", "sign", change, "--yes").code == 3


def test_an_etag_of_another_revision_is_stale(cli: Cli) -> None:
    """`--etag` acts only on the revision that one has seen."""
    change = cli.propose(LIFT)
    etag = str(_state(cli, change)["etag"])
    cli.must("evaluator", "changes", "amend", change, "--title", "Another")

    refused = cli("evaluator", "changes", "withdraw", change, "--etag", etag, "--json")

    assert (refused.code, json.loads(refused.err)["error"]["reason"]) == (3, "ETAG_MISMATCH")
