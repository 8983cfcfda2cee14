"""A figure laid out: states as columns, a band for each trigger, in it an arrow for each state that it leads to.

Such a drawing stays readable however many edges a machine has, for no two lines cross but at right angles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from interlock.client.diagrams.shapes import Box, Dot, Line, Picture, Polygon, Text, text_width, wrapped
from interlock.statemachine.triggers import Direction

if TYPE_CHECKING:
    from interlock.client.diagrams.figure import Edges, Figure, Machine
    from interlock.client.diagrams.shapes import Shape

MARGIN: Final = 28
LABELS: Final = 430  # width of what stands left of the columns
COLUMN: Final = 128
HEAD: Final = 40
ROW: Final = 20
SIZE: Final = 13
INK, FAINT, RULE = "#1d2733", "#5b6875", "#d7dde3"
LIT, LIT_RIM = "#ffd54a", "#b26a00"
COLORS: Final = {Direction.LOOSENS: "#b3261e", Direction.TIGHTENS: "#1b6e3c", Direction.NEUTRAL: "#44546a"}
LEGEND: Final = (
    (Direction.LOOSENS, "may loosen: only in a change that its people signed"),
    (Direction.TIGHTENS, "only tightens: one person, at once"),
    (Direction.NEUTRAL, "moves no verdict"),
)


def picture_of(figure: Figure) -> Picture:
    """Return the whole figure as shapes."""
    sheet = _Sheet()
    sheet.put(Text(MARGIN, 40, figure.title, 18, INK, bold=True))
    _legend(sheet)
    for machine in figure.machines:
        _draw(sheet, machine)
    return Picture(sheet.width + MARGIN, sheet.y + MARGIN, tuple(sheet.shapes), figure.title)


@dataclass(slots=True)
class _Sheet:
    """Where drawing has got to."""

    y: float = 60
    width: float = 800
    shapes: list[Shape] = field(default_factory=list)

    def put(self, *shapes: Shape) -> None:
        self.shapes += shapes
        for shape in shapes:
            if isinstance(shape, Text):
                left = shape.x if shape.anchor == "start" else shape.x - text_width(shape.words, shape.size) / 2
                self.width = max(self.width, left + text_width(shape.words, shape.size))
            elif isinstance(shape, Box):
                self.width = max(self.width, shape.x + shape.width)


def _legend(sheet: _Sheet) -> None:
    x = float(MARGIN)
    for direction, words in LEGEND:
        _mark(sheet, x + 6, sheet.y, direction)
        sheet.put(Text(x + 18, sheet.y + 4, words, 12, FAINT))
        x += 34 + text_width(words, 12)
    sheet.y += 24


def _draw(sheet: _Sheet, machine: Machine) -> None:
    sheet.y += 22
    sheet.put(Text(MARGIN, sheet.y + 6, machine.kind.replace("_", " "), 17, INK, bold=True))
    columns = {state: MARGIN + LABELS + COLUMN * (number + 0.5) for number, state in enumerate(machine.states)}
    top = sheet.y
    captions = [_head(sheet, machine, state, x, top) for state, x in columns.items()]
    sheet.y = top + HEAD + 8 + max(captions, default=0)
    start = sheet.y
    behind = len(sheet.shapes)
    for edges in machine.edges:
        _band(sheet, edges, columns)
    lines: list[Shape] = [
        Line(x, start, x, sheet.y, LIT_RIM if state in machine.lit else RULE, 3 if state in machine.lit else 1)
        for state, x in columns.items()
    ]
    sheet.shapes[behind:behind] = lines  # behind the arrows


def _head(sheet: _Sheet, machine: Machine, state: str, x: float, top: float) -> float:
    """Draw a state's head, lit where somebody stands there, and return how much room its caption takes below."""
    lit = state in machine.lit
    width = COLUMN - 12
    fill, rim = (LIT, LIT_RIM) if lit else ("#f3f6f9", "#8a97a5")
    sheet.put(Box(x - width / 2, top - 12, width, HEAD, fill, rim, 3 if lit else 1))
    words = wrapped(state.replace("/", " ").replace("_", " "), 12, width - 8)
    first = top + 12 - 7 * (len(words) - 1)
    for number, line in enumerate(words):
        sheet.put(Text(x, first + 14 * number, line, 12, INK, bold=lit, anchor="middle"))
    captions = [line for who in machine.lit.get(state, ()) for line in wrapped(who, 11, COLUMN - 10)]
    for number, line in enumerate(captions):
        sheet.put(Text(x, top + HEAD + 4 + 14 * number, line, 11, LIT_RIM, bold=True, anchor="middle"))
    return 14.0 * len(captions)


def _band(sheet: _Sheet, edges: Edges, columns: dict[str, float]) -> None:
    """Draw a trigger: its name and what it takes on the left, its arrows on the right."""
    top = sheet.y
    sheet.put(Line(MARGIN, top, max(columns.values()) + COLUMN / 2, top, RULE))
    color = COLORS[edges.direction] if edges.direction is not None else INK
    if edges.direction is not None:
        _mark(sheet, MARGIN + 6, top + 16, edges.direction)
    sheet.put(Text(MARGIN + 20, top + 20, edges.trigger, SIZE, color, bold=True))
    y = top + 20
    for line in (line for words in edges.takes for line in wrapped(words, 12, LABELS - 60)):
        y += 15
        sheet.put(Text(MARGIN + 20, y, line, 12, FAINT))
    by_target: dict[str, list[str]] = {}
    for source, target in edges.ways:
        by_target.setdefault(target, []).append(source)
    row = top + 16
    for target, sources in by_target.items():
        _arrow(sheet, row, [columns[source] for source in sources], columns[target], color)
        row += ROW
    sheet.y = max(y + 10, row - ROW + 18)


def _arrow(sheet: _Sheet, y: float, sources: list[float], target: float, color: str) -> None:
    """Draw dots at the sources and heads at the target; a loop where a state leads to itself."""
    if target in sources:
        sheet.put(Dot(target, y, 6, color, hollow=True))
    others = [x for x in sources if x != target]
    for side in (-1, 1):
        here = [x for x in others if (x - target) * side > 0]
        if not here:
            continue
        far = max(here, key=lambda x: abs(x - target))
        near = target + side * 5
        sheet.put(Line(far, y, near + side * 5, y, color, 2))
        sheet.put(*(Dot(x, y, 4, color) for x in here))
        sheet.put(Polygon(((near - side * 4, y), (near + side * 7, y - 5), (near + side * 7, y + 5)), color))


def _mark(sheet: _Sheet, x: float, y: float, direction: Direction) -> None:
    """Draw a direction, since fonts differ in which arrows they have."""
    color = COLORS[direction]
    if direction is Direction.NEUTRAL:
        sheet.put(Line(x - 5, y - 2, x + 5, y - 2, color, 2), Line(x - 5, y + 3, x + 5, y + 3, color, 2))
        return
    tip = -1 if direction is Direction.LOOSENS else 1
    sheet.put(Polygon(((x, y + tip * 6), (x - 6, y - tip * 2), (x + 6, y - tip * 2)), color))
    sheet.put(Line(x, y - tip * 2, x, y - tip * 7, color, 3))
