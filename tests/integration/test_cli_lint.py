"""`interlock policy lint --against`: whether the people of a log can meet a pack, of a server or of a bundle."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli_runner import Cli, command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ServerThread


@pytest.fixture
def cli(
    server: ServerThread, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Give a command line for everybody of a server."""
    return command_line(server, capsys, tmp_path, monkeypatch)


def _counted(cli: Cli, pack: str, *words: str) -> tuple[int, list[str]]:
    outcome = cli("nobody", "policy", "lint", pack, "--json", *words)
    return outcome.code, sorted({row["code"] for row in outcome.json["findings"] if row["severity"] != "note"})


def test_the_people_of_a_server_can_meet_the_policy_that_it_runs(cli: Cli) -> None:
    """Clean against its own people."""
    assert _counted(cli, "minimal", "--against", "auditor") == (0, [])


def test_a_pack_whose_roles_nobody_holds_is_a_no(cli: Cli) -> None:
    """No one here is a responsible scaling officer; a bundle of the same log says the same, with no server."""
    from_server = _counted(cli, "rsp-2.2", "--against", "auditor")
    bundle, key = str(cli.folder / "log.ilbundle"), cli.file("log.pub", cli.must("auditor", "audit", "key").out)
    cli.must("auditor", "audit", "export", "--out", bundle)
    cli.server.stop()

    from_bundle = _counted(cli, "rsp-2.2", "--against", bundle, "--key", key)

    assert from_server[0] == 1
    assert "QUORUM_OUT_OF_REACH" in from_server[1]
    assert from_bundle == from_server


def test_one_more_person_asked_for_than_there_are_is_found_with_how_many(cli: Cli) -> None:
    """Three owners, where two people hold the role."""
    pack = (resources.files("interlock.statemachine.policy") / "packs" / "minimal" / "policy.yaml").read_text()
    folder = cli.folder / "mine"
    folder.mkdir()
    (folder / "policy.yaml").write_text(
        pack.replace(
            "    - {role: owner, distinct_from: [requester]}\n",
            "    - {role: owner, count: 9, distinct_from: [requester]}\n",
        )
    )

    outcome = cli("nobody", "policy", "lint", str(folder), "--against", "auditor")

    assert outcome.code == 1
    assert "QUORUM_OUT_OF_REACH" in outcome.out
    assert "there are: " in outcome.out
    assert "never applies" in outcome.out


def test_a_profile_that_is_none_is_a_usage_error(cli: Cli) -> None:
    """Never a clean pack because nobody was counted."""
    assert cli("nobody", "policy", "lint", "minimal", "--against", "no-such-profile").code != 0
