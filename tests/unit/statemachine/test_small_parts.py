"""The small parts: rules, directions, rights, names, moments, the fold's indexes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import interlock.statemachine.rules as rulebook
from interlock.statemachine import moments, names
from interlock.statemachine import resources as r
from interlock.statemachine.changes import condense
from interlock.statemachine.persons import person_of
from interlock.statemachine.rights import (
    ALL_RIGHTS,
    APPROVING,
    BUILT_IN_ROLES,
    FIRING_RIGHTS,
    GROUPS,
    IDENTITY,
    expand,
)
from interlock.statemachine.state import EVERYTHING, State
from interlock.statemachine.triggers import DIRECTIONS, RESERVED, Direction, Trigger, direction_of, loosening
from interlock.statemachine.unmet import Code, Unmet

if TYPE_CHECKING:
    from tests.support.world import World

MANIFEST = Path(rulebook.__file__).with_name(f"rules-{rulebook.VERSION}.txt")
REMAKE = (
    "python -c 'from interlock.statemachine import rules; "
    'open("statemachine/interlock/statemachine/rules-1.txt", "w", newline="").write(rules.manifest())\''
)


def test_the_manifest_is_the_committed_one() -> None:
    """What the rules' tables say is what was committed; before the first release it may be remade."""
    committed = MANIFEST.read_bytes().decode() if MANIFEST.exists() else ""

    assert rulebook.manifest() == committed, f"the rules have moved; before the first release: {REMAKE}"


def test_the_digest_is_the_manifests() -> None:
    """Entries and contents name the rules by the digest of the committed text."""
    assert rulebook.current().digest == hashlib.sha256(MANIFEST.read_bytes()).digest()


@pytest.mark.parametrize("version", [-1, 0, 2, 2**31 - 1])
def test_other_rules_can_not_be_judged(version: int) -> None:
    """A version that this code is not is none that it can execute."""
    assert rulebook.rules_for(version) is None
    assert rulebook.rules_for(rulebook.VERSION) == rulebook.current()


ARROWS = {
    "model.register": "=", "model.retire": "↓", "model.add_artifact": "↑", "model.record_run": "↓",
    "determination.report": "↓", "determination.confirm": "↑", "determination.rule_out": "↑",
    "assessment.open": "=", "assessment.conclude": "=", "assessment.abandon": "=",
    "level.assign": "↑", "level.raise": "↑", "level.confirm": "=", "level.lower": "↑",
    "safeguard.start": "=", "safeguard.verify": "=", "safeguard.activate": "↑", "safeguard.reattest": "↑",
    "safeguard.degrade": "↓", "safeguard.restore": "↑", "safeguard.suspend": "↓", "safeguard.resume": "↑",
    "safeguard.retire": "↓", "safeguard.replan": "=", "hold.place": "↓", "hold.lift": "↑",
    "deployment.record": "=", "deployment.end": "=",
    "principal.suspend": "↓", "principal.remove": "↓", "credential.revoke": "↓", "grant.end": "↓",
    "change.ratify": "↑", "principal.link": "↓", "principal.unlink": "↑",
    "principal.create": "↑", "principal.restore": "↑", "credential.register": "↑", "grant.give": "↑",
    "recovery.suspend": "↑", "recovery.revoke": "↑", "log.rotate_key": "↑",
    "issuer.trust": "↑", "issuer.distrust": "↓", "credential.bind": "↑",
    "delegation.give": "=", "delegation.end": "↓", "break_glass.open": "↑",
    "interim_measure.put_in_force": "↑", "interim_measure.end": "↓", "obligation.fulfil": "=",
    "policy.adopt": "↑",
    "obligation.waive": "↑",
    "incident.report": "↓", "incident.triage": "↓", "incident.mitigate": "=", "incident.close": "=",
    "finding.raise": "=", "finding.confirm": "↓", "finding.dismiss": "=",
}  # fmt: skip
MEANING = {"↑": Direction.LOOSENS, "↓": Direction.TIGHTENS, "=": Direction.NEUTRAL}


def test_directions_are_the_designed_ones() -> None:
    """Each trigger has the direction of the domain design."""
    assert {t.value: d for t, d in DIRECTIONS.items()} == {name: MEANING[arrow] for name, arrow in ARROWS.items()}


def test_every_trigger_has_a_direction() -> None:
    """The table is complete, and a reserved name is no trigger."""
    assert set(DIRECTIONS) == set(Trigger)
    assert not RESERVED.keys() & {trigger.value for trigger in Trigger}


@pytest.mark.parametrize(
    ("name", "direction"),
    [("hold.lift", Direction.LOOSENS), ("policy.adopt", Direction.LOOSENS), ("hold.lifted", None), ("", None)],
)
def test_direction_of(name: str, direction: Direction | None) -> None:
    """Machines' and reserved triggers have a direction, other words have none."""
    assert direction_of(name) is direction


def test_the_default_rule_must_cover_all_that_loosens() -> None:
    """Every loosening trigger is in the list, reserved ones too, and nothing else."""
    listed = loosening()

    assert {direction_of(name) for name in listed} == {Direction.LOOSENS}
    assert len(listed) == len(set(listed)) == 25 + sum(v.direction is Direction.LOOSENS for v in RESERVED.values())


def test_no_right_loosens() -> None:
    """No right lets anybody fire a loosening trigger alone."""
    assert not ALL_RIGHTS & {t.value for t, d in DIRECTIONS.items() if d is Direction.LOOSENS}
    assert all(rights <= ALL_RIGHTS for rights in (*BUILT_IN_ROLES.values(), *GROUPS.values(), APPROVING))


def test_anyone_who_approves_may_stop_a_release() -> None:
    """Approving roles may fire every tightening trigger but those of identity, which admins alone fire."""
    tightening = {t.value for t, d in DIRECTIONS.items() if d is Direction.TIGHTENS}

    assert tightening - APPROVING == IDENTITY
    assert BUILT_IN_ROLES["admin"] >= IDENTITY


def test_words_of_a_pack() -> None:
    """Groups and rights expand; an unknown word is named."""
    assert expand(("gate", "hold.place")) == {"gate.check", "hold.place"}
    assert expand(tuple(FIRING_RIGHTS)) == FIRING_RIGHTS
    with pytest.raises(KeyError, match=r"hold\.lift"):
        expand(("hold.lift",))


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (1_747_908_000_000_000, "2025-05-22T10:00:00Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        (253_402_300_800_000_000, "253402300800000000 µs"),
        (-1, "-1 µs"),
        (2**63, "9223372036854775808 µs"),
    ],
)
def test_moments(microseconds: int, text: str) -> None:
    """Instants are RFC 3339 as far as the calendar goes, and numbers beyond."""
    assert moments.to_text(microseconds) == text


@pytest.mark.parametrize(
    ("name", "model", "leaf"),
    [
        ("models/m", "models/m", "m"),
        ("models/m/levels/deployment", "models/m", "deployment"),
        ("safeguards/classifier", None, "classifier"),
        ("holds/3", None, "3"),
        (EVERYTHING, None, EVERYTHING),
        ("", None, ""),
        ("models", None, "models"),
    ],
)
def test_names(name: str, model: str | None, leaf: str) -> None:
    """A name says whose model's it is, if any."""
    assert (names.model_of(name), names.leaf_of(name)) == (model, leaf)


def test_the_fold_is_persistent() -> None:
    """Writing makes a new state; the one before still says what it said."""
    before = State()

    after = before.put(r.Model("models/m")).counted("holds").after_entry(7)

    assert before == State()
    assert (after.size, after.time, after.head, after.position("models/m"), after.writes) == (1, 7, 0, 0, ())
    assert (after.next_name("holds"), before.next_name("holds")) == ("holds/2", "holds/1")
    assert before.find("models/m", r.Model) is None


def test_names_are_of_a_kind() -> None:
    """A resource of another kind is not found under its name."""
    state = State().put(r.Model("models/m"))

    assert state.find("models/m", r.Principal) is None
    with pytest.raises(LookupError):
        state.need("models/m", r.Hold)


def test_what_was_never_written_is_at_its_beginning() -> None:
    """Determinations, levels and safeguards need no entry to be asked about."""
    state = State()

    assert state.determination("models/m", "t").state == "undetermined"
    assert state.level("models/m", "s").state == "unassigned"
    assert state.safeguard("safeguards/x").state == "planned"
    assert state.position("safeguards/x") == -1


def test_an_entry_writes_a_resource_once() -> None:
    """Writing a resource twice in one entry lists it once."""
    state = State().put(r.Model("models/m")).put(r.Model("models/m", "retired"))

    assert state.writes == ("models/m",)


def test_requirements_that_say_the_same_are_one() -> None:
    """The same requirement on several resources is said once, naming them all."""
    same = [Unmet(Code.SIGN_OFF_MISSING, "x", "y", name, "t") for name in ("a", "b", "a")]
    other = Unmet(Code.SIGN_OFF_MISSING, "x", "y", "a", "u")

    assert [(unmet.resource, unmet.trigger) for unmet in condense([*same, other])] == [("a, b", "t"), ("a", "u")]


@pytest.mark.parametrize(
    ("principal", "person"),
    [
        ("principals/owner-a", "persons/owner-a"),
        ("principals/owner-a-again", "persons/owner-a"),
        ("principals/release-bot", "principals/release-bot"),
        ("principals/nobody", "principals/nobody"),
    ],
)
def test_who_is_behind_an_account(principal: str, person: str, world: World) -> None:
    """People count as persons; a service stands for itself."""
    assert person_of(world.state, principal) == person
