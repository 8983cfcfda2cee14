"""What the names in a pack refer to, first half: levels, standards, contexts, thresholds, safeguards.

Each check is one small function over the shape that notes all it finds. Rules and roles: ``checks_rules.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine.policy.findings import Code, shown
from interlock.statemachine.policy.resolve import Names, applied_in, covered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from interlock.statemachine.policy.notebook import Notebook
    from interlock.statemachine.policy.schema import PackShape, SafeguardShape, ThresholdShape
    from interlock.statemachine.policy.yamltree import Path


def check_model(shape: PackShape, book: Notebook) -> None:
    """Run every check of this module; those that need all names resolved run only when they are."""
    desk = _Desk(shape, Names.of(shape), book)
    desk.check_lists()
    desk.check_standards()
    desk.check_contexts()
    desk.check_thresholds()
    for safeguard_id, safeguard in shape.safeguards.items():
        desk.check_safeguard(("safeguards", safeguard_id), safeguard)
    if book.failed:
        return
    desk.check_replacements()
    desk.check_where_guarded()
    desk.check_contexts_guarded()
    desk.check_levels()


@dataclass(frozen=True, slots=True)
class _Desk:
    shape: PackShape
    names: Names
    book: Notebook

    def check_lists(self) -> None:
        self.book.once(("levels",), [level.id for level in self.shape.levels])
        self.book.once(("contexts",), [context.id for context in self.shape.contexts])
        self.book.once(("jurisdictions",), self.shape.jurisdictions)
        self.book.once(("evidence_kinds",), self.shape.evidence_kinds)

    def check_standards(self) -> None:
        for standard_id, standard in self.shape.standards.items():
            path: Path = ("standards", standard_id)
            if self._known_level((*path, "baseline"), standard.baseline) and self._is_stub(standard.baseline):
                message = f"The level {shown(standard.baseline)} is a stub: no model could ever have it."
                fix = "name a level that is no stub"
                self.book.error((*path, "baseline"), Code.STUB_BASELINE, message, fix)
            self._check_context_names((*path, "applies_in"), standard.applies_in or [])

    def check_contexts(self) -> None:
        for index, context in enumerate(self.shape.contexts):
            self._check_threshold_names(("contexts", index, "thresholds"), context.thresholds or [])

    def check_thresholds(self) -> None:
        gives_cause = {t for s in self.shape.safeguards.values() for t in s.for_thresholds or []}
        for threshold_id, threshold in self.shape.thresholds.items():
            path: Path = ("thresholds", threshold_id)
            self._check_asks((*path, "asks"), threshold)
            if threshold.tracked:
                continue
            if threshold.reassess is None:
                message = "The key `reassess` is missing: a determination has to lapse."
                self.book.error(path, Code.MISSING_KEY, message, "add `reassess: {every: 180d}`", key=True)
            if not threshold.asks and threshold_id not in gives_cause:
                message = f"Reaching {shown(threshold_id)} asks for nothing."
                fix = "add `asks: {…}`, name it in a safeguard's `for:`, or say `tracked: true`"
                self.book.warning(path, Code.THRESHOLD_ASKS_NOTHING, message, fix, key=True)

    def _check_asks(self, path: Path, threshold: ThresholdShape) -> None:
        if threshold.tracked and threshold.asks:
            message = "A tracked threshold asks for nothing."
            fix = "keep `asks` or `tracked: true`, not both"
            self.book.error(path, Code.THRESHOLD_TRACKED, message, fix, key=True)
        for standard, level in threshold.asks.items():
            place = (*path, standard)
            if standard not in self.names.standards:
                message = f"There is no standard {shown(standard)}."
                fix = self.book.suggest(standard, self.names.standards)
                self.book.error(place, Code.UNKNOWN_STANDARD, message, fix, key=True)
            elif self._known_level(place, level):
                baseline = self.shape.standards[standard].baseline
                if self.names.levels[level] <= self.names.levels.get(baseline, -1):
                    message = f"Every model has to have {shown(level)} in {shown(standard)} anyway."
                    fix = "ask for a level above the baseline, or leave this out"
                    self.book.warning(place, Code.THRESHOLD_ASKS_NOTHING, message, fix)

    def check_safeguard(self, path: Path, safeguard: SafeguardShape) -> None:
        standards, kinds = self.names.standards, self.names.evidence_kinds
        place = (*path, "standard")
        self.book.known(place, safeguard.standard, standards, Code.UNKNOWN_STANDARD, "standard")
        if self._known_level((*path, "level"), safeguard.level) and self._is_stub(safeguard.level):
            message = f"The level {shown(safeguard.level)} is a stub, so this is never listed."
            fix = "drop it until the level is written out"
            self.book.warning((*path, "level"), Code.SAFEGUARD_AT_STUB, message, fix)
        self._check_context_names((*path, "guards"), safeguard.guards)
        self._check_threshold_names((*path, "for"), safeguard.for_thresholds or [])
        self.book.once((*path, "replaces"), safeguard.replaces)
        for index, replaced in enumerate(safeguard.replaces):
            place = (*path, "replaces", index)
            self.book.known(place, replaced, self.shape.safeguards, Code.UNKNOWN_SAFEGUARD, "safeguard")
        for index, need in enumerate(safeguard.verify_with):
            place = (*path, "verify_with", index, "evidence")
            self.book.known(place, need.evidence, kinds, Code.UNKNOWN_EVIDENCE_KIND, "kind of evidence")

    def check_replacements(self) -> None:
        for safeguard_id, safeguard in self.shape.safeguards.items():
            for index, replaced_id in enumerate(safeguard.replaces):
                path: Path = ("safeguards", safeguard_id, "replaces", index)
                replaced = self.shape.safeguards[replaced_id]
                lower = self.names.levels[replaced.level] < self.names.levels[safeguard.level]
                if not lower or replaced.standard != safeguard.standard:
                    message = f"{shown(replaced_id)} is not at a lower level of the same standard."
                    fix = "replace what a lower level of this standard lists"
                    self.book.error(path, Code.REPLACES_NOT_LOWER, message, fix)
                elif safeguard.for_thresholds is not None:
                    # One person's report would take a safeguard off the list: a tightening that loosens.
                    message = "What is listed only for some thresholds can't replace another safeguard."
                    self.book.error(path, Code.REPLACES_WEAKENS, message, "drop `for` or `replaces`")
                elif safeguard.track == "recommendation" and replaced.track == "commitment":
                    message = "A recommendation can't replace a commitment."
                    self.book.error(path, Code.REPLACES_WEAKENS, message, "make it a `commitment`")

    def check_where_guarded(self) -> None:
        for safeguard_id, safeguard in self.shape.safeguards.items():
            applies_in = applied_in(self.shape, safeguard.standard)
            covers = covered(self.shape, self.names, safeguard)
            for index, context in enumerate(safeguard.guards):
                if context in applies_in:
                    continue
                path: Path = ("safeguards", safeguard_id, "guards", index)
                message = f"The standard {shown(safeguard.standard)} does not apply in {shown(context)}."
                note = self.book.warning if covers else self.book.error
                note(path, Code.GUARDS_OUTSIDE_STANDARD, message, self.book.suggest(context, applies_in))

    def check_contexts_guarded(self) -> None:
        guarded = {c for s in self._unconditional() for c in covered(self.shape, self.names, s)}
        for index, context in enumerate(self.shape.contexts):
            path: Path = ("contexts", index)
            if context.id not in guarded and not context.unguarded:
                message = f"No commitment guards {shown(context.id)} at any level."
                fix = f"add one that guards it, or write `{{id: {context.id}, unguarded: true}}`"
                self.book.error(path, Code.CONTEXT_UNGUARDED, message, fix)
            elif context.id in guarded and context.unguarded:
                message = f"{shown(context.id)} says `unguarded: true` and is guarded."
                self.book.warning(path, Code.CONTEXT_GUARDED_AFTER_ALL, message, "drop `unguarded`")

    def check_levels(self) -> None:
        at = {(safeguard.standard, safeguard.level) for safeguard in self._unconditional()}
        levels_with_one = {level for _, level in at}
        for index, level in enumerate(self.shape.levels):
            path: Path = ("levels", index)
            if index == 0 or level.stub:
                continue
            if level.id not in levels_with_one:
                message = f"No commitment makes {shown(level.id)} more than the level below."
                fix = "add a commitment at this level, or make it a stub"
                self.book.error(path, Code.LEVEL_WITHOUT_COMMITMENT, message, fix)
                continue
            for standard in self.shape.standards:
                if (standard, level.id) not in at and self._is_asked(standard, level.id):
                    message = f"In {shown(standard)}, {shown(level.id)} is asked for and adds no commitment."
                    self.book.warning(path, Code.LEVEL_ADDS_NOTHING, message, "add a commitment there")

    def _unconditional(self) -> Iterator[SafeguardShape]:
        """Commitments that some level lists whatever is determined."""
        for safeguard in self.shape.safeguards.values():
            commitment = safeguard.track == "commitment" and safeguard.for_thresholds is None
            if commitment and not self._is_stub(safeguard.level):
                yield safeguard

    def _is_asked(self, standard: str, level: str) -> bool:
        asked = (threshold.asks.get(standard) for threshold in self.shape.thresholds.values())
        return level == self.shape.standards[standard].baseline or level in asked

    def _is_stub(self, level: str) -> bool:
        return self.names.level(level).stub

    def _known_level(self, path: Path, level: str) -> bool:
        return self.book.known(path, level, self.names.levels, Code.UNKNOWN_LEVEL, "level")

    def _check_context_names(self, path: Path, contexts: Sequence[str]) -> None:
        self.book.once(path, contexts)
        for index, context in enumerate(contexts):
            self.book.known((*path, index), context, self.names.contexts, Code.UNKNOWN_CONTEXT, "context")

    def _check_threshold_names(self, path: Path, thresholds: Sequence[str]) -> None:
        self.book.once(path, thresholds)
        known = self.names.thresholds
        for index, threshold in enumerate(thresholds):
            place = (*path, index)
            if not self.book.known(place, threshold, known, Code.UNKNOWN_THRESHOLD, "threshold"):
                continue
            if self.shape.thresholds[threshold].tracked:
                message = f"The threshold {shown(threshold)} is only tracked: the gate never reads it."
                fix = "leave it out, or let the threshold ask for levels instead of `tracked: true`"
                self.book.error(place, Code.THRESHOLD_TRACKED, message, fix)
