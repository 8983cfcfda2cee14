"""An install without the `server` extra: the client works, the server's commands say what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

SERVER_ONLY = {"alembic", "grpc_health", "grpc_reflection", "obstore", "prometheus_client", "protovalidate"} | {
    "sqlalchemy",
    "structlog",
}
EXTRAS = {"authlib", "joserfc"}
ROOTS = ("proto", "statemachine", "service", "clients")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give an environment whose packages are ours, but for those that only the server needs."""
    site = tmp_path_factory.mktemp("site")
    for package in Path(typer.__file__).parents[1].iterdir():
        if package.name.partition(".")[0] not in SERVER_ONLY | EXTRAS and package.suffix != ".pth":
            (site / package.name).symlink_to(package)
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(site), *(str(root / name) for name in ROOTS)])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these packages alone (`-S`: none of the site's own)."""
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_servers_packages_are_not_there(environment: dict[str, str]) -> None:
    """What this file says of such an install is true of the one it made."""
    assert "structlog" in _python(environment, "-c", "import structlog").stderr
    assert _python(environment, "-c", "import grpc, interlock.client.sdk").returncode == 0


@pytest.mark.parametrize("words", [("init", "demo", "--dev"), ("serve", "--data", "demo")], ids=lambda words: words[0])
def test_a_server_command_names_the_extra(environment: dict[str, str], words: tuple[str, ...]) -> None:
    """Usage, with the command that mends it; never a fault of the program."""
    done = _python(environment, "-m", "interlock.cli", *words)

    assert done.returncode == 2
    assert "pip install '.[server]'" in done.stderr
    assert "'interlock[server]'" not in done.stderr  # which no index has
    assert "Traceback" not in done.stderr


def test_a_login_at_a_provider_names_its_extra(environment: dict[str, str], tmp_path: Path) -> None:
    """Said as usage before anything is sent anywhere."""
    profile = dict.fromkeys(("principal", "server_name", "ca_certificate", "log_key"), "x")
    profile |= {"address": "127.0.0.1:1", "log_id": "00" * 16, "genesis_digest": "00" * 32}
    profile |= {"oidc_issuer": "https://127.0.0.1:1", "oidc_client_id": "x"}
    (tmp_path / "profile.json").write_text(json.dumps(profile))

    done = _python(environment, "-m", "interlock.cli", "--profile", str(tmp_path), "login")

    assert done.returncode == 2
    assert "pip install '.[oidc]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_still_lists_them(environment: dict[str, str]) -> None:
    """They are known by name, and the rest of the command line works."""
    done = _python(environment, "-m", "interlock.cli", "--help")

    assert done.returncode == 0
    assert "(server extra)" in done.stdout


def test_a_server_for_tests_names_the_extra(environment: dict[str, str], tmp_path: Path) -> None:
    """Whoever writes tests without it is told the same."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    script = (
        f"import sys\nsys.executable = {str(python)!r}\n"
        "from interlock.client.testing import embedded_server\nwith embedded_server(): pass\n"
    )

    done = _python(environment, "-c", script)

    assert "EmbeddedServerError" in done.stderr
    assert "pip install '.[server]'" in done.stderr
    assert "'interlock[server]'" not in done.stderr  # which no index has
