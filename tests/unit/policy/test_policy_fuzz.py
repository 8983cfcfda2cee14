"""Whatever bytes come in, the loader answers with a policy or a PackError, and never with anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.statemachine.policy import Finding, PackError, Policy, load_pack
from interlock.statemachine.triggers import loosening
from tests.unit.policy.packs import SKETCH, WIDE

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKENS = sorted(set(SKETCH.replace(",", " ").split()) | set(WIDE.replace(",", " ").split()))
ODD = [
    *("[", "]", "{", "}", ": ", "- ", "? ", "&a ", "*a", "!!str ", "|\n", ">\n", "'", '"', "#", "%YAML 1.1\n"),
    *("---\n", "...\n", "\t", "\\", "~", "<<: ", "@", "`", '"\\xZZ"', '"\\U99999999"', '"\\ud800"', "\r", "\0"),
    *("\u2028", "é", "e\u0301", "0x1F", "1e999", "-0", "99999999999999999999", "true", "null", "all", "\n  ", "\n"),
    *("36500d", "1.0"),
]

PACK_TEXTS = st.sampled_from([SKETCH, WIDE])


def check(pack: Mapping[str, bytes]) -> None:
    """Load a pack; a refusal must be whole, a policy must keep what no pack can give away."""
    refused: tuple[Finding, ...] = ()
    policy = None
    try:
        policy = load_pack(pack)
    except PackError as error:
        refused = error.findings
    if policy is not None:
        _check_policy(policy)
    else:
        assert refused
        assert all(_is_whole(finding) for finding in refused)


def _is_whole(finding: Finding) -> bool:
    return finding.line >= 1 and finding.column >= 1 and str(finding).isprintable() and bool(finding.fix)


def _check_policy(policy: Policy) -> None:
    for trigger in loosening():
        for standard in policy.standards:
            rule = policy.rule_for(trigger, standard)
            assert len(rule.slots) >= 2
            assert all(policy.roles[slot.role].approves for slot in rule.slots)
    for standard, level in ((s, level.id) for s in policy.standards for level in policy.levels):
        for context in policy.contexts:
            policy.listed(standard, level, context.id, frozenset(policy.thresholds))
    assert len(policy.digest) == 32


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_refused_as_a_pack(data: bytes) -> None:
    """Noise is refused with findings."""
    check({"policy.yaml": data})


@given(st.lists(st.sampled_from(TOKENS + ODD), max_size=60), st.sampled_from([" ", "", "\n"]))
@settings(max_examples=400, deadline=None)
def test_random_words_of_packs_are_refused_as_a_pack(words: list[str], between: str) -> None:
    """Text that looks like YAML, and often is none, is refused with findings."""
    check({"policy.yaml": between.join(words).encode("utf-8", "surrogatepass")})


@given(PACK_TEXTS, st.data())
@settings(max_examples=500, deadline=None)
def test_a_pack_mutated_anywhere_is_refused_or_still_safe(text: str, data: st.DataObject) -> None:
    """Cuts, insertions and replacements anywhere give a refusal, or a policy that still takes two people."""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 40)))
        text = text[:start] + data.draw(st.sampled_from(["", *ODD, *TOKENS]) | st.text(max_size=5)) + text[end:]

    check({"policy.yaml": text.encode("utf-8", "surrogatepass")})


@given(PACK_TEXTS, st.data())
@settings(max_examples=300, deadline=None)
def test_a_pack_with_lines_moved_is_refused_or_still_safe(text: str, data: st.DataObject) -> None:
    """Lines dropped, doubled, swapped or indented give a refusal, or a policy that still takes two people."""
    lines = text.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        first, second = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        match data.draw(st.sampled_from(["drop", "double", "swap", "indent"])):
            case "drop":
                lines[first] = ""
            case "double":
                lines.insert(second, lines[first])
            case "swap":
                lines[first], lines[second] = lines[second], lines[first]
            case _:
                lines[first] = "  " + lines[first]

    check({"policy.yaml": "\n".join(lines).encode()})


@given(PACK_TEXTS, st.sampled_from(TOKENS), st.sampled_from(TOKENS + ODD))
@settings(max_examples=500, deadline=None)
def test_a_pack_with_one_word_for_another_is_refused_or_still_safe(text: str, old: str, new: str) -> None:
    """Words of a pack exchanged for others reach the checks of meaning."""
    check({"policy.yaml": text.replace(old, new, 1).encode("utf-8", "surrogatepass")})


@given(st.dictionaries(st.text(max_size=12), st.binary(max_size=30), max_size=4))
@settings(max_examples=100, deadline=None)
def test_random_files_are_refused_as_a_pack(pack: dict[str, bytes]) -> None:
    """Paths are no safer than bytes."""
    check(pack)
