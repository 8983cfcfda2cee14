"""Keeps a server for as long as somebody holds its standard input, then ends it and removes its folder.

    python -m interlock.client.testing.keeper FOLDER COMMAND…

Whoever started it may be interrupted, killed or crash: the pipe closes with them, and nothing of the server is left.
FOLDER `-` is for none to remove. Lives here: that one promise. Not here: what is started.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from typing import Final

STOP_SECONDS: Final = 10.0


def main() -> int:
    """Start, wait until standard input ends, stop, remove; the exit code is the server's."""
    folder, *command = sys.argv[1:]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  # what our own module asks for
    try:
        sys.stdin.buffer.read()
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)
        server.kill()
        code = server.wait()
        if folder != "-":
            shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
