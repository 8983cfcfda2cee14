"""Why a model might go somewhere, or might not, at a moment of the past: by the rules of then, or by others. Pure.

Under another pack the same facts are judged by its rules alone. Ids carry over where they are the same: a threshold
that was never determined is undetermined, a level id that the pack does not have counts as unassigned, a safeguard that
it does not list is not asked for. What is lost so is said; a mapping between ids is not applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine import names
from interlock.statemachine import resources as r
from interlock.statemachine.compare import newest_artifact
from interlock.statemachine.tree import Node, grow_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.compare import Moment
    from interlock.statemachine.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Why:
    """A verdict of the past with the tree that it follows from.

    ``artifact`` is the one asked about, the newest of then where the context wants one and none was named. ``adopted``
    says whether ``policy`` was in force then; ``lost`` are facts of the model that it has no id for.
    """

    model: str
    context: str
    artifact: str
    moment: Moment
    policy: Policy
    adopted: bool
    tree: Node
    lost: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """Whether the verdict was, or would have been, ALLOW; the server's own conditions are not in it."""
        return self.tree.met

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions of all entries that the tree names."""
        return tuple(sorted({at for node in walk(self.tree) for at in node.entries}))


def why(moment: Moment, model: str, context: str, artifact: str = "", policy: Policy | None = None) -> Why:
    """Judge a moment of the past. Raises LookupError where nothing was founded then."""
    judged_by = policy or moment.policy
    if judged_by is None or moment.policy is None:
        raise LookupError("nothing was founded then")
    place = judged_by.context(context)
    if not artifact and place is not None and place.artifact_required:
        artifact = newest_artifact(moment, model)
    tree = grow_tree(judged_by, moment.state, model, context, artifact, moment.instant)
    adopted = judged_by.digest == moment.policy.digest
    lost = () if adopted else tuple(_lost(moment, model, judged_by))
    return Why(model, context, artifact, moment, judged_by, adopted, tree, lost)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything under it, in order."""
    yield node
    for child in node.children:
        yield from walk(child)


def _lost(moment: Moment, model: str, policy: Policy) -> Iterator[str]:
    """Yield what is known of a model that a policy has no id for."""
    for name in sorted(moment.state.items):
        if names.model_of(name) != model:
            continue
        item, leaf = moment.state.items[name], names.leaf_of(name)
        match item:
            case r.Determination():
                known = leaf in policy.thresholds
            case r.Level(assigned=assigned):
                known = leaf in policy.standards and (not assigned or policy.level(assigned) is not None)
            case r.Safeguard():
                known = leaf in policy.safeguards
            case _:
                known = True
        if not known:
            yield f"{name} ({getattr(item, 'state', '')})"
