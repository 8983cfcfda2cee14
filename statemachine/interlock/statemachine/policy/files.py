"""The bytes of a pack: which files it may have, what their text must be like, and the digest that names them.

Not here: what the text says (``yamltree.py``) and how the files got into memory.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from interlock.statemachine.policy.findings import Code, Finding, PackError, Severity, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY_FILE: Final = "policy.yaml"
MAX_FILE_BYTES: Final = 1 << 20
MAX_FILES: Final = 64

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,7}}")
_SHOWN_PATH = 120

# Fixed lists, not Unicode categories: those move with the interpreter, and a pack must load alike everywhere.
_LINE_BREAKS = re.compile("[\r\x0b\x0c\x85\u2028\u2029]")
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\uffff\U000e0000-\U000e0fff]"
)
"""Control, bidi and invisible characters: a reviewer must see all that a signer signs."""

_BOM = b"\xef\xbb\xbf"
_MAX_MARKS = 30  # UAX #15, stream-safe text; it also keeps normalization linear


def pack_digest(files: Mapping[str, bytes]) -> bytes:
    """Return SHA-256 over the path-sorted lines ``sha256hex  path``, each ended by LF.

    Raises PackError for paths that no pack may have: with them the lines could be read in two ways.
    """
    if bad := _path_findings(files):
        raise PackError(bad)
    lines = (f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))
    return hashlib.sha256("".join(lines).encode("ascii")).digest()


def read_texts(files: Mapping[str, bytes]) -> tuple[dict[str, str], tuple[Finding, ...]]:
    """Return the text of each file that may be read, and what is wrong with the others."""
    findings = _path_findings(files)
    if len(files) > MAX_FILES:
        fix = f"keep at most {MAX_FILES} files"
        findings.append(
            _at(POLICY_FILE, (1, 1), Code.TOO_MANY_FILES, f"The pack has {len(files)} files.", fix),
        )
    if POLICY_FILE not in files:
        message = f"The pack has no file `{POLICY_FILE}`."
        findings.append(_at(POLICY_FILE, (1, 1), Code.MISSING_FILE, message, f"name the pack's file `{POLICY_FILE}`"))
    if findings:
        return {}, tuple(findings)
    texts: dict[str, str] = {}
    for path in sorted(files):
        text, problem = _read_text(path, files[path])
        if problem is not None:
            findings.append(problem)
        else:
            texts[path] = text
    return texts, tuple(findings)


def character_problem(text: str) -> tuple[int, Code, str, str] | None:
    """Return offset, code, message and fix for the first character that a pack may not hold."""
    if text.isascii() and text.isprintable():
        return None
    if found := HIDDEN.search(text):
        name = f"U+{ord(found[0]):04X}"
        return found.start(), Code.HIDDEN_CHARACTER, f"The character {name} can't be seen.", "take it out"
    if text.isascii():
        return None
    offset = _first_not_nfc(text)
    if offset is None:
        return None
    return offset, Code.NOT_NFC, "The text is not in Unicode normal form C.", "save the file as NFC"


def _path_findings(files: Mapping[str, bytes]) -> list[Finding]:
    findings = []
    for path in sorted(files):
        if not _PATH.fullmatch(path):
            message = f"{shown(path)} is no path for a file of a pack."
            fix = "letters, digits, `.`, `_`, `-`, with `/` between folders"
        elif path != POLICY_FILE and not path.endswith(".md"):
            message = f"{shown(path)} is neither `{POLICY_FILE}` nor a note (`*.md`)."
            fix = "take the file out of the folder"
        else:
            continue
        findings.append(_at(shown(path[:_SHOWN_PATH]).strip("`"), (1, 1), Code.BAD_PATH, message, fix))
    return findings


def _read_text(path: str, data: bytes) -> tuple[str, Finding | None]:
    if len(data) > MAX_FILE_BYTES:  # first: nothing below looks at a byte of it
        message = f"The file has {len(data)} bytes, {MAX_FILE_BYTES} (1 MiB) are allowed."
        return "", _at(path, (1, 1), Code.FILE_TOO_LARGE, message, "move what is not policy out of the pack")
    if data.startswith(_BOM):
        message = "The file starts with a byte order mark."
        return "", _at(path, (1, 1), Code.BYTE_ORDER_MARK, message, "save it as UTF-8 without one")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(data[: error.start].decode("utf-8"), error.start)
        message = f"The byte 0x{data[error.start]:02X} is not UTF-8."
        return "", _at(path, place, Code.NOT_UTF8, message, "save the file as UTF-8")
    if found := _LINE_BREAKS.search(text):
        place = _place(text, found.start())
        message = f"The line ends with U+{ord(found[0]):04X}."
        return "", _at(path, place, Code.NOT_LF, message, "end lines with LF (U+000A) alone")
    if (problem := character_problem(text)) is not None:
        offset, code, message, fix = problem
        return "", _at(path, _place(text, offset), code, message, fix)
    return text, None


def _first_not_nfc(text: str) -> int | None:
    run = 0
    for offset, character in enumerate(text):
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _MAX_MARKS:
            return offset
    if unicodedata.is_normalized("NFC", text):
        return None
    offset = 0
    for line in text.split("\n"):
        normal = unicodedata.normalize("NFC", line)
        if normal != line:
            pairs = zip(line, normal, strict=False)
            return offset + next((i for i, (a, b) in enumerate(pairs) if a != b), len(normal))
        offset += len(line) + 1
    return 0


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _at(path: str, place: tuple[int, int], code: Code, message: str, fix: str) -> Finding:
    return Finding(Severity.ERROR, path, *place, code, message, fix)
