"""Why a model might go somewhere, or might not, at a moment of the past: by the rules of then, or by others. Pure.

Under another pack the facts are judged as if it had just been adopted then: its ids stand for those that it says they
stand for (``succeeds:``), or for the same ones, exactly as adopting does it. What is lost so is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.client.mapping import map_ids
from interlock.statemachine import carrying
from interlock.statemachine.compare import newest_artifact
from interlock.statemachine.simulating import carry_over
from interlock.statemachine.tree import Node, grow_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from interlock.statemachine.compare import Moment
    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.state import State

_NOTHING: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Why:
    """A verdict of the past with the tree that it follows from.

    ``artifact`` is the one asked about, the newest of then where the context wants one and none was named. ``adopted``
    says whether ``policy`` was in force then; ``lost`` are facts of the model that it has no id for, ``mapped`` the ids
    that whoever asked said to stand for others.
    """

    model: str
    context: str
    artifact: str
    moment: Moment
    policy: Policy
    adopted: bool
    tree: Node
    lost: tuple[str, ...]
    mapped: Mapping[str, tuple[str, ...]]

    @property
    def allowed(self) -> bool:
        """Whether the verdict was, or would have been, ALLOW; the server's own conditions are not in it."""
        return self.tree.met

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions of all entries that the tree names."""
        return tuple(sorted({at for node in walk(self.tree) for at in node.entries}))


def why(
    moment: Moment,
    model: str,
    context: str,
    artifact: str = "",
    policy: Policy | None = None,
    mapped: Mapping[str, tuple[str, ...]] = _NOTHING,
) -> Why:
    """Judge a moment of the past. Raises LookupError where nothing was founded then.

    ``mapped`` says what ids of another ``policy`` stand for, besides what that says itself. Raises MapError for what no
    pack could say.
    """
    judged_by = policy or moment.policy
    if judged_by is None or moment.policy is None:
        raise LookupError("nothing was founded then")
    place = judged_by.context(context)
    if not artifact and place is not None and place.artifact_required:
        artifact = newest_artifact(moment, model)
    if mapped:
        judged_by = map_ids(moment.policy, judged_by, mapped)
    adopted, state = judged_by.digest == moment.policy.digest, moment.state
    lost = () if adopted else tuple(_lost(moment.policy, judged_by, state, model))
    if not adopted:
        state = carry_over(moment.policy, judged_by, state, moment.instant)
    tree = grow_tree(judged_by, state, model, context, artifact, moment.instant)
    return Why(model, context, artifact, moment, judged_by, adopted, tree, lost, mapped)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything under it, in order."""
    yield node
    for child in node.children:
        yield from walk(child)


def _lost(old: Policy, new: Policy, state: State, model: str) -> Iterator[str]:
    """Yield what is known of a model that a policy has no id for."""
    for item in carrying.lost(old, new, state, model):
        yield f"{item.name} ({getattr(item, 'state', '')})"
