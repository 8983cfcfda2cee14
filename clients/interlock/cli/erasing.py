"""`interlock audit erase`: a text that an entry names is forgotten for good; that it was stays in the log."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it
from interlock.cli.views.common import to_json, when
from interlock.cli.views.entry import texts_of_record
from interlock.client import names
from interlock.client.errors import ProfileError


def erase(
    run: Run,
    seq: Annotated[int, typer.Argument(metavar="POSITION", min=0, help="The entry that names the text.")],
    field: Annotated[
        str,
        typer.Option(
            "--text", metavar="FIELD", help="Which of its texts, such as `reason`; needed where it has several."
        ),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Erase without being asked once more.")] = False,
) -> None:
    """Erase a title, a reason or a comment, with its salt: nobody can get it back. Needs the role admin.

    The entry keeps its digest, which says nothing without the salt. The log says who erased it, and verifies as before;
    a bundle or a backup made earlier still has the text.
    """
    with run.client() as client:
        record = client.audit.get(seq)
        named = {name: (digest, text) for name, digest, text in texts_of_record(record)}
        if field not in named and not (len(named) == 1 and not field):
            has = ", ".join(named) or "no text"
            raise typer.BadParameter(f"entry {seq} has {has}" + ("" if not named else ": say which with --text"))
        name, (digest, text) = (field, named[field]) if field else next(iter(named.items()))
        if not yes:
            if not run.terminal.interactive:
                raise ProfileError(
                    "nobody can be asked here; use --yes to erase all the same", reason="NOT_INTERACTIVE"
                )
            shown = f"“{text}”" if text is not None else "which can't be shown"
            typer.confirm(f"Erase the {name} of entry {seq} for good, {shown}?", abort=True, err=True)
        gone = client.audit.erase_text(digest)
    if run.as_json:
        run.terminal.json(to_json(gone))
        return
    who = names.leaf(gone.eraser)
    run.terminal.line(f"the {name} of entry {seq} was erased by {who}, {when(gone.erase_time)}, entry {gone.position}")
