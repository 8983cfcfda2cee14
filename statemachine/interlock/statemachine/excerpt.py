"""What a part of a log must hold, so that it can be judged: for who writes one, and for who judges it. Pure.

A *range* begins with a state, and has the entries that gave each fact in it (``givers``). A *selection* is of some
models: every entry that wrote anything which concerns them, in whole chains (``select``), and the leaves of a state
digest that prove that nothing else does (``concerns``, ``may_hide``).
Lives here: what belongs to which. Not here: files, proofs.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Final

from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.changes import content_of
from interlock.statemachine.state import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from interlock.statemachine.entry import Entry
    from interlock.statemachine.state import State

LOG: Final = "log"
IDENTITY: Final = ("delegations/", "grants/", "policies/", "principals/")
"""Families of what says who may do what, by which rules: always there, in whole chains."""

APART: Final = ("assessments/", "changes/", "decisions/", "deployments/", "evidence/")
"""Families that no verdict looks through: a selection has those of their resources that its entries name."""

MODELS: Final = "models/"
_AFTER_SLASH: Final = "0"
"""The character after a slash: where the names below a model end."""


def is_identity(name: str) -> bool:
    """Say whether a resource is of those that say who may do what, by which rules, in which log."""
    return name == LOG or name.startswith(IDENTITY)


# Ranges -----------------------------------------------------------------------------------------------------------


def givers(state: State) -> dict[int, set[str]]:
    """Return the positions of the entries that gave the facts of a state, each with the resources it wrote last.

    The last entry of each resource; each entry that a fact says it was given by (``*_by``: one, or several); and where
    that applied a change, every sign-off on it.
    """
    found: dict[int, set[str]] = {}
    for name, position in state.positions.items():
        found.setdefault(position, set()).add(name)
    named = {position for item in state.items.values() for position in _given_by(item)}
    for position in named:
        found.setdefault(position, set())
        change = state.find(state.applied.get(position, ""), r.Change)
        for signed in change.sign_offs if change is not None else ():
            found.setdefault(signed.position, set())
    return found


def _given_by(value: object) -> Iterator[int]:
    """Yield every position that a value or a part of it says it was given by."""
    if isinstance(value, tuple):
        for part in value:
            yield from _given_by(part)
    elif is_dataclass(value):
        for item in fields(value):
            part = getattr(value, item.name)
            if item.name.endswith("_by"):
                named = part if isinstance(part, tuple) else (part,)
                yield from (at for at in named if isinstance(at, int) and at != r.NEVER)
            else:
                yield from _given_by(part)


# Selections -------------------------------------------------------------------------------------------------------


def concerns(name: str, item: r.Resource | None, models: Collection[str]) -> bool:
    """Say whether a resource must be in a selection of these models; ``item`` is None where its form is not known.

    That is all but other models, what has to do with another model alone, and the families that stand apart.
    """
    model = names.model_of(name)
    if model is not None:
        return model in models
    if name.startswith(APART):
        return False
    subject = _subject(item)
    return not subject or subject == EVERYTHING or not subject.startswith(MODELS) or subject in models


def _subject(item: r.Resource | None) -> str:
    """Return what a resource is on, empty for nothing."""
    subject = getattr(item, "target", None) or getattr(item, "model", None)
    return subject if isinstance(subject, str) else ""


def may_hide(before: str, after: str, models: Collection[str]) -> bool:
    """Say whether something that concerns these models could stand between two names, in their order.

    Between two names of one family there are only names of that family.
    """
    family = next((family for family in (*APART, MODELS) if before.startswith(family) and after.startswith(family)), "")
    if family != MODELS:
        return not family
    return any(
        before < model < after or (before < f"{model}{_AFTER_SLASH}" and after > f"{model}/") for model in models
    )


def select(
    state: State, models: Collection[str], read: Callable[[Collection[str]], Iterable[Entry]]
) -> tuple[set[str], set[int]]:
    """Return what a selection has: the resources whose chains are in it, and the positions of the entries.

    ``read`` gives the entries that wrote any of some resources. What an entry wrote or names is in the selection too,
    of another model everything, of a document all records of the same bytes: else it could not be decided again.
    """
    wanted = {name for name, item in state.items.items() if concerns(name, item, models)}
    done, positions = set[str](), set[int]()
    groups = _groups(state)
    while fresh := wanted - done:
        done |= fresh
        for entry in read(fresh):
            if entry.seq not in positions:
                positions.add(entry.seq)
                for name in named_by(entry):
                    # A change may rest on it that nothing was said of a model, such as one that adopts a policy.
                    if name in state.items or names.model_of(name) in state.items:
                        wanted |= groups.get(_group(state, name), set())
    return wanted, positions


def _groups(state: State) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in state.items:
        found.setdefault(_group(state, name), set()).add(name)
    return found


def _group(state: State, name: str) -> str:
    """Return what stands for all that comes into a selection together with a resource: of a model all that it has.

    What is placed on a model, such as a hold, comes with it: a verdict on it may have to be given again.
    """
    item = state.items.get(name)
    if isinstance(item, r.Evidence):
        return item.sha256
    of = names.model_of(name) or ("" if name.startswith(APART) else _subject(item))
    return of if of and of.startswith(MODELS) else name


def shown(ordered: Sequence[str], known: Collection[str], models: Collection[str]) -> set[int]:
    """Return which leaves of a digest a selection shows: ``known`` ones, and the ends of each hidden run of a family.

    With these ends shown nothing can stand in what is hidden but names of the same family, and of other models
    (``may_hide``): a run also ends where these models' own names would stand.
    """
    bounds = [bound for model in models for bound in (model, f"{model}/", f"{model}{_AFTER_SLASH}")]
    found: set[int] = set()
    run: list[int] = []
    family: tuple[str, int] | None = None
    for at, name in enumerate(ordered):
        mine = None if name in known else (name.partition("/")[0], sum(bound <= name for bound in bounds))
        if mine is None or mine != family:
            found.update(run[:1], run[-1:])
            run, family = [], mine
        if mine is None:
            found.add(at)
        else:
            run.append(at)
    found.update(run[:1], run[-1:])
    return found


def named_by(entry: Entry) -> set[str]:
    """Return the names that stand in what an entry wrote and was told, the contents of changes included.

    Any word may be among them: whoever asks knows which are resources.
    """
    return {name for name, _ in entry.prev} | set(_words(entry.command))


def _words(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _words(part)
    elif is_dataclass(value):
        for item in fields(value):
            part = getattr(value, item.name)
            yield from _words(content_of(part) if item.name == "content" else part)
