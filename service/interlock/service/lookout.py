"""What the server needs beside its log, looked at every second: the folder of evidence, the keys on the disk.

No verdict depends on them. The keys are in memory once the server runs; of evidence the gate reads the log's records,
and the bytes are asked for where somebody uploads or opens them, which fails closed there. So what is gone does not
stop the gate (decision 0070); it is told, in health, metrics and the log, before the next restart or reader finds it.

Looked at: that folders and files are there and can be used. Not looked at: what is in them; the start reads the keys,
and a document is held to its digest when it is read.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from prometheus_client import Gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from interlock.service.metrics import Metrics

LOOK_EVERY_SECONDS: Final = 1.0
LONGEST_LOOK_SECONDS: Final = 3.0
"""Past this a look that is not back, as on a hanging mount, counts as a part that is not there."""

EVIDENCE: Final = "evidence"
KEYS: Final = "keys"


class Lookout:
    """Knows of each part what is wrong with it. ``parts`` say so from a thread; empty is well."""

    def __init__(
        self,
        parts: Mapping[str, Callable[[], str]],
        metrics: Metrics,
        log: FilteringBoundLogger,
        *,
        longest_look_seconds: float = LONGEST_LOOK_SECONDS,
    ) -> None:
        self._parts = dict(parts)
        self._longest_look_seconds = longest_look_seconds
        self._faults = dict.fromkeys(parts, "")
        self._log = log
        self._change = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._gauge = Gauge(
            "interlock_part_missing", "1 while what the server needs beside its log can't be used, by part.", ("part",),
            registry=metrics.registry,
        )  # fmt: skip
        for part in self._parts:
            self._gauge.labels(part).set(0)

    @property
    def parts(self) -> frozenset[str]:
        """Names of what is looked at."""
        return frozenset(self._parts)

    def fault(self, part: str) -> str:
        """Return what was wrong with a part when it was last looked at; empty for nothing."""
        return self._faults.get(part, "")

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what could not be used when it was last looked at."""
        return tuple(part for part, fault in self._faults.items() if fault)

    @property
    def change(self) -> asyncio.Event:
        """Set when the next part breaks or is mended; taken before a fault is asked for, it misses nothing."""
        return self._change

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        """Look at each part by itself, so that one that hangs hides no other."""
        async with asyncio.TaskGroup() as group:
            for part, look in self._parts.items():
                group.create_task(self._watch(part, look))

    async def _watch(self, part: str, look: Callable[[], str]) -> None:
        looking = _look(look)
        while True:
            done, _ = await asyncio.wait({looking}, timeout=self._longest_look_seconds)
            self._hear(part, looking.result() if done else "it does not answer")
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            if done:
                looking = _look(look)

    def _hear(self, part: str, fault: str) -> None:
        before, self._faults[part] = self._faults[part], fault
        if fault == before:
            return
        self._gauge.labels(part).set(bool(fault))
        if fault:
            self._log.error("part_missing", part=part, fault=fault)
        else:
            self._log.info("part_back", part=part)
        self._change.set()
        self._change = asyncio.Event()


def _look(look: Callable[[], str]) -> asyncio.Future[str]:
    """Look in a thread that nobody waits for at the end: one that hangs must not keep the server from stopping."""
    loop = asyncio.get_running_loop()
    found = loop.create_future()

    def tell(fault: str) -> None:
        if not found.done():
            found.set_result(fault)

    def work() -> None:
        try:
            fault = look()
        except OSError as error:
            fault = str(error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, fault)

    threading.Thread(target=work, name="lookout", daemon=True).start()
    return found


def fault_of_files(paths: tuple[Path, ...]) -> str:
    """Return which files can't be read, if any."""
    gone = [path for path in paths if not (path.is_file() and os.access(path, os.R_OK))]
    return f"can't be read: {', '.join(map(str, gone))}" if gone else ""


def fault_of_folders(paths: tuple[Path, ...]) -> str:
    """Return which folders can't be written to, if any; on a disk that is mounted to be read, all."""
    gone = [path for path in paths if not (path.is_dir() and os.access(path, os.R_OK | os.W_OK | os.X_OK))]
    return f"can't be written to: {', '.join(map(str, gone))}" if gone else ""
