"""Text of others can't act on a screen."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from interlock.client.text import escape


def test_plain_text_stays_as_it_is() -> None:
    """Letters of any script, digits, signs and spaces are shown as they are."""
    text = "Grüße, 模型 «ASL-3» ✓ ½ \\x00"

    assert escape(text) == text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb", "a\\x0db"),
        ("a\tb", "a\\x09b"),
        ("a\nb", "a\\x0ab"),
        ("abc\u202edef", "abc\\u202edef"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\u2028", "\\u2028"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\x9b31m", "\\x9b31m"),
        ("\udcff", "\\udcff"),
        ("fill\u3164er", "fill\\u3164er"),
    ],
)
def test_what_does_not_show_itself_is_spelled_out(given: str, shown: str) -> None:
    """Control, bidirectional, zero-width and look-like-nothing characters are written as escapes."""
    assert escape(given) == shown


def test_line_feeds_pass_only_where_asked_for() -> None:
    """Text that is shown on lines of its own keeps its line feeds, and nothing else."""
    assert escape("a\nb\r\n", newlines=True) == "a\nb\\x0d\n"


def test_no_control_or_format_character_of_unicode_gets_through() -> None:
    """Every character of the control, format, surrogate and separator classes is escaped to printable ASCII."""
    hidden = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs"}]

    assert len(hidden) > 2000
    assert all(escape(char).isascii() and escape(char).isprintable() for char in hidden)
