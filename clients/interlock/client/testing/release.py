"""Bringing a model to ALLOW with the keys of everybody: ordinary changes, as the policy in force asks for them.

Lives here: what a change has to hold, and who has to sign it. Not here: any way round the rules; there is none.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interlock.client import names
from interlock.client.errors import AlreadyExistsError, NotFoundError
from interlock.client.groups.gate import is_allowed
from interlock.client.testing.embedded import EmbeddedServerError
from interlock.statemachine.policy.loader import load_pack
from interlock.v1 import change_pb2, safeguard_pb2, trigger_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from interlock.client.sdk import Interlock
    from interlock.client.testing.embedded import EmbeddedServer
    from interlock.statemachine.policy.model import Policy
    from interlock.v1.change_pb2 import Change
    from interlock.v1.gate_pb2 import CheckReleaseResponse
    from interlock.v1.identity_pb2 import Principal
    from interlock.v1.trigger_pb2 import Trigger

_READER: Final = "auditor"
"""An account that every development log has, and that may read everything."""

_RULE_OUT: Final = "determination.rule_out"
_ASSIGN: Final = "level.assign"
_ACTIVATE: Final = "safeguard.activate"


class People:
    """Who may do what at an embedded server, by the policy in force and the grants there are."""

    def __init__(self, server: EmbeddedServer) -> None:
        """Ask ``server`` when something is first needed."""
        self._server = server

    @cached_property
    def policy(self) -> Policy:
        """The policy in force."""
        pack = self._server.client(_READER).policy.get().pack
        return load_pack({row.path: row.content for row in pack.files})

    @cached_property
    def accounts(self) -> tuple[Principal, ...]:
        """The accounts whose keys are here; those that sign nothing first, so that an approver stays free to sign."""
        listed = [
            row for row in self._server.client(_READER).identity.list() if names.leaf(row.name) in self._server.people
        ]
        return tuple(sorted(listed, key=lambda row: any(grant.approves for grant in row.grants)))

    def who_may(self, right: str) -> Interlock:
        """Return the client of the first account that has a right. Raises EmbeddedServerError."""
        for account in self.accounts:
            if any(right in self.policy.roles[grant.role].rights for grant in account.grants):
                return self._server.client(names.leaf(account.name))
        raise EmbeddedServerError(f"nobody at this server has the right {right}")

    def signers(self, role: str, without: Iterable[str]) -> Iterator[Interlock]:
        """Yield the clients of those whose word counts in a role, ``without`` some accounts."""
        for account in self.accounts:
            held = any(grant.approves and grant.role == role for grant in account.grants)
            if held and account.name not in without:
                yield self._server.client(names.leaf(account.name))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one change has to do for a model, and the kinds of documents that it takes."""

    triggers: tuple[Trigger, ...]
    kinds: tuple[str, ...]


def allow(server: EmbeddedServer, model: str, context: str, artifact: str) -> CheckReleaseResponse:
    """Bring a model to ALLOW, and return the answer. Raises EmbeddedServerError."""
    people = People(server)
    asker = people.who_may("gate.check")
    _register(people, model, artifact)
    answer = asker.gate.check(model, context, artifact=artifact)
    if not is_allowed(answer):
        _apply(people, model, context)
        answer = asker.gate.check(model, context, artifact=artifact)
    if not is_allowed(answer):
        reasons = "; ".join(f"{row.code} {row.resource}" for row in answer.reasons)
        raise EmbeddedServerError(f"{model} is still denied for {context}: {reasons}")
    return answer


def _register(people: People, model: str, artifact: str) -> None:
    try:
        people.who_may("model.register").models.create(model, artifacts=[artifact] if artifact else [])
    except AlreadyExistsError:
        return


def _apply(people: People, model: str, context: str) -> None:
    uploader = people.who_may("evidence.upload")
    wanted = _kinds_first(people, model)
    documents: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="interlock-test-") as folder:
        for kind in wanted:
            file = Path(folder) / f"{kind}.md"
            file.write_text(f"# {kind} of {model}\n\nMade for a test; it says nothing.\n", "utf-8")
            documents[kind] = uploader.evidence.upload(file, kind=kind).name
    triggers = tuple(_triggers(people, model, documents))
    if not triggers:
        return
    title = f"{names.leaf(names.model(model))} for {context}, for a test"
    change = people.who_may("change.propose").changes.propose(triggers, title=title, evidence=documents.values())
    _sign(people, change)


def _kinds_first(people: People, model: str) -> tuple[str, ...]:
    """Return the kinds of documents that the rules and the safeguards concerned ask for."""
    policy = people.policy
    rules = [policy.rules.get(trigger, policy.default_rule) for trigger in (_RULE_OUT, _ASSIGN, _ACTIVATE)]
    rules += [
        rule for (trigger, _), rule in policy.narrowed_rules.items() if trigger in {_RULE_OUT, _ASSIGN, _ACTIVATE}
    ]
    needs = [need.kind for rule in rules for need in rule.evidence]
    needs += [need.kind for safeguard in _missing(people, model) for need in policy.safeguards[safeguard].verify_with]
    return tuple(dict.fromkeys(needs))


def _triggers(people: People, model: str, documents: dict[str, str]) -> Iterator[Trigger]:
    policy, name = people.policy, names.model(model)
    reader = people.who_may("audit.read")
    out = {names.leaf(row.name) for row in reader.models.get(model).determinations if row.conclusion == _RULED_OUT}
    for threshold in policy.thresholds.values():
        if not threshold.tracked and threshold.id not in out:
            of = trigger_pb2.DeterminationRuleOut(determination=f"{name}/determinations/{threshold.id}")
            yield trigger_pb2.Trigger(determination_rule_out=of)
    assigned = {names.leaf(row.name) for row in reader.models.get(model).levels if row.assigned}
    for standard in policy.standards.values():
        if standard.id not in assigned:
            to = trigger_pb2.LevelAssign(level=f"{name}/levels/{standard.id}", to=standard.baseline)
            yield trigger_pb2.Trigger(level_assign=to)
    for safeguard in _missing(people, model):
        of_model = _safeguard_name(policy, model, safeguard)
        shown_by = [documents[need.kind] for need in policy.safeguards[safeguard].verify_with]
        yield trigger_pb2.Trigger(safeguard_start=trigger_pb2.SafeguardStart(safeguard=of_model))
        verify = trigger_pb2.SafeguardVerify(safeguard=of_model, evidence=shown_by)
        yield trigger_pb2.Trigger(safeguard_verify=verify)
        yield trigger_pb2.Trigger(safeguard_activate=trigger_pb2.SafeguardActivate(safeguard=of_model))


_RULED_OUT: Final = trigger_pb2.CONCLUSION_RULED_OUT
_UNTOUCHED: Final = frozenset({safeguard_pb2.SAFEGUARD_STATE_UNSPECIFIED, safeguard_pb2.SAFEGUARD_STATE_PLANNED})


def _missing(people: People, model: str) -> list[str]:
    """Return the safeguards that the baselines ask for and that nobody has begun."""
    policy = people.policy
    index = {level.id: level.index for level in policy.levels}
    return [
        row.id
        for row in policy.safeguards.values()
        if row.track == "commitment"
        and not row.for_thresholds
        and row.level_index <= index[policy.standards[row.standard].baseline]
        and _untouched(people, _safeguard_name(policy, model, row.id))
    ]


def _untouched(people: People, safeguard: str) -> bool:
    try:
        return people.who_may("audit.read").safeguards.get(safeguard).state in _UNTOUCHED
    except NotFoundError:
        return True


def _safeguard_name(policy: Policy, model: str, safeguard: str) -> str:
    return f"safeguards/{safeguard}" if policy.safeguards[safeguard].shared else names.safeguard(safeguard, model)


def _sign(people: People, change: Change) -> None:
    """Have everybody sign whom the change asks for, until it is applied. Raises EmbeddedServerError."""
    signed: set[str] = set()
    while change.state == change_pb2.CHANGE_STATE_IN_REVIEW:
        open_roles = dict.fromkeys(slot.role for slot in change.slots if not slot.filled_by)
        signer = next((one for role in open_roles for one in people.signers(role, signed)), None)
        if signer is None:
            raise EmbeddedServerError(f"{change.name}: nobody is left to sign as {', '.join(open_roles)}")
        reviewed = signer.review(change.name)
        with tempfile.TemporaryDirectory(prefix="interlock-test-") as folder:
            for document in (*reviewed.evidence, *reviewed.named):
                signer.evidence.download(document.name, Path(folder) / names.leaf(document.name))
        change = signer.sign(reviewed)
        signed.add(signer.profile.principal)
    if change.state != change_pb2.CHANGE_STATE_APPLIED:
        state = change_pb2.ChangeState.Name(change.state)
        raise EmbeddedServerError(f"{change.name} was signed by everybody and is {state}")
