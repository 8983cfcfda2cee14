"""What somebody says that ids of a pack stand for, in addition to what the pack says itself in ``succeeds:``. Pure."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from interlock.statemachine.policy.model import Succession

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from interlock.statemachine.policy.model import Policy

    Ids = Mapping[str, tuple[str, ...]]


class MapError(ValueError):
    """What was said of ids can't be said by a pack; the message says why."""


class _Kind(NamedTuple):
    """A kind of ids: those of the pack, those of the policy of then, and what the pack says itself."""

    name: str
    new: Collection[str]
    old: Collection[str]
    said: Ids


ONE_TO_ONE: Final = frozenset({"safeguards"})
"""A safeguard has one state; thresholds and levels may stand for several."""


def map_ids(old: Policy, new: Policy, given: Ids) -> Policy:
    """Return ``new`` as if its ``succeeds:`` said of ``old`` that each id given stands for these.

    An id may have its kind in front, as in ``thresholds/fraud``. Raises MapError for what no pack could say.
    """
    said = new.succession_from(old) or Succession(old.id)
    kinds = (
        _Kind("thresholds", new.thresholds, old.thresholds, said.thresholds),
        _Kind("levels", [row.id for row in new.levels], [row.id for row in old.levels], said.levels),
        _Kind("safeguards", new.safeguards, old.safeguards, said.safeguards),
    )
    found: dict[str, dict[str, tuple[str, ...]]] = {kind.name: dict(kind.said) for kind in kinds}
    for word, sources in given.items():
        kind, own = _kind_of(kinds, word, sources)
        found[kind][own] = sources
    for name in ("levels", "safeguards"):
        _check_once(name, found[name])
    mapped = Succession(old.id, old.version, **{name: MappingProxyType(rows) for name, rows in found.items()})
    return replace(new, successions=(mapped, *new.successions))


def _kind_of(kinds: Collection[_Kind], word: str, sources: tuple[str, ...]) -> tuple[str, str]:
    """Return the kind that both sides are of, and the pack's own id."""
    wanted, _, own = word.rpartition("/")
    fits = [
        kind.name
        for kind in kinds
        if own in kind.new
        and set(sources) <= set(kind.old)
        and wanted in {"", kind.name}
        and (len(sources) == 1 or kind.name not in ONE_TO_ONE)
    ]
    if len(fits) == 1:
        return fits[0], own
    if fits:
        raise MapError(f"{own} may be of {' or '.join(fits)}: write {fits[0]}/{own}")
    raise MapError(f"the pack has no {word} that could stand for {', '.join(sources)} of the policy of then")


def _check_once(name: str, rows: Mapping[str, tuple[str, ...]]) -> None:
    """A model has one level of a standard, and a safeguard one state: what comes to two would have to be guessed."""
    every = [source for sources in rows.values() for source in sources]
    twice = next((source for source in every if every.count(source) > 1), "")
    if twice:
        raise MapError(f"two {name} stand for {twice}")
