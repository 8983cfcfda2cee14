"""The one assignment of sign-offs to slots that is recorded, against every one there is; delegations and links too."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import evaluate
from interlock.statemachine.decide import Accepted
from interlock.statemachine.quorum import assign
from tests.support.quorums import Lent, Said, Town, Wanted
from tests.support.world import Member, World, sha256_of, sketch

if TYPE_CHECKING:
    from tests.properties.moves import Draw

SLOTS = 4
CANDIDATES = st.lists(st.frozensets(st.integers(0, SLOTS - 1)), max_size=5)

Assignment = tuple[int | None, ...]


def every_assignment(candidates: list[frozenset[int]]) -> list[Assignment]:
    """Return every way to give candidates slots of theirs, or none, no slot twice."""
    ways = product(*[[None, *sorted(slots)] for slots in candidates])
    return [way for way in ways if len(taken := [slot for slot in way if slot is not None]) == len(set(taken))]


def kept(way: Assignment) -> tuple[bool, ...]:
    """Return who has a slot."""
    return tuple(slot is not None for slot in way)


@given(CANDIDATES)
def test_an_assignment_gives_own_slots_once(candidates: list[frozenset[int]]) -> None:
    """Nobody gets a slot that they can't fill, and no slot is filled twice."""
    assert assign(candidates) in every_assignment(candidates)


@given(CANDIDATES)
def test_the_assignment_is_largest(candidates: list[frozenset[int]]) -> None:
    """No way fills more slots."""
    assert sum(kept(assign(candidates))) == max(sum(kept(way)) for way in every_assignment(candidates))


@given(CANDIDATES)
def test_earlier_sign_offs_are_kept(candidates: list[frozenset[int]]) -> None:
    """Of all ways the one is recorded that keeps the earliest, each as far as those before it allow."""
    assert kept(assign(candidates)) == max(kept(way) for way in every_assignment(candidates))


@given(CANDIDATES)
def test_each_kept_one_has_the_lowest_slot(candidates: list[frozenset[int]]) -> None:
    """Of the ways that keep the same people, the earlier has the lowest slot possible."""
    recorded = assign(candidates)
    same = [way for way in every_assignment(candidates) if kept(way) == kept(recorded)]
    assert recorded == min(same, key=lambda way: [SLOTS if slot is None else slot for slot in way])


@given(CANDIDATES, st.frozensets(st.integers(0, SLOTS - 1)))
def test_one_more_sign_off_takes_nothing_away(candidates: list[frozenset[int]], more: frozenset[int]) -> None:
    """A later sign-off moves people to other slots at most: whoever had one keeps one."""
    before, after = assign(candidates), assign([*candidates, more])
    assert kept(after)[: len(candidates)] == kept(before)


def test_every_small_case_is_largest() -> None:
    """All rules of two slots with up to three candidates, exhaustively."""
    sets = [frozenset(chosen) for size in range(3) for chosen in combinations(range(2), size)]
    for count in range(4):
        for candidates in product(sets, repeat=count):
            ways = every_assignment(list(candidates))
            assert kept(assign(candidates)) == max(kept(way) for way in ways)


# Whole changes, with delegation: what decides against every assignment there is ---------------------------------------

PACK = sketch()["policy.yaml"].decode()
ACCOUNTS = ("a", "b", "c", "d", "a-too")
PERSON = {who: who.removesuffix("-too") for who in ACCOUNTS}
RULE = PACK[PACK.index("default:") : PACK.index("break_glass:")]
SHAPES = {
    "owner, reviewer": (Wanted("owner", no_requester=True), Wanted("reviewer", no_requester=True)),
    "two owners": (Wanted("owner"), Wanted("owner")),
    "three": (Wanted("owner"), Wanted("reviewer", no_requester=True), Wanted("reviewer")),
    "no author": (Wanted("owner", no_author=True), Wanted("reviewer", no_requester=True, no_author=True)),
    "either": (Wanted("owner", no_author=True), Wanted("owner", no_requester=True)),
}


def _others(slot: Wanted) -> str:
    words = (("requester", slot.no_requester), ("evidence_author", slot.no_author))
    return ", ".join(word for word, wanted in words if wanted)


def pack_of(shape: tuple[Wanted, ...]) -> dict[str, bytes]:
    """Return the sketch with another default rule."""
    slots = "".join(
        f"\n    - {{role: {slot.role}{f', distinct_from: [{others}]' if (others := _others(slot)) else ''}}}"
        for slot in shape
    )
    return {
        "policy.yaml": PACK.replace(
            RULE, f"default:\n  sign_offs:{slots}\n  source: {{document: d, section: '1'}}\n"
        ).encode()
    }


class Reviewed:
    """A change under review in a real log, and the naive town beside it; each move is made in both."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.shape = SHAPES[draw(st.sampled_from(sorted(SHAPES)))]
        some_roles = st.sets(st.sampled_from(["owner", "reviewer"]))
        self.roles = {who: frozenset(draw(some_roles)) for who in ACCOUNTS}
        cast = [
            Member(who, tuple((role, "*") for role in (*sorted(self.roles[who]), "requester")), person=PERSON[who])
            for who in ACCOUNTS
        ]
        others = [Member("admin", (("admin", "*"),)), *(Member(f"recovery-{n}", recovery=True) for n in (1, 2))]
        self.world = World.found(pack_of(self.shape), [*cast, *others])
        self.person = {**PERSON, "admin": "admin"}
        self.requester, self.author = draw(st.sampled_from(ACCOUNTS)), draw(st.sampled_from(ACCOUNTS))
        self.world.must(self.requester, c.Fire(f.ModelRegister("models/m")))
        self.change = self.world.propose(
            self.requester,
            f.ModelAddArtifact("models/m", sha256_of("weights")),
            evidence=[self.world.upload(self.author, "evaluation_results")],
            apply_separately=True,
        )
        self.lent: dict[str, Lent] = {}
        self.said: dict[tuple[str, str], Said] = {}
        self.used: set[tuple[str, str]] = set()
        self.suspended: set[str] = set()

    def account(self) -> str:
        """Draw somebody."""
        return str(self.draw(st.sampled_from(ACCOUNTS)))

    def delegate(self) -> None:
        """Let somebody act in a role, as far as it is theirs and the two are two people who don't administer."""
        who, to, role = self.account(), self.account(), self.draw(st.sampled_from(["owner", "reviewer"]))
        name = self.world.state.next_name("delegations")
        decided = self.world.fire(who, self.world.delegation(who, role, to))
        people = {self.person[who], self.person[to]}
        there = not {who, to} & self.suspended and len(people) > 1 and self.person["admin"] not in people
        assert isinstance(decided, Accepted) == (role in self.roles[who] and there), decided
        if isinstance(decided, Accepted):
            self.lent[name] = Lent(who, to, role, decided.entry.seq)

    def end(self) -> None:
        """End a delegation, a role or an account: what was signed under it counts no more."""
        what = self.draw(st.sampled_from(["delegation", "role", "account"]))
        who = self.account()
        if what == "delegation" and self.lent:
            name = self.draw(st.sampled_from(sorted(self.lent)))
            self.world.must("admin", c.Fire(f.DelegationEnd(name)))
            del self.lent[name]
        elif what == "role" and self.roles[who]:
            role = self.draw(st.sampled_from(sorted(self.roles[who])))
            [grant] = [row for row in self.world.state.grants(f"principals/{who}") if row.role == role]
            self.world.must("admin", c.Fire(f.GrantEnd(grant.name)))
            self.roles[who] -= {role}
        elif what == "account" and who != self.requester:  # else nobody is there who may ask for it
            self.world.must("admin", c.Fire(f.PrincipalSuspend(f"principals/{who}")))
            self.suspended.add(who)

    def link(self) -> None:
        """Learn that two accounts are one person's, an administrator's too: the later word of the two counts."""
        who, other = self.account(), self.draw(st.sampled_from([*ACCOUNTS, "admin"]))
        self.world.must("admin", c.Fire(f.PrincipalLink(f"principals/{who}", f"principals/{other}")))
        gone = self.person[other]
        self.person |= {name: self.person[who] for name in self.person if self.person[name] == gone}
        latest = set({(self.person[signer], name): (signer, name) for signer, name in self.said}.values())
        self.said = {key: row for key, row in self.said.items() if key in latest}

    def sign(self) -> None:
        """Have somebody approve, in their own name or in another's; what is refused is no word."""
        signer, owner = self.account(), self.account()
        name = owner if owner != signer and self.draw(st.booleans()) else ""
        decided = self.world.sign(signer, self.change, on_behalf_of=name)
        if not isinstance(decided, Accepted):
            return
        mine = (self.person[signer], name)
        self.said = {key: row for key, row in self.said.items() if (self.person[key[0]], key[1]) != mine}
        self.said[signer, name] = Said(signer, self.roles[name or signer], name or signer, decided.entry.seq)
        self.used.add((signer, name or signer))

    def agree(self) -> None:
        """Compare what is decided with every way to fill the slots."""
        town = Town(
            self.person,
            self.roles,
            frozenset(self.lent.values()),
            frozenset({self.person[self.requester]}),
            frozenset({self.person[self.author]}),
            frozenset({self.person["admin"]}),
            tuple(sorted(self.used)),
            frozenset(self.suspended),
        )
        change = self.world.state.need(self.change, r.Change)
        found = evaluate(self.world.policy, self.world.state, change, self.world.now + 1)
        assert not found.blocking
        assert found.approved == town.met(self.shape, tuple(self.said.values())), (town, self.said)


@settings(max_examples=150)
@given(data=st.data())
def test_a_change_is_approved_just_when_some_assignment_fills_its_slots(data: st.DataObject) -> None:
    """Random roles, accounts, links, delegations, ends and sign-offs: ``decide`` and brute force agree after each."""
    review = Reviewed(data.draw)
    moves = [
        review.sign,
        review.sign,
        review.sign,
        review.sign,
        review.delegate,
        review.delegate,
        review.end,
        review.link,
    ]

    for _ in range(data.draw(st.integers(1, 14))):
        data.draw(st.sampled_from(moves))()
        review.agree()


@settings(max_examples=400)
@given(data=st.data())
def test_delegation_lets_no_fewer_people_approve(data: st.DataObject) -> None:
    """Why giving one is neutral: who can approve together with the delegations that they gave can without them.

    For any set of people, over all their sign-offs in every name, delegators counted as people who took part.
    """
    draw = data.draw
    people = ("a", "b", "c", "d")
    person = {who: who for who in people}
    roles = {who: frozenset(draw(st.sets(st.sampled_from(["owner", "reviewer"])))) for who in people}
    possible = [Lent(who, to, role) for who in people for to in people if to != who for role in sorted(roles[who])]
    delegations = frozenset(draw(st.sets(st.sampled_from(possible), max_size=5))) if possible else frozenset()
    requesters, authors = (frozenset(draw(st.sets(st.sampled_from(people), max_size=2))) for _ in range(2))
    slots = tuple(
        draw(
            st.lists(
                st.builds(Wanted, st.sampled_from(["owner", "reviewer"]), st.booleans(), st.booleans()),
                min_size=2, max_size=3,
            )
        )
    )  # fmt: skip
    coalition = draw(st.sets(st.sampled_from(people), min_size=1))
    alone = tuple(Said(who, roles[who], who) for who in sorted(coalition))
    theirs = frozenset(row for row in delegations if {row.owner, row.delegate} <= coalition)
    order = sorted(theirs, key=lambda row: (row.owner, row.delegate, row.role))
    lent = tuple(Said(row.delegate, frozenset({row.role}), row.owner) for row in order)
    town = Town(person, roles, theirs, requesters, authors)

    def can(rows: tuple[Said, ...]) -> bool:
        sizes = range(len(slots), len(rows) + 1)
        return any(town.met(slots, chosen) for size in sizes for chosen in combinations(rows, size))

    assert can((*alone, *lent)) == can(alone)
