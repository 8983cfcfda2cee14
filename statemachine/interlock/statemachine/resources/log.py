"""The log itself, and the policies that it was judged by.

Frozen values of the fold, one class a kind; ``resources/__init__.py`` says how to read them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from interlock.statemachine.resources.never import NEVER


@dataclass(frozen=True, slots=True)
class Log:
    """``log``: what the genesis said of the log itself; ``recovered`` are digests of the recoveries that were done."""

    name: str
    log_id: bytes
    log_key: bytes
    decision_key: bytes
    genesis_digest: bytes
    development: bool
    recovery_threshold: int
    closed: bool = False
    countersigned: tuple[str, ...] = ()
    recovered: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """``policies/{id}/versions/{v}``: a version that was adopted at some time; ``superseded`` once another was."""

    name: str
    version: str
    digest: bytes
    state: str = "adopted"
    adopted_at: int = 0
    adopted_by: int = field(default=NEVER)


@dataclass(frozen=True, slots=True)
class Pack:
    """``policies/{id}/versions/{v}/packs/{sha256}``: what a change proposes to adopt.

    ``data`` is the pack as it is kept beside the log; whoever knows the state can load every policy it may come to.
    """

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ErasedText:
    """``texts/sha256-{digest}``: a text that was forgotten, by whom and when. Of other texts nothing is folded."""

    name: str
    eraser: str
    erased_at: int
    state: str = "erased"
