"""`interlock audit checkpoint` and `prove`: standard formats for other tools, each checked here before it is printed.

Checkpoints are C2SP signed notes, byte for byte. Proofs are JSON with the names of RFC 6962 §4.5 and §4.4:
``leaf_index`` and ``audit_path``, ``first``, ``second`` and ``consistency``; hashes are base64.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.run import Run  # noqa: TC001  # typer evaluates it

if TYPE_CHECKING:
    from interlock.client.proving import ProvenEntry, ProvenExtension, SignedCheckpoint


def checkpoint(
    run: Run,
    every: Annotated[bool, typer.Option("--list", help="Every checkpoint ever shown, an empty line between.")] = False,
) -> None:
    """Print the newest signed checkpoint as a C2SP signed note, with the cosignatures that it has.

    Its signature is checked, and that it extends what this profile has seen; two heads that disagree are kept and
    printed, exit 1.
    """
    with run.client() as client:
        heads = list(client.audit.checkpoints()) if every else [client.audit.checkpoint()]
    if run.as_json:
        rows = [_head_json(head) for head in heads]
        run.terminal.json({"checkpoints": rows} if every else rows[0])
        return
    run.terminal.exact("\n".join(head.note for head in heads))


def prove(
    run: Run,
    seq: Annotated[
        int | None, typer.Argument(metavar="[POSITION]", min=0, help="Prove that this entry is in the log.")
    ] = None,
    size: Annotated[int | None, typer.Option("--size", min=1, metavar="N", help="In the tree of N entries.")] = None,
    first: Annotated[
        int | None, typer.Option("--from", min=1, metavar="A", help="Prove that the log extends its first A entries.")
    ] = None,
    second: Annotated[int | None, typer.Option("--to", min=1, metavar="B", help="By B entries; else by all.")] = None,
) -> None:
    """Print a proof as JSON, as RFC 6962 names its parts, with the signed checkpoint that it leads to.

    It is checked here first: the entry's stored bytes, the path, the log's signature. Exit 1 if it does not verify.
    """
    if (seq is None) == (first is None) or (second and not first) or (size and seq is None):
        raise typer.BadParameter("give a POSITION, perhaps with --size, or --from, perhaps with --to")
    with run.client() as client:
        if first is not None:
            run.terminal.json(consistency_json(client.audit.consistency_proof(first, second or 0)))
        elif seq is not None:
            entry = client.audit.get(seq).entry
            run.terminal.json(inclusion_json(client.audit.inclusion_proof(seq, tree_size=size or 0, entry=entry)))


def inclusion_json(proof: ProvenEntry) -> dict[str, object]:
    """Return an inclusion proof as RFC 6962 names its parts, with what it leads to."""
    return {
        "leaf_index": proof.position,
        "leaf_hash": _base64(proof.leaf_hash),
        "audit_path": [_base64(node) for node in proof.hashes],
        **_tree_json(proof.checkpoint),
    }


def consistency_json(proof: ProvenExtension) -> dict[str, object]:
    """Return a consistency proof as RFC 6962 names its parts, with what it leads from and to."""
    return {
        "first": proof.first.size,
        "first_sha256_root_hash": _base64(proof.first.root),
        "first_checkpoint": proof.first.note,
        "second": proof.second.size,
        "consistency": [_base64(node) for node in proof.hashes],
        **_tree_json(proof.second),
    }


def _tree_json(head: SignedCheckpoint) -> dict[str, object]:
    return {"tree_size": head.size, "sha256_root_hash": _base64(head.root), "checkpoint": head.note}


def _head_json(head: SignedCheckpoint) -> dict[str, object]:
    return {"size": head.size, "root": head.root.hex(), "note": head.note}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
