"""The package `interlock.client` as programs import it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import interlock.client
from interlock.client import errors


def test_importing_the_errors_imports_neither_grpc_nor_cryptography() -> None:
    """A program can name what it will catch before it pays for the wire."""
    script = (
        "import sys; from interlock.client import InterlockError, RefusedError;"
        "heavy = {'grpc', 'cryptography', 'google'} & {name.partition('.')[0] for name in sys.modules};"
        "sys.exit(', '.join(heavy) or 0)"
    )

    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there() -> None:
    """Each name of `__all__` can be had, the heavy ones too, and `dir` lists them."""
    for name in interlock.client.__all__:
        assert getattr(interlock.client, name) is not None
    assert dir(interlock.client) == sorted(interlock.client.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """What the package does not have is missing as in any module."""
    with pytest.raises(AttributeError):
        _ = interlock.client.nothing_of_the_kind


def test_every_error_class_is_public() -> None:
    """Whatever the client raises can be imported from the façade."""
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.InterlockError)
    }

    assert classes <= set(interlock.client.__all__)
