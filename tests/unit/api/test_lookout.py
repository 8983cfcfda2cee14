"""What the server looks at beside its log: a look that hangs, and what counts as usable."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import TYPE_CHECKING

from interlock.service.logs import make_logger
from interlock.service.lookout import Lookout, fault_of_files, fault_of_folders
from interlock.service.metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path

WAIT_SECONDS = 30


def test_a_look_that_hangs_counts_as_gone_and_holds_nothing_up() -> None:
    """As on a mount that does not answer: told as missing, the other part looked at, and the end waits for nobody."""
    ever, written = threading.Event(), io.StringIO()

    async def story() -> tuple[str, str]:
        parts = {"hangs": lambda: str(ever.wait()), "well": lambda: ""}
        lookout = Lookout(parts, Metrics(), make_logger("info", "json", written), longest_look_seconds=0.01)
        change = lookout.change
        lookout.start()
        async with asyncio.timeout(WAIT_SECONDS):
            await change.wait()
        await lookout.close()
        return lookout.fault("hangs"), lookout.fault("well")

    faults = asyncio.run(story())
    ever.set()

    assert faults == ("it does not answer", "")
    assert "part_missing" in written.getvalue()


def test_what_is_there_and_usable_has_no_fault(tmp_path: Path) -> None:
    """A file where a folder should be, or nothing, is told by its path."""
    file, folder, gone = tmp_path / "file", tmp_path / "folder", tmp_path / "gone"
    file.write_text("x")
    folder.mkdir()

    assert (fault_of_files((file,)), fault_of_folders((folder,))) == ("", "")
    assert all(str(path) in fault_of_files((file, path)) for path in (folder, gone))
    assert all(str(path) in fault_of_folders((folder, path)) for path in (file, gone))
