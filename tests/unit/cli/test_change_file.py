"""A change as a file: strict YAML, every mistake with its line."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

import pytest

from interlock.cli.change_file import load_change_file, read_change
from interlock.client.errors import InvalidRequestError
from interlock.statemachine import codec
from interlock.statemachine import firings as f
from interlock.v1 import trigger_pb2

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
title: Raise m
summary: |
  Two lines
  of why.
triggers:
  - determination.rule_out: models/m/determinations/misuse
  - level.raise: {level: models/m/levels/deployment, to: guarded}
  - safeguard.verify: {safeguard: models/m/safeguards/input-filter, evidence: [evidence/3]}
  - determination.report: {determination: models/m/determinations/misuse, conclusion: cannot_rule_out}
evidence: [evidence/1, evidence/2]
not_before: 2026-06-01T00:00:00+02:00
apply_separately: true
"""


def _mistakes(text: str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequestError) as caught:
        read_change("change.yaml", text)
    assert caught.value.reason == "CHANGE_FILE"
    return [(row.field, row.description) for row in caught.value.fields]


def _places(text: str) -> list[str]:
    return [field for field, _ in _mistakes(text)]


def test_a_good_file_says_everything_that_a_change_can_say() -> None:
    """Texts, triggers in order, documents, the earliest time and how it is applied."""
    change = read_change("change.yaml", GOOD)

    assert (change.title, change.summary) == ("Raise m", "Two lines\nof why.\n")
    assert [codec.firing_of(row) for row in change.triggers] == [
        f.DeterminationRuleOut("models/m/determinations/misuse"),
        f.LevelRaise("models/m/levels/deployment", "guarded"),
        f.SafeguardVerify("models/m/safeguards/input-filter", ("evidence/3",)),
        f.DeterminationReport("models/m/determinations/misuse", "cannot_rule_out"),
    ]
    assert change.evidence == ("evidence/1", "evidence/2")
    assert change.not_before == datetime(2026, 5, 31, 22, tzinfo=UTC)
    assert change.apply_separately


def test_the_least_file_is_a_title_and_a_trigger() -> None:
    """What is left out has its plain default."""
    change = read_change("change.yaml", "title: t\ntriggers: [hold.lift: holds/1]\n")

    assert (change.summary, change.evidence, change.not_before, change.apply_separately) == ("", (), None, False)


@pytest.mark.parametrize("kind", get_args(f.Firing), ids=lambda kind: kind.trigger.value)
def test_every_trigger_can_be_written(kind: type[f.Firing]) -> None:
    """The names of packs are the names of files, for every trigger and each of its arguments."""
    words = {
        "conclusion": "reached",
        **dict.fromkeys(("compromised_since", "start", "until", "discovered_at"), "2026-05-01T00:00:00Z"),
        **dict.fromkeys(
            ("public_key", "proof", "replaces_proof", "pack_digest", "content_digest", "envelope"), '"00ff"'
        ),
    }
    values = {
        item.name: '["evidence/1"]' if "tuple" in str(item.type) else words.get(item.name, "x")
        for item in fields(kind)
        if item.name not in {"reason_digest", "title_digest"}
    }
    arguments = ", ".join(f"{name}: {value}" for name, value in values.items())

    change = read_change("change.yaml", f"title: t\ntriggers:\n  - {kind.trigger.value}: {{{arguments}}}\n")

    assert isinstance(codec.firing_of(change.triggers[0]), kind)


def test_every_trigger_of_the_contract_is_one_of_the_tables() -> None:
    """No arm of the message is missing among the names that a file can use."""
    arms = {field.name for field in trigger_pb2.Trigger.DESCRIPTOR.fields}

    assert {kind.trigger.value.replace(".", "_") for kind in get_args(f.Firing)} == arms


@pytest.mark.parametrize(
    "marked",
    [
        "title: t\ntriggers:\n  - ^level.rise: models/m\n",
        "title: t\ntriggers:\n  - ^level.raise: {level: x, ^too: y}\n",
        "title: t\ntriggers:\n  - ^level.raise: models/m/levels/d\n",
        "title: t\ntriggers:\n  - level.raise: {level: x, to: ^3}\n",
        "title: t\ntriggers:\n  - determination.report: {determination: x, conclusion: ^maybe}\n",
        "title: t\ntriggers:\n  - ^hold.lift\n",
        "title: t\ntriggers:\n  - ^{hold.lift: holds/1, hold.place: models/m}\n",
        "title: t\ntriggers:\n  - safeguard.degrade: {safeguard: x, ^reason_digest: y}\n",
        "title: t\ntriggers: ^hold.lift\n",
        "title: t\ntriggers: ^[]\n",
        "title: t\ntriggers: [hold.lift: holds/1]\nevidence: ^evidence/1\n",
        "title: t\ntriggers: [hold.lift: holds/1]\nevidence: [^1]\n",
        "title: t\ntriggers: [hold.lift: holds/1]\nnot_before: ^2026-06-01\n",
        "title: t\ntriggers: [hold.lift: holds/1]\napply_separately: ^maybe\n",
        "title: t\ntriggers: [hold.lift: holds/1]\n^evidense: []\n",
        "title: ^3\ntriggers: [hold.lift: holds/1]\n",
        "title: t\n^title: u\ntriggers: [hold.lift: holds/1]\n",
        "title: ^&a t\ntriggers: [hold.lift: holds/1]\n",
        "title: t\ntriggers: [hold.lift: holds/1\n^",
        "^summary: s\ntriggers:\n  - ^level.rise: x\n  - hold.lift: ^3\n",
    ],
    ids=range(20),
)
def test_every_mistake_is_told_with_its_place(marked: str) -> None:
    """Line and column are those of the word that is wrong (here after each ^), all of them at once."""
    wanted = []
    for match in re.finditer(r"\^", marked):
        before = marked[: match.start()].replace("^", "")
        wanted.append(f"change.yaml:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}")

    assert sorted(_places(marked.replace("^", ""))) == sorted(wanted)


def test_a_near_miss_is_guessed() -> None:
    """A misspelt trigger is answered with the one that was probably meant."""
    [(_, description)] = _mistakes("title: t\ntriggers:\n  - level.rise: x\n")

    assert "level.raise" in description


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"title: \x00", b"- a\n- b\n", b"a" * ((1 << 20) + 1)], ids=range(5)
)
def test_a_file_that_is_no_mapping_of_text_is_refused(tmp_path: Path, data: bytes) -> None:
    """Random bytes, lists, nothing at all and too much are mistakes of the first line."""
    file = tmp_path / "change.yaml"
    file.write_bytes(data)

    with pytest.raises(InvalidRequestError) as caught:
        load_change_file(file)

    assert caught.value.fields[0].field.startswith(f"{file}:1:")
