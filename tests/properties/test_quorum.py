"""The one assignment of sign-offs to slots that is recorded, against every one there is; delegations and links too."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.changes import evaluate
from interlock.statemachine.decide import Accepted
from interlock.statemachine.quorum import assign
from tests.support.quorums import Said, Town, Wanted
from tests.support.world import Member, World, sha256_of, sketch

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
}


def pack_of(shape: str) -> dict[str, bytes]:
    """Return the sketch with another default rule."""
    slots = "".join(
        f"\n    - {{role: {slot.role}{', distinct_from: [requester]' if slot.no_requester else ''}}}"
        for slot in SHAPES[shape]
    )
    return {
        "policy.yaml": PACK.replace(
            RULE, f"default:\n  sign_offs:{slots}\n  source: {{document: d, section: '1'}}\n"
        ).encode()
    }


@settings(max_examples=150)
@given(data=st.data())
def test_a_change_is_approved_just_when_some_assignment_fills_its_slots(data: st.DataObject) -> None:
    """Random roles, accounts, links, delegations and sign-offs: ``decide`` and brute force agree after each."""
    draw = data.draw
    shape = draw(st.sampled_from(sorted(SHAPES)))
    some_roles = st.sets(st.sampled_from(["owner", "reviewer"]))
    roles = {who: frozenset(draw(some_roles)) for who in ACCOUNTS}
    cast = [Member(who, tuple((role, "*") for role in sorted(roles[who])), person=PERSON[who]) for who in ACCOUNTS]
    cast = [replace(member, grants=(*member.grants, ("requester", "*"))) for member in cast]
    boss = Member("admin", (("admin", "*"),))
    others = [boss, Member("recovery-1", recovery=True), Member("recovery-2", recovery=True)]
    world = World.found(pack_of(shape), [*cast, *others])
    requester = draw(st.sampled_from(ACCOUNTS))
    world.must(requester, c.Fire(f.ModelRegister("models/m")))
    change = world.propose(requester, f.ModelAddArtifact("models/m", sha256_of("weights")), apply_separately=True)
    given_roles: set[tuple[str, str, str]] = set()
    said: dict[tuple[str, str], Said] = {}
    person = dict(PERSON)

    for _ in range(draw(st.integers(1, 9))):
        who, to = draw(st.sampled_from(ACCOUNTS)), draw(st.sampled_from(ACCOUNTS))
        if draw(st.booleans()):
            role = draw(st.sampled_from(["owner", "reviewer"]))
            decided = world.fire(who, world.delegation(who, role, to))
            assert isinstance(decided, Accepted) == (role in roles[who] and person[who] != person[to])
            given_roles |= {(who, to, role)} if isinstance(decided, Accepted) else set()
        if draw(st.integers(0, 5)) == 0:  # two accounts turn out to be one person's: the later word of the two counts
            assert isinstance(world.fire("admin", f.PrincipalLink(f"principals/{who}", f"principals/{to}")), Accepted)
            gone = person[to]
            person |= {other: person[who] for other in ACCOUNTS if person[other] == gone}
            latest = set({(person[signer], name): (signer, name) for signer, name in said}.values())
            said = {key: row for key, row in said.items() if key in latest}
        owner = draw(st.sampled_from([to, to, who]))
        decided = world.sign(to, change, on_behalf_of=owner if owner != to else "")
        if isinstance(decided, Accepted):
            row = Said(f"{to}", roles[owner], owner)
            for key in [key for key in said if (person[key[0]], key[1]) == (person[to], owner if owner != to else "")]:
                del said[key]
            said[to, owner if owner != to else ""] = row
        town = Town(
            person, roles, frozenset(given_roles), frozenset({person[requester]}),
            used=tuple((row.signer, row.owner) for row in said.values()),
        )  # fmt: skip
        found = evaluate(world.policy, world.state, world.state.need(change, r.Change), world.now + 1)
        assert found.approved == town.met(SHAPES[shape], tuple(said.values())), (roles, given_roles, said)


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
    possible = [(who, to, role) for who in people for to in people if to != who for role in sorted(roles[who])]
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
    theirs = frozenset(row for row in delegations if {row[0], row[1]} <= coalition)
    lent = tuple(Said(to, frozenset({role}), who) for who, to, role in sorted(theirs))
    town = Town(person, roles, theirs, requesters, authors)

    def can(rows: tuple[Said, ...]) -> bool:
        sizes = range(len(slots), len(rows) + 1)
        return any(town.met(slots, chosen) for size in sizes for chosen in combinations(rows, size))

    assert can((*alone, *lent)) == can(alone)
