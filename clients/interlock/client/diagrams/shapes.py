"""The few shapes that a picture is made of, and the picture; SVG and PNG are written from the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Anchor: TypeAlias = Literal["start", "middle"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with rounded corners."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str
    thick: float = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line, perhaps dashed."""

    x1: float
    y1: float
    x2: float
    y2: float
    color: str
    thick: float = 1
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Polygon:
    """A filled shape: arrow heads, and the marks for directions."""

    points: tuple[tuple[float, float], ...]
    fill: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle, or with ``hollow`` its rim."""

    x: float
    y: float
    radius: float
    color: str
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; ``y`` is its baseline."""

    x: float
    y: float
    words: str
    size: int
    color: str
    bold: bool = False
    anchor: Anchor = "start"


Shape: TypeAlias = Box | Line | Polygon | Dot | Text


@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes on a white sheet, in the order in which they are drawn; sizes are in pixels."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str


def text_width(words: str, size: int) -> float:
    """Return about how wide a text is: no font is measured, so that every machine draws the same."""
    return len(words) * size * 0.56


def wrapped(words: str, size: int, width: float) -> list[str]:
    """Break a text into lines that are no wider than ``width``, at spaces where there are any."""
    most = max(8, int(width / (size * 0.52)))
    lines: list[str] = []
    line = ""
    for word in words.split(" "):
        piece = word
        while len(piece) > most:
            lines += [line] if line else []
            line, piece = "", piece[most:]
            lines.append(word[:most])
            word = piece  # noqa: PLW2901  # what is left of it
        if line and len(line) + 1 + len(piece) > most:
            lines.append(line)
            line = piece
        else:
            line = f"{line} {piece}" if line else piece
    return [*lines, line] if line else lines
