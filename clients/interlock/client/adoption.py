"""A policy that a change proposes to adopt, opened from the very bytes that are signed, compared with the one in force.

Both packs are held to digests of the signed content: the proposed one to that of the trigger, the other to that of the
policy which the change is written under. Lives here: opening and comparing. Not here: showing (the command line).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.client.errors import ContentError
from interlock.statemachine import firings as f
from interlock.statemachine.diffing import Difference, compare_policies
from interlock.statemachine.policy import PackError, load_pack, pack_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from interlock.client.review import OpenedChange
    from interlock.statemachine.entry import Content
    from interlock.v1.change_pb2 import Change
    from interlock.v1.policy_pb2 import Policy, PolicyPack


_VERSION: Final = re.compile(r"policies/[^/]+/versions/[^/]+")


@dataclass(frozen=True, slots=True)
class Adoption:
    """Two packs and all that differs: in words, what loosens first, and line by line."""

    old: str
    new: str
    differences: tuple[Difference, ...]
    lines: tuple[str, ...]


def opened_pack(change: Change, content: Content) -> Mapping[str, bytes] | None:
    """Return the files that a change proposes to adopt. Raises ContentError for others than its content names."""
    wanted = _wanted(content)
    if wanted is None or not change.HasField("pack"):
        return None
    files = files_of(change.pack)
    if _digest(files) != wanted.pack_digest:
        raise ContentError(
            f"{change.name}: the pack beside it is not the one that would be signed", reason="DIGEST_MISMATCH"
        )
    return files


def written_under(content: Content) -> str:
    """Return the version that an adoption is written under, from its base; empty for a change that adopts nothing.

    It may be superseded by now: a stale adoption can still be shown, and so be rejected.
    """
    wanted = _wanted(content)
    if wanted is None:
        return ""
    versions = [name for name, _ in content.base if _VERSION.fullmatch(name) and name != wanted.policy]
    return versions[0] if len(versions) == 1 else wanted.policy


def compare_packs(opened: OpenedChange, read_policy: Callable[[str], Policy] | None) -> Adoption | None:
    """Return what adopting changes; None for a change that adopts nothing. Raises ContentError for an unshown one."""
    wanted = _wanted(opened.content)
    if wanted is None:
        return None
    if opened.pack is None or read_policy is None:
        raise ContentError(f"{opened.name}: the pack that it adopts can't be shown", reason="PACK_MISSING")
    name = written_under(opened.content)
    before = files_of(read_policy(name).pack)
    if _digest(before) != opened.content.policy_digest:
        raise ContentError(
            f"{opened.name}: the pack of {name} is not the one that the change is written under",
            reason="DIGEST_MISMATCH",
        )
    try:
        old, new = load_pack(before), load_pack(opened.pack)
    except PackError as error:
        raise ContentError(f"{opened.name}: a pack can't be read: {error}", reason="PACK") from error
    if new.name != wanted.policy:
        raise ContentError(f"{opened.name}: the pack calls itself {new.name}, not {wanted.policy}", reason="PACK")
    return Adoption(old.name, new.name, compare_policies(old, new), tuple(_lines(before, opened.pack)))


def files_of(pack: PolicyPack) -> dict[str, bytes]:
    """Return a pack's files by path."""
    return {row.path: row.content for row in pack.files}


def _wanted(content: Content) -> f.PolicyAdopt | None:
    return next((firing for firing in content.triggers if isinstance(firing, f.PolicyAdopt)), None)


def _digest(files: Mapping[str, bytes]) -> bytes:
    try:
        return pack_digest(files)
    except PackError:
        return b""


def _lines(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[str]:
    """Yield a unified diff over all files: what words say otherwise is in it too, comments and sources with it."""
    for path in sorted(before.keys() | after.keys()):
        old, new = (side.get(path, b"").decode(errors="backslashreplace").splitlines() for side in (before, after))
        yield from difflib.unified_diff(old, new, f"in force/{path}", f"proposed/{path}", lineterm="", n=1)
