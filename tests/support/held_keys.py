"""Real places where keys are held: an SSH agent and a SoftHSM2 token, each of its own test.

A machine without the programs skips by their names; ``.ci/run`` installs them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PIN: Final = "1234"
LABEL: Final = "interlock"
_MAKE_KEY: Final = f"""
import os, pkcs11, pkcs11.util.ec
token = pkcs11.lib(os.environ["PYKCS11LIB"]).get_token(token_label="{LABEL}")
with token.open(user_pin="{PIN}", rw=True) as session:
    curve = pkcs11.util.ec.encode_named_curve_parameters("secp256r1")
    domain = session.create_domain_parameters(pkcs11.KeyType.EC, {{pkcs11.Attribute.EC_PARAMS: curve}}, local=True)
    domain.generate_keypair(store=True, id=bytes([2]), label="signoff")
"""
_MODULES: Final = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")


def forget_keys() -> None:
    """Have the agent forget every key."""
    subprocess.run([shutil.which("ssh-add") or "", "-q", "-D"], check=True, stderr=subprocess.DEVNULL)


@contextmanager
def ssh_agent(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """Run an SSH agent that holds one Ed25519 key, called `kim@test`."""
    program = shutil.which("ssh-agent")
    if program is None:
        pytest.skip("no ssh-agent on this machine")
    key, socket = folder / "id", folder / "agent"
    subprocess.run(
        [shutil.which("ssh-keygen") or "", "-q", "-t", "ed25519", "-N", "", "-C", "kim@test", "-f", key], check=True
    )
    with subprocess.Popen([program, "-D", "-a", socket], stdout=subprocess.DEVNULL) as agent:
        try:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            added = [shutil.which("ssh-add") or "", "-q", str(key)]
            while subprocess.run(added, check=False, stderr=subprocess.DEVNULL).returncode:
                assert agent.poll() is None, "the agent ended"
            yield
        finally:
            agent.terminate()


def softhsm(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make a token with one P-256 key pair, number 2, and point the environment at it."""
    module = next((path for path in _MODULES if Path(path).exists()), None)
    program = shutil.which("softhsm2-util")
    if module is None or program is None:
        pytest.skip("no SoftHSM2 on this machine")
    tokens = folder / "tokens"
    tokens.mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(config))
    monkeypatch.setenv("PYKCS11LIB", module)
    made = [program, "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    # In a process of its own: the module reads its configuration once for each process.
    subprocess.run([sys.executable, "-c", _MAKE_KEY], check=True)
