"""What ``succeeds:`` says: this pack's own ids must be known, and no id of another version may come to two levels.

The ids of the other version can't be looked up here: that pack is not at hand. One that it does not have carries
nothing, and ``policy diff`` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.statemachine.policy.findings import Code, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from interlock.statemachine.policy.notebook import Notebook
    from interlock.statemachine.policy.schema import PackShape
    from interlock.statemachine.policy.yamltree import Path


def check_succession(shape: PackShape, book: Notebook) -> None:
    """Run every check of this module."""
    levels = [level.id for level in shape.levels]
    seen: set[tuple[str, str | None]] = set()
    for index, row in enumerate(shape.succeeds):
        path: Path = ("succeeds", index)
        if (row.policy, row.version) in seen:
            book.duplicate((*path, "policy"), row.policy)
        seen.add((row.policy, row.version))
        for threshold in row.thresholds:
            place = (*path, "thresholds", threshold)
            _known(book, place, threshold, shape.thresholds, (Code.UNKNOWN_THRESHOLD, "threshold"))
            book.once(place, row.thresholds[threshold])
        for level in row.levels:
            _known(book, (*path, "levels", level), level, levels, (Code.UNKNOWN_LEVEL, "level"))
        for safeguard in row.safeguards:
            place = (*path, "safeguards", safeguard)
            _known(book, place, safeguard, shape.safeguards, (Code.UNKNOWN_SAFEGUARD, "safeguard"))
        # A model has one level of a standard, and a safeguard one state: what comes to two would have to be guessed.
        _once(book, (*path, "levels"), row.levels)
        _once(book, (*path, "safeguards"), {new: [old] for new, old in row.safeguards.items()})


def _known(book: Notebook, path: Path, word: str, names: Collection[str], kind: tuple[Code, str]) -> None:
    code, what = kind
    if word not in names:
        book.error(path, code, f"There is no {what} {shown(word)} in this pack.", book.suggest(word, names), key=True)


def _once(book: Notebook, path: Path, sources: Mapping[str, Sequence[str]]) -> None:
    seen: set[str] = set()
    for new, olds in sources.items():
        for old in olds:
            if old in seen:
                book.duplicate((*path, new), old)
            seen.add(old)
