"""What is printed: escaped, aligned, coloured only for a terminal; JSON alone on stdout."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from interlock.cli.terminal import Terminal

if TYPE_CHECKING:
    import pytest

EVIL = "\x1b[2J\u202eevil\r\n"
SHOWN = "\\x1b[2J\\u202eevil\\x0d\\x0a"


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_text_of_others_is_escaped_wherever_it_is_printed() -> None:
    """Lines, columns, notes: none lets a control or bidi character through."""
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(out=out, err=err)

    terminal.line("a ", (EVIL, "bold"))
    terminal.rows([[EVIL, "b"]])
    terminal.note(EVIL)

    assert out.getvalue() == f"a {SHOWN}\n{SHOWN}  b\n"
    assert err.getvalue() == f"{SHOWN}\n"


def test_markup_is_text() -> None:
    """What looks like rich's markup or an emoji code is shown as it was written."""
    out = io.StringIO()

    Terminal(out=out, err=io.StringIO()).line("[bold]x[/bold] :smile: https://example.com [link=x]y[/link]")

    assert out.getvalue() == "[bold]x[/bold] :smile: https://example.com [link=x]y[/link]\n"


def test_several_lines_are_escaped_line_by_line() -> None:
    """Only a line feed makes a new line."""
    out = io.StringIO()

    Terminal(out=out, err=io.StringIO()).lines("one\ntwo\rthree", indent=2)

    assert out.getvalue() == "  one\n  two\\x0dthree\n"


def test_long_lines_are_not_broken() -> None:
    """What a pipeline reads is one line a fact, however long."""
    out = io.StringIO()

    Terminal(out=out, err=io.StringIO()).line("word " * 100)

    assert len(out.getvalue().splitlines()) == 1


def test_columns_are_aligned_by_what_is_seen() -> None:
    """Wide characters count for two, and no line ends in blanks."""
    out = io.StringIO()

    Terminal(out=out, err=io.StringIO()).rows([["模型", "x", ""], ["ab", "y", "z"]])

    assert out.getvalue() == "模型  x\nab    y  z\n"


def test_no_rows_are_said_on_stderr() -> None:
    """An empty listing is empty on stdout."""
    out, err = io.StringIO(), io.StringIO()

    Terminal(out=out, err=err).rows([], empty="no hold")

    assert (out.getvalue(), err.getvalue()) == ("", "no hold\n")


def test_json_is_alone_on_stdout_and_in_ascii() -> None:
    """With JSON asked for, lines and columns are silent and no character can act on a screen."""
    out = io.StringIO()
    terminal = Terminal(as_json=True, out=out, err=io.StringIO())

    terminal.line("for people")
    terminal.rows([["for", "people"]])
    terminal.json({"text": EVIL})

    assert out.getvalue().isascii()
    assert json.loads(out.getvalue()) == {"text": EVIL}


def test_colour_is_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Piped output has no escape sequence, a terminal's has, and NO_COLOR takes them away."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    piped, screen, plain = io.StringIO(), Screen(), Screen()

    Terminal(out=piped, err=piped).line(("red", "red"))
    Terminal(out=screen, err=screen).line(("red", "red"))
    monkeypatch.setenv("NO_COLOR", "1")
    Terminal(out=plain, err=plain).line(("red", "red"))

    assert piped.getvalue() == "red\n"
    assert "\x1b[31m" in screen.getvalue()
    assert "\x1b[31m" not in plain.getvalue()


def test_there_is_no_bar_where_nobody_looks() -> None:
    """Progress is for a terminal on stderr; a log gets none."""
    with Terminal(out=io.StringIO(), err=io.StringIO()).progress("uploading") as move:
        assert move is None


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is on stderr, names what is under way, escaped, and stdout stays untouched."""
    monkeypatch.setenv("TERM", "xterm")
    out, screen = io.StringIO(), Screen()

    with Terminal(out=out, err=screen).progress(f"uploading {EVIL}[x]") as move:
        assert move is not None
        move(1, 2)

    assert "uploading \\x1b" in screen.getvalue()
    assert out.getvalue() == ""


def test_an_old_terminal_gets_spelled_out_characters() -> None:
    """A stream that can't hold a character is no reason to stop."""
    script = "from interlock.cli.main import main; main(['--help'])"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}

    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False, capture_output=True)

    assert done.returncode == 0
    assert done.stdout.isascii()
