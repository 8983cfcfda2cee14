"""Packs that are refused for their files, their text or their YAML, before anything is read as policy."""

from __future__ import annotations

import time

import pytest

from interlock.statemachine.policy import MAX_FILE_BYTES, Code, PackError, load_pack, pack_digest
from tests.unit.policy.packs import MARK, SKETCH, break_pack, errors_of, files, locate

TITLE = "title: A two-level release policy"

YAML_FAULTS = [
    pytest.param(TITLE, "title: ¦&a A two-level release policy", Code.ANCHOR, id="anchor-on-a-scalar"),
    pytest.param("  misuse:\n    title", "  misuse: ¦&a\n    title", Code.ANCHOR, id="anchor-on-a-mapping"),
    pytest.param("levels: [basic", "levels: ¦&a [basic", Code.ANCHOR, id="anchor-on-a-list"),
    pytest.param(TITLE, "title: ¦*a", Code.ALIAS, id="alias"),
    pytest.param(TITLE, "title: ¦!!str A", Code.TAG, id="standard-tag"),
    pytest.param(TITLE, "title: ¦!env HOME", Code.TAG, id="local-tag"),
    pytest.param(TITLE, "title: ¦! A", Code.TAG, id="bare-tag"),
    pytest.param("levels: [basic", "levels: ¦!!seq [basic", Code.TAG, id="tag-on-a-list"),
    pytest.param(TITLE, TITLE + "\n¦title: Another", Code.DUPLICATE_KEY, id="duplicate-key"),
    pytest.param(TITLE, TITLE + '\n¦"title": Another', Code.DUPLICATE_KEY, id="duplicate-key-quoted"),
    pytest.param("{role: owner}", "{role: owner, ¦role: reviewer}", Code.DUPLICATE_KEY, id="duplicate-flow-key"),
    pytest.param("  deployment:", "  ¦1:", Code.KEY_NOT_TEXT, id="number-as-key"),
    pytest.param("  deployment:", "  ¦true:", Code.KEY_NOT_TEXT, id="boolean-as-key"),
    pytest.param("  deployment:", "  ¦~:", Code.KEY_NOT_TEXT, id="null-as-key"),
    pytest.param(TITLE, TITLE + "\n¦<<: {format: 1}", Code.KEY_NOT_TEXT, id="merge-key"),
    pytest.param(TITLE, TITLE + "\n? ¦[a]\n: b", Code.KEY_NOT_TEXT, id="list-as-key"),
    pytest.param(TITLE, "title: ¦~", Code.EMPTY_VALUE, id="null-value"),
    pytest.param("levels: [basic,", "levels: [basic, ¦null,", Code.EMPTY_VALUE, id="null-in-a-list"),
    pytest.param("format: 1", "format: ¦0x1", Code.NUMBER_FORM, id="hexadecimal-number"),
    pytest.param("format: 1", "format: ¦01", Code.NUMBER_FORM, id="leading-zero"),
    pytest.param("compute_growth: 4}", "compute_growth: ¦4e0}", Code.NUMBER_FORM, id="exponent"),
    pytest.param("compute_growth: 4}", "compute_growth: ¦.inf}", Code.NUMBER_FORM, id="infinity"),
    pytest.param("format: 1", "format: ¦" + "1" * 5000, Code.NUMBER_FORM, id="five-thousand-digits"),
    pytest.param("format: 1", "¦%YAML 1.1\n---\nformat: 1", Code.DIRECTIVE, id="directive"),
    pytest.param("format: 1", "¦%FOO bar\n---\nformat: 1", Code.DIRECTIVE, id="unknown-directive"),
    pytest.param(TITLE, 'title¦: "\\UFFFFFFFF"', Code.YAML_SYNTAX, id="escape-past-unicode"),
    pytest.param("\nlevels:", "\n¦---\nlevels:", Code.SEVERAL_DOCUMENTS, id="second-document"),
    pytest.param(TITLE, "title: a¦: b", Code.YAML_SYNTAX, id="colon-in-a-text"),
    pytest.param("\nlevels:", "\n¦\tlevels:", Code.YAML_SYNTAX, id="tab-as-indentation"),
    pytest.param(TITLE, 'title: ¦"\\u202e"', Code.HIDDEN_CHARACTER, id="escaped-bidi-control"),
    pytest.param(TITLE, 'title: ¦"\\0"', Code.HIDDEN_CHARACTER, id="escaped-nul"),
    pytest.param(TITLE, 'title: ¦"\\ud800"', Code.HIDDEN_CHARACTER, id="escaped-surrogate"),
    pytest.param(TITLE, 'title: ¦"e\\u0301"', Code.NOT_NFC, id="escaped-decomposed-letter"),
    pytest.param(TITLE, "title: " + "[" * 15 + "¦[", Code.TOO_DEEP, id="nested-seventeen-deep"),
]

TEXT_FAULTS = [
    pytest.param(TITLE, "title: A¦\u202eB", Code.HIDDEN_CHARACTER, id="bidi-override"),
    pytest.param(TITLE, "title: A¦\u200bB", Code.HIDDEN_CHARACTER, id="zero-width-space"),
    pytest.param(TITLE, "title: A¦\x1bB", Code.HIDDEN_CHARACTER, id="escape-character"),
    pytest.param(TITLE, "title: A¦\U000e0041B", Code.HIDDEN_CHARACTER, id="tag-character"),
    pytest.param(TITLE, "title: caf¦e\u0301", Code.NOT_NFC, id="decomposed-letter"),
    pytest.param(TITLE, "title: ¦\u212b", Code.NOT_NFC, id="angstrom-sign"),
    pytest.param(TITLE, "title: é" + "\u0300" * 30 + "¦\u0300", Code.NOT_NFC, id="a-pile-of-marks"),
    pytest.param(TITLE, TITLE + "¦\r", Code.NOT_LF, id="crlf"),
    pytest.param(TITLE, TITLE + "¦\u2028", Code.NOT_LF, id="line-separator"),
    pytest.param(TITLE, TITLE + "¦\x85", Code.NOT_LF, id="next-line"),
]


@pytest.mark.parametrize(("old", "new", "code"), [*TEXT_FAULTS, *YAML_FAULTS])
def test_a_fault_of_text_or_yaml_is_found_where_it_is(old: str, new: str, code: Code) -> None:
    """What a pack may not contain as text or YAML is refused with its code, line and column."""
    broken = break_pack(SKETCH, old, new)

    found = errors_of(files(broken.text))

    assert (found[0].code, found[0].line, found[0].column) == (code, broken.line, broken.column)
    assert found[0].file == "policy.yaml"
    assert found[0].fix


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", Code.EMPTY_FILE, id="no-byte"),
        pytest.param(b"# only a comment\n", Code.EMPTY_FILE, id="only-a-comment"),
        pytest.param(b"---\n", Code.EMPTY_FILE, id="an-empty-document"),
        pytest.param(b"- a\n", Code.WRONG_TYPE, id="a-list"),
        pytest.param(b"a text\n", Code.WRONG_TYPE, id="a-text"),
        pytest.param(b"\xef\xbb\xbfformat: 1\n", Code.BYTE_ORDER_MARK, id="byte-order-mark"),
        pytest.param("format: 1\n".encode("utf-16"), Code.NOT_UTF8, id="utf-16"),
        pytest.param(b"\xed\xa0\x80", Code.NOT_UTF8, id="encoded-surrogate"),
        pytest.param(b"\xc0\x80", Code.NOT_UTF8, id="overlong-nul"),
    ],
)
def test_a_file_that_is_no_pack_at_all_is_refused(data: bytes, code: Code) -> None:
    """A file that is empty, of another encoding or no mapping is refused at its first place."""
    found = errors_of({"policy.yaml": data})

    assert [(f.code, f.line, f.column) for f in found] == [(code, 1, 1)]


def test_a_byte_that_is_not_utf8_is_found_where_it_is() -> None:
    """The place of a broken byte counts characters, not bytes."""
    found = errors_of({"policy.yaml": "format: 1\ntitle: é".encode() + b"\xff\n"})

    assert [(f.code, f.line, f.column) for f in found] == [(Code.NOT_UTF8, 2, 9)]


def test_a_file_of_exactly_one_mebibyte_is_read_and_one_byte_more_is_not() -> None:
    """The limit is 1 MiB, and comments count."""
    room = MAX_FILE_BYTES - len(SKETCH.encode())
    full = SKETCH + "#" * (room - 1) + "\n"

    policy = load_pack(files(full))
    found = errors_of(files(full + "#"))

    assert policy.id == "minimal"
    assert [f.code for f in found] == [Code.FILE_TOO_LARGE]


def test_a_hundred_megabytes_are_refused_at_once() -> None:
    """Nothing of an oversized file is looked at but its length."""
    data = b"a: " * 33_400_000

    start = time.perf_counter()
    found = errors_of({"policy.yaml": data})

    assert time.perf_counter() - start < 0.5
    assert [f.code for f in found] == [Code.FILE_TOO_LARGE]


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "{a: ",
        "- ",
        "? ",
        "a: b\n",
        "- a\n",
        "&a ",
        "*a ",
        "!a ",
        "'a' ",
        "é",
        "e\u0301",
        "\u0301",
        "# a\n",
        "{",
        "]",
    ],
)
def test_a_mebibyte_of_one_thing_is_answered_in_seconds(unit: str) -> None:
    """No text within the size limit can keep the loader busy or exhaust its stack."""
    text = unit * (MAX_FILE_BYTES // len(unit.encode()) - 1)

    start = time.perf_counter()
    errors_of(files(text))

    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "path",
    ["../policy.yaml", "/policy.yaml", "a//b.md", "a\nb.md", "notes.txt", "", ".hidden.md", "a/" * 9 + "b.md", "ä.md"],
)
def test_a_path_that_no_pack_may_have_is_refused(path: str) -> None:
    """Paths go into the digest's lines, so odd ones are refused, by the digest too."""
    pack = files(SKETCH) | {path: b"x\n"}

    assert [f.code for f in errors_of(pack)] == [Code.BAD_PATH]
    with pytest.raises(PackError):
        pack_digest(pack) if path != "notes.txt" else load_pack(pack)


def test_a_pack_without_its_file_is_refused() -> None:
    """A folder without policy.yaml is no pack."""
    assert [f.code for f in errors_of({})] == [Code.MISSING_FILE]
    assert [f.code for f in errors_of({"notes.md": b"x\n"})] == [Code.MISSING_FILE]


def test_too_many_files_are_refused() -> None:
    """A pack has 64 files at most."""
    pack = files(SKETCH) | {f"note-{n}.md": b"x\n" for n in range(64)}

    assert [f.code for f in errors_of(pack)] == [Code.TOO_MANY_FILES]


def test_notes_are_held_to_the_same_text_rules() -> None:
    """A note beside the policy is signed with it, so it may hide nothing either."""
    found = errors_of(files(SKETCH) | {"notes.md": "fine\nnot\u202e\n".encode()})

    assert [(f.code, f.file, f.line, f.column) for f in found] == [(Code.HIDDEN_CHARACTER, "notes.md", 2, 4)]


def test_several_faults_of_yaml_are_told_at_once() -> None:
    """One round of edits can meet all of them."""
    found = errors_of(files(SKETCH.replace("version:", "version: &a", 1).replace(TITLE, "title: *a\ntitle: ~")))

    assert [f.code for f in found] == [Code.ANCHOR, Code.ALIAS, Code.DUPLICATE_KEY, Code.EMPTY_VALUE]


def test_more_than_a_hundred_findings_are_cut_short_with_their_number() -> None:
    """Garbage does not answer with megabytes."""
    found = errors_of(files("".join(f"k{n}: &a b\n" for n in range(1000))))

    assert len(found) == 101
    assert found[-1].code is Code.MORE_FINDINGS
    assert "900" in found[-1].message


def test_more_values_than_any_pack_needs_are_refused() -> None:
    """The number of values is limited, whatever their size."""
    found = errors_of(files("a: [" + "b, " * 30_000 + "b]\n"))

    assert [f.code for f in found] == [Code.TOO_MANY_NODES]


def test_messages_repeat_no_control_character_of_the_pack() -> None:
    """A message is safe to print: what a terminal would obey is escaped."""
    broken = locate(SKETCH.replace(TITLE, f'title: {MARK}x\n"\\e[31m\\u202e": 1'))

    found = errors_of(files(broken.text))

    assert all(str(f).isprintable() for f in found)
