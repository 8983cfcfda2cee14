"""The server's own commands, which join the `interlock` command line by entry points.

Loading this package imports typer and nothing heavy: `interlock --help` lists the commands without grpc. It fails with
ModuleNotFoundError where the `server` extra was not installed, so that the command line can say what is missing: the
code of the server is in every install, what it stands on is not.
"""

from importlib.util import find_spec
from typing import Final

from interlock.service.commands.init import app as init_app
from interlock.service.commands.serve import app as serve_app

__all__ = ["init_app", "serve_app"]

SERVER_EXTRA: Final = ("alembic", "obstore", "prometheus_client", "protovalidate", "sqlalchemy", "structlog")
"""Packages that only the `server` extra brings; looked for, not imported."""

for _name in SERVER_EXTRA:
    if find_spec(_name) is None:
        raise ModuleNotFoundError(f"No module named {_name!r}", name=_name)
