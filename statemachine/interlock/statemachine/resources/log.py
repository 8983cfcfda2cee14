"""The log itself, and the policies that it was judged by.

Frozen values of the fold, one class a kind; ``resources/__init__.py`` says how to read them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from interlock.statemachine.resources.never import NEVER


@dataclass(frozen=True, slots=True)
class RetiredKey:
    """A key that signed the log's checkpoints once: none of a tree larger than ``last_size``; and what ended it."""

    public_key: bytes
    last_size: int
    retired_by: int


@dataclass(frozen=True, slots=True)
class Restore:
    """That the database was set back to ``kept_size`` entries and that was accepted; the head that was lost with it."""

    kept_size: int
    kept_root: bytes
    lost_size: int
    lost_root: bytes
    accepted_by: int


@dataclass(frozen=True, slots=True)
class Log:
    """``log``: what the genesis said of the log itself, and what changes and the recovery quorum said of it since.

    ``log_key`` is the key in force, ``retired`` those before it, oldest first; ``recovered`` are digests of the
    recoveries that were done.
    """

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
    retired: tuple[RetiredKey, ...] = ()
    restores: tuple[Restore, ...] = ()


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
