"""A picture as SVG: plain elements, no script, no outside reference, text escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never
from xml.sax.saxutils import escape, quoteattr

from interlock.client.diagrams.lifelines import picture_of
from interlock.client.diagrams.shapes import Box, Dot, Line, Polygon, Text

if TYPE_CHECKING:
    from interlock.client.diagrams.figure import Figure
    from interlock.client.diagrams.shapes import Shape


def to_svg(figure: Figure) -> str:
    """Return the figure as one SVG document."""
    picture = picture_of(figure)
    size = f'width="{picture.width:g}" height="{picture.height:g}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {picture.width:g} {picture.height:g}" '
        'font-family="Helvetica, Arial, sans-serif">'
    )
    body = [head, f"<title>{escape(picture.title)}</title>", '<rect width="100%" height="100%" fill="white"/>']
    return "\n".join([*body, *map(_element, picture.shapes), "</svg>\n"])


def _element(shape: Shape) -> str:
    match shape:
        case Box():
            return (
                f'<rect x="{shape.x:g}" y="{shape.y:g}" width="{shape.width:g}" height="{shape.height:g}" rx="6" '
                f'fill="{shape.fill}" stroke="{shape.stroke}" stroke-width="{shape.thick:g}"/>'
            )
        case Line():
            return (
                f'<line x1="{shape.x1:g}" y1="{shape.y1:g}" x2="{shape.x2:g}" y2="{shape.y2:g}" '
                f'stroke="{shape.color}" stroke-width="{shape.thick:g}"/>'
            )
        case Polygon():
            points = " ".join(f"{x:g},{y:g}" for x, y in shape.points)
            return f'<polygon points="{points}" fill="{shape.fill}"/>'
        case Dot():
            fill, stroke = ("none", shape.color) if shape.hollow else (shape.color, "none")
            return (
                f'<circle cx="{shape.x:g}" cy="{shape.y:g}" r="{shape.radius:g}" fill="{fill}" stroke="{stroke}" '
                'stroke-width="2"/>'
            )
        case Text():
            weight = ' font-weight="bold"' if shape.bold else ""
            return (
                f'<text x="{shape.x:g}" y="{shape.y:g}" font-size="{shape.size}" fill={quoteattr(shape.color)} '
                f'text-anchor="{shape.anchor}"{weight}>{escape(shape.words)}</text>'
            )
        case _:
            assert_never(shape)
