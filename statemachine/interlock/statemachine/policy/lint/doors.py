"""Effective quorums: what a rule's people can be got round by, as a fixpoint over every way to a trigger.

Ways are the trigger's own rule; a *door* through which sign-offs can be made at will (another policy, roles given, keys
registered, accounts brought back); and a *detour*, other triggers of the same machine that lead to the same state.
Delegation is no way: a delegate's sign-off counts only where the rule holds for delegator and delegate alike, and the
two are one person. Break-glass and interim measures last for a while and are noted, not refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interlock.statemachine.policy.findings import Code
from interlock.statemachine.policy.lint.detours import TIME, detours
from interlock.statemachine.policy.lint.machines import Key, ruled_keys
from interlock.statemachine.policy.lint.people import implies, in_words, kinds_of, lacking, signed_by
from interlock.statemachine.policy.lint.report import Claim, error, note, rule_path
from interlock.statemachine.policy.vocabulary import EXCEPTABLE
from interlock.statemachine.triggers import Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from interlock.statemachine.policy.model import Policy, Rule
    from interlock.statemachine.policy.yamltree import Path

_DOORS: Final = {
    "policy.adopt": ("of a pack that asks for two people of your choice", "as that pack asks"),
    "rules.adopt": ("of rules that ask for less", "as these rules ask"),
    Trigger.GRANT_GIVE.value: ("of the roles that are asked for, to accounts of your choice", "by these accounts"),
    Trigger.CREDENTIAL_REGISTER.value: ("of keys of yours, on accounts that hold the roles", "with these keys"),
    Trigger.PRINCIPAL_UNLINK.value: ("of accounts that are one person's and hold the roles", "by these accounts"),
    Trigger.PRINCIPAL_RESTORE.value: ("of suspended accounts that held the roles", "by these accounts"),
}
"""Triggers after which sign-offs can be had at will: what is done, and who signs then."""

_STOOD_IN_FOR: Final = (
    Trigger.SAFEGUARD_ACTIVATE.value,
    Trigger.SAFEGUARD_REATTEST.value,
    Trigger.SAFEGUARD_RESTORE.value,
    Trigger.SAFEGUARD_RESUME.value,
)


@dataclass(frozen=True, slots=True)
class Route:
    """One way to have a trigger fired: the rules that have to be met, and the calls in order."""

    first: Key  # whose rule is met first
    rules: tuple[Rule, ...]
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quorum:
    """What a trigger really takes: its rule, and the ways to it of which none is implied by another."""

    key: Key
    rule: Rule
    routes: tuple[Route, ...]


def effective_quorums(policy: Policy) -> tuple[Quorum, ...]:
    """Return the fixpoint: starting from each trigger's own rule, easier ways are added until none is left."""
    rules = ruled_keys(policy)
    routes: dict[Key, tuple[Route, ...]] = {key: (_own(key, rule),) for key, rule in rules.items()}
    around = {key: tuple(_detours(policy, rules, key)) for key in rules}
    changed = True
    while changed:
        changed = False
        for key in rules:
            before = routes[key]
            for candidate in (*around[key], *_through_doors(key, routes)):
                routes[key] = _with(routes[key], candidate)
            changed = changed or routes[key] != before
    return tuple(Quorum(key, rules[key], routes[key]) for key in rules)


def _own(key: Key, rule: Rule) -> Route:
    return Route(key, (rule,), (f"{key}, {signed_by(rule)}",))


def _through_doors(key: Key, routes: Mapping[Key, tuple[Route, ...]]) -> Iterator[Route]:
    for trigger, (what, who) in _DOORS.items():
        door = Key(trigger)
        if door == key:
            continue
        for way in routes.get(door, ()):
            call = f"{trigger} {what}, {signed_by(way.rules[0])}" if way.first == door else way.calls[0]
            yield Route(
                way.first, way.rules, (call, f"{key}, signed {who if way.first == door else 'as it then asks'}")
            )


def _detours(policy: Policy, rules: Mapping[Key, Rule], key: Key) -> Iterator[Route]:
    """Yield the other triggers of the machine that lead where ``key`` leads, under each standard that differs."""
    for detour in detours(key.trigger, frozenset(trigger for trigger, _ in rules)):
        standards = (key.standard,) if key.standard is not None else tuple(policy.standards)
        for standard in standards:
            keys = [_key_of(rules, step, standard) for step in detour.path]
            ruled = [at for at in keys if at is not None]
            calls = [_call(rules, _key_of(rules, step, standard), step) for step in (*detour.before, *detour.path)]
            yield Route(ruled[0], tuple(dict.fromkeys(rules[at] for at in ruled)), tuple(calls))
            if all(at.standard is None for at in ruled):
                break  # no step is told apart by standard


def _call(rules: Mapping[Key, Rule], key: Key | None, step: str) -> str:
    if key is None:
        return step if step == TIME else f"{step} by one person"
    return f"{key}, {signed_by(rules[key])}"


def _key_of(rules: Mapping[Key, Rule], trigger: str, standard: str | None) -> Key | None:
    for key in (Key(trigger), Key(trigger, standard)):
        if key in rules:
            return key
    return None


def _with(routes: tuple[Route, ...], candidate: Route) -> tuple[Route, ...]:
    """Return the ways with one more, unless one of them is at least as easy; without those that it makes pointless."""
    if any(_asks_no_less(candidate, way) for way in routes):
        return routes
    return (*(way for way in routes if not _asks_no_less(way, candidate)), candidate)


def _asks_no_less(route: Route, other: Route) -> bool:
    """Say whether every group that can go one way can go the other as well."""
    return all(implies(route.rules, rule) for rule in other.rules)


def check_doors(policy: Policy, quorums: Iterable[Quorum]) -> Iterator[Claim]:
    """Yield an error for each rule that is a side door to others, with the trigger that it opens widest."""
    opened: dict[tuple[str, ...], list[tuple[Quorum, Route]]] = {}
    for quorum in quorums:
        for route in quorum.routes:
            if not implies(route.rules, quorum.rule):
                opened.setdefault(tuple(rule.id for rule in route.rules), []).append((quorum, route))
    for found in opened.values():
        quorum, route = max(found, key=lambda pair: len(lacking(pair[1].rules, pair[0].rule)))
        missing = in_words(lacking(route.rules, quorum.rule))
        others = len({pair[0].key for pair in found}) - 1
        more = f" (and {others} more)" if others else ""
        via = route.first.trigger
        message = (
            f"`{via}` is a side door to `{quorum.key}`{more}: it is {signed_by(route.rules[0])}, "
            f"where that takes {in_words(kinds_of(quorum.rule))}."
        )
        fix = f"ask for {missing} here too, or for fewer there"
        calls = (*route.calls[:-1], f"{route.calls[-1]} → applied without {missing}")
        yield error(_place(route.rules[0], via), Code.SIDE_DOOR, message, fix, calls)
    yield from _for_a_while(policy)


def _for_a_while(policy: Policy) -> Iterator[Claim]:
    """Yield a note where an exception or a measure is easier to have than what it stands in for."""
    keys = ruled_keys(policy)
    measure = keys.get(Key(Trigger.INTERIM_MEASURE_PUT_IN_FORCE.value))
    waiver = keys.get(Key(Trigger.OBLIGATION_WAIVE.value))
    said: set[str] = set()
    for key, rule in keys.items():
        exception = policy.break_glass.get(key.trigger) if key.trigger in EXCEPTABLE else None
        stand_ins = [("break-glass", exception.rule)] if exception is not None else []
        if measure is not None and key.trigger in _STOOD_IN_FOR:
            stand_ins.append((Trigger.INTERIM_MEASURE_PUT_IN_FORCE.value, measure))
        if waiver is not None and key.trigger == Trigger.OBLIGATION_FULFIL.value:
            stand_ins.append((Trigger.OBLIGATION_WAIVE.value, waiver))
        for what, easier in stand_ins:
            if easier.id in said or implies((easier,), rule):
                continue
            said.add(easier.id)
            missing = in_words(lacking((easier,), rule))
            message = f"For a while, `{what}` does what `{key}` does, without {missing}."
            calls = (f"{what} instead of {key}, {signed_by(easier)} → applied, until its end",)
            fix = "make sure that you mean it"
            yield note(_place(easier, what), Code.EASIER_FOR_A_WHILE, message, fix, calls)


def _place(rule: Rule, trigger: str) -> Path:
    path = rule_path(rule.id)
    return (*path, "triggers", rule.triggers.index(trigger)) if trigger in rule.triggers else path
