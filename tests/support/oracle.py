"""A deliberately naive second opinion on the gate: the numbered ALLOW rule, read off the design and nothing else.

What lives here: a plain reading of a pack's YAML, plain dictionaries that fold entries in the words of the design, and
one short method for each number of the rule. It shares no code with ``machines/``, ``levels.py``, ``explain.py`` or the
compiled policy, judges no right and no sign-off (an entry is there or it is not), and knows no persistence: when it
and the real thing differ, one of them is wrong.

    1 context known · 2 model registered, artifact its own · 3 no hold · 4 determinations confirmed and not lapsed
    5 assigned level >= required · 6 listed commitments active and attested · 7 no blocking obligation overdue,
    no incident open and no finding confirmed of a severity that blocks
    8 no fact that these read was given by a tainted change (which are, ``naive_taint.py`` says)
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from tests.support import naive_clocks
from tests.support.naive_carrying import carry_over
from tests.support.naive_clocks import microseconds

if TYPE_CHECKING:
    from interlock.statemachine.entry import Entry, GenesisDocument, RecoveryDocument

STRICTNESS = ["undetermined", "ruled_out", "cannot_rule_out", "reached"]
_GONE = {"principals": "removed", "credentials": "revoked", "grants": "ended"}
_GIVES = {
    "activate": ("activation", "attestation"),
    "reattest": ("attestation",),
    "restore": ("activation",),
    "resume": ("resumption",),
}


@lru_cache(maxsize=32)
def parsed(pack_yaml: bytes) -> Any:  # noqa: ANN401  # parsed YAML
    """Return what the text of a pack says."""
    return YAML(typ="safe", pure=True).load(pack_yaml)


@dataclass
class Oracle:
    """What the log says, in dictionaries keyed by resource name."""

    pack: Any
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    determinations: dict[str, dict[str, Any]] = field(default_factory=dict)
    levels: dict[str, dict[str, str]] = field(default_factory=dict)
    safeguards: dict[str, dict[str, Any]] = field(default_factory=dict)
    holds: dict[str, dict[str, str]] = field(default_factory=dict)
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    assessments: dict[str, dict[str, Any]] = field(default_factory=dict)
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    identity: dict[str, dict[str, Any]] = field(default_factory=dict)
    periods: dict[str, dict[str, Any]] = field(default_factory=dict)
    grids: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    packs: dict[bytes, Any] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    delegations: dict[str, dict[str, Any]] = field(default_factory=dict)
    exceptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: dict[str, dict[str, str]] = field(default_factory=dict)
    changes: dict[str, bytes] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    given: dict[str, dict[str, int]] = field(default_factory=dict)
    tainted: set[int] = field(default_factory=set)
    position: int = -1

    @classmethod
    def of(cls, pack_yaml: bytes) -> Oracle:
        """Return an oracle over an empty log of a pack."""
        return cls(parsed(pack_yaml))

    def fork(self) -> Oracle:
        """Return an oracle that goes on from here on its own."""
        parts = {name: copy.deepcopy(value) for name, value in vars(self).items() if name != "pack"}
        return Oracle(self.pack, **parts)

    # Folding -----------------------------------------------------------------------------------------------------

    def feed(self, entry: Entry) -> None:
        """Take in one entry. Where its transitions end in other states than ours, ``differences`` says so."""
        command = entry.command
        if isinstance(command, c.Genesis):
            document = codec.decode_genesis(command.document)
            self._found(document)
            self.policies[document.policy.name] = "adopted"
            self.begin(entry.time)
        elif isinstance(command, c.Fire):
            self.fire(command.firing, entry.time, entry.seq)
        elif isinstance(command, c.Recover):
            self._recover(codec.decode_recovery(command.document), entry)
        elif isinstance(command, c.ReportAnonymously):
            self._incident("report", f.IncidentReport(command.target, command.category), entry.time)
        elif isinstance(command, c.ProposeChange):
            self.changes[f"changes/{len(self.changes) + 1}"] = command.content
        elif isinstance(command, c.AmendChange | c.AttachEvidence | c.DetachEvidence | c.RebaseChange):
            self.changes[command.change] = command.content
        elif isinstance(command, c.RecordEvidence):
            self.evidence[f"evidence/{len(self.evidence) + 1}"] = command.effective_compute
        if isinstance(command, c.ProposeChange | c.AmendChange) and command.pack:
            files = codec.decode_pack(command.pack)
            lines = "".join(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))
            self.packs[hashlib.sha256(lines.encode()).digest()] = parsed(files["policy.yaml"])
        for moved in entry.transitions:
            if moved.trigger == "change.apply":
                for firing in codec.decode_content(self.changes[moved.resource]).triggers:
                    self.fire(firing, entry.time, entry.seq)
        for resource, said in {moved.resource: moved.target for moved in entry.transitions}.items():
            ours = self.state_of(resource)
            if ours is not None and ours != said:
                self.differences.append(f"entry {entry.seq}: {resource} is {ours}, the entry says {said}")

    def _recover(self, document: RecoveryDocument, entry: Entry) -> None:
        """Give back, hold everything; a key that is named rests on no change."""
        for firing in (*document.triggers, f.HoldPlace("-")):
            self.fire(firing, entry.time, entry.seq)
        if document.log_key is not None:
            self.give("log", "key")

    def state_of(self, resource: str) -> str | None:
        """Return the state of a machine as transitions name it; None for what the oracle does not follow."""
        if resource in self.models:
            return str(self.models[resource]["state"])
        if resource in self.determinations:
            known = self.determinations[resource]
            return f"{known['conclusion']}/{'confirmed' if known['confirmed'] else 'unconfirmed'}"
        if resource in self.levels:
            return f"{self.levels[resource]['kind']}({self.levels[resource]['level']})"
        if resource in self.safeguards:
            known = self.safeguards[resource]
            return f"suspended({known['remembers']})" if known["state"] == "suspended" else str(known["state"])
        if resource in self.holds:
            return self.holds[resource]["state"]
        if resource in self.measures:
            return str(self.measures[resource]["state"])
        for placed in (self.deployments, self.assessments):
            if resource in placed:
                return str(placed[resource]["state"])
        if resource in self.exceptions:
            return str(self.exceptions[resource]["state"])
        if resource in self.delegations:
            return str(self.delegations[resource]["state"])
        if resource in self.identity:
            return str(self.identity[resource]["state"])
        for known in (self.incidents, self.findings):
            if resource in known:
                return known[resource]["state"]
        if resource in self.periods:
            return str(self.periods[resource]["state"])
        if resource in self.policies:
            return self.policies[resource]
        blank = {"determinations": "undetermined", "levels": "unassigned", "safeguards": "planned"}
        kind = resource.split("/")[-2] if "/" in resource else ""
        if kind in blank and resource.startswith(("models/", "safeguards/")):
            return blank[kind]
        return None

    def fire(self, firing: f.Firing, now: int, position: int = -1) -> None:
        """Do what a trigger that was accepted by the entry at a position does."""
        self.position = position
        machine, _, trigger = firing.trigger.value.partition(".")
        if machine == "model":
            self._model(trigger, firing, now)
        elif machine == "determination":
            self._determination(trigger, firing, now)
        elif machine == "assessment":
            self._assessment(trigger, firing)
        elif machine == "level":
            self._level(trigger, firing)
        elif machine == "safeguard":
            self._safeguard(trigger, firing, now)
        elif machine == "hold":
            self._hold(trigger, firing)
        elif machine == "deployment":
            self._deployment(trigger, firing, now)
        elif machine == "interim_measure":
            self._measure(trigger, firing)
        elif machine == "incident":
            self._incident(trigger, firing, now)
        elif machine == "finding":
            self._finding(trigger, firing)
        elif machine == "obligation":
            self._obligation(trigger, firing, now)
        elif machine == "policy":
            self._adopt(firing, now)
        elif machine in {"principal", "credential", "grant", "recovery"}:
            self._identity(machine, trigger, firing)
        elif machine == "delegation":
            self._delegation(trigger, firing)
        elif machine == "log":
            self.give("log", "key")
        elif machine == "break_glass":
            self._except(firing, now)
        for name in self._spoken_against(machine, trigger, firing):
            for known in self.exceptions.values():
                if known["of"] == name:
                    known["state"] = "ended"

    @staticmethod
    def _stood_in_for(known: dict[str, Any]) -> str:
        """Return what break-glass would stand in for on a hold or safeguard in this state; empty for nothing."""
        if known["state"] == "suspended":
            return "safeguard.resume" if known["remembers"] == "active" else ""
        return {"placed": "hold.lift", "degraded": "safeguard.restore"}.get(known["state"], "")

    def _except(self, firing: Any, now: int) -> None:  # noqa: ANN401  # as above
        rules = {trigger: row for row in self.pack.get("break_glass", []) for trigger in row["triggers"]}
        instead = self._stood_in_for(self.holds.get(firing.resource) or self.safeguards[firing.resource])
        number = len(self.exceptions) + 1
        self.give(f"exceptions/{number}", "exception")
        self.exceptions[f"exceptions/{number}"] = {
            "of": firing.resource, "until": firing.until, "state": "open", "for": instead,
        }  # fmt: skip
        due = now + microseconds(rules[instead]["review_within"])
        naive_clocks.open_one(self, "break-glass-review", due, f"exceptions/{number}", now)

    def _spoken_against(self, machine: str, trigger: str, firing: Any) -> set[str]:  # noqa: ANN401  # as above
        """Return the holds and safeguards that a tightening trigger is about: it ends their exceptions."""
        if (machine, trigger) == ("hold", "place"):
            return {name for name, hold in self.holds.items() if firing.target in {"-", hold["on"]}}
        if machine == "safeguard" and trigger in {"degrade", "suspend", "retire"}:
            return {firing.safeguard}
        return set()

    def _use(self, name: str, known: dict[str, Any] | None, now: int) -> str:
        """Return the use that excepts a hold or a safeguard: the longest, and one without taint before any."""
        allowed = {trigger for row in self.pack.get("break_glass", []) for trigger in row["triggers"]}
        if known is None or self._stood_in_for(known) not in allowed:
            return ""
        rows = [
            use
            for use, row in self.exceptions.items()
            if (row["of"], row["state"], row["for"]) == (name, "open", self._stood_in_for(known)) and now < row["until"]
        ]
        return max(rows, key=lambda use: (not self._is_tainted(use), self.exceptions[use]["until"]), default="")

    def _is_excepted(self, name: str, now: int) -> bool:
        """Say whether a safeguard is excepted, and attested still."""
        known = self.safeguards.get(name)
        return known is not None and bool(self._use(name, known, now)) and now < (self.attested_to(name) or 0)

    def _adopt(self, firing: Any, now: int) -> None:  # noqa: ANN401  # as above
        new = self.packs[firing.pack_digest]
        carry_over(self, new)
        self.give(firing.policy, "policy")
        for name, state in self.policies.items():
            self.policies[name] = "superseded" if state == "adopted" else state
        self.policies[firing.policy] = "adopted"
        self.pack = new
        self.begin(now)
        naive_clocks.by_adoption(self, firing.policy, now)

    def begin(self, now: int) -> None:
        """Begin the grids that the pack in force asks for."""
        naive_clocks.begin(self, now)

    def _incident(self, trigger: str, firing: Any, now: int) -> None:  # noqa: ANN401  # as above
        if trigger == "report":
            name = f"incidents/{len(self.incidents) + 1}"
            found = firing.discovered_at or now
            made = {"on": firing.target, "state": "reported", "severity": firing.severity, "category": firing.category}
            self.incidents[name] = {**made, "discovered": found}
            naive_clocks.by_incident(self, name, now)
            return
        known = self.incidents[firing.incident]
        closed = known["state"] == "closed"
        if trigger == "triage":
            graver = self._severities().index(firing.severity) > self.rank(known["severity"])
            stays = known["state"] == "mitigated" and not graver
            if self._severities().index(firing.severity) < self.rank(known["severity"]):
                self.give(firing.incident, "severity")
            known.update(severity=firing.severity, state="mitigated" if stays else "triaged")
            known["category"] = firing.category or known["category"]
        else:
            known["state"] = {"mitigate": "mitigated", "close": "closed"}[trigger]
            if trigger == "close":
                self.give(firing.incident, "closing")
                naive_clocks.by_closing(self, firing.incident, now)
        if trigger != "mitigate":
            naive_clocks.by_incident(self, firing.incident, now, again=closed)

    def _finding(self, trigger: str, firing: Any) -> None:  # noqa: ANN401  # as above
        if trigger == "raise":
            made = {"on": firing.target, "state": "raised", "severity": firing.severity}
            self.findings[f"findings/{len(self.findings) + 1}"] = made
        else:
            self.findings[firing.finding]["state"] = {"confirm": "confirmed", "dismiss": "dismissed"}[trigger]
            if trigger == "dismiss":
                self.give(firing.finding, "dismissal")

    def _severities(self) -> list[str]:
        rows = self.pack.get("incidents", {}).get("severities", ["low", "serious", "critical"])
        return [row if isinstance(row, str) else row["id"] for row in rows]

    def rank(self, severity: str) -> int:
        """Return the place of a severity, mildest 0."""
        order = self._severities()
        return -1 if not severity else order.index(severity) if severity in order else len(order)

    def _is_grave(self, severity: str) -> bool:
        """Say whether a severity blocks: by default all but the mildest; one that a pack drops does."""
        if severity and severity not in self._severities():
            return True
        rows = self.pack.get("incidents", {}).get("severities")
        if rows is None:
            return severity in {"serious", "critical"}
        return any(isinstance(row, dict) and row["id"] == severity and row.get("blocking") for row in rows)

    def _obligation(self, trigger: str, firing: Any, now: int) -> None:  # noqa: ANN401  # as above
        known = self.periods.setdefault(firing.period, {"state": "due", "until": 0})
        self.give(firing.period, "fulfilment" if trigger == "fulfil" else "waiver")
        if trigger == "fulfil":
            known["state"] = "fulfilled"
            naive_clocks.by_meeting(self, firing.period, now)
        else:
            known.update(state="waived", until=firing.until)

    def give(self, resource: str, *facts: str) -> None:
        """Note which entry gave facts of a resource."""
        self.given.setdefault(resource, {}).update(dict.fromkeys(facts, self.position))

    def _measure(self, trigger: str, firing: Any) -> None:  # noqa: ANN401  # as above
        if trigger == "end":
            self.measures[firing.interim_measure]["state"] = "ended"
            return
        self.give(f"interimMeasures/{len(self.measures) + 1}", "measure")
        made = {"of": firing.model, "for": set(firing.safeguards), "in": set(firing.contexts)}
        self.measures[f"interimMeasures/{len(self.measures) + 1}"] = {
            **made,
            "until": firing.until,
            "state": "in_force",
        }

    def _found(self, document: GenesisDocument) -> None:
        for account in document.principals:
            self.identity[account.name] = {"state": "active", "of": account.name}
        for key in document.credentials:
            name = f"{key.principal}/credentials/{hashlib.sha256(key.public_key).hexdigest()}"
            self.identity[name] = {"state": "active", "of": key.principal}
        for number, grant in enumerate(document.grants, start=1):
            self.identity[f"grants/{number}"] = {"state": "active", "of": grant.principal}

    def _identity(self, machine: str, trigger: str, firing: Any) -> None:  # noqa: ANN401  # as below
        if trigger == "create":
            self.identity[firing.principal] = {"state": "invited", "of": firing.principal}
            return
        if trigger == "register":
            account = self.identity[firing.principal]
            account["state"] = "active" if account["state"] == "invited" else account["state"]
            name = f"{firing.principal}/credentials/"
            if firing.replaces:
                self.identity[name + firing.replaces]["state"] = "revoked"
            name += hashlib.sha256(firing.public_key).hexdigest()
            self.identity[name] = {"state": "active", "of": firing.principal}
            return
        if trigger == "give":
            number = sum(name.startswith("grants/") for name in self.identity) + 1
            self.identity[f"grants/{number}"] = {"state": "active", "of": firing.principal}
            return
        if trigger in {"link", "unlink"}:
            return  # moves no state
        if machine == "recovery":
            if trigger == "suspend":
                self.identity[firing.principal]["state"] = "suspended"
            else:
                self.identity[firing.credential]["state"] = "revoked"
            return
        known = self.identity[getattr(firing, machine)]
        if trigger == "restore":
            known["state"] = "invited" if known["state"] == "removed" else "active"
        elif machine == "credential":
            known["state"] = "revoked"
        elif machine == "grant":
            known["state"] = "ended"
        elif trigger == "suspend":
            known["state"] = "removed" if known["state"] == "removed" else "suspended"
        else:
            for name, row in self.identity.items():
                if row["of"] == firing.principal:
                    row["state"] = _GONE[name.split("/")[-2]]

    def _delegation(self, trigger: str, firing: Any) -> None:  # noqa: ANN401  # as below
        if trigger == "end":
            self.delegations[firing.delegation]["state"] = "ended"
            return
        self.delegations[f"delegations/{len(self.delegations) + 1}"] = {"state": "active"}

    def _model(self, trigger: str, firing: Any, now: int) -> None:  # noqa: ANN401  # any trigger of the machine
        for artifact in getattr(firing, "artifacts", (getattr(firing, "artifact", ""),)):
            self.give(f"{firing.model}/artifacts/{artifact}", "artifact")
        if trigger == "register":
            first = set(firing.artifacts)
            self.models[firing.model] = {"state": "registered", "artifacts": set(first), "compute": None}
            self.models[firing.model].update({"first": first, "later": [], "since": now})
            return
        model = self.models[firing.model]
        if trigger == "retire":
            model["state"] = "retired"
        elif trigger == "add_artifact":
            model["artifacts"].add(firing.artifact)
            if now == model["since"]:
                model["first"].add(firing.artifact)
            else:
                model["later"].append(firing.artifact)
            for threshold in self._judged():
                if self._lapse(firing.model, threshold, now):
                    self.give(f"{firing.model}/determinations/{threshold}", "lapse")
        elif trigger == "record_run":
            compute = Fraction(self.evidence[firing.evidence])
            model["compute"] = compute if model["compute"] is None else max(compute, model["compute"])
            for threshold in self._judged():
                growth = self.pack["thresholds"][threshold]["reassess"].get("compute_growth")
                known = self.determinations.get(f"{firing.model}/determinations/{threshold}")
                if growth is None or known is None or not known["confirmed"]:
                    continue
                if known["compute"] is None or compute >= Fraction(str(growth)) * known["compute"]:
                    self._lapse(firing.model, threshold, now)

    def _judged(self) -> list[str]:
        """Return the thresholds that the gate reads: all that are not tracked."""
        return [name for name, spec in self.pack.get("thresholds", {}).items() if not spec.get("tracked")]

    def _lapse(self, model: str, threshold: str, now: int) -> bool:
        known = self.determinations.get(f"{model}/determinations/{threshold}")
        if known is not None and known["confirmed"] and (known["lapses"] is None or known["lapses"] > now):
            known["lapses"] = now
            return True
        return False

    def _assessment(self, trigger: str, firing: Any) -> None:  # noqa: ANN401  # as above
        if trigger == "open":
            made = {"of": firing.model, "state": "open", "at": set(firing.thresholds)}
            self.assessments[f"assessments/{len(self.assessments) + 1}"] = made
        else:
            known = self.assessments[firing.assessment]
            known["state"] = {"conclude": "concluded", "abandon": "abandoned"}[trigger]

    def _determination(self, trigger: str, firing: Any, now: int) -> None:  # noqa: ANN401  # as above
        name = firing.determination
        model, threshold = name.split("/determinations/")
        old = self.determinations.get(name)
        if trigger == "report":
            if old is not None and self._fresh(old, now):
                if STRICTNESS.index(firing.conclusion) > STRICTNESS.index(old["conclusion"]):
                    old["conclusion"] = firing.conclusion
                    self.give(name, "conclusion")
                return
            before = "undetermined" if old is None else old["conclusion"]
            stricter = max(before, firing.conclusion, key=STRICTNESS.index)
            facts = self.given.setdefault(name, {})
            facts.pop("confirmation", None)
            facts.pop("lapse", None)
            if stricter != before:
                self.given[name] = {}
                self.give(name, "conclusion")
            self.determinations[name] = {"conclusion": stricter, "confirmed": False, "lapses": None, "compute": None}
            return
        self.given[name] = {}
        self.give(name, "conclusion", "confirmation", "lapse")
        conclusion = "ruled_out" if trigger == "rule_out" else self.determinations[name]["conclusion"]
        every = self.pack["thresholds"][threshold].get("reassess")
        self.determinations[name] = {
            "conclusion": conclusion,
            "confirmed": True,
            "lapses": None if every is None else now + microseconds(every["every"]),
            "compute": self.models[model]["compute"],
        }

    @staticmethod
    def _fresh(known: dict[str, Any], now: int) -> bool:
        return known["confirmed"] and (known["lapses"] is None or now < known["lapses"])

    def _level(self, trigger: str, firing: Any) -> None:  # noqa: ANN401  # as above
        if trigger == "confirm":
            self.levels[firing.level]["kind"] = "confirmed"
            return
        self.give(firing.level, "level")
        model, standard = firing.level.split("/levels/")
        order = self._order()
        conclusions = set()
        for threshold in self._judged():
            asked = self.pack["thresholds"][threshold].get("asks", {}).get(standard)
            if asked is not None and order.index(asked) >= order.index(firing.to):
                conclusions.add(self._conclusion(model, threshold))
        provisional = "cannot_rule_out" in conclusions and "reached" not in conclusions
        self.levels[firing.level] = {"level": firing.to, "kind": "provisional" if provisional else "confirmed"}

    def _safeguard(self, trigger: str, firing: Any, now: int) -> None:  # noqa: ANN401  # as above
        blank = {"state": "planned", "remembers": "", "until": None}
        known = self.safeguards.setdefault(firing.safeguard, dict(blank))
        lasts = microseconds(self.pack["safeguards"][firing.safeguard.rsplit("/", 1)[1]]["attested_for"])
        worse = {"active": "degraded", "verified": "implementing"}
        if trigger in {"activate", "retire", "replan"}:
            self.given[firing.safeguard] = {}
        self.give(firing.safeguard, *_GIVES.get(trigger, ()))
        if trigger == "start":
            known["state"] = "implementing"
        elif trigger == "verify":
            known["state"] = "verified"
        elif trigger == "activate":
            known.update(state="active", until=now + lasts, at=now)
        elif trigger == "reattest":
            known.update(until=now + lasts, at=now)
        elif trigger == "degrade":
            which = "remembers" if known["state"] == "suspended" else "state"
            known[which] = worse.get(known[which], known[which])
        elif trigger == "restore":
            known["state"] = "active"
        elif trigger == "suspend" and known["state"] != "suspended":
            known.update(state="suspended", remembers=known["state"])
        elif trigger == "resume":
            known.update(state=known["remembers"], remembers="")
        elif trigger == "retire":
            known.update(blank, state="retired")
        elif trigger == "replan":
            known.update(blank)

    def _hold(self, trigger: str, firing: Any) -> None:  # noqa: ANN401  # as above
        if trigger == "place":
            self.holds[f"holds/{len(self.holds) + 1}"] = {"on": firing.target, "state": "placed"}
        else:
            self.holds[firing.hold]["state"] = "lifted"
            self.give(firing.hold, "lift")

    def _deployment(self, trigger: str, firing: Any, now: int) -> None:  # noqa: ANN401  # as above
        if trigger == "end":
            self.deployments[firing.deployment]["state"] = "ended"
            return
        self.deployments[f"deployments/{len(self.deployments) + 1}"] = {
            "state": "live",
            "release": (firing.model, firing.context, firing.artifact),
            "allowed": self.allows(firing.model, firing.context, firing.artifact, now),
        }
        naive_clocks.by_deployment(self, firing, now)

    def out_of_compliance(self, now: int) -> set[str]:
        """Return the deployments that are live although the gate would deny them."""
        found = set()
        for name, known in self.deployments.items():
            model, context, artifact = known["release"]
            if known["state"] == "live" and not self.allows(model, context, artifact, now):
                found.add(name)
        return found

    # The rule, number by number ----------------------------------------------------------------------------------

    def failures(self, model: str, context: str, artifact: str, now: int) -> set[tuple[int, str]]:
        """Return (rule number, resource) for everything that fails; ALLOW if and only if there is nothing."""
        found = self._rule_1(context) | self._rule_2(model, context, artifact) | self._rule_3(model, now)
        found |= {(7, name) for name in self.overdue(now) if self._blocks(name)}
        stands = {name: row for name, row in self.incidents.items() if row["state"] != "closed"}
        stands |= {name: row for name, row in self.findings.items() if row["state"] == "confirmed"}
        found |= {(7, n) for n, row in stands.items() if row["on"] in {model, "-"} and self._is_grave(row["severity"])}
        if model in self.models and not self._rule_1(context):
            found |= (
                self._rule_4(model, context, now) | self._rule_5(model, context) | self._rule_6(model, context, now)
            )
        return found | self._rule_8(model, context, artifact, now)

    def allows(self, model: str, context: str, artifact: str, now: int) -> bool:
        """Say whether the release may go on."""
        return not self.failures(model, context, artifact, now)

    def _rule_1(self, context: str) -> set[tuple[int, str]]:
        in_force = f"policies/{self.pack['policy']}/versions/{self.pack['version']}"
        return set() if context in self._contexts() else {(1, in_force)}

    def _rule_2(self, model: str, context: str, artifact: str) -> set[tuple[int, str]]:
        if model not in self.models:
            return {(2, model)}
        found = set()
        if self.models[model]["state"] != "registered":
            found.add((2, model))
        if not artifact and self._context(context).get("artifact") == "required":
            found.add((2, model))
        if artifact and artifact not in self.models[model]["artifacts"]:
            found.add((2, f"{model}/artifacts/{artifact}"))
        return found

    def _rule_3(self, model: str, now: int) -> set[tuple[int, str]]:
        return {
            (3, name)
            for name, hold in self.holds.items()
            if hold["state"] == "placed" and hold["on"] in {model, "-"} and not self._use(name, hold, now)
        }

    def _rule_4(self, model: str, context: str, now: int) -> set[tuple[int, str]]:
        needed = self._context(context).get("thresholds")
        found = set()
        for threshold in self._judged() if needed is None else needed:
            name = f"{model}/determinations/{threshold}"
            known = self.determinations.get(name)
            if known is None or not self._fresh(known, now):
                found.add((4, name))
        return found

    def _rule_5(self, model: str, context: str) -> set[tuple[int, str]]:
        order = self._order()
        found = set()
        for standard, spec in self.pack["standards"].items():
            if not self._applies(standard, context):
                continue
            required = order.index(spec["baseline"])
            for threshold in self._judged():
                asked = self.pack["thresholds"][threshold].get("asks", {}).get(standard)
                if asked is not None and self._conclusion(model, threshold) in {"cannot_rule_out", "reached"}:
                    required = max(required, order.index(asked))
            level = self.levels.get(f"{model}/levels/{standard}")
            if level is None or order.index(level["level"]) < required:
                found.add((5, f"{model}/levels/{standard}"))
        return found

    def _rule_6(self, model: str, context: str, now: int) -> set[tuple[int, str]]:
        found = set()
        for safeguard in self.listed(model, context):
            spec = self.pack["safeguards"][safeguard]
            if spec["track"] != "commitment":
                continue
            name = self._named(model, safeguard)
            if self._is_up(name, now) or self._is_excepted(name, now):
                continue
            if not self._standing_in(model, context, safeguard, now):
                found.add((6, name))
        return found

    def overdue(self, now: int) -> set[str]:
        """Return the periods of obligations whose end has passed, unfulfilled, and not waived any longer."""
        return naive_clocks.overdue(self, now)

    def dues(self, now: int) -> set[int]:
        """Return when the next periods of each obligation end, three of each, and the ends of all waivers."""
        return naive_clocks.dues(self, now)

    def _blocks(self, period: str) -> bool:
        if period.startswith("obligations/break-glass-review/"):
            return True
        return bool(naive_clocks.in_force(self).get(period.split("/")[1], {}).get("blocking"))

    def _named(self, model: str, safeguard: str) -> str:
        shared = self.pack["safeguards"][safeguard].get("scope") == "shared"
        return f"safeguards/{safeguard}" if shared else f"{model}/safeguards/{safeguard}"

    def _is_up(self, name: str, now: int) -> bool:
        """Say whether a safeguard is active and attested."""
        known = self.safeguards.get(name)
        return known is not None and known["state"] == "active" and now < (self.attested_to(name) or 0)

    def attested_to(self, name: str) -> int | None:
        """Return when an attestation ends: as written, or sooner where the pack in force says so."""
        known, spec = self.safeguards[name], self.pack.get("safeguards", {}).get(name.rsplit("/", 1)[1])
        if known["until"] is None or spec is None:
            return None if known["until"] is None else int(known["until"])
        return int(min(known["until"], known["at"] + microseconds(spec["attested_for"])))

    def _standing_in(self, model: str, context: str, safeguard: str, now: int) -> list[str]:
        """Return the interim measures that stand in for a safeguard."""
        return [
            name
            for name, measure in self.measures.items()
            if (measure["of"], measure["state"]) == (model, "in_force")
            and safeguard in measure["for"]
            and context in measure["in"]
            and now < measure["until"]
        ]

    def _rule_8(self, model: str, context: str, artifact: str, now: int) -> set[tuple[int, str]]:
        if not self.tainted:
            return set()
        read: list[tuple[str, tuple[str, ...]]] = [
            (name, ("policy",)) for name, state in self.policies.items() if state == "adopted"
        ]
        read.append(("log", ("key",)))
        read += [(name, ("lift",)) for name, hold in self.holds.items() if hold["on"] in {model, "-"}]
        for name, hold in self.holds.items():
            if hold["on"] in {model, "-"} and hold["state"] == "placed":
                read.append((self._use(name, hold, now), ("exception",)))
        for period, known in self.periods.items():
            if self._blocks(period):
                read.append((period, ("fulfilment",) if known["state"] == "fulfilled" else ("waiver", "end")))
        for name, row in self.incidents.items():
            if row["on"] in {model, "-"}:
                read.append((name, ("severity", "closing") if row["state"] == "closed" else ("severity",)))
        for name, row in self.findings.items():
            if row["on"] in {model, "-"} and row["state"] == "dismissed":
                read.append((name, ("dismissal",)))
        if model in self.models and artifact:
            read.append((f"{model}/artifacts/{artifact}", ("artifact",)))
        if model in self.models and not self._rule_1(context):
            read += self._read_of_determinations(model, context)
            read += [
                (f"{model}/levels/{standard}", ("level",))
                for standard in self.pack["standards"]
                if self._applies(standard, context)
            ]
            for safeguard in self.listed(model, context):
                if self.pack["safeguards"][safeguard]["track"] == "commitment":
                    read += self._read_of_safeguard(model, context, safeguard, now)
        return {(8, name) for name, facts in read if self._is_tainted(name, *facts)}

    def _is_tainted(self, name: str, *facts: str) -> bool:
        """Say whether a tainted change gave one of these facts of a resource, or any where none is named.

        Of what several became one of, each counts for every fact.
        """
        given = self.given.get(name, {})
        merged = [fact for fact in given if fact.startswith("merged")]
        return any(given.get(fact) in self.tainted for fact in (*(facts or given), *merged))

    def _read_of_determinations(self, model: str, context: str) -> list[tuple[str, tuple[str, ...]]]:
        """Return what rules 4 to 6 read of determinations: all of those needed, the conclusions of those that ask."""
        needed = self._context(context).get("thresholds")
        asking: set[str] = set()
        for threshold in self._judged():
            asks = self.pack["thresholds"][threshold].get("asks", {})
            if any(self._applies(standard, context) for standard in asks):
                asking.add(threshold)
        for spec in self.pack.get("safeguards", {}).values():
            if spec["track"] == "commitment" and self._guards(spec, context):
                asking |= set(spec.get("for", ())) & set(self._judged())
        needed = self._judged() if needed is None else needed
        return [
            *((f"{model}/determinations/{threshold}", ()) for threshold in needed),
            *((f"{model}/determinations/{threshold}", ("conclusion",)) for threshold in asking),
        ]

    def _read_of_safeguard(
        self, model: str, context: str, safeguard: str, now: int
    ) -> list[tuple[str, tuple[str, ...]]]:
        """Return what is read of a safeguard, or of the measure that stands in: of two, the one without taint."""
        name = self._named(model, safeguard)
        standing = self._standing_in(model, context, safeguard, now)
        clean = [measure for measure in standing if not self._is_tainted(measure)]
        if self._is_excepted(name, now):
            use, facts = self._use(name, self.safeguards[name], now), ("activation", "resumption", "attestation")
            if not clean or not (self._is_tainted(use) or self._is_tainted(name, *facts)):
                return [(use, ("exception",)), (name, facts)]
        if clean and (not self._is_up(name, now) or self._is_tainted(name)):
            return []
        if standing and not self._is_up(name, now):
            return [(max(standing, key=lambda measure: self.measures[measure]["until"]), ())]
        known = self.safeguards.get(name, {"state": "planned"})
        attested = ("attestation",) if known["state"] in {"active", "degraded"} else ()
        return [(name, ("activation", "resumption", *attested))]

    def listed(self, model: str, context: str) -> set[str]:
        """Return the ids of the safeguards that the model's levels list for a context, less the replaced ones."""
        order = self._order()
        here = set()
        for safeguard, spec in self.pack.get("safeguards", {}).items():
            level = self.levels.get(f"{model}/levels/{spec['standard']}")
            if level is None or order.index(level["level"]) < order.index(spec["level"]):
                continue
            reasons = spec.get("for")
            bites = {"cannot_rule_out", "reached"}
            if reasons is not None and not any(self._conclusion(model, t) in bites for t in reasons):
                continue
            if self._applies(spec["standard"], context) and self._guards(spec, context):
                here.add(safeguard)
        replaced = {gone for safeguard in here for gone in self.pack["safeguards"][safeguard].get("replaces", [])}
        return here - replaced

    # Reading the pack --------------------------------------------------------------------------------------------

    def _order(self) -> list[str]:
        return [level if isinstance(level, str) else level["id"] for level in self.pack["levels"]]

    def _contexts(self) -> list[str]:
        return [context if isinstance(context, str) else context["id"] for context in self.pack["contexts"]]

    def _context(self, context: str) -> dict[str, Any]:
        return next((row for row in self.pack["contexts"] if isinstance(row, dict) and row["id"] == context), {})

    def _applies(self, standard: str, context: str) -> bool:
        where = self.pack["standards"][standard].get("applies_in", "all")
        return where == "all" or context in where

    def _guards(self, spec: dict[str, Any], context: str) -> bool:
        if spec.get("only"):
            return context in spec["guards"]
        contexts = self._contexts()
        return contexts.index(context) >= min(contexts.index(guarded) for guarded in spec["guards"])

    def _conclusion(self, model: str, threshold: str) -> str:
        known = self.determinations.get(f"{model}/determinations/{threshold}")
        return "undetermined" if known is None else str(known["conclusion"])
