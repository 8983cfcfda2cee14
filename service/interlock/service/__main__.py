"""`python -m interlock.service serve …`: the server's commands without the client's command line."""

from __future__ import annotations

import typer

from interlock.service.commands import init_app, serve_app

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The server's commands.")
app.add_typer(init_app)
app.add_typer(serve_app)

if __name__ == "__main__":
    app(prog_name="python -m interlock.service")
