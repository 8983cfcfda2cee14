"""Text of others, made safe to show: control and bidirectional characters are spelled out.

What a server, a document's author or another signer wrote must not be able to move the cursor, recolour a line, hide
behind a zero-width joiner or turn the reading order round (Unicode TR 36, "Bidirectional text spoofing"). Letters that
merely look alike are not told apart here: names are ASCII by the contract, free text is shown as it is.
"""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK_BUT_LETTER = frozenset("\N{HANGUL FILLER}\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}\u2800")
_SHORT = 0xFF
_BASIC = 0xFFFF


def escape(text: str, *, newlines: bool = False) -> str:
    r"""Return ``text`` with each character that does not show itself written as ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``.

    A backslash stays a backslash: the result is to be read, not to be parsed. ``newlines`` lets line feeds pass, for
    text that is shown on lines of its own.
    """
    return "".join(_spelled(char) if _hidden(char, newlines) else char for char in text)


def _hidden(char: str, newlines: bool) -> bool:  # noqa: FBT001  # private, called once above
    if char == "\n":
        return not newlines
    return unicodedata.category(char) in _HIDDEN or char in _BLANK_BUT_LETTER


def _spelled(char: str) -> str:
    code = ord(char)
    if code <= _SHORT:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _BASIC else f"\\U{code:08x}"
