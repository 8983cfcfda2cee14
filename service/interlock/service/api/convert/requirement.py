"""The requirement tree as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.service.api.times import from_microseconds
from interlock.v1 import gate_pb2

if TYPE_CHECKING:
    from interlock.statemachine.tree import Node


def node_message(node: Node) -> gate_pb2.RequirementNode:
    """Return the message of a node with all that is under it."""
    message = gate_pb2.RequirementNode(
        rule=node.rule,
        requirement=node.requirement,
        met=node.met,
        blocking=node.blocking,
        code=node.code,
        actual=node.actual,
        resource=node.resource,
        entries=node.entries,
        evidence=node.evidence,
        signers=node.signers,
        children=map(node_message, node.children),
        not_judged=not node.judged,
    )
    if node.until is not None:
        message.until_time.CopyFrom(from_microseconds(node.until))
    return message
