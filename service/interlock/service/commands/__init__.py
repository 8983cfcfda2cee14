"""The server's own commands, which join the `interlock` command line by entry points.

Loading this package imports typer and nothing heavy: `interlock --help` lists the commands without grpc.
"""

from interlock.service.commands.init import app as init_app
from interlock.service.commands.serve import app as serve_app

__all__ = ["init_app", "serve_app"]
