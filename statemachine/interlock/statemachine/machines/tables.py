"""States and edges of every machine, declared with ``transitions`` and compiled to frozen tables.

What lives here: which edge exists. A trigger whose edge depends on an argument has the argument in brackets, such as
``determination.report[reached]``. What a step writes beside the state is in the kind's own module.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from transitions import Machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from interlock.statemachine.policy.model import Policy

ABSENT: Final = "absent"
CONCLUSIONS: Final = ("ruled_out", "cannot_rule_out", "reached")
"""In order of strictness (domain design, "Reports")."""

_SUSPENDABLE: Final = ("verified", "active", "degraded")
_REMEMBERED: Final = ("implementing", *_SUSPENDABLE)

Edge = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The compiled edges of one machine: (state, trigger) to state."""

    kind: str
    states: tuple[str, ...]
    edges: Mapping[tuple[str, str], str]

    def target(self, state: str, trigger: str) -> str | None:
        """Return the state that ``trigger`` leads to from ``state``, or None when there is no such edge."""
        return self.edges.get((state, trigger))

    def sources(self, trigger: str) -> tuple[str, ...]:
        """Return every state in which ``trigger`` can fire."""
        return tuple(state for state, name in self.edges if name == trigger)


def compile_table(kind: str, edges: Iterable[Edge]) -> Table:
    """Build the machine with ``transitions`` and freeze what it says.

    ``auto_transitions`` is off: by default the library adds an edge from every state to every state.
    """
    rows = tuple(edges)
    states = tuple(dict.fromkeys(state for source, _, target in rows for state in (source, target)))
    machine = Machine(
        model=None,
        states=list(states),
        transitions=[{"trigger": name, "source": source, "dest": target} for source, name, target in rows],
        initial=states[0],
        auto_transitions=False,
        queued=False,
    )
    compiled = {
        (source, name): step.dest
        for name, event in machine.events.items()
        for source, steps in event.transitions.items()
        for step in steps
        if step.dest is not None
    }
    order = {(source, name): place for place, (source, name, _) in enumerate(rows)}
    # As declared, not as the library keeps them: the rules' digest is over the tables. An edge of its own has no place.
    return Table(
        kind, states, MappingProxyType({edge: compiled[edge] for edge in sorted(compiled, key=order.__getitem__)})
    )


def _model_edges() -> Iterable[Edge]:
    yield ABSENT, "model.register", "registered"
    yield "registered", "model.add_artifact", "registered"
    yield "registered", "model.record_run", "registered"
    yield "registered", "model.retire", "retired"


def _determination_edges() -> Iterable[Edge]:
    for new in CONCLUSIONS:
        yield "undetermined", f"determination.report[{new}]", f"{new}/unconfirmed"
    for old_rank, old in enumerate(CONCLUSIONS):
        for new_rank, new in enumerate(CONCLUSIONS):
            report, stricter = f"determination.report[{new}]", CONCLUSIONS[max(old_rank, new_rank)]
            yield f"{old}/unconfirmed", report, f"{stricter}/unconfirmed"
            yield f"{old}/lapsed", report, f"{stricter}/unconfirmed"
            if new_rank > old_rank:
                yield f"{old}/confirmed", report, f"{new}/confirmed"
        yield f"{old}/unconfirmed", "determination.confirm", f"{old}/confirmed"
        if old != "ruled_out":
            yield f"{old}/confirmed", "determination.confirm", f"{old}/confirmed"
            yield f"{old}/lapsed", "determination.confirm", f"{old}/confirmed"
        for shade in ("unconfirmed", "confirmed", "lapsed"):
            yield f"{old}/{shade}", "determination.rule_out", "ruled_out/confirmed"
    yield "undetermined", "determination.rule_out", "ruled_out/confirmed"


def _assessment_edges() -> Iterable[Edge]:
    yield ABSENT, "assessment.open", "open"
    yield "open", "assessment.conclude", "concluded"
    yield "open", "assessment.abandon", "abandoned"


def _level_edges(policy: Policy) -> Iterable[Edge]:
    """Edges over the pack's levels; a stub can be required and never assigned."""
    for level in (entry for entry in policy.levels if not entry.stub):
        yield f"provisional({level.id})", "level.confirm", f"confirmed({level.id})"
        for kind in ("provisional", "confirmed"):
            target = f"{kind}({level.id})"
            yield "unassigned", f"level.assign[{target}]", target
            for other in (entry for entry in policy.levels if not entry.stub and entry.index != level.index):
                name = "level.raise" if level.index > other.index else "level.lower"
                for before in ("provisional", "confirmed"):
                    yield f"{before}({other.id})", f"{name}[{target}]", target


def _safeguard_edges() -> Iterable[Edge]:
    yield "planned", "safeguard.start", "implementing"
    yield "implementing", "safeguard.verify", "verified"
    yield "verified", "safeguard.activate", "active"
    yield "active", "safeguard.reattest", "active"
    yield "degraded", "safeguard.reattest", "degraded"
    yield "active", "safeguard.degrade", "degraded"
    yield "verified", "safeguard.degrade", "implementing"
    yield "suspended(active)", "safeguard.degrade", "suspended(degraded)"
    yield "suspended(verified)", "safeguard.degrade", "suspended(implementing)"
    yield "degraded", "safeguard.restore", "active"
    for state in _SUSPENDABLE:
        yield state, "safeguard.suspend", f"suspended({state})"
    for state in _REMEMBERED:
        yield f"suspended({state})", "safeguard.resume", state
        yield f"suspended({state})", "safeguard.replan", "planned"
        yield f"suspended({state})", "safeguard.retire", "retired"
    for state in ("planned", "implementing", *_SUSPENDABLE):
        yield state, "safeguard.retire", "retired"
    for state in ("implementing", "verified", "retired"):
        yield state, "safeguard.replan", "planned"


def _hold_edges() -> Iterable[Edge]:
    yield ABSENT, "hold.place", "placed"
    yield "placed", "hold.lift", "lifted"


def _deployment_edges() -> Iterable[Edge]:
    yield ABSENT, "deployment.record", "live"
    yield "live", "deployment.end", "ended"


def _principal_edges() -> Iterable[Edge]:
    yield ABSENT, "principal.create", "invited"
    yield "invited", "credential.register", "active"
    yield "invited", "credential.bind", "active"
    yield "active", "recovery.suspend", "suspended"
    yield "suspended", "principal.restore", "active"
    yield "removed", "principal.restore", "invited"
    for state in ("invited", "active"):
        yield state, "principal.suspend", "suspended"
    for state in ("invited", "active", "suspended"):
        yield state, "principal.remove", "removed"
    for state in ("invited", "active", "suspended", "removed"):
        yield state, "principal.link", state
        yield state, "principal.unlink", state


def _credential_edges() -> Iterable[Edge]:
    yield ABSENT, "credential.register", "active"
    yield ABSENT, "credential.bind", "active"
    yield "active", "credential.revoke", "revoked"
    yield "active", "recovery.revoke", "revoked"
    yield "active", "credential.revoke[compromised]", "revoked"
    yield "revoked", "credential.revoke[compromised]", "revoked"


def _grant_edges() -> Iterable[Edge]:
    yield ABSENT, "grant.give", "active"
    yield "active", "grant.end", "ended"


def _delegation_edges() -> Iterable[Edge]:
    yield ABSENT, "delegation.give", "active"
    yield "active", "delegation.end", "ended"


def _log_edges() -> Iterable[Edge]:
    """What a change does to the log; founding and recovery have no trigger."""
    yield "closed", "log.rotate_key", "closed"


def _issuer_edges() -> Iterable[Edge]:
    yield ABSENT, "issuer.trust", "trusted"
    yield "trusted", "issuer.distrust", "distrusted"


def _exception_edges() -> Iterable[Edge]:
    yield ABSENT, "break_glass.open", "open"
    for trigger in ("hold.place", "safeguard.degrade", "safeguard.suspend", "safeguard.retire"):
        yield "open", trigger, "ended"


def _interim_measure_edges() -> Iterable[Edge]:
    yield ABSENT, "interim_measure.put_in_force", "in_force"
    yield "in_force", "interim_measure.end", "ended"


def _obligation_edges() -> Iterable[Edge]:
    """Closing an incident ends what repeats until then, where that is not overdue."""
    yield "due", "obligation.fulfil", "fulfilled"
    yield "waived", "obligation.fulfil", "fulfilled"
    yield "due", "obligation.waive", "waived"
    yield "waived", "obligation.waive", "waived"
    yield "due", "incident.close", "ended"
    yield "waived", "incident.close", "ended"


def _policy_version_edges() -> Iterable[Edge]:
    """Another version's adoption is what supersedes one; drafted is what a change proposes (decision 0039)."""
    yield "drafted", "policy.adopt", "adopted"
    yield "superseded", "policy.adopt", "adopted"
    yield "adopted", "policy.adopt[another]", "superseded"


def _incident_edges() -> Iterable[Edge]:
    """A severity that goes down has a name of its own; so has the same one with another category."""
    yield ABSENT, "incident.report", "reported"
    for way in ("raise", "keep", "lower"):
        yield "reported", f"incident.triage[{way}]", "triaged"
    for way in ("raise", "lower", "category"):
        yield "triaged", f"incident.triage[{way}]", "triaged"
    yield "mitigated", "incident.triage[raise]", "triaged"
    yield "mitigated", "incident.triage[lower]", "mitigated"
    yield "mitigated", "incident.triage[category]", "mitigated"
    yield "closed", "incident.triage[raise]", "triaged"
    yield "closed", "incident.triage[keep]", "triaged"
    yield "triaged", "incident.mitigate", "mitigated"
    yield "triaged", "incident.close", "closed"
    yield "mitigated", "incident.close", "closed"


def _finding_edges() -> Iterable[Edge]:
    yield ABSENT, "finding.raise", "raised"
    yield "raised", "finding.confirm", "confirmed"
    yield "dismissed", "finding.confirm", "confirmed"
    yield "raised", "finding.dismiss", "dismissed"
    yield "confirmed", "finding.dismiss", "dismissed"


def _change_edges() -> Iterable[Edge]:
    yield ABSENT, "change.propose", "in_review"
    yield ABSENT, "change.propose[draft]", "draft"
    yield "draft", "change.submit", "in_review"
    for state in ("draft", "in_review"):
        for trigger in ("change.amend", "change.attach", "change.detach", "change.rebase"):
            yield state, trigger, state
        yield state, "change.withdraw", "withdrawn"
    yield "in_review", "change.sign", "in_review"
    yield "in_review", "change.withdraw_sign_off", "in_review"
    yield "in_review", "change.reject", "in_review"
    yield "in_review", "change.reject[veto]", "rejected"
    yield "in_review", "change.apply", "applied"
    yield "applied", "change.ratify", "applied"


SETTLED: Mapping[str, frozenset[tuple[str, str]]] = MappingProxyType(
    {
        "model": frozenset({("retired", "model.retire")}),
        "determination": frozenset(
            (f"{old}/confirmed", f"determination.report[{new}]")
            for old_rank, old in enumerate(CONCLUSIONS)
            for new in CONCLUSIONS[: old_rank + 1]
        ),
        "safeguard": frozenset(
            {
                ("degraded", "safeguard.degrade"),
                ("suspended(degraded)", "safeguard.degrade"),
                ("suspended(implementing)", "safeguard.degrade"),
                ("retired", "safeguard.retire"),
                *((f"suspended({state})", "safeguard.suspend") for state in _REMEMBERED),
            }
        ),
        "principal": frozenset(
            {
                ("suspended", "principal.suspend"),
                ("removed", "principal.suspend"),
                ("removed", "principal.remove"),
            }
        ),
        "credential": frozenset({("revoked", "credential.revoke")}),
        "grant": frozenset({("ended", "grant.end")}),
        "delegation": frozenset({("ended", "delegation.end")}),
        "issuer": frozenset({("distrusted", "issuer.distrust")}),
        "interim_measure": frozenset({("ended", "interim_measure.end")}),
        "incident": frozenset({("triaged", "incident.triage[keep]"), ("mitigated", "incident.triage[keep]")}),
        "finding": frozenset({("confirmed", "finding.confirm")}),
    }
)
"""A tightening trigger that finds its state already there is acknowledged with no transition."""

MODEL: Final = compile_table("model", _model_edges())
DETERMINATION: Final = compile_table("determination", _determination_edges())
ASSESSMENT: Final = compile_table("assessment", _assessment_edges())
SAFEGUARD: Final = compile_table("safeguard", _safeguard_edges())
HOLD: Final = compile_table("hold", _hold_edges())
DEPLOYMENT: Final = compile_table("deployment", _deployment_edges())
CHANGE: Final = compile_table("change", _change_edges())
PRINCIPAL: Final = compile_table("principal", _principal_edges())
CREDENTIAL: Final = compile_table("credential", _credential_edges())
GRANT: Final = compile_table("grant", _grant_edges())
DELEGATION: Final = compile_table("delegation", _delegation_edges())
EXCEPTION: Final = compile_table("exception", _exception_edges())


ISSUER: Final = compile_table("issuer", _issuer_edges())
LOG: Final = compile_table("log", _log_edges())
INTERIM_MEASURE: Final = compile_table("interim_measure", _interim_measure_edges())
OBLIGATION: Final = compile_table("obligation", _obligation_edges())
INCIDENT: Final = compile_table("incident", _incident_edges())
FINDING: Final = compile_table("finding", _finding_edges())
POLICY_VERSION: Final = compile_table("policy_version", _policy_version_edges())
FIXED: Final = (
    MODEL, DETERMINATION, ASSESSMENT, SAFEGUARD, HOLD, DEPLOYMENT, CHANGE, PRINCIPAL, CREDENTIAL, GRANT,
    DELEGATION, ISSUER, EXCEPTION, INTERIM_MEASURE, OBLIGATION, INCIDENT, FINDING, POLICY_VERSION, LOG,
)  # fmt: skip


@lru_cache(maxsize=64)
def level_table(policy: Policy) -> Table:
    """Return the level machine over a policy version's levels."""
    return compile_table("level", _level_edges(policy))
