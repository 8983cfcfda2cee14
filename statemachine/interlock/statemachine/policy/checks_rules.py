"""What the names in a pack refer to, second half: roles, rules, the default, break-glass.

The one thing that no pack can give away: whatever loosens takes sign-offs by two people at least.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine.policy.fields import MAX_SLOTS
from interlock.statemachine.policy.findings import Code, shown
from interlock.statemachine.policy.resolve import Names
from interlock.statemachine.policy.vocabulary import (
    AS_DEAR_AS_A_GRANT,
    EXCEPTABLE,
    GRANT,
    MIN_PEOPLE,
    NARROWABLE,
)
from interlock.statemachine.rights import ALL_RIGHTS, BUILT_IN_ROLES, CHANGE_SIGN, GROUPS, IDENTITY
from interlock.statemachine.triggers import DIRECTIONS, RESERVED, Direction, Trigger, can_loosen, direction_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock.statemachine.policy.notebook import Notebook
    from interlock.statemachine.policy.schema import EvidenceShape, PackShape, RuleShape, SlotShape
    from interlock.statemachine.policy.yamltree import Path

_TRIGGERS = (frozenset(t.value for t in DIRECTIONS) | frozenset(RESERVED)) - {Trigger.BREAK_GLASS_OPEN.value}
"""Break-glass has rules of its own, under `break_glass:`."""

_RULABLE = frozenset(name for name in _TRIGGERS if direction_of(name) is not Direction.TIGHTENS or can_loosen(name))


def _slot_of(slot: SlotShape) -> tuple[object, ...]:
    """Return a sign-off as what it asks for."""
    return (slot.role, frozenset(slot.distinct_from), slot.affiliation, slot.assurance, slot.seen, slot.veto)


def check_rules(shape: PackShape, book: Notebook) -> None:
    """Run every check of this module."""
    desk = _Desk(shape, Names.of(shape), book)
    desk.check_roles()
    for index, rule in enumerate(shape.rules):
        desk.check_rule(("rules", index), rule)
    desk.check_overlaps()
    desk.check_identity()
    default: Path = ("default",)
    desk.check_sign_offs(default, shape.default.sign_offs, loosens=True)
    desk.check_evidence((*default, "evidence"), shape.default.evidence)
    desk.check_break_glass()


@dataclass(frozen=True, slots=True)
class _Desk:
    shape: PackShape
    names: Names
    book: Notebook

    def check_roles(self) -> None:
        for role_id, role in self.shape.roles.items():
            path: Path = ("roles", role_id)
            if role_id in BUILT_IN_ROLES and (role.approves or role.affiliation != "any"):
                message = f"The role {shown(role_id)} is built in: a pack may add rights to it, nothing else."
                fix = "those who administer or operate do not approve; make a role of your own"
                at = "approves" if role.approves else "affiliation"
                self.book.error((*path, at), Code.BUILT_IN_ROLE, message, fix)
            self.book.once((*path, "may"), role.may)
            for index, word in enumerate(role.may):
                self._check_right((*path, "may", index), word, approves=role.approves)

    def _check_right(self, path: Path, word: str, *, approves: bool) -> None:
        if word in GROUPS or word in ALL_RIGHTS:
            if word == CHANGE_SIGN and not approves:
                message = "Only approving roles sign."
                fix = "say `approves: true`, or leave the word out"
                self.book.error(path, Code.RIGHT_NEEDS_APPROVING, message, fix)
            if word in IDENTITY and approves:
                message = f"{shown(word)} administers, and who administers does not approve."
                self.book.error(path, Code.RIGHT_ADMINISTERS, message, "give it to a role that does not approve")
        elif direction_of(word) is Direction.LOOSENS:
            message = f"{shown(word)} loosens: nobody does it alone, it happens in a change that met its rule."
            self.book.error(path, Code.RIGHT_LOOSENS, message, "leave it out; say who signs under `rules:`")
        else:
            message = f"There is no right {shown(word)}."
            self.book.error(path, Code.UNKNOWN_RIGHT, message, self.book.suggest(word, ALL_RIGHTS | set(GROUPS)))

    def check_rule(self, path: Path, rule: RuleShape) -> None:
        self.book.once((*path, "triggers"), rule.triggers)
        for index, trigger in enumerate(rule.triggers):
            self._check_trigger((*path, "triggers", index), trigger, rule.standard)
        if rule.standard is not None:
            standards = self.names.standards
            place = (*path, "standard")
            self.book.known(place, rule.standard, standards, Code.UNKNOWN_STANDARD, "standard")
        loosens = any(can_loosen(trigger) for trigger in rule.triggers)
        self.check_sign_offs(path, rule.sign_offs, loosens=loosens)
        self.check_evidence((*path, "evidence"), rule.evidence)

    def _check_trigger(self, path: Path, trigger: str, standard: str | None) -> None:
        direction = direction_of(trigger)
        if direction is None:
            message = f"There is no trigger {shown(trigger)}."
            self.book.error(path, Code.UNKNOWN_TRIGGER, message, self.book.suggest(trigger, _RULABLE))
        elif direction is Direction.TIGHTENS and not can_loosen(trigger):
            message = f"{shown(trigger)} tightens: one person with the right does it at once, no rule can slow it."
            self.book.error(path, Code.TRIGGER_TIGHTENS, message, "take it out of the rule")
        elif standard is not None and trigger not in NARROWABLE:
            message = f"{shown(trigger)} acts on nothing that has a standard."
            fix = "put it in a rule without `standard:`"
            self.book.error(path, Code.TRIGGER_HAS_NO_STANDARD, message, fix)

    def check_overlaps(self) -> None:
        """Refuse a second rule for a trigger, unless both are narrowed and to different standards."""
        seen: dict[str, list[tuple[str | None, int]]] = {}
        for number, rule in enumerate(self.shape.rules):
            for index, trigger in enumerate(dict.fromkeys(rule.triggers)):
                for standard, other in seen.get(trigger, []):
                    if standard is None or rule.standard is None or standard == rule.standard:
                        line = self.book.line(("rules", other))
                        message = f"The rule at line {line} names {shown(trigger)} too."
                        fix = "keep it in one, or narrow both to different standards with `standard:`"
                        place: Path = ("rules", number, "triggers", index)
                        self.book.error(place, Code.RULES_OVERLAP, message, fix)
                        break
                seen.setdefault(trigger, []).append((rule.standard, number))

    def check_identity(self) -> None:
        """Refuse rules by which accounts or keys come more cheaply than roles: who has the key has the role."""
        owed = Counter(self._people_for(GRANT)[1])
        for trigger in AS_DEAR_AS_A_GRANT:
            path, people = self._people_for(trigger)
            if owed - Counter(people):
                message = f"{shown(trigger)} takes fewer or other sign-offs than {shown(GRANT)}: a side door to roles."
                self.book.error(path, Code.WEAKER_THAN_A_GRANT, message, f"name it in the rule that names {GRANT}")

    def _people_for(self, trigger: str) -> tuple[Path, list[tuple[object, ...]]]:
        """Return where a trigger's rule stands (its own or the default), and each sign-off that it asks for."""
        found = next(((n, rule) for n, rule in enumerate(self.shape.rules) if trigger in rule.triggers), None)
        path: Path = (
            ("default",) if found is None else ("rules", found[0], "triggers", found[1].triggers.index(trigger))
        )
        slots = self.shape.default.sign_offs if found is None else found[1].sign_offs
        people = [_slot_of(slot) for slot in slots for _ in range(slot.count)]
        return path, people

    def check_sign_offs(self, path: Path, slots: Sequence[SlotShape], *, loosens: bool) -> None:
        people = sum(slot.count for slot in slots)
        if loosens and people < MIN_PEOPLE:
            message = f"What loosens takes {MIN_PEOPLE} people at least, who asks for it not counted."
            fix = "add a sign-off, as in `- {role: …, distinct_from: [requester]}`"
            self.book.error((*path, "sign_offs"), Code.TOO_FEW_PEOPLE, message, fix, key=True)
        if people > MAX_SLOTS:
            message = f"The rule asks for {people} people, {MAX_SLOTS} are the most."
            self.book.error((*path, "sign_offs"), Code.BAD_NUMBER, message, "ask for fewer", key=True)
        for index, slot in enumerate(slots):
            self._check_slot((*path, "sign_offs", index), slot)

    def _check_slot(self, path: Path, slot: SlotShape) -> None:
        self.book.once((*path, "distinct_from"), slot.distinct_from)
        approving = self.names.approving
        place = (*path, "role")
        if slot.role in approving:
            pass
        elif slot.role in self.shape.roles or slot.role in BUILT_IN_ROLES:
            message = f"The role {shown(slot.role)} does not approve."
            fix = f"{self.book.suggest(slot.role, approving)}; or say `approves: true` where your role is declared"
            self.book.error(place, Code.ROLE_DOES_NOT_APPROVE, message, fix)
        else:
            self.book.known(place, slot.role, approving, Code.UNKNOWN_ROLE, "role")
        if "requester" not in slot.distinct_from:
            message = "Who asks for the change may fill this slot."
            self.book.note(path, Code.OPEN_TO_REQUESTER, message, "`distinct_from: [requester]` closes it")
        if slot.assurance == "login":
            message = "A login is enough here, no signature."
            self.book.note((*path, "assurance"), Code.LOGIN_ASSURANCE, message, "`signature` is the default")

    def check_evidence(self, path: Path, needs: Sequence[EvidenceShape]) -> None:
        self.book.once(path, [need.kind for need in needs])
        for index, need in enumerate(needs):
            place = (*path, index, "kind")
            kinds = self.names.evidence_kinds
            self.book.known(place, need.kind, kinds, Code.UNKNOWN_EVIDENCE_KIND, "kind of evidence")

    def check_break_glass(self) -> None:
        seen: dict[str, int] = {}
        for number, entry in enumerate(self.shape.break_glass):
            path: Path = ("break_glass", number)
            for index, trigger in enumerate(entry.triggers):
                place = (*path, "triggers", index)
                if trigger not in EXCEPTABLE:
                    message = f"Break-glass can't stand in for {shown(trigger)}."
                    self.book.error(place, Code.TRIGGER_NOT_EXCEPTABLE, message, self.book.suggest(trigger, EXCEPTABLE))
                elif trigger in seen:
                    message = f"{shown(trigger)} is at line {seen[trigger]} already."
                    self.book.error(place, Code.RULES_OVERLAP, message, "keep it in one entry")
                seen.setdefault(trigger, self.book.line(place))
            self.check_sign_offs(path, entry.sign_offs, loosens=True)
            message = "Break-glass is possible here."
            fix = "make sure that its sign-offs are the people you would wake"
            self.book.note(path, Code.BREAK_GLASS, message, fix)
