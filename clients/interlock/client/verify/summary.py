"""What a verification says in the end, step by step: what was found good, or from where on nothing was judged.

A step that judged less than everything is neither wrong nor good: it says from which entry on it has not looked, and
what it found before that. Lives here: words and counts of the report. Not here: judging (`procedure.py`), printing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.client.verify.report import Counts, Step, VerifyReport
from interlock.statemachine import log_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock.client.verify.procedure import Procedure

_JUDGED_BY_ENTRY = ("replay", "sign-offs", "consent", "digests")


def report_of(procedure: Procedure, steps: Sequence[str]) -> VerifyReport:
    """Put together what was found."""
    log, trust = procedure.log, procedure.trust
    failed = {finding.step for finding in procedure.findings}
    said, unjudged = procedure.said(), procedure.unjudged()
    return VerifyReport(
        entries=procedure.frontier.size,
        root=procedure.frontier.root(),
        development=log.development if log else False,
        genesis_digest=procedure.genesis,
        genesis_pinned=bool(trust.genesis_digest),
        countersigned=log.countersigned if log else (),
        sign_offs=procedure.sign_offs,
        signed=procedure.consent.signed,
        asserted=procedure.consent.asserted,
        steps=tuple(
            Step(number, name, passed=False, detail="")
            if name in failed
            else _step(number, name, said[name], unjudged.get(name))
            for number, name in enumerate(steps, start=1)
        ),
        findings=tuple(procedure.findings),
        witnessed=procedure.witnesses.counted,
        erased=procedure.texts.erased,
        keys=log_keys.history(log, procedure.keys.pinned.name).keys if log else (),
        retired=log.retired if log else (),
        restores=log.restores if log else (),
        let_go=procedure.history.let_go,
        before=procedure.before,
        now=counts_of(procedure).less(procedure.before),
    )


def counts_of(procedure: Procedure) -> Counts:
    """Return how much was judged, by this verification and by those that it goes on from."""
    return Counts(
        entries=procedure.frontier.size,
        sign_offs=procedure.sign_offs,
        signed=procedure.consent.signed,
        asserted=procedure.consent.asserted,
        objects=procedure.objects.used,
        texts_given=procedure.texts.given,
        texts_withheld=procedure.texts.withheld,
        documents=procedure.documents.recorded,
    )


def unjudged(procedure: Procedure) -> dict[str, int]:
    """Return the steps that did not look at everything, each with the first entry that it has not judged.

    Nothing after an entry that should not be there has a meaning, and what did not come can't be looked at.
    """
    size, head = procedure.frontier.size, procedure.head
    found: dict[str, int] = {}
    if procedure.replay.findings:
        found = dict.fromkeys(_JUDGED_BY_ENTRY, max(procedure.replay.findings[0].position, 0))
    elif not size or (head is not None and size < head.size):
        found = dict.fromkeys(_JUDGED_BY_ENTRY, size)
    if head is None:
        found |= {"checkpoint": 0, "tree": 0}
    if not procedure.genesis:
        found["genesis"] = 0
    if procedure.history.beyond and not procedure.history.let_go:
        found["history"] = size
    return found


def said(procedure: Procedure) -> dict[str, str]:
    """Return what each step has to say of what it judged, where it finds nothing wrong."""
    log, trust = procedure.log, procedure.trust
    pinned = "as pinned" if trust.genesis_digest else "not pinned"
    texts, documents, consent = procedure.texts, procedure.documents, procedure.consent
    given = f"{procedure.objects.used} contents and packs, {texts.given} texts, {documents.given} documents"
    gone = len(texts.erased)
    held = f"{texts.withheld - gone} texts and {documents.recorded - documents.given} documents by digest only"
    erased = f", {gone} texts erased" if gone else ""
    besides = "; what was seen besides is let go of" if procedure.history.let_go else ""
    return {
        "checkpoint": f"signed by {_signers(procedure)}, {procedure.size} entries",
        "genesis": f"{procedure.genesis.hex()}, {pinned}, countersigned by {len(log.countersigned) if log else 0}",
        "tree": f"{procedure.frontier.size} leaves give the root {procedure.frontier.root().hex()}",
        "history": f"{procedure.history.held} heads signed before are in it{besides}",
        "replay": f"{procedure.replay.state.size} entries decided again, alike",
        "sign-offs": f"{procedure.sign_offs} statements name heads that this log had",
        "consent": f"{consent.signed} loosening steps signed, {consent.asserted} asserted by the server",
        "digests": f"{given}; {held}{erased}",
        "file": "whole, and its own digest holds",
    }


def _step(number: int, name: str, told: str, unjudged_from: int | None) -> Step:
    if unjudged_from is None:
        return Step(number, name, passed=True, detail=told)
    less = f"from entry {unjudged_from} on; before it: {told}" if unjudged_from else ""
    return Step(number, name, passed=False, detail=less, unjudged_from=unjudged_from)


def _signers(procedure: Procedure) -> str:
    """Return who signed the head, and who cosigned it of those that are trusted."""
    log = procedure.trust.log_key.partition("+")[0]
    known, counted = procedure.trust.witnesses, procedure.witnesses.counted
    if not known:
        return log
    names = f" ({', '.join(counted)})" if counted else ""
    return f"{log} and {len(counted)} of {len(known)} witnesses{names}"
