"""Content bytes: what a change says, with digests and base as they stand at the head (domain design, "Changes")."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from interlock.statemachine import firings as f
from interlock.statemachine import forms, names
from interlock.statemachine import resources as r
from interlock.statemachine.bound import named_by
from interlock.statemachine.entry import Content
from interlock.statemachine.machines.fire import touched
from interlock.statemachine.requirements import unknown_evidence
from interlock.statemachine.unmet import Code, RefusalKind, Refused, Unmet, refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.rules import Rules
    from interlock.statemachine.state import State

MAX_TRIGGERS: Final = 64
MAX_EVIDENCE: Final = 200
TEXT_FIELDS: Final = frozenset({"title", "summary"})


def draft(  # each keyword is a field of the content
    rules: Rules,
    policy: Policy,
    state: State,
    *,
    name: str,
    revision: int,
    triggers: tuple[f.Firing, ...],
    evidence: Iterable[str] = (),
    not_before: int = 0,
    texts: Iterable[tuple[str, bytes]] = (),
    apply_separately: bool = False,
) -> Content | Refused:
    """Return a change's content on the present base, or why it can't be written.

    ``evidence`` are document names, ``texts`` (field, digest) pairs. Refuses no triggers, too many of anything, what is
    not of its form, and documents that are not recorded. What triggers name
    is bound with its digest: documents, and the change that a ratification ratifies.
    """
    given, words = set(evidence), tuple(sorted(texts))
    named = named_by(triggers)
    documents = given.union(named)
    if not 1 <= len(triggers) <= MAX_TRIGGERS or len(documents) > MAX_EVIDENCE:
        return refused(
            RefusalKind.INVALID,
            Code.CHANGE_TOO_LARGE,
            f"1 to {MAX_TRIGGERS} triggers and at most {MAX_EVIDENCE} documents, attached or named by a trigger",
            f"{len(triggers)} triggers, {len(documents)} documents",
            name,
        )
    if len(triggers) > 1 and any(isinstance(firing, f.PolicyAdopt) for firing in triggers):
        wish, actual = "policy.adopt alone in its change: what it moves is judged by the old version", "others with it"
        return refused(RefusalKind.INVALID, Code.POLICY_NOT_ALONE, wish, actual, name, "policy.adopt")
    wrong = _malformed(name, triggers, sorted(given), words, not_before)
    if wrong:
        return Refused(RefusalKind.INVALID, wrong)
    attached = sorted(given, key=names.number_of)
    missing = unknown_evidence(state, sorted(documents, key=names.number_of))
    if missing:
        return Refused(RefusalKind.NOT_FOUND, missing)
    triggers = tuple(_bound(state, firing) for firing in triggers)
    base = frozenset[str]().union(*(touched(policy, state, firing) for firing in triggers))
    return Content(
        log_id=state.log.log_id,
        change=name,
        revision=revision,
        policy_digest=policy.digest,
        rules_digest=rules.digest,
        base=tuple((resource, state.position(resource)) for resource in sorted(base)),
        triggers=triggers,
        evidence=_with_digests(state, attached),
        not_before=not_before,
        texts=words,
        apply_separately=apply_separately,
        named_evidence=_with_digests(state, named),
    )


def _with_digests(state: State, documents: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, state.need(name, r.Evidence).sha256) for name in documents)


def _bound(state: State, firing: f.Firing) -> f.Firing:
    """Return a trigger with the digest of what it names: a ratification binds the very bytes that were applied."""
    if not isinstance(firing, f.ChangeRatify) or firing.content_digest:
        return firing
    known = state.find(firing.change, r.Change)
    return replace(firing, content_digest=known.content_digest) if known is not None else firing


def _malformed(
    name: str,
    triggers: tuple[f.Firing, ...],
    evidence: Iterable[str],
    texts: tuple[tuple[str, bytes], ...],
    moment: int,
) -> tuple[Unmet, ...]:
    """Return what no state could make right."""
    fields = tuple(field for field, _ in texts)
    known = len(set(fields)) == len(fields) and TEXT_FIELDS.issuperset(fields)
    return (
        *(unmet for firing in triggers for unmet in forms.malformed(firing)),
        *(
            Unmet(Code.MALFORMED, "documents named evidence/{n}", repr(item)[:200], name)
            for item in evidence
            if not forms.EVIDENCE.fullmatch(item)
        ),
        *(
            Unmet(Code.MALFORMED, wish, actual, name)
            for good, wish, actual in (
                (known, "each text once: title, summary", ", ".join(fields)[:200]),
                (all(forms.is_digest(digest) for _, digest in texts), "texts by SHA-256", "a digest of another length"),
                (moment >= 0, "an earliest moment of 0 (at once) or later", str(moment)),
            )
            if not good
        ),
    )


def revise(rules: Rules, policy: Policy, state: State, content: Content) -> Content | Refused:
    """Return the next revision of a content on the present base; give it the new parts with ``replace`` first."""
    return draft(
        rules,
        policy,
        state,
        name=content.change,
        revision=content.revision + 1,
        triggers=content.triggers,
        evidence=tuple(name for name, _ in content.evidence),
        not_before=content.not_before,
        texts=content.texts,
        apply_separately=content.apply_separately,
    )


def with_evidence(content: Content, evidence: Iterable[str]) -> Content:
    """Return a content that names exactly these documents; the digests are looked up by ``revise``."""
    return replace(content, evidence=tuple((name, "") for name in evidence))
