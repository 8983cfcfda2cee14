"""A page opened in the person's own browser, by the standard library's `webbrowser`, in a process of its own.

Of its own because a browser may print, and may outlive the command: it must write into no result, and keep no pipe.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

_OPEN: Final = "import sys, webbrowser; sys.exit(0 if webbrowser.open(sys.argv[1]) else 1)"


def open_page(url: str) -> bool:
    """Open a page, and say whether a browser took it. Blocks while one keeps its starter waiting."""
    # Isolated: a `webbrowser.py` of the working folder is not the standard library's.
    words = (sys.executable, "-I", "-c", _OPEN, url)
    nothing = subprocess.DEVNULL
    try:
        started = subprocess.Popen(words, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)  # noqa: S603  # no shell; our own interpreter, and a url that was checked
    except OSError:
        return False
    return started.wait() == 0
