"""`interlock policy report`: for the public, what the policy in force commits to, and what it only recommends.

Lives here: asking the log for its versions and for who signed, and Markdown. What is promised is the SDK's word
(``client/promises.py``). No person is named: a slot was filled by somebody in a role, and the log has who.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.client import Interlock
    from interlock.client.promises import Promise, Version

_HEADS = {
    True: ("Committed", "The gate denies a release while one of these is not met."),
    False: ("Recommended, not committed", "The gate never denies for one of these; it tells them beside its answer."),
}


def report(run: Run) -> None:
    """Write for the public, as Markdown, what the policy in force commits to, and what it only recommends.

    What was a commitment once says until which entry of the log, which change that was, and which roles signed for it.
    """
    from interlock.client.promises import find_promises

    with run.client() as client:
        versions = _versions(client)
        promises = find_promises(versions)
        changes = {at: _change(client, at) for at in {versions[-1].position, *_demotions(promises)}}
    if run.as_json:
        run.terminal.json(_json(versions[-1], promises, changes))
        return
    run.terminal.lines("\n".join(_markdown(versions[-1], promises, changes)))


def _demotions(promises: tuple[Promise, ...]) -> set[int]:
    return {row.demoted_at for row in promises if row.demoted_at is not None}


def _versions(client: Interlock) -> list[Version]:
    """Return every version that was in force, oldest first, up to the one that is; each held to its digest."""
    from interlock.client.errors import DataLossError
    from interlock.client.promises import Version
    from interlock.statemachine.policy import load_pack

    rows = [row for row in client.policy.list() if row.HasField("adopt_time")]
    found = []
    for row in sorted(rows, key=lambda row: row.adopted_position):
        policy = load_pack({file.path: file.content for file in client.policy.get(row.name).pack.files})
        if policy.digest.hex() != row.digest:
            raise DataLossError(f"the pack of {row.name} does not have its digest", reason="DIGEST_MISMATCH")
        found.append(Version(policy, row.adopted_position))
    return found


def _change(client: Interlock, position: int) -> tuple[str, tuple[str, ...]]:
    """Return the change that an entry applied, with the roles that its slots name; nothing for the founding."""
    from interlock.v1 import ledger_pb2

    entry = ledger_pb2.LedgerEntry.FromString(client.audit.get(position).entry)
    name = next((moved.resource for moved in entry.transitions if moved.trigger == "change.apply"), "")
    roles = tuple(sorted(slot.role for slot in client.changes.get(name).slots)) if name else ()
    return name, roles


def _signed(change: tuple[str, tuple[str, ...]], position: int) -> str:
    name, roles = change
    return f"entry {position}, {name}, signed by {', '.join(roles)}" if name else f"entry {position}, the founding"


def _markdown(
    version: Version, promises: tuple[Promise, ...], changes: dict[int, tuple[str, tuple[str, ...]]]
) -> Iterator[str]:
    policy = version.policy
    yield from (f"# {policy.title}", "", f"`{policy.name}`, SHA-256 `{policy.digest.hex()}`")
    yield f"In force since {_signed(changes[version.position], version.position)}."
    for committed, (head, words) in _HEADS.items():
        yield from ("", f"## {head}", "", words, "")
        rows = [row for row in promises if row.committed is committed]
        for row in rows:
            cited = f" ({row.source})" if row.source else ""
            title = f"{row.title}: " if row.title != row.id else ""
            yield f"- **{row.id}**: {title}{row.terms}{cited}"
            if row.demoted_at is not None:
                until = _signed(changes[row.demoted_at], row.demoted_at)
                yield f"  A commitment in `{row.committed_in}`, until {until}."
        if not rows:
            yield "Nothing."


def _json(
    version: Version, promises: tuple[Promise, ...], changes: dict[int, tuple[str, tuple[str, ...]]]
) -> dict[str, Any]:
    def row_of(row: Promise) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": row.kind, "id": row.id, "title": row.title, "terms": row.terms}
        found["source"] = row.source
        if row.demoted_at is not None:
            change, roles = changes[row.demoted_at]
            found |= {"committed_in": row.committed_in, "demoted_at": row.demoted_at}
            found |= {"change": change, "signed_by_roles": list(roles)}
        return found

    change, roles = changes[version.position]
    return {
        "policy": version.policy.name, "digest": version.policy.digest.hex(), "adopted_position": version.position,
        "change": change, "signed_by_roles": list(roles),
        "committed": [row_of(row) for row in promises if row.committed],
        "recommended": [row_of(row) for row in promises if not row.committed],
    }  # fmt: skip
