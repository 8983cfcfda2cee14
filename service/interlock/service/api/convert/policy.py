"""Policy versions, and what is said of packs, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.service.api.status import unmet_message
from interlock.service.api.times import from_microseconds
from interlock.statemachine import resources as r
from interlock.statemachine.diffing import Difference, Way
from interlock.v1 import policy_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from interlock.service.ledger.view import View
    from interlock.statemachine.policy import Finding
    from interlock.statemachine.simulating import Simulation

_STATES: Final[Mapping[str, policy_pb2.PolicyState.ValueType]] = {
    "drafted": policy_pb2.POLICY_STATE_DRAFTED,
    "adopted": policy_pb2.POLICY_STATE_ADOPTED,
    "superseded": policy_pb2.POLICY_STATE_SUPERSEDED,
}
_WAYS: Final[Mapping[Way, policy_pb2.DifferenceWay.ValueType]] = {
    Way.LOOSENS: policy_pb2.DIFFERENCE_WAY_LOOSENS,
    Way.TIGHTENS: policy_pb2.DIFFERENCE_WAY_TIGHTENS,
    Way.NEUTRAL: policy_pb2.DIFFERENCE_WAY_NEUTRAL,
}


def versions_of(view: View) -> dict[str, r.PolicyVersion]:
    """Return every version by name: those adopted, and those that some change proposed, by the newest pack."""
    found = {version.name: version for version in view.state.all_of(r.PolicyVersion)}
    for pack in sorted(view.state.all_of(r.Pack), key=lambda item: view.state.position(item.name)):
        name, _, digest = pack.name.partition("/packs/")
        known = found.get(name)
        if known is None or known.state == "drafted":
            found[name] = r.PolicyVersion(name, name.rpartition("/")[2], bytes.fromhex(digest), "drafted")
    return found


def policy_message(view: View, version: r.PolicyVersion, title: str) -> policy_pb2.Policy:
    """Return a policy version without its pack."""
    message = policy_pb2.Policy(
        name=version.name,
        title=title,
        digest=version.digest.hex(),
        in_force=version.name == view.policy.name,
        state=_STATES[version.state],
        adopted_position=version.adopted_by,
    )
    if version.state != "drafted":
        message.adopt_time.CopyFrom(from_microseconds(version.adopted_at))
    return message


def finding_messages(findings: Iterable[Finding]) -> list[policy_pb2.PolicyFinding]:
    """Return what was found in a pack."""
    return [
        policy_pb2.PolicyFinding(
            severity=row.severity.value,
            file=row.file,
            line=row.line,
            column=row.column,
            code=row.code.value,
            message=row.message,
            fix=row.fix,
            calls=row.calls,
        )
        for row in findings
    ]


def difference_messages(differences: Iterable[Difference]) -> list[policy_pb2.PolicyDifference]:
    """Return what differs between two versions."""
    return [
        policy_pb2.PolicyDifference(
            way=_WAYS[row.way], area=row.area, subject=row.subject, words=row.words, foremost=row.foremost
        )
        for row in differences
    ]


def simulation_message(view: View, found: Simulation, instant: int) -> policy_pb2.SimulatePolicyResponse:
    """Return what adopting a pack would do at the view's position and ``instant`` (microseconds)."""
    answer = policy_pb2.SimulatePolicyResponse(
        releases=found.releases, log_position=view.position, instant=from_microseconds(instant)
    )
    for row in found.turned:
        answer.flips.add(
            model=row.model,
            context=row.context,
            artifact_digest=row.artifact,
            allowed=row.allowed,
            reasons=[unmet_message(unmet) for unmet in row.reasons],
        )
    for moved in found.carried:
        message = answer.carried.add(resource=moved.item.name, to=moved.after)
        setattr(message, "from", moved.before)  # a word that Python keeps for itself
    for rule in found.unfillable:
        answer.unfillable.add(triggers=rule.triggers, roles=rule.roles)
    return answer
