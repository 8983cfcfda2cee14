"""A decision that was written before must not outlive a question that nobody answered, not even one that was mistyped.

Only what could be a decision goes: a file that is something else was named by mistake, and no ALLOW.
Lives here: what goes before the words of a command are understood at all. Not here: the command (`gate.py`).
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LONG: Final = "--decision"
_SHORT: Final = "-d"


def remove_old_decision(words: Sequence[str]) -> None:
    """Remove the file that a `gate check` in these words names for its decision, where it is a file that can go.

    Whatever else is wrong with the words is told later; by then an earlier ALLOW is gone.
    """
    if ("gate", "check") not in itertools.pairwise(words) or "--help" in words:
        return
    for name in _named(words):
        path = Path(name)
        try:
            if path.is_file() and not path.is_symlink() and may_go(path):
                path.unlink()
        except OSError:
            continue  # the command will say that it can't be written


def may_go(path: Path) -> bool:
    """Say whether a file may make way for a decision: it is empty, or an envelope.

    Read as `gate verify` reads it, so whatever that could accept is one. Raises OSError.
    """
    from interlock.proofs import json_text  # most commands never come here
    from interlock.proofs.errors import JsonError  # same

    with path.open("rb") as file:
        data = file.read(json_text.MAX_JSON_BYTES + 1)
    try:
        value = json_text.strict_json(data) if data else {"payloadType": ""}
    except JsonError:
        return False
    return isinstance(value, dict) and "payloadType" in value


def _named(words: Sequence[str]) -> Iterator[str]:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in {_LONG, _SHORT}:
            yield following
        elif word.startswith(f"{_LONG}="):
            yield word.removeprefix(f"{_LONG}=")
        elif word.startswith(_SHORT) and not word.startswith("--"):
            yield word.removeprefix(_SHORT)
