"""The project's pages, read: their fenced blocks, the commands in them, their links."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = tuple(sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))))

_FENCE = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, what stands behind that, its text."""

    language: str
    info: str
    text: str


def blocks(page: Path) -> tuple[Block, ...]:
    """Return the fenced blocks of a page in order."""
    found = _FENCE.findall(page.read_text("utf-8"))
    return tuple(Block(language, info.strip(), text) for language, info, text in found)


def commands(page: Path, *languages: str) -> Iterator[list[str]]:
    """Yield each `interlock` command of a page's shell blocks and transcripts, as words."""
    for block in blocks(page):
        if block.language not in (languages or ("sh", "console")):
            continue
        lines = re.sub(r"\\\n\s*", "", re.sub(r"<<'END'\n.*?^END$", "", block.text, flags=re.MULTILINE | re.DOTALL))
        for line in lines.splitlines():
            typed = line.removeprefix("$ ") if block.language == "console" else line
            if typed.startswith("interlock ") and (block.language == "sh" or line.startswith("$ ")):
                yield shlex.split(re.split(r"\s(?:\|\||>|&&)\s", typed)[0])


def links(page: Path) -> tuple[str, ...]:
    """Return the targets of a page's links to files of this repository."""
    return tuple(link for link in _LINK.findall(page.read_text("utf-8")) if "://" not in link)
