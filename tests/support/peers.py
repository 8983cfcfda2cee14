"""Programs that ours is compared with, each in an environment of its own: made on first use from its lock, kept by it.

A peer's code runs in a process of its own and is never imported here: it may have another license and other needs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

PEERS: Final = Path(__file__).parents[1] / "peers"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "interlock-peers"
INSTALL_SECONDS: Final = 90


class PeerUnavailableError(RuntimeError):
    """The environment can't be made, for want of a network or a package; the message says why."""


def python_of(peer: str) -> Path:
    """Return the Python of a peer's environment. Raises PeerUnavailableError.

    Environments are found by the digest of their lock, and one process makes them while others wait.
    """
    lock = PEERS / peer / "requirements.txt"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    place = CACHE / f"{peer}-{digest[:16]}"
    python, stamp = place / "bin" / "python", place / "installed"
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / f"{peer}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not stamp.is_file():
                _run(sys.executable, "-m", "venv", "--clear", str(place))
                options = ("--quiet", "--disable-pip-version-check", "--retries", "1", "--require-hashes")
                _run(str(python), "-m", "pip", "install", *options, "--requirement", str(lock))
                stamp.touch()
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        raise PeerUnavailableError(f"{peer} can't be installed: {detail.strip().splitlines()[-1]}") from error
    return python


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
