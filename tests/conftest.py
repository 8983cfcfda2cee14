"""What holds for every test: the children that it starts take an interrupt, however this run itself was started.

A shell's `nohup make test &` starts us with SIGINT ignored, and what is ignored is inherited over exec, where a handler
becomes the default again. And they keep what they compile: where the environment forbids that, each of the hundreds of
servers and commands that the suite starts would compile the whole project anew, for a second or more.

Hypothesis profiles: ``ci`` is the same every time, bounded, and asserts nothing about time; ``deep`` is for a night
(HYPOTHESIS_PROFILE=deep).
"""

from __future__ import annotations

import gc
import os
import signal
from typing import Final

from hypothesis import HealthCheck, settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_COMMON: Final = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
settings.register_profile("ci", _COMMON, derandomize=True, database=None, max_examples=30, stateful_step_count=40)
settings.register_profile("deep", _COMMON, max_examples=2000, stateful_step_count=60)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_finish() -> None:
    """Have the collector walk what tests make, and not the ten thousand tests themselves again and again."""
    gc.collect()
    gc.freeze()
