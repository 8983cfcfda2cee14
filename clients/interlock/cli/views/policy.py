"""Policies drawn: what one version changes of another, and which verdicts would flip; what loosens stands out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from interlock.cli.views.common import ALLOW, DENY, short, when
from interlock.cli.views.unmet import unmet_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interlock.cli.terminal import Piece, Terminal
    from interlock.client.adoption import Adoption
    from interlock.statemachine.diffing import Difference
    from interlock.statemachine.simulating import Simulation
    from interlock.v1.policy_pb2 import PolicyUnfillable, SimulatePolicyResponse

_HEADS: Final = {"loosens": ("LOOSENS", "bold red"), "tightens": ("tightens", "bold"), "neutral": ("otherwise", "bold")}
_STYLES: Final = {"-": "red", "+": "green", "@": "cyan"}


def show_differences(terminal: Terminal, old: str, new: str, found: Iterable[Difference], indent: int = 0) -> None:
    """Print what differs, grouped by the way it goes; what loosens comes first and is marked line by line."""
    terminal.line((old, "bold"), " → ", (new, "bold"), indent=indent)
    groups: dict[str, list[Difference]] = {}
    for row in found:
        groups.setdefault(row.way.value, []).append(row)
    if not groups:
        terminal.line("nothing differs", indent=indent)
    for name, rows in groups.items():
        terminal.line()
        terminal.line(_HEADS[name], f"  {len(rows)}", indent=indent)
        for row in rows:
            terminal.line(*_difference(row), indent=indent + 2)


def _difference(row: Difference) -> tuple[Piece, ...]:
    loud = row.way.value == "loosens"
    mark: Piece = ("! ", "bold red") if loud else "  "
    subject = f"{row.area} {row.subject}".strip()
    first: tuple[Piece, ...] = (("adopting later needs less: ", "bold red"),) if row.foremost else ()
    return (mark, *first, (subject, "bold"), f"  {row.words}")


def difference_json(row: Difference) -> dict[str, Any]:
    """Return a difference in its JSON form."""
    return {
        "way": row.way.value, "area": row.area, "subject": row.subject, "words": row.words, "foremost": row.foremost
    }  # fmt: skip


def show_adoption(terminal: Terminal, adoption: Adoption) -> None:
    """Show a proposed pack as its signer has to see it: in words, then line by line, nothing left out."""
    terminal.line()
    terminal.line(("it puts another policy in force", "bold"), indent=2)
    show_differences(terminal, adoption.old, adoption.new, adoption.differences, indent=4)
    terminal.line()
    terminal.line(("line by line", "bold"), indent=2)
    for line in adoption.lines:
        terminal.line((line, _STYLES.get(line[:1], "")), indent=4)


def simulation_message(found: Simulation, position: int, instant: int) -> SimulatePolicyResponse:
    """Return a simulation that was made here as a server gives it."""
    from interlock.v1 import policy_pb2

    answer = policy_pb2.SimulatePolicyResponse(releases=found.releases, log_position=position)
    answer.instant.FromMicroseconds(instant)
    for row in found.turned:
        flip = answer.flips.add(model=row.model, context=row.context, artifact_digest=row.artifact, allowed=row.allowed)
        for unmet in row.reasons:
            flip.reasons.add(
                rule=unmet.rule, code=unmet.code, requirement=unmet.requirement, actual=unmet.actual,
                resource=unmet.resource, trigger=unmet.trigger,
            )  # fmt: skip
    for moved in found.carried:
        message = answer.carried.add(resource=moved.item.name, to=moved.after)
        setattr(message, "from", moved.before)  # a word that Python keeps for itself
    for rule in found.unfillable:
        answer.unfillable.add(triggers=rule.triggers, roles=rule.roles)
    return answer


def show_simulation(terminal: Terminal, policy: str, found: SimulatePolicyResponse) -> None:
    """Print which verdicts would flip, and why; from DENY to ALLOW first."""
    at = f"at position {found.log_position}, judged at {when(found.instant)}"
    terminal.line(("if ", ""), (policy, "bold"), " were in force ", (at, "dim"))
    for flip in found.flips:
        was, will = (DENY, ALLOW) if flip.allowed else (ALLOW, DENY)
        artifact = f" with {short(flip.artifact_digest)}…" if flip.artifact_digest else ""
        mark: Piece = ("! ", "bold red") if flip.allowed else "  "
        terminal.line()
        terminal.line(mark, (flip.model, "bold"), f" {flip.context}{artifact}  ", was, " → ", will)
        if flip.allowed:
            terminal.line(("it would go out without what is asked for now:", "bold red"), indent=2)
        for pieces in unmet_lines(flip.reasons, indent=4):  # type: ignore[arg-type]  # a message has the same fields
            terminal.line(*pieces)
    terminal.line()
    turned = len(found.flips)
    loose = sum(flip.allowed for flip in found.flips)
    terminal.line((f"{turned} of {found.releases} verdicts flip", "bold"), f", {loose} of them from DENY to ALLOW")
    if found.carried:
        terminal.line()
        terminal.line(("what carries over as something else", "bold"))
        terminal.rows([[row.resource, f"{getattr(row, 'from')} → {row.to}"] for row in found.carried], indent=2)
    for rule in found.unfillable:
        terminal.line()
        terminal.line(("! ", "bold red"), unfillable_words(rule))


def unfillable_words(rule: PolicyUnfillable) -> str:
    """Return what a rule asks for that those who hold roles now are too few for."""
    return f"nobody could sign for {', '.join(rule.triggers)}: too few people with {', '.join(rule.roles)}"
