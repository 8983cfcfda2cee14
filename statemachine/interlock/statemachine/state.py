"""The fold: every resource as the log's entries left it, as one immutable value.

Maps are persistent (``immutables.Map``): a new state shares all that did not change with the one before, so a refused
or rolled back command costs nothing and a reader keeps a consistent view for as long as it likes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from immutables import Map

from interlock.statemachine import resources as r
from interlock.statemachine.names import number_of, obligation_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

R = TypeVar("R", bound=r.Resource)
EVERYTHING = "-"
ROW: Final = 4096
"""How many positions of the log one row of ``approvals`` covers."""
_NO_HOLDS: Map[int, str] = Map()
_NO_DOCUMENTS: Map[str, str] = Map()
_NOTHING: Map[tuple[str, int], str] = Map()


@dataclass(frozen=True, slots=True)
class State:
    """What the log says after its first ``size`` entries.

    ``positions`` holds for each resource the position of the last entry that wrote it; ``counters`` the next number of
    each kind that numbers itself densely; ``writes`` what the entry that is being made has written so far. The other
    maps are indexes over ``items``; ``holds_placed`` has each target's placed holds by number, which grows as they are
    placed; ``live`` has names of deployments by model, then by (context, artifact); ``applied`` holds for each
    position at which a change was applied that change, ``tainted`` those of them whose sign-offs no longer suffice
    (``taint.py``), ``approvals`` where the word of each account counted; ``measures`` each model's interim measures
    that nobody ended; ``fulfilments`` for each obligation the period that each document fulfils, ``cleared`` the number
    up to which none of its periods is owed, ``caused`` for each thing that started clocks the periods that it opened;
    ``delegations_of`` each account's delegations, given and held, by number; ``exemptions`` each hold's and safeguard's
    exceptions by break-glass, by number; ``standing`` for each target its open incidents and its confirmed findings.
    """

    size: int = 0
    time: int = 0
    items: Map[str, r.Resource] = field(default_factory=Map)
    positions: Map[str, int] = field(default_factory=Map)
    counters: Map[str, int] = field(default_factory=Map)
    holds_placed: Map[str, Map[int, str]] = field(default_factory=Map)
    grants_of: Map[str, tuple[r.Grant, ...]] = field(default_factory=Map)
    delegations_of: Map[str, tuple[str, ...]] = field(default_factory=Map)
    exemptions: Map[str, tuple[str, ...]] = field(default_factory=Map)
    artifact_owner: Map[str, str] = field(default_factory=Map)
    first_uploads: Map[str, int] = field(default_factory=Map)
    envelopes: Map[bytes, int] = field(default_factory=Map)
    key_owner: Map[str, str] = field(default_factory=Map)
    accounts_of: Map[str, frozenset[str]] = field(default_factory=Map)
    live: Map[str, Map[tuple[str, str], Map[str, None]]] = field(default_factory=Map)
    applied: Map[int, str] = field(default_factory=Map)
    approvals: Map[str, bytes] = field(default_factory=Map)
    tainted: Map[int, str] = field(default_factory=Map)
    measures: Map[str, tuple[str, ...]] = field(default_factory=Map)
    fulfilments: Map[str, Map[str, str]] = field(default_factory=Map)
    cleared: Map[str, int] = field(default_factory=Map)
    caused: Map[str, tuple[str, ...]] = field(default_factory=Map)
    standing: Map[str, Map[tuple[str, int], str]] = field(default_factory=Map)
    policy: r.PolicyVersion | None = None
    writes: tuple[str, ...] = ()

    @property
    def head(self) -> int:
        """Position of the last entry; -1 for an empty log."""
        return self.size - 1

    @property
    def log(self) -> r.Log:
        """What the genesis said. Raises LookupError before it."""
        return self.need("log", r.Log)

    def find(self, name: str, kind: type[R]) -> R | None:
        """The resource called ``name``, or None when there is none of that kind."""
        item = self.items.get(name)
        return item if isinstance(item, kind) else None

    def need(self, name: str, kind: type[R]) -> R:
        """The resource called ``name``. Raises LookupError when there is none of that kind."""
        item = self.find(name, kind)
        if item is None:
            msg = f"{name} is not in the fold"
            raise LookupError(msg)
        return item

    def all_of(self, kind: type[R]) -> Iterator[R]:
        """Every resource of a kind, in no particular order."""
        return (item for item in self.items.values() if isinstance(item, kind))

    def in_order(self, encode: Callable[[r.Resource], bytes]) -> Iterator[tuple[str, bytes]]:
        """Every resource's name and its form, by name; ``encode`` gives a resource's form."""
        return ((name, encode(self.items[name])) for name in sorted(self.items))

    def position(self, name: str) -> int:
        """Position of the last entry that wrote ``name``; -1 for none."""
        return self.positions.get(name, r.NEVER)

    def next_name(self, kind: str) -> str:
        """The name that the next resource of a numbered kind gets, such as ``holds/3``."""
        return f"{kind}/{self.counters.get(kind, 1)}"

    def put(self, item: r.Resource) -> State:
        """This state with ``item`` written by the entry that is being made (position ``size``)."""
        return self.updated(
            items=self.items.set(item.name, item),
            positions=self.positions.set(item.name, self.size),
            writes=self.writes if item.name in self.writes else (*self.writes, item.name),
            **_indexes(self, item),
        )

    def counted(self, kind: str) -> State:
        """This state with the counter of a numbered kind moved on."""
        return self.updated(counters=self.counters.set(kind, self.counters.get(kind, 1) + 1))

    def after_entry(self, time: int) -> State:
        """This state once the entry that is being made is complete at ``time`` (microseconds)."""
        return self.updated(size=self.size + 1, time=time, writes=())

    def updated(self, **moved: Any) -> Self:  # noqa: ANN401  # each a field of its own type
        """This state with other values in some fields: `dataclasses.replace`, which is slow where it matters most."""
        values = list(_values(self))
        for name, value in moved.items():
            values[_PLACES[name]] = value
        made = object.__new__(type(self))
        for put, value in zip(_PUTS, values, strict=True):
            put(made, value)  # the slot's own: a frozen value's constructor goes a longer way
        return made

    def determination(self, model: str, threshold: str) -> r.Determination:
        """What is known of a model at a threshold; undetermined when nothing was written."""
        name = f"{model}/determinations/{threshold}"
        return self.find(name, r.Determination) or r.Determination(name)

    def level(self, model: str, standard: str) -> r.Level:
        """A model's level in a standard; unassigned when nothing was written."""
        name = f"{model}/levels/{standard}"
        return self.find(name, r.Level) or r.Level(name)

    def safeguard(self, name: str) -> r.Safeguard:
        """A safeguard; planned when nothing was written."""
        return self.find(name, r.Safeguard) or r.Safeguard(name)

    def holds_on(self, model: str) -> tuple[str, ...]:
        """Names of the holds that are placed on a model, then of those on everything, each in the order of placing."""
        on_model, on_all = (self.holds_placed.get(target, _NO_HOLDS) for target in (model, EVERYTHING))
        return (*(on_model[number] for number in sorted(on_model)), *(on_all[number] for number in sorted(on_all)))

    def accounts(self, principal: str) -> frozenset[str]:
        """Every account of the person behind an account, itself included; a service stands for itself."""
        found, left = {principal}, [principal]
        while left:
            account = self.find(left.pop(), r.Principal)
            for person in self._persons(account) if account is not None else ():
                for name in self.accounts_of.get(person, frozenset()) - found:
                    if person in self._persons(self.need(name, r.Principal)):
                        found.add(name)
                        left.append(name)
        return frozenset(found)

    def _persons(self, account: r.Principal) -> tuple[str, ...]:
        """Who is behind an account; while what parted it from somebody is tainted, they are too."""
        if account.person_was and account.unlinked_by in self.tainted:
            return (account.person, account.person_was)
        return (account.person,) if account.person else ()

    def measures_for(self, model: str, context: str, safeguard: str) -> tuple[r.InterimMeasure, ...]:
        """A model's interim measures for a safeguard (by id) in a context that nobody ended, run out or not."""
        if model not in self.measures:
            return ()
        known = (self.need(name, r.InterimMeasure) for name in self.measures[model])
        return tuple(item for item in known if context in item.contexts and safeguard in item.safeguards)

    def standing_on(self, model: str) -> tuple[str, ...]:
        """Names of the open incidents and the confirmed findings on a model, then on everything, each by number."""
        found = (self.standing.get(target, _NOTHING) for target in (model, EVERYTHING))
        return tuple(rows[key] for rows in found for key in sorted(rows))

    def opened_by(self, cause: str, obligation: str) -> tuple[str, ...]:
        """The periods of an obligation that one thing opened, by number."""
        return tuple(name for name in self.caused.get(cause, ()) if obligation_of(name) == obligation)

    def fulfilled_by(self, obligation: str) -> Map[str, str]:
        """The documents that fulfil periods of an obligation, each with the period."""
        return self.fulfilments.get(obligation, _NO_DOCUMENTS)

    def approved_by(self, principal: str) -> Iterator[int]:
        """Positions at which changes were applied by a word of this account, ascending."""
        for number in range(self.size // ROW + 1):
            row = self.approvals.get(f"{principal}@{number}", b"")
            yield from (int.from_bytes(row[at : at + 8]) for at in range(0, len(row), 8))

    def grants(self, principal: str) -> tuple[r.Grant, ...]:
        """Every grant that a principal was ever given."""
        return self.grants_of.get(principal, ())

    def delegations(self, principal: str) -> tuple[r.Delegation, ...]:
        """Every delegation that an account ever gave or was given."""
        return tuple(self.need(name, r.Delegation) for name in self.delegations_of.get(principal, ()))

    def delegations_to(self, principal: str) -> tuple[r.Delegation, ...]:
        """Every delegation that an account was ever given."""
        return tuple(row for row in self.delegations(principal) if row.delegate == principal)


_PLACES: Final = {item.name: place for place, item in enumerate(fields(State))}
_values: Final = attrgetter(*_PLACES)
_PUTS: Final = tuple(getattr(State, name).__set__ for name in _PLACES)


def _indexes(state: State, item: r.Resource) -> dict[str, Any]:  # each key is a field of State of its own type
    """The indexes that writing ``item`` moves."""
    match item:
        case r.Hold():
            number, placed = number_of(item.name), state.holds_placed.get(item.target, _NO_HOLDS)
            if item.state == "placed":
                placed = placed.set(number, item.name)
            elif number in placed:
                placed = placed.delete(number)
            return {"holds_placed": state.holds_placed.set(item.target, placed)}
        case r.Grant():
            given = state.grants_of.get(item.principal, ())
            if any(grant.name == item.name for grant in given):
                given = tuple(item if grant.name == item.name else grant for grant in given)
            else:
                given = (*given, item)
            return {"grants_of": state.grants_of.set(item.principal, given)}
        case r.Delegation():
            envelopes = state.envelopes.set(item.envelope_digest, item.given_position)
            return {"delegations_of": _delegations(state.delegations_of, item), "envelopes": envelopes}
        case r.Exemption():
            return {"exemptions": _exemptions(state, item)}
        case r.Model():
            owners = state.artifact_owner
            for artifact in item.artifacts:
                owners = owners.set(artifact.sha256, item.name)
            return {"artifact_owner": owners}
        case r.Evidence():
            first = min(item.recorded_at, state.first_uploads.get(item.sha256, item.recorded_at))
            return {"first_uploads": state.first_uploads.set(item.sha256, first)}
        case r.Principal():
            owners = state.key_owner
            for credential in item.credentials:
                owners = owners.set(credential.fingerprint, item.name)
            return {"key_owner": owners, "accounts_of": _accounts(state, item)}
        case r.Deployment():
            return {"live": _live(state.live, item)}
        case r.Change():
            if item.applied_position == r.NEVER:
                return {}
            applied = state.applied.set(item.applied_position, item.name)
            return {"applied": applied, "approvals": _approvals(state.approvals, item)}
        case r.InterimMeasure():
            return {"measures": _measures(state.measures, item)}
        case r.Period():
            of = obligation_of(item.name)
            used: Map[str, str] = state.fulfilments.get(of, Map())
            return {
                "fulfilments": state.fulfilments.set(of, used.update(dict.fromkeys(item.evidence, item.name))),
                "cleared": _cleared(state, of, item),
                "caused": _caused(state.caused, item),
            }
        case r.Incident():
            return {"standing": _standing(state.standing, item, stands=item.is_open)}
        case r.Finding():
            return {"standing": _standing(state.standing, item, stands=item.state == "confirmed")}
        case r.PolicyVersion():
            return {"policy": item} if item.state == "adopted" else {}
        case _:
            return {}


def _exemptions(state: State, item: r.Exemption) -> Map[str, tuple[str, ...]]:
    """The index of exceptions with one of them as it is now: an adoption can call what it is of otherwise."""
    known, exemptions = state.find(item.name, r.Exemption), state.exemptions
    if known is not None and known.resource != item.resource:
        rest = tuple(name for name in exemptions.get(known.resource, ()) if name != item.name)
        exemptions = exemptions.set(known.resource, rest) if rest else exemptions.delete(known.resource)
    names = {*exemptions.get(item.resource, ()), item.name}
    return exemptions.set(item.resource, tuple(sorted(names, key=number_of)))


def _standing(
    standing: Map[str, Map[tuple[str, int], str]], item: r.Incident | r.Finding, *, stands: bool
) -> Map[str, Map[tuple[str, int], str]]:
    """The index of what stands open with one of them as it is now; nothing in it is empty."""
    kind, _, number = item.name.partition("/")
    key, rows = (kind, int(number)), standing.get(item.target, _NOTHING)
    if stands:
        return standing.set(item.target, rows.set(key, item.name))
    if key not in rows:
        return standing
    rows = rows.delete(key)
    return standing.set(item.target, rows) if rows else standing.delete(item.target)


def _cleared(state: State, obligation: str, item: r.Period) -> Map[str, int]:
    """The index of periods that are not owed any more with one of them as it is now."""
    number = state.cleared.get(obligation, 0)
    while True:
        name = f"{obligation}/periods/{number + 1}"
        period = item if item.name == name else state.find(name, r.Period)
        if period is None or period.is_owed:
            return state.cleared.set(obligation, number)
        number += 1


def _caused(caused: Map[str, tuple[str, ...]], item: r.Period) -> Map[str, tuple[str, ...]]:
    """The index of periods by what opened them with one of them, each cause's by obligation and number."""
    known = caused.get(item.cause, ())
    if not item.cause or item.name in known:
        return caused
    rows = sorted((*known, item.name), key=lambda name: (obligation_of(name), number_of(name)))
    return caused.set(item.cause, tuple(rows))


def _delegations(known: Map[str, tuple[str, ...]], item: r.Delegation) -> Map[str, tuple[str, ...]]:
    """The index of delegations with one of them, each account's by number."""
    for account in (item.delegator, item.delegate):
        names = {*known.get(account, ()), item.name}
        known = known.set(account, tuple(sorted(names, key=number_of)))
    return known


def _accounts(state: State, item: r.Principal) -> Map[str, frozenset[str]]:
    """The index of accounts by person, with one of them as it is now: by who is behind it, and by who was."""
    accounts, known = state.accounts_of, state.find(item.name, r.Principal)
    now = {item.person, item.person_was} - {""}
    for person in ({known.person, known.person_was} if known is not None else set()) - now - {""}:
        rest = accounts.get(person, frozenset()) - {item.name}
        accounts = accounts.set(person, rest) if rest else accounts.delete(person)
    for person in now:
        accounts = accounts.set(person, accounts.get(person, frozenset()) | {item.name})
    return accounts


def _approvals(approvals: Map[str, bytes], item: r.Change) -> Map[str, bytes]:
    """The index of whose word counted in which applied changes, with one of them: a row of positions each.

    Where somebody had rejected, every word did: one of them took that back.
    Rows are short, for the next position is added by a copy; each goes by account and the range of its positions.
    """
    counted = {word.sign_off for word in item.grounds.words} if item.grounds is not None else set()
    added = item.applied_position.to_bytes(8)
    rejected = any(sign_off.decision == "reject" for sign_off in item.sign_offs)
    words = [sign_off for sign_off in item.sign_offs if rejected or sign_off.position in counted]
    for account in {name for word in words for name in (word.signer, word.on_behalf_of or word.signer)}:
        key = f"{account}@{item.applied_position // ROW}"
        row = approvals.get(key, b"")
        if row[-8:] < added:
            approvals = approvals.set(key, row + added)
        elif added not in (known := {row[at : at + 8] for at in range(0, len(row), 8)}):
            approvals = approvals.set(key, b"".join(sorted({*known, added})))
    return approvals


def _measures(measures: Map[str, tuple[str, ...]], item: r.InterimMeasure) -> Map[str, tuple[str, ...]]:
    """The index of measures that nobody ended with one of them as it is now, each model's by number."""
    others = tuple(name for name in measures.get(item.model, ()) if name != item.name)
    names = tuple(sorted((*others, item.name), key=number_of)) if item.state == "in_force" else others
    if names:
        return measures.set(item.model, names)
    return measures.delete(item.model) if item.model in measures else measures


def _live(
    live: Map[str, Map[tuple[str, str], Map[str, None]]], item: r.Deployment
) -> Map[str, Map[tuple[str, str], Map[str, None]]]:
    """The index of live deployments with one of them as it is now; nothing in it is empty."""
    release = (item.context, item.artifact)
    of_model: Map[tuple[str, str], Map[str, None]] = live.get(item.model, Map())
    names: Map[str, None] = of_model.get(release, Map())
    if item.state == "live":
        return live.set(item.model, of_model.set(release, names.set(item.name, None)))
    if item.name not in names:
        return live
    names = names.delete(item.name)
    of_model = of_model.set(release, names) if names else of_model.delete(release)
    return live.set(item.model, of_model) if of_model else live.delete(item.model)
