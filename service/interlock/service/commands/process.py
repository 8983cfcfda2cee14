"""What `interlock serve` does once its options are read: start, say so, serve, stop when told."""

from __future__ import annotations

import asyncio
import gc
import getpass
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

import uvloop
from rich.console import Console

from interlock.service.bootstrap import StartError, running
from interlock.service.config import Config, ConfigError, load_config
from interlock.service.logs import make_logger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from interlock.service.bootstrap import Ready

USAGE: Final = 2
FAILED: Final = 5


def run(
    flags: Mapping[str, str | float | bool | None], config_file: Path | None, ready_file: Path | None, *, as_json: bool
) -> int:
    """Serve until told to stop. Returns the exit code: 0, 2 (configuration) or 5 (can't start)."""
    try:
        config = load_config(flags, os.environ, config_file)
    except ConfigError as error:
        return _complain(str(error), USAGE)
    os.umask(0o077)  # the log, evidence and a unix socket are the owner's alone
    try:
        uvloop.run(_serve(config, ready_file, as_json=as_json))
    except StartError as error:
        return _complain(str(error), FAILED)
    return 0


async def _serve(config: Config, ready_file: Path | None, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = make_logger(config.log_level, config.log_format)
    ask = _ask_passphrase if sys.stdin.isatty() else None
    async with running(config, log, ask_passphrase=ask) as ready:
        # What was loaded so far lives as long as the process: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        _announce(ready, ready_file, as_json=as_json)
        await stop.wait()
        log.info("stopping")
    log.info("stopped")


def _announce(ready: Ready, ready_file: Path | None, *, as_json: bool) -> None:
    facts: dict[str, Any] = {
        "address": ready.address,
        "log_id": ready.log_id.hex(),
        "log_key": ready.log_key,
        "key_fingerprint": ready.key_fingerprint,
        "genesis_digest": ready.genesis_digest.hex(),
        "development": ready.development,
        "checkpoint": ready.checkpoint,
        "ledger": ready.ledger or "ok",
        "pid": os.getpid(),
    }
    if ready_file is not None:  # whole or not there: whoever waits for it may read at once
        fresh = ready_file.with_name(f"{ready_file.name}.new")
        fresh.write_text(json.dumps(facts) + "\n", "utf-8")
        fresh.replace(ready_file)
    line = json.dumps(facts) if as_json else _line_for_people(ready)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _line_for_people(ready: Ready) -> str:
    words = ["ready", ready.address, "log", ready.log_id.hex(), "key", ready.key_fingerprint]
    words += ["genesis", ready.genesis_digest.hex()]
    if ready.checkpoint:
        _origin, size, root, *_ = ready.checkpoint.split("\n")
        words += ["checkpoint", size, root]
    else:  # it answers reads, and the gate denies
        words += ["ledger", ready.ledger]
    return " ".join((*words, "development") if ready.development else words)


def _ask_passphrase() -> bytes:
    return getpass.getpass("Passphrase of the server's keys: ").encode()


def _complain(message: str, code: int) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, markup=False, style="red")
    return code
