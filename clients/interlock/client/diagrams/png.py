"""A picture as PNG, by Pillow, which brings a font of its own; it comes with the extra ``diagrams``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, assert_never

from interlock.client.diagrams.lifelines import picture_of
from interlock.client.diagrams.shapes import Box, Dot, Line, Polygon, Text
from interlock.client.errors import InvalidRequestError

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from interlock.client.diagrams.figure import Figure
    from interlock.client.diagrams.shapes import Shape

SCALE: Final = 2  # pixels a unit, so that it stays sharp on dense screens


def to_png(figure: Figure) -> bytes:
    """Return the figure as a PNG file. Raises InvalidRequestError without Pillow."""
    try:
        from PIL import Image, ImageDraw  # noqa: PLC0415  # an extra
    except ImportError as error:
        wish = "a PNG needs the extra: pip install 'interlock[diagrams]'"
        raise InvalidRequestError(wish, reason="NO_EXTRA") from error
    picture = picture_of(figure)
    image = Image.new("RGB", (round(picture.width * SCALE), round(picture.height * SCALE)), "white")
    draw = ImageDraw.Draw(image)
    for shape in picture.shapes:
        _draw(draw, shape)
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return file.getvalue()


def _draw(draw: ImageDraw, shape: Shape) -> None:
    match shape:
        case Box():
            corners = _scaled(shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
            draw.rounded_rectangle(corners, 6 * SCALE, shape.fill, shape.stroke, round(shape.thick * SCALE))
        case Line():
            ends = _scaled(shape.x1, shape.y1, shape.x2, shape.y2)
            draw.line(ends, fill=shape.color, width=round(shape.thick * SCALE))
        case Polygon():
            draw.polygon([(x * SCALE, y * SCALE) for x, y in shape.points], fill=shape.fill)
        case Dot():
            corners = _scaled(
                shape.x - shape.radius, shape.y - shape.radius, shape.x + shape.radius, shape.y + shape.radius
            )
            if shape.hollow:
                draw.ellipse(corners, outline=shape.color, width=2 * SCALE)
            else:
                draw.ellipse(corners, fill=shape.color)
        case Text():
            _write(draw, shape)
        case _:
            assert_never(shape)


def _write(draw: ImageDraw, text: Text) -> None:
    """Write a line in the font that Pillow brings: what that lacks is written with what it has."""
    from PIL import ImageFont  # noqa: PLC0415  # an extra

    words = text.words.replace("×", "x").replace("→", "->").replace("—", "-")
    words = words.encode("ascii", "replace").decode("ascii")
    font = ImageFont.load_default(text.size * SCALE)
    anchor = "ms" if text.anchor == "middle" else "ls"
    at = (text.x * SCALE, text.y * SCALE)
    draw.text(at, words, fill=text.color, font=font, anchor=anchor, stroke_width=0.6 if text.bold else 0)


def _scaled(*numbers: float) -> list[float]:
    return [number * SCALE for number in numbers]
