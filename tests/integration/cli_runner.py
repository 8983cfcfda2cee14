"""The command line for tests: runs `interlock` in this process as any of a server's people, and keeps the outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interlock.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.server import ServerThread

RULE_OUT = """\
title: Rule misuse out for {model}
summary: The evaluations show nothing.
triggers:
  - determination.rule_out: models/{model}/determinations/misuse
  - level.assign: {{level: models/{model}/levels/deployment, to: basic}}
evidence: [{evidence}]
"""
SHA256 = "3e9a7d2c51f04b86a1c8e5f2907d64b3c2f1a8e09b7d5643e1f08a9c7b6d5e43"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  # any result
        """The result, where it is JSON."""
        return json.loads(self.out)

    @property
    def refusal(self) -> Any:  # noqa: ANN401  # as above
        """The error, where it is JSON."""
        return json.loads(self.err)["error"]

    @property
    def codes(self) -> list[str]:
        """Codes of what is unmet, sorted."""
        return sorted(row["code"] for row in self.refusal["unmet"])


class Cli:
    """Runs `interlock` in this process, as any of the people of a server."""

    def __init__(self, server: ServerThread, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._capsys = capsys

    def __call__(self, who: str, *words: str) -> Outcome:
        """Run a command; whatever happens is in the outcome."""
        self._capsys.readouterr()
        code = main.run(["--profile", who, *words])
        printed = self._capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    def must(self, who: str, *words: str) -> Outcome:
        """Run a command that has to end in 0."""
        outcome = self(who, *words)
        assert outcome.code == 0, f"{words}\n{outcome.out}{outcome.err}"
        return outcome

    def file(self, name: str, text: str) -> str:
        """Write a file and return its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def document(self, kind: str = "evaluation_results", who: str = "evaluator") -> str:
        """Upload a document and return its name."""
        file = self.file(f"{kind}.md", f"# {kind}\n")
        name: str = self.must(who, "evidence", "upload", file, "--kind", kind, "--json").json["name"]
        return name

    def propose(self, text: str, *words: str, who: str = "evaluator") -> str:
        """Propose a change and return its name."""
        name: str = self.must(who, "changes", "propose", "-f", self.file("c.yaml", text), "--json", *words).json["name"]
        return name

    def release(self, model: str, artifact: str = SHA256) -> str:
        """Bring a model to where the gate allows it internally; return the change that did."""
        self.must("evaluator", "models", "create", model, "--artifact", artifact)
        change = self.propose(RULE_OUT.format(model=model, evidence=self.document()))
        self.must("owner", "sign", change, "--yes")
        self.must("reviewer", "sign", change, "--yes")
        return change


def command_line(
    server: ServerThread, capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Return a command line for everybody of a server; files are written under ``folder``."""
    monkeypatch.setenv("INTERLOCK_HOME", str(server.home))
    monkeypatch.delenv("INTERLOCK_PROFILE", raising=False)
    work = folder / "work"
    work.mkdir()
    return Cli(server, capsys, work)
