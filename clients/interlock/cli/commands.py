"""Which commands `interlock` has of its own: one table, in the order of the help.

Lives here: names, summaries and where each is declared. Not here: the commands; a module is imported when one of its
commands is used, so that a gate check does not pay for the audit's. A test holds the summaries to what is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from typer.main import get_group

from interlock.cli.help import LaterCommand
from interlock.cli.run import group

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Listed:
    """A command as the help lists it. ``module``, of this package, has it in its ``app`` or adds it by ``add_to``."""

    module: str
    summary: str


ALONE: Final[Mapping[str, Listed]] = MappingProxyType(
    {
        "login": Listed(
            "session",
            "Open a session with your login key, or by your OpenID provider; with a key the others do so themselves.",
        ),
        "logout": Listed("session", "End your session, at the server and here."),
        "whoami": Listed("session", "Show who you are: roles, delegations, keys, rights, and when the session ends."),
        "inbox": Listed("signing", "List the changes that wait for your sign-off."),
        "sign": Listed("signing", "Show everything that a change binds, then approve it with your sign-off key."),
        "reject": Listed(
            "signing", "Reject a change with your sign-off key; nothing of it is approved while that stands."
        ),
        "withdraw": Listed(
            "signing", "Take your own sign-off back, signed as well; `changes withdraw` takes the whole change back."
        ),
        "withdraw-sign-off": Listed("signing", "Take your own sign-off back, signed as well."),
        "delegate": Listed(
            "delegations", "Let somebody sign in one of your roles for a while; signed with your sign-off key."
        ),
        "status": Listed(
            "status",
            "Show on one screen: server, log, policy, models and the gate, holds, what waits for you, what falls due.",
        ),
    }
)
"""Commands of one word."""

GROUPS: Final[Mapping[str, Listed]] = MappingProxyType(
    {
        "models": Listed(
            "models", "Models: what is released, with levels, determinations, safeguards and the gate's word."
        ),
        "assessments": Listed("assessments", "Assessments of models, and what they find at each threshold."),
        "safeguards": Listed(
            "safeguards", "Safeguards: start, verify, degrade, suspend … Activating and restoring take a change."
        ),
        "changes": Listed("changes", "Changes: ordered triggers that need consent. `interlock sign` signs one."),
        "evidence": Listed("evidence", "Evidence: documents by digest, which changes rely on."),
        "hold": Listed("holds", "Holds: stop a release at once. Lifting a hold takes a change."),
        "break-glass": Listed(
            "break_glass",
            "Break-glass: except a hold or a safeguard for a while; the review afterwards blocks if it is late.",
        ),
        "gate": Listed("gate", "The gate: may this model go to this context, now?"),
        "deployments": Listed("deployments", "Deployments: what runs where, and which of it the gate denies by now."),
        "measures": Listed("measures", "Interim measures: what stands in for a safeguard, where, until when."),
        "incidents": Listed("incidents", "Incidents: what went wrong, how grave it is, and what that obliges to."),
        "findings": Listed("findings", "Findings: what analysers of activity records saw."),
        "obligations": Listed("obligations", "Obligations: what the policy obliges to, and what falls due."),
        "audit": Listed("audit", "The audit trail: read it, follow it, verify it here from its first byte."),
        "policy": Listed(
            "policy", "Policies: the versions ever adopted, with their packs; packs to write, compare, try and adopt."
        ),
        "keys": Listed("keys", "Keys: make yours here and have them registered; see everybody's, and revoke one."),
        "principals": Listed(
            "principals", "Principals: accounts, their keys and roles; add, suspend, remove or restore one."
        ),
        "log-key": Listed("log_key", "The log's own key: make a new one, and have it signed for in a change."),
        "recover": Listed(
            "recovery", "Recovery: what the recovery quorum signs offline, and hands in; everything is held with it."
        ),
        "delegations": Listed("delegations", "Delegations: who may sign in whose role, until when; end one."),
        "issuers": Listed("issuers", "Issuers: OpenID providers that log people and pipelines in."),
        "grants": Listed("grants", "Grants: who has which role, on which models, until when."),
    }
)
"""Groups of commands."""


def listed_commands() -> dict[str, LaterCommand]:
    """Return every command of our own, none of them loaded."""
    alone = [LaterCommand(name, row.summary, _Alone(name, row.module)) for name, row in ALONE.items()]
    groups = [LaterCommand(name, row.summary, _Grouped(name, row.module)) for name, row in GROUPS.items()]
    return {str(command.name): command for command in (*alone, *groups)}


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Loads a group: the module's ``app``."""

    name: str
    module: str

    def __call__(self) -> Any:  # noqa: ANN401  # typer's own, vendored types
        loaded: Any = get_group(_import(self.module).app)
        loaded.name = self.name
        return loaded


@dataclass(frozen=True, slots=True)
class _Alone:
    """Loads a command of one word: one of those that the module's ``add_to`` adds."""

    name: str
    module: str

    def __call__(self) -> Any:  # noqa: ANN401  # as above
        app = group("")
        _import(self.module).add_to(app)
        return get_group(app).commands[self.name]


def _import(module: str) -> Any:  # noqa: ANN401  # modules of commands have no type in common
    return import_module(f"interlock.cli.{module}")
