"""A second opinion on sign-offs: each rule read off the pack's YAML, each way to fill its slots tried in turn.

Facts (who signed what and when, who proposed, who uploaded, who holds what) are read from the fold; what they mean is
judged here, with no help from ``signing.py``, ``authority.py``, ``quorum.py`` or the compiled policy.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any

from interlock.statemachine import codec
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.triggers import DIRECTIONS, Direction
from tests.support.naive_clocks import microseconds
from tests.support.oracle import parsed

if TYPE_CHECKING:
    from interlock.statemachine.entry import Content
    from interlock.statemachine.state import State
    from tests.support.world import World


_OF_MODELS = (
    "model", "determination", "level", "safeguard", "target", "hold", "assessment", "deployment", "incident", "finding",
    "period", "policy", "change",
)  # fmt: skip
GRAVE = ("serious", "critical")
"""Severities that block in a pack that says nothing of them."""


def slots_of(pack: Any, world: World, firing: f.Firing) -> list[dict[str, Any]]:  # noqa: ANN401  # parsed YAML
    """Return the slots of all rules that a trigger must meet, one rule after the other."""
    return [slot for slots, _ in rules_of(pack, world, firing) for slot in slots]


def rules_of(
    pack: Any,  # noqa: ANN401  # parsed YAML
    world: World,
    firing: f.Firing,
) -> list[tuple[list[dict[str, Any]], str | None]]:
    """Return the slots of each rule that a trigger must meet, with the id of the model that it is judged on.

    One for most; for a ratification those of all triggers of the change that it ratifies, and one that names it.
    """
    if not isinstance(firing, f.ChangeRatify):
        return [(slots, _model(world, firing)) for slots in _rules_of_pack(pack, world.state, firing)]
    named = any(firing.trigger.value in rule["triggers"] for rule in pack.get("rules", []))
    change = world.state.find(firing.change, r.Change)
    if change is None or change.state != "applied":
        return [(slots, None) for slots in _rules_of_pack(pack, world.state, firing)]
    found: list[tuple[list[dict[str, Any]], str | None]] = []
    content = codec.decode_content(change.content)
    for inner in content.triggers:
        found += [rule for rule in rules_of(_of_its_day(pack, world, content), world, inner) if rule not in found]
    if named:
        models = {model for _, model in found}
        found += [
            (slots, models.pop() if len(models) == 1 else None) for slots in _rules_of_pack(pack, world.state, firing)
        ]
    return found


def _of_its_day(pack: Any, world: World, content: Content) -> Any:  # noqa: ANN401  # parsed YAML
    """Return the pack that a change was written under; the one in force where the world keeps no others."""
    data = world.objects.get(content.policy_digest)
    return pack if data is None else parsed(codec.decode_pack(data)["policy.yaml"])


def _rules_of_pack(pack: Any, state: State, firing: f.Firing) -> list[list[dict[str, Any]]]:  # noqa: ANN401  # parsed YAML
    """Return the slots of a trigger's rule, in a list: the one for its standard, or without one, or the default."""
    trigger, standard = firing.trigger.value, _standard(pack, firing)
    rules = [rule for rule in pack.get("rules", []) if trigger in rule["triggers"]]
    narrow = [rule for rule in rules if rule.get("standard") is not None and rule["standard"] == standard]
    wide = [rule for rule in rules if rule.get("standard") is None]
    fallback = [pack["default"]] if _loosens(pack, state, firing) else []
    chosen = (narrow or wide or fallback)[:1]
    return [[slot for slot in rule["sign_offs"] for _ in range(slot.get("count", 1))] for rule in chosen]


def _loosens(pack: Any, state: State, firing: f.Firing) -> bool:  # noqa: ANN401  # parsed YAML
    if isinstance(firing, f.ObligationFulfil):
        return bool(pack["obligations"].get(firing.period.split("/")[1], {}).get("blocking"))
    rows = pack.get("incidents", {}).get("severities", ["low", *({"id": w, "blocking": True} for w in GRAVE)])
    order = [row if isinstance(row, str) else row["id"] for row in rows]
    blocks = {row["id"] for row in rows if isinstance(row, dict) and row.get("blocking")}
    incident = state.find(getattr(firing, "incident", ""), r.Incident)
    finding = state.find(getattr(firing, "finding", ""), r.Finding)
    if isinstance(firing, f.IncidentTriage):
        known = incident is not None and bool(incident.severity) and firing.severity in order
        was = incident.severity if incident is not None else ""
        return known and order.index(firing.severity) < (order.index(was) if was in order else len(order))
    if isinstance(firing, f.IncidentClose):
        return incident is not None and incident.state != "closed" and _grave(incident.severity, order, blocks)
    if isinstance(firing, f.FindingDismiss):
        return finding is not None and finding.state == "confirmed" and _grave(finding.severity, order, blocks)
    return DIRECTIONS[firing.trigger] is Direction.LOOSENS


def _grave(severity: str, order: list[str], blocks: set[str]) -> bool:
    """Say whether a severity blocks; one that a pack dropped does."""
    return severity in blocks or (bool(severity) and severity not in order)


def most_filled(pack: Any, world: World, change: r.Change, firing: f.Firing) -> int:  # noqa: ANN401  # parsed YAML
    """Return how many slots of a trigger's rules can be filled at once, a person filling one of each rule."""
    return sum(_most_of_rule(pack, world, change, *rule) for rule in rules_of(pack, world, firing))


def _most_of_rule(
    pack: Any,  # noqa: ANN401  # parsed YAML
    world: World,
    change: r.Change,
    slots: list[dict[str, Any]],
    model: str | None,
) -> int:
    approvals = _approvals(world, change)
    fits = [[_fits(pack, world, change, approval, slot, model) for slot in slots] for approval in approvals]
    for count in range(min(len(slots), len(approvals)), 0, -1):
        for who in permutations(range(len(approvals)), count):
            for where in combinations(range(len(slots)), count):
                if all(fits[person][slot] for person, slot in zip(who, where, strict=True)):
                    return count
    return 0


def _standard(pack: Any, firing: f.Firing) -> str | None:  # noqa: ANN401  # parsed YAML
    level, safeguard = getattr(firing, "level", None), getattr(firing, "safeguard", None)
    if level is not None:
        return str(level).rsplit("/", 1)[1]
    if safeguard is not None:
        return str(pack["safeguards"].get(str(safeguard).rsplit("/", 1)[1], {}).get("standard"))
    return None


def _model(world: World, firing: f.Firing) -> str | None:
    """Return the id of the one model that a trigger is about."""
    about = next(
        (getattr(firing, name) for name in (*_OF_MODELS, "principal", "credential", "grant") if hasattr(firing, name)),
        "",  # an obligation, a policy: no one model's
    )
    if about.startswith("holds/"):
        hold = world.state.find(about, r.Hold)
        about = hold.target if hold is not None else about
    if about.startswith("assessments/"):
        assessment = world.state.find(about, r.Assessment)
        about = assessment.model if assessment is not None else about
    if about.startswith("deployments/"):
        deployment = world.state.find(about, r.Deployment)
        about = deployment.model if deployment is not None else about
    seen = world.state.find(about, r.Incident) or world.state.find(about, r.Finding)
    about = seen.target if seen is not None else about
    return str(about).split("/")[1] if about.startswith("models/") else None


def _person(world: World, principal: str) -> str:
    """Return who is behind an account: one with all who share a person with them, or did until a tainted entry."""
    account = world.state.need(principal, r.Principal)
    if not account.person:
        return account.name
    same = {account.person}
    everybody = [behind(world, other) for other in world.state.all_of(r.Principal)]
    while (more := same.union(*(persons for persons in everybody if persons & same))) != same:
        same = more
    return min(other.person for other in world.state.all_of(r.Principal) if other.person in same)


def behind(world: World, account: r.Principal) -> set[str]:
    """Return the person of an account, and the one that it was of before a tainted change parted it."""
    return {account.person, account.person_was if account.unlinked_by in world.state.tainted else ""} - {""}


def _grants(world: World, principal: str) -> list[r.Grant]:
    """Return the grants of an account that hold now."""
    if world.state.need(principal, r.Principal).state != "active":
        return []
    return [
        grant
        for grant in world.state.all_of(r.Grant)
        if grant.principal == principal and grant.state == "active" and (grant.until is None or world.now < grant.until)
    ]


def _administers(world: World, person: str) -> bool:
    """Say whether a person holds the role admin under any account, or did in the last 30 days."""
    for grant in world.state.all_of(r.Grant):
        ends = [end for end in (grant.until, grant.ended_at) if end is not None]
        lately = not ends or world.now < min(ends) + microseconds("30d")
        if grant.role == "admin" and lately and _person(world, grant.principal) == person:
            return True
    return False


def _signed_with_a_good_key(world: World, sign_off: r.SignOff) -> bool:
    """Say whether the key was its owner's alone when it signed."""
    [key] = [
        key
        for key in world.state.need(sign_off.signer, r.Principal).credentials
        if key.fingerprint == sign_off.credential
    ]
    return key.compromised_since is None or sign_off.at < key.compromised_since


def _approvals(world: World, change: r.Change) -> list[r.SignOff]:
    latest = {_person(world, sign_off.signer): sign_off for sign_off in change.sign_offs}
    return [
        sign_off
        for sign_off in latest.values()
        if sign_off.decision == "approve"
        and sign_off.revision == change.revision
        and (not sign_off.not_after or world.now < sign_off.not_after)
        and {grant.role for grant in _grants(world, sign_off.signer)} & set(sign_off.roles)
        and _signed_with_a_good_key(world, sign_off)
        and not _administers(world, _person(world, sign_off.signer))
    ]


def _fits(
    pack: Any,  # noqa: ANN401  # parsed YAML
    world: World,
    change: r.Change,
    approval: r.SignOff,
    slot: dict[str, Any],
    model: str | None,
) -> bool:
    signer = world.state.need(approval.signer, r.Principal)
    role = slot["role"]
    held = any(
        grant.role == role
        and (grant.scope == "*" or (model is not None and fnmatchcase(model, grant.scope)))
        and grant.given_position < change.proposed_position
        for grant in _grants(world, approval.signer)
    )
    external = "external" in {slot.get("affiliation"), pack["roles"][role].get("affiliation")}
    person = _person(world, approval.signer)
    unwanted: set[str] = set()
    if "requester" in slot.get("distinct_from", []):
        unwanted |= {_person(world, principal) for principal in _requesters(world, change)}
    if "evidence_author" in slot.get("distinct_from", []):
        unwanted |= _authors(world, change)
    opened = {name for name, seen in approval.seen if seen == "full"}
    content = codec.decode_content(change.content)
    bound = {name for name, _ in content.evidence} | {name for row in content.triggers for name in _named(row)}
    return (
        held
        and role in approval.roles
        and signer.kind != "service"
        and (not external or signer.kind == "external")
        and person not in unwanted
        and (slot.get("seen") != "full" or bound <= opened)
    )


def _ratified(world: World, change: r.Change) -> list[r.Change]:
    """Return the changes that a change would ratify."""
    wanted = [row.change for row in codec.decode_content(change.content).triggers if isinstance(row, f.ChangeRatify)]
    found = [world.state.find(name, r.Change) for name in wanted]
    return [known for known in found if known is not None and known.state == "applied"]


def _requesters(world: World, change: r.Change) -> set[str]:
    """Return the accounts that requested a change, or one that it ratifies."""
    return set(change.requesters).union(*(_requesters(world, inner) for inner in _ratified(world, change)))


def _named(firing: f.Firing) -> set[str]:
    """Return the documents that a trigger names."""
    own: str | tuple[str, ...] = getattr(firing, "evidence", ())
    return {own} if isinstance(own, str) else set(own)


def _authors(world: World, change: r.Change) -> set[str]:
    """Return the persons who uploaded, wrote or verified what is attached or relied on."""
    content = codec.decode_content(change.content)
    documents, people = {name for name, _ in content.evidence}, set[str]()
    for inner in _ratified(world, change):  # of its own day: the fold has written down who that was
        people |= set(inner.grounds.authors if inner.grounds is not None else ())
    for firing in content.triggers:
        if firing.trigger.value in {"safeguard.activate", "safeguard.restore", "safeguard.resume"}:
            known = world.state.safeguard(getattr(firing, "safeguard", ""))
            documents |= set(known.evidence)
            people |= {known.verified_by} - {""}
        if firing.trigger.value in {"safeguard.verify", "safeguard.reattest"}:
            people.add(change.proposer)
        if firing.trigger.value == "determination.confirm":
            reported = world.state.find(getattr(firing, "determination", ""), r.Determination)
            documents |= set(reported.evidence if reported is not None else ())
        documents |= _named(firing)
    for name in documents:
        document = world.state.find(name, r.Evidence)
        if document is not None:
            people |= {document.uploader, *document.authors}
    return {_person(world, principal) for principal in people}


def standing_rejects(world: World, change: r.Change) -> list[str]:
    """Return who stands against a change: rejects not taken back, whose role did not look at this revision again."""
    latest = {_person(world, sign_off.signer): sign_off for sign_off in change.sign_offs}
    present = [
        sign_off
        for sign_off in latest.values()
        if sign_off.revision == change.revision and sign_off.decision in {"approve", "reject"}
    ]
    found = []
    for index, sign_off in enumerate(change.sign_offs):
        later = change.sign_offs[index + 1 :]  # by the author, as they were known then
        if sign_off.decision != "reject" or any(
            _person(world, row.signer) == _person(world, sign_off.signer)
            and (row.signer == sign_off.signer or _were_one(world, sign_off, row))
            and _signed_with_a_good_key(world, row)
            for row in later
        ):
            continue
        again = [row for row in present if set(row.roles) & set(sign_off.roles)]
        if sign_off.revision == change.revision or not [later for row in again if _counts(world, change, row)]:
            found.append(sign_off.signer)
    return found


def _were_one(world: World, reject: r.SignOff, later: r.SignOff) -> bool:
    """Say whether two signers were one person's accounts when the first rejected, whatever was learned since."""
    both = [world.state.need(name, r.Principal) for name in (reject.signer, later.signer)]
    joined = [position for account in both for position in (account.linked_by, account.given_by[0])]
    return reject.person == later.person and max(joined) < reject.position


def _counts(world: World, change: r.Change, sign_off: r.SignOff) -> bool:
    """Say whether a decision still stands: a reject does, an approval unless something made it void."""
    return sign_off.decision == "reject" or sign_off in _approvals(world, change)


def may_be_applied(pack: Any, world: World, change: r.Change) -> bool:  # noqa: ANN401  # parsed YAML
    """Say whether sign-offs, base and age allow a change to be applied; evidence and rights are not looked at."""
    content = codec.decode_content(change.content)
    last = change.edited_at + microseconds(pack.get("changes_expire_after", "14d"))
    return (
        change.state == "in_review"
        and world.now < last
        and not standing_rejects(world, change)
        and all(world.state.position(name) == position for name, position in content.base)
        and all(
            most_filled(pack, world, change, firing) == len(slots_of(pack, world, firing))
            for firing in content.triggers
        )
    )
