"""A change drawn: what it would do, what is unmet by trigger, who signed; to be signed: everything, by its digest."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.cli.views.common import to_json, when, when_micros, word
from interlock.cli.views.policy import show_adoption
from interlock.cli.views.trigger import trigger_line
from interlock.cli.views.unmet import unmet_lines
from interlock.client import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from interlock.cli.run import Run
    from interlock.cli.terminal import Piece, Terminal
    from interlock.client.review import OpenedChange, RatifiedChange, ReviewedChange
    from interlock.v1.change_pb2 import Change, SignOffRecord
    from interlock.v1.evidence_pb2 import Evidence
    from interlock.v1.requirement_pb2 import UnmetRequirement

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_SEEN: Final[Mapping[str, Piece]] = MappingProxyType(
    {
        "full": ("you have opened it", "green"),
        "redacted": ("you have opened a redacted version of it", "yellow"),
        "not_opened": ("you have not opened it", "yellow"),
    }
)
"""What a sign-off says was seen of a document, which is signed as well."""


def state_of(change: Change) -> tuple[str, str]:
    """Return stored and derived state in a few words, with a style."""
    from interlock.v1 import change_pb2

    state = word(change_pb2.ChangeState, change.state)
    if state == "applied" and change.tainted:
        return (f"applied at position {change.applied_position}, tainted", "red")
    if state == "applied":
        return (f"applied at position {change.applied_position}", "green")
    facts = [
        name
        for name, holds in (("approved", change.approved), ("stale", change.stale), ("expired", change.expired))
        if holds
    ]
    return (", ".join([state, *facts]), "red" if change.stale or change.expired or state == "rejected" else "yellow")


def show_outcome(terminal: Terminal, change: Change) -> None:
    """Tell where a change stands after it was acted on: what is still unmet, each once, and the upshot last."""
    wishes: dict[tuple[str, str], list[str]] = {}
    for row in change.unmet:
        actual = f"; found: {row.actual}" if row.actual and row.code != "SIGN_OFF_MISSING" else ""
        wishes.setdefault((row.code, f"{row.requirement}{actual}"), []).append(row.trigger)
    for (code, wish), triggers in wishes.items():
        fired = ", ".join(dict.fromkeys(filter(None, triggers)))
        terminal.line((code, "yellow"), f"  {wish}", (f"  for {fired}" if fired else "", "dim"), indent=2)
    still = f": {len(wishes)} still unmet" if wishes else ""
    terminal.line((change.name, "bold"), f" revision {change.revision}, ", state_of(change), still)


def show_proposed(run: Run, change: Change) -> None:
    """Tell that a change was proposed, as JSON or in words."""
    if run.as_json:
        run.terminal.json(to_json(change))
        return
    show_outcome(run.terminal, change)


def show_change(terminal: Terminal, opened: OpenedChange, gone: Mapping[str, str] = _NOTHING) -> None:
    """Draw a change: texts, triggers, documents, sign-offs, everything that is unmet."""
    change = opened.change
    terminal.line((change.name, "bold"), f"  revision {change.revision}  ", state_of(change))
    if any(slot.trigger == "break_glass.open" for slot in change.slots):
        terminal.line(("BREAK-GLASS: an exception for a while, to be reviewed afterwards", "bold red"), indent=2)
    show_texts(terminal, opened, gone)
    requesters = ", ".join(names.leaf(row) for row in change.requesters)
    end = "" if change.applied_position >= 0 else f"; ends {when(change.expire_time)}"
    terminal.line((f"requested by {requesters}, {when(change.create_time)}{end}", "dim"), indent=2)
    terminal.line((f"content sha256 {opened.content_sha256}", "dim"), indent=2)
    _show_timing(terminal, opened)
    _show_triggers(terminal, opened)
    if opened.content.evidence:
        terminal.line()
        terminal.line(("evidence", "bold"), indent=2)
        terminal.rows([[name, (f"sha256 {digest}", "dim")] for name, digest in opened.content.evidence], indent=4)
    if opened.content.named_evidence:
        terminal.line()
        terminal.line(("evidence that a trigger names", "bold"), indent=2)
        terminal.rows([[name, (f"sha256 {digest}", "dim")] for name, digest in opened.content.named_evidence], indent=4)
    if change.moved:
        terminal.line()
        terminal.line(("moved since it was written: ", "red"), ", ".join(change.moved), indent=2)
    _show_sign_offs(terminal, change.sign_offs)
    _show_unmet(terminal, change.unmet)
    _show_taint(terminal, change)


def show_for_signing(terminal: Terminal, reviewed: ReviewedChange) -> None:
    """Show everything that a signature over this change binds, digests in full."""
    opened, content = reviewed.opened, reviewed.content
    terminal.line((f"{opened.name}, revision {content.revision}", "bold"), ": this is what you sign")
    show_texts(terminal, opened)
    _show_timing(terminal, opened)
    terminal.line()
    terminal.line(("it fires, in this order", "bold"), indent=2)
    for number, firing in enumerate(content.triggers, start=1):
        terminal.line(f"{number:>2}. {trigger_line(firing)}", indent=2)
    if reviewed.adoption is not None:
        show_adoption(terminal, reviewed.adoption)
    terminal.line()
    terminal.line(("evidence" if reviewed.evidence else "no evidence", "bold"), indent=2)
    for record in reviewed.evidence:
        _show_document(terminal, record, reviewed.seen.get(record.name, ""))
    if reviewed.named:
        terminal.line(("named by a trigger, not attached", "bold"), indent=2)
    for record in reviewed.named:
        _show_document(terminal, record, reviewed.seen.get(record.name, ""))
    for ratified in reviewed.ratified:
        _show_ratified(terminal, ratified)
    terminal.line()
    terminal.line(("written against", "bold"), indent=2)
    terminal.rows(
        [[name, ("new" if position < 0 else f"position {position}", "dim")] for name, position in content.base],
        indent=4,
    )
    terminal.line()
    terminal.rows(
        [
            ["log id", content.log_id.hex()],
            ["policy sha256", content.policy_digest.hex()],
            ["rules sha256", content.rules_digest.hex()],
            [("content sha256", "bold"), (opened.content_sha256, "bold")],
        ],
        indent=2,
    )


def _show_ratified(terminal: Terminal, ratified: RatifiedChange) -> None:
    """Show what would count again: all that the tainted change applied, who signed it, what speaks against it now."""
    opened = ratified.opened
    terminal.line()
    applied = f", revision {opened.content.revision}, applied at position {opened.change.applied_position}"
    terminal.line(("what counts again: ", "bold red"), (opened.name, "bold"), applied, indent=2)
    show_texts(terminal, opened)
    _show_triggers(terminal, opened)
    if ratified.adoption is not None:
        show_adoption(terminal, ratified.adoption)
    terminal.line()
    terminal.line(("its evidence" if ratified.evidence else "it had no evidence", "bold"), indent=2)
    for record in ratified.evidence:
        _show_document(terminal, record)
    if ratified.named:
        terminal.line(("named by a trigger of it, not attached", "bold"), indent=2)
    for record in ratified.named:
        _show_document(terminal, record)
    _show_sign_offs(terminal, opened.change.sign_offs)
    _show_taint(terminal, opened.change)
    terminal.line()
    terminal.line((f"content sha256 of {opened.name}: {opened.content_sha256}", "bold"), indent=2)
    for inner in ratified.ratified:
        _show_ratified(terminal, inner)


def show_texts(terminal: Terminal, opened: OpenedChange, gone: Mapping[str, str] = _NOTHING) -> None:
    """Show title, summary and whatever other text the change has; of one that is not there, ``gone`` says why."""
    for field in sorted(dict(opened.content.texts), key=lambda name: (name != "title", name)):
        if field in opened.erased:
            terminal.line((f"{field}: {gone.get(field, 'erased')}", "dim"), indent=2)
        elif field == "title":
            terminal.line((opened.texts[field], "bold"), indent=2)
        else:
            terminal.line((f"{field}:", "dim"), indent=2)
            terminal.lines(opened.texts[field], indent=4)


def change_row(change: Change, title: str) -> list[Piece]:
    """Return one line of a listing."""
    return [
        (change.name, "bold"),
        f"rev {change.revision}",
        state_of(change),
        f"{len({row.code + row.trigger + row.requirement for row in change.unmet})} unmet" if change.unmet else "",
        title,
    ]


def title_of(opened: OpenedChange) -> str:
    """Return the title in one line, or that it was erased."""
    return opened.texts.get("title", "(title erased)")


def _show_timing(terminal: Terminal, opened: OpenedChange) -> None:
    if opened.content.not_before:
        terminal.line(f"not applied before {when_micros(opened.content.not_before)}", indent=2)
    if opened.content.apply_separately:
        terminal.line("approval alone does not apply it", indent=2)


def _show_triggers(terminal: Terminal, opened: OpenedChange) -> None:
    terminal.line()
    terminal.line(("triggers", "bold"), indent=2)
    for number, firing in enumerate(opened.content.triggers, start=1):
        terminal.line(f"{number:>2}. {trigger_line(firing)}", indent=2)


def _show_document(terminal: Terminal, record: Evidence, seen: str = "") -> None:
    authors = ", ".join(names.leaf(author) for author in dict.fromkeys((record.uploader, *record.authors)))
    terminal.line((record.name, "bold"), f"  {record.kind}  {record.title}", indent=4)
    terminal.line((f"sha256 {record.sha256}, {record.size_bytes} bytes, by {authors}", "dim"), indent=6)
    if seen:
        terminal.line(_SEEN[seen], indent=6)


def _show_sign_offs(terminal: Terminal, rows: Iterable[SignOffRecord]) -> None:
    from interlock.v1 import change_pb2

    lines: list[list[Piece]] = []
    for row in rows:
        comment = f"“{row.comment.text}”" if row.comment.text else ""
        lines.append(
            [
                names.leaf(row.signer) + (f" for {names.leaf(row.on_behalf_of)}" if row.on_behalf_of else ""),
                (word(change_pb2.Decision, row.decision), "dim" if row.void else "green"),
                f"rev {row.revision}",
                ", ".join(row.roles),
                (f"void: {row.void_reason}" if row.void else "", "red"),
                (f"{when(row.create_time)} {comment}".strip(), "dim"),
            ]
        )
    if lines:
        terminal.line()
        terminal.line(("sign-offs", "bold"), indent=2)
        terminal.rows(lines, indent=4)


def _show_unmet(terminal: Terminal, unmet: Iterable[UnmetRequirement]) -> None:
    """Show what is unmet, by trigger."""
    from interlock.client.status import unmet_of

    lines = unmet_lines((unmet_of(row) for row in unmet), indent=4)
    if lines:
        terminal.line()
        terminal.line(("unmet", "bold yellow"), indent=2)
    for line in lines:
        terminal.line(*line)


def _show_taint(terminal: Terminal, change: Change) -> None:
    """Say why a change is tainted, or what ratified it."""
    if change.tainted:
        terminal.line()
        terminal.line(("tainted: what it gave is denied until it is ratified or given anew", "red"), indent=2)
        terminal.rows([[(row.code, "yellow"), row.actual, (row.resource, "dim")] for row in change.doubts], indent=4)
    for position in change.ratified_positions:
        terminal.line((f"ratified at position {position}", "dim"), indent=2)
