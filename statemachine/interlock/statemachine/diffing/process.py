"""What two versions say of roles, rules, break-glass, obligations and terms. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interlock.statemachine.diffing.clocks import clock_in_words, compare_clocks, this_too
from interlock.statemachine.diffing.difference import Difference, Way, lasting, listed, way
from interlock.statemachine.diffing.shape import asks_as_much, needs_in_words
from interlock.statemachine.policy.vocabulary import NARROWABLE
from interlock.statemachine.quorum import assign
from interlock.statemachine.triggers import Direction, direction_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interlock.statemachine.policy.model import Obligation, Policy, Role, Rule, Slot

ADOPT: Final = "policy.adopt"


def compare_process(old: Policy, new: Policy) -> Iterator[Difference]:
    """Yield every difference."""
    yield from _rules(old, new)
    yield from _roles(old, new)
    yield from _break_glass(old, new)
    yield from _obligations(old, new)
    yield from _severities(old, new)
    yield from _terms(old, new)


# Rules ------------------------------------------------------------------------------------------------------------


def _rules(old: Policy, new: Policy) -> Iterator[Difference]:
    """Compare the rule of each trigger, and tell triggers with the same difference together."""
    found: dict[tuple[Way, str, bool], list[str]] = {}
    for trigger in dict.fromkeys((*old.rules, *new.rules, *(t for t, _ in (*old.narrowed_rules, *new.narrowed_rules)))):
        for standard in _standards_of(old, new, trigger):
            name = f"{trigger} ({standard})" if standard else trigger
            pair = tuple(_rule(side, trigger, standard) for side in (old, new))
            for goes, words in _rule_words(new, *pair):
                found.setdefault((goes, words, trigger == ADOPT and goes is Way.LOOSENS), []).append(name)
    for (goes, words, foremost), triggers in found.items():
        yield Difference(goes, "rules", listed(triggers), words, foremost)


def _standards_of(old: Policy, new: Policy, trigger: str) -> list[str | None]:
    narrowed = trigger in NARROWABLE and any(t == trigger for side in (old, new) for t, _ in side.narrowed_rules)
    return [*dict.fromkeys((*old.standards, *new.standards))] if narrowed else [None]


def _rule(policy: Policy, trigger: str, standard: str | None) -> Rule | None:
    if standard is not None and standard not in policy.standards:
        return None
    return policy.rule_for(trigger, standard) if policy.is_ruled(trigger, standard) else None


def _rule_words(new: Policy, before: Rule | None, after: Rule | None) -> Iterator[tuple[Way, str]]:
    if before is None or after is None:
        if after is not None:
            yield Way.TIGHTENS, f"needs sign-offs by {slots_in_words(after.slots)}"
        elif before is not None:
            yield Way.LOOSENS, "needs no sign-offs any more"
        return
    if slots_in_words(before.slots) != slots_in_words(after.slots):
        goes = way(loosens=not _signed_as_much(new, before.slots, after.slots), tightens=True)
        fewer = len(after.slots) < len(before.slots)
        count = f"fewer sign-offs, {len(before.slots)} → {len(after.slots)}: " if fewer else "sign-offs by "
        yield goes, f"{count}{slots_in_words(before.slots)} → {slots_in_words(after.slots)}"
    if before.evidence != after.evidence:
        goes = way(loosens=not asks_as_much(before.evidence, after.evidence), tightens=True)
        yield goes, f"on {needs_in_words(before.evidence)} → {needs_in_words(after.evidence)}"


def _signed_as_much(new: Policy, before: tuple[Slot, ...], after: tuple[Slot, ...]) -> bool:
    """Say whether each slot that there was has one of its own that asks for no less."""
    fits = [frozenset(i for i, now in enumerate(after) if _no_easier(new, was, now)) for was in before]
    return None not in assign(fits)


def _no_easier(new: Policy, was: Slot, now: Slot) -> bool:
    return (
        was.role == now.role
        and was.role in new.roles
        and was.distinct_from <= now.distinct_from
        and now.affiliation in {was.affiliation, "external"}
        and now.assurance in {was.assurance, "signature"}
        and was.seen_full <= now.seen_full
        and was.veto <= now.veto
    )


def slots_in_words(slots: tuple[Slot, ...]) -> str:
    """Return who signs, with every condition."""
    return listed(sorted(_slot_in_words(slot) for slot in slots))


def _slot_in_words(slot: Slot) -> str:
    said = [f"no {word.replace('_', ' ')}" for word in sorted(slot.distinct_from)]
    said += ["external"] if slot.affiliation == "external" else []
    said += ["by login alone"] if slot.assurance == "login" else []
    said += ["documents opened"] if slot.seen_full else []
    said += ["may veto"] if slot.veto else []
    return f"{slot.role} ({', '.join(said)})" if said else slot.role


# Roles ------------------------------------------------------------------------------------------------------------


def _roles(old: Policy, new: Policy) -> Iterator[Difference]:
    for name, role in new.roles.items():
        before = old.roles.get(name)
        if before is None:
            words = "new, approves" if role.approves else "new"
            yield Difference(Way.NEUTRAL, "roles", name, f"{words}; may {listed(sorted(role.rights))}")
        else:
            yield from _role(before, role)
    for name, role in old.roles.items():
        if name not in new.roles:
            words = "dropped: whoever holds it has nothing of it any more, what it could stop alone included"
            yield Difference(way(loosens=bool(_stops(role.rights))), "roles", name, words)


def _role(before: Role, after: Role) -> Iterator[Difference]:
    if before.approves != after.approves:
        words = "approves from then on: sign-offs of everyone who holds it now can count"
        if before.approves:
            words = "no longer approves"
        yield Difference(way(loosens=after.approves, tightens=True), "roles", after.id, words)
    if before.affiliation != after.affiliation:
        words = f"held by {before.affiliation} → {after.affiliation}"
        yield Difference(way(loosens=after.affiliation == "any", tightens=True), "roles", after.id, words)
    lost, gained = before.rights - after.rights, after.rights - before.rights
    if lost:
        words = f"may no longer {listed(sorted(lost))}"
        yield Difference(way(loosens=bool(_stops(lost))), "roles", after.id, words)
    if gained:
        yield Difference(Way.NEUTRAL, "roles", after.id, f"may {listed(sorted(gained))} from then on")


def _stops(rights: frozenset[str]) -> frozenset[str]:
    """Return the rights to tighten alone."""
    return frozenset(
        right for right in rights if direction_of(right) is Direction.TIGHTENS or right == "hold.everything"
    )


# Break-glass, obligations, terms ----------------------------------------------------------------------------------


def _break_glass(old: Policy, new: Policy) -> Iterator[Difference]:
    for trigger in dict.fromkeys((*old.break_glass, *new.break_glass)):
        before, after = old.break_glass.get(trigger), new.break_glass.get(trigger)
        if before is None or after is None:
            words = "can be broken in an emergency" if after else "can't be broken any more"
            yield Difference(way(loosens=after is not None, tightens=True), "break_glass", trigger, words)
            continue
        for goes, words in _rule_words(new, before.rule, after.rule):
            yield Difference(goes, "break_glass", trigger, words)
        for word, was, now in (
            ("lasts", before.lasts_us, after.lasts_us),
            ("reviewed within", before.review_within_us, after.review_within_us),
        ):
            if was != now:
                goes = way(loosens=now > was, tightens=True)
                yield Difference(goes, "break_glass", trigger, f"{word} {lasting(was)} → {lasting(now)}")


def _obligations(old: Policy, new: Policy) -> Iterator[Difference]:
    for name in dict.fromkeys((*old.obligations, *new.obligations)):
        before, after = (side.obligations.get(name) for side in (old, new))
        if before is None and after is not None:
            kind = "blocking, " if after.blocking else ""
            state = (
                f"from then on{this_too(after)}"
                if after.in_force
                else f"not in force: jurisdiction {after.jurisdiction} is off"
            )
            words = f"new, {kind}{clock_in_words(after)}, {state} ({after.title})"
            yield Difference(way(tightens=after.blocking), "obligations", name, words)
        elif after is None and before is not None:
            yield Difference(way(loosens=before.in_force), "obligations", name, "dropped: no longer owed")
        elif before is not None and after is not None:
            yield from _obligation(old, new, before, after)


def _severities(old: Policy, new: Policy) -> Iterator[Difference]:
    """Say what severities block; in one line, for where each stands counts."""
    if old.severities != new.severities:
        before, after = (
            ", ".join(f"{row.id} (blocks)" if row.blocks else row.id for row in side.severities) for side in (old, new)
        )
        milder = any(not new.severity_blocks(row.id) for row in old.severities if row.blocks)
        moved = [row.id for row in old.severities] != [row.id for row in new.severities]
        goes = way(loosens=milder or moved, tightens=True)
        yield Difference(goes, "incidents", "severities", f"{before} → {after}")
    if old.categories != new.categories:
        words = f"{listed(sorted(old.categories))} → {listed(sorted(new.categories))}"
        yield Difference(Way.NEUTRAL, "incidents", "categories", words)


def _obligation(old: Policy, new: Policy, before: Obligation, after: Obligation) -> Iterator[Difference]:
    rows = list(compare_clocks(old, new, before, after))
    if before.blocking != after.blocking:
        words = "blocks the gate while overdue" if after.blocking else "no longer blocks the gate"
        rows.append((way(loosens=before.blocking, tightens=True), words))
    if before.in_force != after.in_force:
        words = "in force" if after.in_force else "not in force any more"
        rows.append(
            (way(loosens=before.in_force, tightens=True), f"{words} (jurisdiction {after.jurisdiction or '-'})")
        )
    needs = ((before.fulfilled_by,), (after.fulfilled_by,))
    if needs[0] != needs[1]:
        goes = way(loosens=not asks_as_much(*needs), tightens=True)
        rows.append((goes, f"fulfilled by {needs_in_words(needs[0])} → {needs_in_words(needs[1])}"))
    if before.title != after.title:
        rows.append((Way.NEUTRAL, f"reworded: {before.title} → {after.title}"))
    return (Difference(goes, "obligations", after.id, words) for goes, words in rows)


def _terms(old: Policy, new: Policy) -> Iterator[Difference]:
    if old.id != new.id:
        yield Difference(Way.NEUTRAL, "policy", new.id, f"another policy in the place of {old.id}")
    if old.title != new.title:
        yield Difference(Way.NEUTRAL, "title", "", f"{old.title} → {new.title}")
    for area, words, was, now in (
        ("decision_lasts", "a signed decision lasts", old.decision_lasts_us, new.decision_lasts_us),
        ("changes_expire_after", "a change ends after", old.changes_expire_after_us, new.changes_expire_after_us),
    ):
        if was != now:
            yield Difference(
                way(loosens=now > was, tightens=True), area, "", f"{words} {lasting(was)} → {lasting(now)}"
            )
    if old.ssh_agent_signs != new.ssh_agent_signs:
        words = f"keys in an SSH agent may {'' if new.ssh_agent_signs else 'no longer '}sign off"
        yield Difference(way(loosens=new.ssh_agent_signs, tightens=True), "ssh_agent_signs", "", words)
    if old.jurisdictions != new.jurisdictions:
        words = f"{listed(sorted(old.jurisdictions))} → {listed(sorted(new.jurisdictions))}"
        gone = old.jurisdictions - new.jurisdictions
        yield Difference(way(loosens=bool(gone), tightens=True), "jurisdictions", "", words)
    if old.evidence_kinds != new.evidence_kinds:
        more, less = new.evidence_kinds - old.evidence_kinds, old.evidence_kinds - new.evidence_kinds
        words = f"new: {listed(sorted(more))}; dropped: {listed(sorted(less))}"
        yield Difference(Way.NEUTRAL, "evidence_kinds", "", words)
