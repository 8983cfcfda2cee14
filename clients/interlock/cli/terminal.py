"""Where everything is printed: one place that escapes, colours and knows whether anybody looks.

Text of others reaches a screen only through `Terminal`, which spells out control and bidi characters. Colour is for
terminals (and never with NO_COLOR), progress bars for a terminal on stderr, results for stdout, everything else for
stderr. rich is imported with the first line that is printed.

What can't be written to stdout raises OSError: a result that nobody got is a failure. What can't be written to stderr
is left out: words on the side change no answer.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from interlock.client.text import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

    from rich.console import Console
    from rich.text import Text

Piece: TypeAlias = "str | tuple[str, str]"
"""Text, or text with a style of rich."""

GAP: Final = "  "


class Terminal:
    """Standard output and error. ``as_json`` keeps stdout for one JSON document."""

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        """Write to ``out`` and ``err``, by default the process's own."""
        self.as_json = as_json
        self._out_file = out or sys.stdout
        self._err_file = err or sys.stderr

    def line(self, *pieces: Piece, indent: int = 0) -> None:
        """Print one line of a result; nothing where the result is JSON."""
        if not self.as_json:
            self._out.print(_text((" " * indent, *pieces)), soft_wrap=True)

    def lines(self, text: str, *, indent: int = 0) -> None:
        """Print text of several lines, each escaped by itself."""
        for row in text.split("\n"):
            self.line(row, indent=indent)

    def exact(self, text: str) -> None:
        """Print text byte by byte as it is, for other programs; on a screen it is escaped as everything is."""
        if self._out.is_terminal:
            self.lines(text.removesuffix("\n"))
            return
        self._out.file.write(text)
        self._out.file.flush()

    def rows(self, rows: Iterable[Sequence[Piece]], *, indent: int = 0, empty: str = "") -> None:
        """Print rows in aligned columns; ``empty`` goes to stderr where there are none."""
        from rich.cells import cell_len
        from rich.text import Text

        cells = [[_text((cell,)) for cell in row] for row in rows]
        if not cells:
            if empty:
                self.note((empty, "dim"))
            return
        widths = [
            max(cell_len(row[column].plain) for row in cells if column < len(row))
            for column in range(max(map(len, cells)))
        ]
        for row in cells:
            line = Text(" " * indent)
            for cell, width in zip(row[:-1], widths, strict=False):
                line.append_text(cell).append(" " * (width - cell_len(cell.plain)) + GAP)
            line.append_text(row[-1])
            line.rstrip()
            if not self.as_json:
                self._out.print(line, soft_wrap=True)

    def json(self, value: object) -> None:
        """Print a result as JSON, in ASCII, so that no character of it can act on a screen."""
        self._out_file.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")
        self._out_file.flush()

    def json_line(self, value: object) -> None:
        """Print one of many results as JSON in a line of its own, in ASCII."""
        self._out_file.write(json.dumps(value, ensure_ascii=True) + "\n")
        self._out_file.flush()

    def note(self, *pieces: Piece) -> None:
        """Print one line to stderr: hints, warnings, what is under way."""
        with suppress(OSError):
            self._err.print(_text(pieces), soft_wrap=True)

    def error_json(self, value: object) -> None:
        """Print an error as JSON to stderr."""
        with suppress(OSError):
            self._err_file.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")
            self._err_file.flush()

    def for_asking(self) -> Terminal:
        """Return where to show what somebody is to be asked about: stderr, where stdout is kept for JSON."""
        return Terminal(out=self._err_file, err=self._err_file) if self.as_json else self

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None] | None]:
        """Give a callback (done, total) that moves a bar on stderr; None where nobody looks."""
        if not self._err.is_terminal:
            yield None
            return
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task(escape(what).replace("[", "\\["), total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    @contextmanager
    def spinner(self, what: str) -> Iterator[None]:
        """Show on stderr that something is awaited; nothing where nobody looks."""
        if not self._err.is_terminal:
            yield
            return
        with self._err.status(escape(what).replace("[", "\\[")):
            yield

    @cached_property
    def _out(self) -> Console:
        return _console(self._out_file)

    @cached_property
    def _err(self) -> Console:
        return _console(self._err_file)

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked."""
        return sys.stdin.isatty() and self._err.is_terminal


def _text(pieces: Iterable[Piece]) -> Text:
    from rich.text import Text

    text = Text(no_wrap=True)
    for piece in pieces:
        words, style = (piece, "") if isinstance(piece, str) else piece
        text.append(escape(words), style=style or None)
    return text


def _console(file: TextIO) -> Console:
    from rich.console import Console

    class Plain(Console):
        """A console whose reader may go away: rich's own would end the process with 1, which is a no of the gate."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    options: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    return Plain(file=file, **options)
