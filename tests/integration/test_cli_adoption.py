"""`interlock policy diff|simulate|adopt|show|list`, through a real server: a version proposed, signed, in force."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from interlock.client.groups.policy import Policies
from interlock.statemachine.policy import load_pack
from interlock.v1 import change_pb2, gate_pb2, policy_pb2, trigger_pb2
from tests.integration.cli_runner import Cli, command_line
from tests.support.people import People, refused
from tests.support.server import ServerThread, copy_of
from tests.support.versions import version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FRAUD = "thresholds:\n  fraud: {title: Real help to defraud, asks: {deployment: guarded}, reassess: {every: 90d}}\n"
STRICTER = version(("thresholds:\n", FRAUD))
RENAMED = version(
    ("  misuse:\n", "  fraud:\n"),
    ("obligations:\n", "succeeds: [{policy: minimal, thresholds: {fraud: [misuse]}}]\nobligations:\n"),
)
NEW = "policies/minimal/versions/2.0"
OLD = "policies/minimal/versions/1.0"


@pytest.fixture
def server(installations: Callable[[str], Path], tmp_path: Path) -> Iterator[ServerThread]:
    """Serve a fresh log."""
    with ServerThread(copy_of(installations("minimal"), tmp_path / "data")) as running:
        yield running


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line, and a model that is released for internal use."""
    line = command_line(server, capsys, tmp_path, monkeypatch)
    line.release("m")
    return line


def folder_of(cli: Cli, files: Mapping[str, bytes], name: str = "pack") -> str:
    """Write a pack's files into a folder."""
    folder = cli.folder / name
    folder.mkdir()
    for path, data in files.items():
        (folder / path).write_bytes(data)
    return str(folder)


def propose(cli: Cli, pack: str) -> str:
    """Propose to adopt a pack; return the change's name."""
    name: str = cli.must("evaluator", "policy", "adopt", pack, "--json").json["name"]
    return name


def adopt(cli: Cli, pack: str) -> int:
    """Have a pack adopted; return the position of the entry that did it."""
    change = propose(cli, pack)
    cli.must("owner", "sign", change, "--yes")
    applied: int = int(cli.must("reviewer", "sign", change, "--yes", "--json").json["applied_position"])
    return applied


def codes(cli: Cli, *words: str) -> list[str]:
    """Return the codes of what the gate has against m; nothing for ALLOW."""
    outcome = cli("release-bot", "gate", "check", "m", "--context", "internal", "--json", *words)
    return [row["code"] for row in outcome.json["reasons"]]


def test_a_version_is_compared_tried_adopted_and_the_past_stays_what_it_was(cli: Cli) -> None:
    """What the simulation says is what the next check sees; views of the past are judged by the old version."""
    pack = folder_of(cli, STRICTER)
    differs = cli("auditor", "policy", "diff", "in-force", pack, "--json")
    tried = cli("auditor", "policy", "simulate", pack, "--json")
    assert (differs.code, codes(cli)) == (0, [])
    assert [(row["model"], row["context"], row["allowed"]) for row in tried.json["flips"]] == [
        ("models/m", "internal", False),
        ("models/m", "api", False),
    ]

    position = adopt(cli, pack)

    assert codes(cli) == ["DETERMINATION_MISSING"]
    shown, before = (
        cli.must("auditor", "policy", "show", "--json", *words).json for words in ((), ("--as-of", str(position - 1)))
    )
    assert [(row["name"], row["state"]) for row in (shown, before)] == [
        (NEW, "POLICY_STATE_ADOPTED"),
        (OLD, "POLICY_STATE_ADOPTED"),
    ]
    rows = cli.must("auditor", "policy", "list", "--json").json["policies"]
    assert {(row["name"], row["state"]) for row in rows} == {
        (OLD, "POLICY_STATE_SUPERSEDED"), (NEW, "POLICY_STATE_ADOPTED")
    }  # fmt: skip
    then, now = (
        cli("auditor", "audit", "why", "m", "--context", "internal", "--json", *at)
        for at in (("--at", str(position - 1)), ("--at", str(position)))
    )
    assert (then.code, now.code) == (0, 1)
    assert (then.json["policy"], now.json["policy"]) == (OLD, NEW)


def test_rules_that_nobody_could_sign_for_are_told_before_anyone_signs(cli: Cli) -> None:
    """A simulation is a no, and whoever proposes the pack all the same is warned."""
    rule = (
        "  - {triggers: [policy.adopt], sign_offs: [{role: owner}, {role: board}], source: {document: D, section: s}}\n"
    )
    roles = "reviewer:  {approves: true}\n  board: {approves: true, affiliation: external}"
    pack = folder_of(cli, version(("reviewer:  {approves: true}", roles), ("default:", f"{rule}default:")))

    simulated = cli("auditor", "policy", "simulate", pack, "--json")
    proposed = cli.must("evaluator", "policy", "adopt", pack)

    assert (simulated.code, simulated.json["flips"]) == (1, [])
    assert [row["roles"] for row in simulated.json["unfillable"]] == [["board"]]
    assert "nobody could sign for policy.adopt: too few people with board" in proposed.err


def test_regression_a_change_that_was_proposed_is_told_though_the_server_is_gone_by_then(
    cli: Cli, server: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look at who could sign comes after the proposal, and takes nothing of its answer away."""
    pack, honest = folder_of(cli, STRICTER), Policies.simulate

    def too_late(group: Policies, files: dict[str, bytes]) -> policy_pb2.SimulatePolicyResponse:
        server.stop()
        return honest(group, files)

    monkeypatch.setattr(Policies, "simulate", too_late)
    done = cli("evaluator", "--timeout", "3", "policy", "adopt", pack, "--json")

    assert (done.code, done.json["name"]) == (0, "changes/2")
    assert "policy simulate" in done.err


def test_an_open_assessment_goes_on_under_the_names_of_the_new_version(cli: Cli, server: ServerThread) -> None:
    """What was opened for a threshold takes reports on what stands for it, also after a restart; the log verifies."""
    cli.must("evaluator", "assessments", "open", "m", "misuse", "--reason", "a new checkpoint")
    tried = cli("auditor", "policy", "simulate", folder_of(cli, RENAMED), "--json").json["carried"]
    adopt(cli, str(cli.folder / "pack"))
    server.stop()
    with ServerThread(server.data):
        shown = cli.must("evaluator", "assessments", "show", "1", "--json").json
        words = ("assessments", "report", "m", "fraud", "cannot_rule_out", "--assessment", "assessments/1")
        old = cli("evaluator", "assessments", "report", "m", "misuse", "reached", "--assessment", "assessments/1")
        cli.must("evaluator", *words)
        after = cli.must("evaluator", "assessments", "show", "1", "--json").json
        cli.must("evaluator", "assessments", "conclude", "1")
        bundle = str(cli.folder / "log.ilbundle")
        cli.must("auditor", "audit", "export", "--out", bundle)
        key = cli.file("log.pub", cli.must("auditor", "audit", "key").out)
    verified = cli("nobody", "audit", "verify", bundle, "--key", key, "--json")

    assert "assessments/1" in {row["resource"] for row in tried}
    assert (shown["thresholds"], old.code) == (["fraud"], 3)
    assert len(after["reports"]) == 1
    assert verified.json["verified"]


def test_what_is_shown_before_signing_is_the_pack_that_is_adopted(cli: Cli) -> None:
    """In words and line by line, from the bytes that the signature binds."""
    change = propose(cli, folder_of(cli, STRICTER))

    shown = cli.must("owner", "sign", change, "--yes").out

    assert "it puts another policy in force" in shown
    assert "thresholds fraud  new (Real help to defraud); undetermined for every model" in shown
    assert f"+{FRAUD.splitlines()[1]}" in shown


def test_an_open_change_goes_stale_and_is_rebased(cli: Cli) -> None:
    """It says which policy it was written under, and which is in force."""
    text = "title: t\ntriggers: [{determination.rule_out: models/m/determinations/misuse}]\nevidence: [%s]\n"
    open_change = cli.propose(text % cli.document())
    adopt(cli, folder_of(cli, STRICTER))

    stale = cli.must("auditor", "changes", "show", open_change, "--json").json
    refusal = cli("owner", "sign", open_change, "--yes", "--json")
    rebased = cli.must("evaluator", "changes", "rebase", open_change, "--json").json

    assert (stale["stale"], stale["moved"]) == (True, [NEW])
    assert any("sha256" in row["requirement"] for row in stale["unmet"] if row["code"] == "BASE_MOVED")
    assert refusal.code != 0
    assert not rebased["stale"]
    cli.must("owner", "sign", open_change, "--yes")
    cli.must("reviewer", "sign", open_change, "--yes")


def test_a_stream_that_is_open_flips_at_the_adoption(cli: Cli, server: ServerThread) -> None:
    """Who watches a release is told at the entry that puts the new version in force."""
    with People(server) as people:
        request = gate_pb2.WatchReleaseRequest(model="models/m", context="internal")
        stream = people["release-bot"].gate.WatchRelease(request)
        first = next(stream)
        position = adopt(cli, folder_of(cli, STRICTER))
        told = next(row for row in stream if row.answer.verdict == gate_pb2.VERDICT_DENY)
        stream.cancel()

    assert first.answer.verdict == gate_pb2.VERDICT_ALLOW
    assert told.answer.log_position == position
    assert told.answer.policy == NEW


def test_a_bundle_over_both_versions_verifies_simulates_and_names_an_altered_pack(cli: Cli) -> None:
    """Offline: each entry is judged by the version of its time, and one word in a pack is found."""
    pack = folder_of(cli, STRICTER)
    adopt(cli, pack)
    bundle = cli.folder / "log.ilbundle"
    cli.must("auditor", "audit", "export", "--out", str(bundle))
    cli.must("auditor", "audit", "verify", str(bundle))

    back = cli(
        "auditor",
        "policy",
        "simulate",
        folder_of(cli, version(called="3.0"), "back"),
        "--against",
        str(bundle),
        "--json",
    )
    data = bundle.read_bytes()
    assert data.count(b"Real help to defraud") == 1
    bundle.write_bytes(data.replace(b"Real help to defraud", b"Real help to deceive"))
    altered = cli("auditor", "audit", "verify", str(bundle), "--json")

    assert (back.code, [row["allowed"] for row in back.json["flips"]]) == (1, [True, True])
    assert altered.code == 1
    digest = cli.must("auditor", "policy", "show", "--json").json["digest"]
    assert any("policy pack" in row["detail"] and digest in row["detail"] for row in altered.json["findings"])


def test_what_runs_somewhere_is_out_of_compliance_from_the_adoption_on(cli: Cli, server: ServerThread) -> None:
    """The list says so, and a stream that is open is told."""
    words = ["--context", "internal", "--location", "cluster-a"]
    cli.must("release-bot", "deployments", "record", "m", *words)
    with People(server) as people:
        stream = people["release-bot"].gate.WatchDeployments(gate_pb2.WatchDeploymentsRequest())
        next(stream)
        adopt(cli, folder_of(cli, STRICTER))
        told = next(row for row in stream if row.deployment.out_of_compliance)
        stream.cancel()
    listed = cli("auditor", "deployments", "list", "--out-of-compliance", "--json")

    assert told.deployment.name == "deployments/1"
    assert [row["name"] for row in listed.json["deployments"]] == ["deployments/1"]


def test_a_proposal_is_amended_to_another_pack(cli: Cli) -> None:
    """The new pack comes with the new revision, and is what is shown and adopted then."""
    change = propose(cli, folder_of(cli, STRICTER))
    other = version(("attested_for: 180d", "attested_for: 90d"), called="2.1")
    policy = load_pack(other)
    adopted = trigger_pb2.PolicyAdopt(policy=policy.name, pack_digest=policy.digest)
    with People(cli.server) as people:
        pack = policy_pb2.PolicyPack(files=[policy_pb2.PolicyFile(path=at, content=data) for at, data in other.items()])
        people["evaluator"].changes.AmendChange(
            change_pb2.AmendChangeRequest(name=change, triggers=[trigger_pb2.Trigger(policy_adopt=adopted)], pack=pack)
        )

    shown = cli.must("owner", "sign", change, "--yes").out
    cli.must("reviewer", "sign", change, "--yes")

    assert "an attestation lasts 180d → 90d" in shown
    assert cli.must("auditor", "policy", "show", "--json").json["name"] == "policies/minimal/versions/2.1"
    states = {row["name"]: row["state"] for row in cli.must("auditor", "policy", "list", "--json").json["policies"]}
    assert states[NEW] == "POLICY_STATE_DRAFTED"


def test_what_does_not_load_is_not_proposed(cli: Cli) -> None:
    """The command line says how to find out more, the server refuses it as well."""
    broken = folder_of(cli, {"policy.yaml": b"format: 1\n"})

    assert cli("evaluator", "policy", "adopt", broken).code == 2
    with People(cli.server) as people, refused("INVALID_FIELD"):
        pack = policy_pb2.PolicyPack(files=[policy_pb2.PolicyFile(path="policy.yaml", content=b"format: 1\n")])
        people["auditor"].policies.SimulatePolicy(policy_pb2.SimulatePolicyRequest(pack=pack))
    with People(cli.server) as people, refused("INVALID_FIELD"):
        adopted = trigger_pb2.PolicyAdopt(policy=NEW, pack_digest=bytes(32))
        people["evaluator"].changes.ProposeChange(
            change_pb2.ProposeChangeRequest(triggers=[trigger_pb2.Trigger(policy_adopt=adopted)], title="t", pack=pack)
        )


def test_the_server_lints_and_compares_as_the_command_line_does(cli: Cli) -> None:
    """By name or by files."""
    pack = policy_pb2.PolicyPack(
        files=[policy_pb2.PolicyFile(path=path, content=data) for path, data in STRICTER.items()]
    )
    with People(cli.server) as people:
        linted = people["auditor"].policies.LintPolicy(policy_pb2.LintPolicyRequest(pack=pack))
        request = policy_pb2.DiffPoliciesRequest(old_name="policies/-", new_pack=pack)
        compared = people["auditor"].policies.DiffPolicies(request)
    here = cli("auditor", "policy", "diff", "in-force", folder_of(cli, STRICTER), "--json")

    assert (linted.clean, len(linted.digest)) == (True, 64)
    assert [row.words for row in compared.differences] == [row["words"] for row in json.loads(here.out)["differences"]]


def test_a_stale_adoption_can_still_be_rejected(cli: Cli) -> None:
    """Of two versions under review the second is stale once the first is adopted; what it says is still shown."""
    second = propose(cli, folder_of(cli, version(("attested_for: 180d", "attested_for: 90d"), called="2.1"), "second"))
    adopt(cli, folder_of(cli, STRICTER))

    rejected = cli.must("owner", "reject", second, "--comment", "not on top of 2.0", "--yes")

    assert "an attestation lasts 180d → 90d" in rejected.out


@pytest.mark.parametrize("pack", [STRICTER, RENAMED], ids=["kept", "renamed"])
def test_one_model_s_part_of_a_log_verifies_over_an_adoption(  # one for each fixture that it takes
    pack: dict[str, bytes],
    installations: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that keeps its ids rests on no other model; one that renames some, on all, also of which nothing was said."""
    data = copy_of(installations("minimal"), tmp_path / "parts")
    with ServerThread(data, state_digest_entries=3) as server:
        cli = command_line(server, capsys, tmp_path, monkeypatch)
        cli.release("m")
        cli.must("evaluator", "models", "create", "silent")
        adopt(cli, folder_of(cli, pack))
        for number in range(4):
            cli.must("evaluator", "models", "create", f"later-{number}")
        for model in ("m", "later-1"):
            part = str(cli.folder / f"{model}.ilbundle")
            cli.must("auditor", "audit", "export", "--out", part, "--model", model)

            verified = cli.must("auditor", "audit", "verify", part, "--partial-ok")

            assert f"PARTIAL: covers models/{model}" in verified.out


def test_the_public_report_says_what_is_only_recommended_and_since_when(cli: Cli) -> None:
    """Also under another name, and after a further version; what was never a commitment says nothing of that."""
    demoted = version(("track: commitment", "track: recommendation"), ("api]   #", "{id: api, unguarded: true}]   #"),
                      ("levels: [basic, guarded]", "levels: [basic, {id: guarded, stub: true}]"))  # fmt: skip
    says = "succeeds: [{policy: minimal, safeguards: {screen: input-filter}}]\nobligations:\n"
    renamed = version(("input-filter", "screen"), ("obligations:\n", says), of=demoted, called="3.0")
    founded = cli.must("auditor", "policy", "report", "--json").json
    position = adopt(cli, folder_of(cli, demoted))
    adopt(cli, folder_of(cli, renamed, "renamed"))

    found = cli.must("auditor", "policy", "report", "--json").json
    public = cli.must("auditor", "policy", "report").out

    assert [row["id"] for row in founded["committed"]] == ["input-filter"]
    assert (founded["change"], founded["signed_by_roles"]) == ("", [])
    assert found["committed"] == []
    told = {row["id"]: (row.get("committed_in"), row.get("demoted_at")) for row in found["recommended"]}
    assert told == {"screen": (OLD, position), "quarterly-report": (None, None)}
    assert "owner, reviewer" in public.partition("## Recommended, not committed")[2]
    assert "- **quarterly-report**: every 90d\n" in public
