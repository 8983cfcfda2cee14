"""What the contract's patterns ask for is told in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interlock.service.errors import InvalidRequest
from interlock.service.patterns import WORDS, in_words
from tests.unit.service_identity.test_wire import READERS, hold

CONTRACT = Path(__file__).parents[3] / "proto" / "interlock" / "v1"
PATTERN = re.compile(r'pattern\s*[:=]\s*"([^"]+)"')


def test_every_pattern_of_the_contract_has_words() -> None:
    """No pattern is shown as it is, and no row is left over from one that is gone."""
    named = {pattern for path in CONTRACT.glob("*.proto") for pattern in PATTERN.findall(path.read_text("utf-8"))}

    assert named == WORDS.keys()


def test_the_name_that_is_given_as_an_example_matches() -> None:
    """Whoever copies the form from the message gets past the rule."""
    for pattern, words in WORDS.items():
        examples = re.findall(r"[a-z0-9A-Z*./_-]+", words.partition("such as ")[2].partition(":")[0].partition(";")[0])
        found = [example for example in examples if re.search(pattern, example)]
        assert found or "such as" not in words or "fingerprint" in words, (pattern, examples)


def test_a_violation_has_no_regex_in_it() -> None:
    """What a caller is told of a mistyped name."""
    with pytest.raises(InvalidRequest) as caught:
        READERS["interlock.v1.HoldService/PlaceHold"].read(hold(target="models/Aurora 4"))

    [violation] = caught.value.violations
    assert (violation.field, violation.message) == ("target", WORDS["^(-|models/[a-z][a-z0-9._-]{0,62})$"])


def test_other_rules_keep_their_words() -> None:
    """The engine says lengths and ranges in words already."""
    assert in_words("must be at most 4000 characters") == "must be at most 4000 characters"
