"""What holds for every test: the children that it starts take an interrupt, however this run itself was started.

A shell's `nohup make test &` starts us with SIGINT ignored, and what is ignored is inherited over exec, where a handler
becomes the default again. And they keep what they compile: where the environment forbids that, each of the hundreds of
servers and commands that the suite starts would compile the whole project anew, for a second or more.
"""

from __future__ import annotations

import gc
import os
import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_finish() -> None:
    """Have the collector walk what tests make, and not the ten thousand tests themselves again and again."""
    gc.collect()
    gc.freeze()
