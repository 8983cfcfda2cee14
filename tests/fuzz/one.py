"""One target under libFuzzer, in a process of its own: it takes the process over and ends it.

`python -m tests.fuzz.one TARGET [libFuzzer options] FOLDER…`; atheris has to be importable: ``__main__.py`` sees to it.
"""

from __future__ import annotations

import importlib
import sys

ATHERIS = importlib.import_module("atheris")

with ATHERIS.instrument_imports(include=["interlock", "ruamel.yaml", "tests.fuzz.targets"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until an option or a finding ends it."""
    name, *options = sys.argv[1:]
    # A merge runs its first argument as a command of the shell, with the options behind it.
    ATHERIS.Setup([f"{sys.executable} -m tests.fuzz.one {name}", *options], TARGETS[name].try_on)
    ATHERIS.Fuzz()


if __name__ == "__main__":
    main()
