"""What one administrator takes at once: accounts, keys and roles; and what that does to changes under review."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import pytest

from interlock.proofs import keys
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine.authority import ADMIN_LASTS_US, is_admin
from interlock.statemachine.decide import Accepted
from interlock.statemachine.names import credential_name
from interlock.statemachine.unmet import Code, RefusalKind, Refused
from tests.support.world import SECOND_US, Member, World, codes, envelope, public_of, sketch
from tests.unit.statemachine.changes.reviews import ASSIGN, MODEL, judged, stored, voids

OWNER = "principals/owner-a"


def key_name(who: str, use: str) -> str:
    """Return the name of somebody's key."""
    account = f"principals/{who}"
    return credential_name(account, keys.fingerprint(public_of(account, use)))


def taken(world: World, firing: f.Firing) -> Accepted:
    """Have the admin fire what is wanted to be accepted."""
    done = world.fire("admin", firing)
    assert isinstance(done, Accepted), done
    return done


def key_of(world: World, who: str, use: str) -> r.Credential:
    """Return somebody's key as the fold has it."""
    account = world.state.need(f"principals/{who}", r.Principal)
    return next(key for key in account.credentials if key.use == use)


@pytest.fixture
def reviewed(world: World) -> tuple[World, str]:
    """Return a world with a change that owner-a approved a second ago."""
    world.fire("evaluator", f.ModelRegister(MODEL))
    change = world.propose("evaluator", ASSIGN)
    assert isinstance(world.sign("owner-a", change), Accepted)
    world.wait(SECOND_US)
    return world, change


# Accounts ---------------------------------------------------------------------------------------------------------


def test_whoever_is_suspended_does_nothing_more(world: World) -> None:
    """The very next command of theirs is refused."""
    taken(world, f.PrincipalSuspend(OWNER))

    assert codes(world.fire("owner-a", f.HoldPlace("-"))) == [Code.PRINCIPAL_INACTIVE]


def test_a_second_suspension_is_acknowledged(world: World) -> None:
    """A tightening that finds its state there is an entry without a transition."""
    taken(world, f.PrincipalSuspend(OWNER))

    assert taken(world, f.PrincipalSuspend(OWNER)).entry.transitions == ()


def test_who_is_removed_takes_keys_and_roles_along(world: World) -> None:
    """Nothing of a removed account comes back by itself: its keys are revoked and its grants ended."""
    taken(world, f.PrincipalRemove(OWNER))

    account = world.state.need(OWNER, r.Principal)
    assert account.state == "removed"
    assert {key.state for key in account.credentials} == {"revoked"}
    assert {grant.state for grant in world.state.grants(OWNER)} == {"ended"}


def test_who_is_removed_is_not_suspended(world: World) -> None:
    """Suspending a removed account changes nothing: it would be milder."""
    taken(world, f.PrincipalRemove(OWNER))

    assert taken(world, f.PrincipalSuspend(OWNER)).entry.transitions == ()
    assert world.state.need(OWNER, r.Principal).state == "removed"


@pytest.mark.parametrize(
    "firing",
    [
        f.PrincipalSuspend("principals/recovery-1"),
        f.PrincipalRemove("principals/recovery-1"),
        f.CredentialRevoke(key_name("recovery-1", "recovery")),
    ],
    ids=lambda firing: firing.trigger.value,
)
def test_nobody_takes_from_the_recovery_quorum_alone(firing: f.Firing, world: World) -> None:
    """Its accounts and keys are what is left when all else is lost."""
    assert codes(world.fire("admin", firing)) == [Code.RECOVERY_QUORUM]


@pytest.mark.parametrize(
    "firing",
    [
        f.PrincipalSuspend("principals/nobody"),
        f.PrincipalRemove("principals/nobody"),
        f.CredentialRevoke(f"principals/nobody/credentials/{'0' * 64}"),
        f.CredentialRevoke(f"{OWNER}/credentials/{'0' * 64}"),
        f.CredentialRevoke(key_name("owner-b", "login").replace("owner-b", "owner-a")),
        f.GrantEnd("grants/99"),
    ],
    ids=["suspend", "remove", "nobody's key", "no key of theirs", "another's key", "no grant"],
)
def test_what_is_not_there_is_not_taken(firing: f.Firing, world: World) -> None:
    """An unknown account, key or grant, or a key of another account, is not found."""
    decided = world.fire("admin", firing)

    assert isinstance(decided, Refused)
    assert decided.kind is RefusalKind.NOT_FOUND


# Keys -------------------------------------------------------------------------------------------------------------


def test_a_revoked_login_key_commands_nothing(world: World) -> None:
    """The very next command under a session of that key is refused; the sign-off key is another key."""
    taken(world, f.CredentialRevoke(key_name("owner-a", "login")))

    assert codes(world.fire("owner-a", f.HoldPlace("-"))) == [Code.CREDENTIAL_INACTIVE]
    assert key_of(world, "owner-a", "signoff").state == "active"


def test_a_revoked_sign_off_key_signs_nothing(reviewed: tuple[World, str]) -> None:
    """An envelope of a key that was revoked before is refused as that, whoever hands it in."""
    world, change = reviewed
    taken(world, f.CredentialRevoke(key_name("reviewer-a", "signoff")))

    assert codes(world.sign("reviewer-a", change)) == [Code.SIGN_OFF_KEY]


def test_what_a_key_signed_before_it_was_lost_still_counts(reviewed: tuple[World, str]) -> None:
    """Revoking a key as of now, or as of after a sign-off, leaves that sign-off standing."""
    world, change = reviewed
    signed_at = stored(world, change).sign_offs[0].at
    later = world.fork()
    taken(world, f.CredentialRevoke(key_name("owner-a", "signoff")))
    taken(later, f.CredentialRevoke(key_name("owner-a", "signoff"), signed_at + 1))

    assert voids(world, change) == voids(later, change) == {}


def test_what_a_lost_key_signed_is_void(reviewed: tuple[World, str]) -> None:
    """A sign-off at or after the moment from which the key was compromised does not count, and is kept."""
    world, change = reviewed
    signed_at = stored(world, change).sign_offs[0].at
    taken(world, f.CredentialRevoke(key_name("owner-a", "signoff"), signed_at))

    assert voids(world, change) == {"owner-a": Code.CREDENTIAL_COMPROMISED}
    assert not judged(world, change).approved


def test_a_revoked_key_can_turn_out_to_be_lost_earlier(reviewed: tuple[World, str]) -> None:
    """A second revocation counts where it names an earlier moment, and only then; the first end stays."""
    world, change = reviewed
    name, now = key_name("owner-a", "signoff"), world.now
    taken(world, f.CredentialRevoke(name))
    ended = key_of(world, "owner-a", "signoff").revoked_at
    assert voids(world, change) == {}

    taken(world, f.CredentialRevoke(name, 7))
    assert taken(world, f.CredentialRevoke(name, now)).entry.transitions == ()
    assert taken(world, f.CredentialRevoke(name)).entry.transitions == ()

    key = key_of(world, "owner-a", "signoff")
    assert (key.compromised_since, key.revoked_at) == (7, ended)
    assert voids(world, change) == {"owner-a": Code.CREDENTIAL_COMPROMISED}


def test_no_key_is_lost_in_the_future(world: World) -> None:
    """A moment that has not come yet is a mistake."""
    decided = world.fire("admin", f.CredentialRevoke(key_name("owner-a", "login"), world.now + SECOND_US))

    assert codes(decided) == [Code.MALFORMED]


# Roles and changes under review -----------------------------------------------------------------------------------


def test_who_is_suspended_does_not_count(reviewed: tuple[World, str]) -> None:
    """Approvals of a suspended account are void, and kept."""
    world, change = reviewed
    taken(world, f.PrincipalSuspend(OWNER))

    assert voids(world, change) == {"owner-a": Code.PRINCIPAL_INACTIVE}
    assert len(stored(world, change).sign_offs) == 1


def test_a_role_that_ended_does_not_count(reviewed: tuple[World, str]) -> None:
    """An approval under a grant that ended since is void; and a grant that ended gives no right any more."""
    world, change = reviewed
    [grant] = world.state.grants(OWNER)
    taken(world, f.GrantEnd(grant.name))

    assert voids(world, change) == {"owner-a": Code.GRANT_ENDED}
    assert codes(world.fire("owner-a", f.HoldPlace(MODEL))) == [Code.RIGHT_MISSING]
    assert taken(world, f.GrantEnd(grant.name)).entry.transitions == ()


@pytest.mark.parametrize("taking", ["suspend", "remove", "revoke", "end"])
def test_a_reject_outlives_its_author(taking: str, world: World) -> None:
    """Whatever is taken from who rejected a change, the reject stands: voiding only ever removes approvals."""
    world.fire("evaluator", f.ModelRegister(MODEL))
    change = world.propose("evaluator", ASSIGN)
    assert isinstance(world.sign("owner-b", change, "reject"), Accepted)
    [grant] = world.state.grants("principals/owner-b")
    takings: dict[str, f.Firing] = {
        "suspend": f.PrincipalSuspend("principals/owner-b"),
        "remove": f.PrincipalRemove("principals/owner-b"),
        "revoke": f.CredentialRevoke(key_name("owner-b", "signoff"), 1),
        "end": f.GrantEnd(grant.name),
    }
    taken(world, takings[taking])

    world.sign("owner-a", change)
    world.sign("reviewer-a", change)

    assert stored(world, change).state == "in_review"
    assert Code.SIGN_OFF_REJECTED in [unmet.code for unmet in judged(world, change).unmet]


def test_an_admin_counts_as_one_for_thirty_days_more() -> None:
    """Ending the grant makes no approver at once, under no account of that person."""
    cast = (
        Member("owner-a", (("owner", "*"),), person="alex"),
        Member("alex-admin", (("admin", "*"),), person="alexandra"),
        Member("admin", (("admin", "*"),)),
        Member("recovery-1", recovery=True),
        Member("recovery-2", recovery=True),
    )
    world = World.found(cast=cast)
    [grant] = world.state.grants("principals/alex-admin")
    taken(world, f.GrantEnd(grant.name))
    ended = world.state.need(grant.name, r.Grant).ended_at or 0

    assert is_admin(world.policy, world.state, "principals/alex-admin", ended + ADMIN_LASTS_US - 1)
    assert not is_admin(world.policy, world.state, "principals/alex-admin", ended + ADMIN_LASTS_US)
    assert not is_admin(world.policy, world.state, OWNER, ended)


def test_a_suspended_admin_is_one_still(world: World) -> None:
    """Suspending an admin's account does not make an approver of the person."""
    taken(world, f.PrincipalSuspend("principals/admin"))

    assert is_admin(world.policy, world.state, "principals/admin", world.now)


def test_what_tightens_identity_may_ride_in_no_change_alone(world: World) -> None:
    """A change needs a trigger that takes sign-offs; taking an account is done directly."""
    decided = world.attempt("evaluator", c.ProposeChange(world.content(f.PrincipalSuspend(OWNER))))

    assert codes(decided) == [Code.CHANGE_NEEDS_NO_SIGN_OFF]


# What a change gives ------------------------------------------------------------------------------------------------

NEW = "principals/newcomer"
CREATE = f.PrincipalCreate(NEW, "human", "persons/newcomer")


def refusal(world: World, *firings: f.Firing) -> list[str]:
    """Return the codes with which a proposal of these is refused; empty where it is accepted."""
    return codes(world.decide("evaluator", c.ProposeChange(world.content(*firings))))


def test_a_newcomer_is_brought_in_by_one_change(world: World) -> None:
    """Account, keys and role in one change; from then on they act, and sign what is proposed later."""
    world.enact(
        CREATE,
        world.registration("newcomer", "login"),
        world.registration("newcomer"),
        f.GrantGive(NEW, "owner", "*"),
    )
    world.fire("evaluator", f.ModelRegister(MODEL))
    change = world.propose("evaluator", ASSIGN)

    assert isinstance(world.fire("newcomer", f.HoldPlace(MODEL)), Accepted)
    assert isinstance(world.sign("newcomer", change), Accepted)


def test_an_account_is_invited_until_it_has_a_key(world: World) -> None:
    """Its first key makes it active."""
    world.enact(CREATE)
    assert world.state.need(NEW, r.Principal).state == "invited"

    world.enact(world.registration("newcomer", "login"))
    assert world.state.need(NEW, r.Principal).state == "active"


@pytest.mark.parametrize("firing", [CREATE, f.PrincipalRestore(OWNER), f.GrantGive(OWNER, "reviewer", "*")])
def test_nobody_gives_alone(firing: f.Firing, world: World) -> None:
    """What gives identity happens in a change, whoever asks."""
    assert codes(world.fire("admin", firing)) == [Code.CHANGE_REQUIRED]


def test_a_role_given_after_the_proposal_does_not_count_for_it(world: World) -> None:
    """A grant made a minute ago is too new for what was proposed before it, and good for the next change."""
    world.enact(CREATE, world.registration("newcomer", "login"), world.registration("newcomer"))
    world.fire("evaluator", f.ModelRegister(MODEL))
    change = world.propose("evaluator", ASSIGN)
    world.enact(f.GrantGive(NEW, "owner", "*"))

    assert codes(world.sign("newcomer", change)) == [Code.GRANT_TOO_NEW]
    assert isinstance(world.sign("newcomer", world.propose("evaluator", ASSIGN)), Accepted)


def test_a_role_ends_by_itself(world: World) -> None:
    """From its end on a grant gives no right and voids the approval given under it."""
    until = world.now + 3600 * SECOND_US
    world.enact(f.GrantGive("principals/auditor", "owner", "*", until))
    world.fire("evaluator", f.ModelRegister(MODEL))
    change = world.propose("evaluator", ASSIGN)
    assert isinstance(world.sign("auditor", change), Accepted)
    world.now = until

    assert voids(world, change) == {"auditor": Code.GRANT_ENDED}
    assert codes(world.fire("auditor", f.HoldPlace(MODEL))) == [Code.RIGHT_MISSING]


@pytest.mark.parametrize(
    ("firing", "code"),
    [
        (f.GrantGive("principals/admin", "owner", "*"), Code.ADMIN_CONFLICT),
        (f.GrantGive(OWNER, "admin", "*"), Code.ADMIN_CONFLICT),
        (f.GrantGive("principals/owner-a-again", "admin", "*"), Code.ADMIN_CONFLICT),
        (f.GrantGive("principals/release-bot", "owner", "*"), Code.AFFILIATION),
        (f.GrantGive("principals/recovery-1", "auditor", "*"), Code.RECOVERY_QUORUM),
        (f.GrantGive("principals/nobody", "owner", "*"), Code.NOT_FOUND),
        (f.GrantGive(OWNER, "emperor", "*"), Code.ROLE_UNKNOWN),
        (f.GrantGive(OWNER, "reviewer", "*", 1), Code.GRANT_EXPIRED),
        (f.PrincipalCreate(OWNER, "human", "persons/x"), Code.NAME_TAKEN),
        (f.PrincipalCreate("principals/system", "service"), Code.NAME_TAKEN),
        (f.PrincipalCreate(NEW, "human"), Code.PERSON_MISSING),
        (f.PrincipalCreate(NEW, "service", "persons/x"), Code.PERSON_MISSING),
        (f.PrincipalCreate(NEW, "human", "persons/recovery-1"), Code.RECOVERY_QUORUM),
        (f.PrincipalRestore(OWNER), Code.NO_SUCH_EDGE),
        (f.PrincipalRestore(NEW), Code.NOT_FOUND),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, astuple(value))).replace("/", "."),
)
def test_what_is_not_given(firing: f.Firing, code: Code, world: World) -> None:
    """Each thing that no quorum may give, nor an unknown one, is refused when it is proposed."""
    assert refusal(world, firing) == [code]


def test_who_was_an_admin_is_given_no_approving_role_for_thirty_days(world: World) -> None:
    """Not under another account of the same person either; and then it is possible."""
    world.enact(f.PrincipalCreate(NEW, "human", "persons/admin"))
    [grant] = world.state.grants("principals/admin")
    taken(world, f.GrantEnd(grant.name))
    give = f.GrantGive(NEW, "owner", "*")

    world.wait(ADMIN_LASTS_US - 60 * SECOND_US)
    assert refusal(world, give) == [Code.ADMIN_CONFLICT]
    world.wait(60 * SECOND_US)
    assert refusal(world, give) == []


def test_a_role_that_administers_by_another_name() -> None:
    """A role of the pack's own that takes accounts makes an admin of who has it: no approving role beside it."""
    pack = sketch()["policy.yaml"].replace(b"  engineer:  {may: [", b"  engineer:  {may: [principal.suspend, ")
    world = World.found({"policy.yaml": pack})

    assert refusal(world, f.GrantGive("principals/engineer", "owner", "*")) == [Code.ADMIN_CONFLICT]
    assert refusal(world, f.GrantGive(OWNER, "engineer", "*")) == [Code.ADMIN_CONFLICT]


def test_who_was_removed_starts_anew(world: World) -> None:
    """Restored, a removed account is invited: without keys and roles, and its old keys are nobody's any more."""
    taken(world, f.PrincipalRemove("principals/owner-b"))
    world.enact(f.PrincipalRestore("principals/owner-b"))

    assert world.state.need("principals/owner-b", r.Principal).state == "invited"
    assert refusal(world, world.registration("owner-b")) == [Code.KEY_TAKEN]
    world.enact(world.registration("owner-b", "login", word="-2"))
    assert world.state.need("principals/owner-b", r.Principal).state == "active"
    assert codes(world.fire("owner-b", f.HoldPlace("-"))) == [Code.CREDENTIAL_INACTIVE]


def test_who_was_suspended_comes_back_as_before(world: World) -> None:
    """Keys and roles are those of before."""
    world.fire("evaluator", f.ModelRegister(MODEL))
    taken(world, f.PrincipalSuspend("principals/owner-b"))
    world.enact(f.PrincipalRestore("principals/owner-b"))

    assert isinstance(world.fire("owner-b", f.HoldPlace(MODEL)), Accepted)


# Keys that a change gives -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"proof": bytes(64)}, Code.POSSESSION),
        ({"principal": "principals/owner-a"}, Code.POSSESSION),
        ({"use": "login"}, Code.POSSESSION),
        ({"principal": "principals/nobody"}, Code.NOT_FOUND),
        ({"principal": "principals/recovery-1"}, Code.RECOVERY_QUORUM),
        ({"public_key": bytes(32)}, Code.MALFORMED),
        ({"public_key": public_of("principals/owner-a", "signoff")}, Code.KEY_TAKEN),
        ({"public_key": public_of("principals/owner-b", "signoff")}, Code.KEY_TAKEN),
        ({"public_key": public_of("log", "log")}, Code.KEY_TAKEN),
        ({"replaces": "0" * 64, "replaces_proof": bytes(64)}, Code.CREDENTIAL_INACTIVE),
    ],
    ids=[
        "no proof",
        "another's proof",
        "another use",
        "nobody",
        "recovery",
        "no key",
        "another's key",
        "a key of theirs",
        "the log's key",
        "replaces nothing",
    ],
)
def test_a_key_that_is_not_registered(parts: dict[str, Any], code: Code, world: World) -> None:
    """No key without a proof for this very account and use, none that was anybody's, none that is no key."""
    assert refusal(world, replace(world.registration("owner-b", word="-2"), **parts)) == [code]


def test_a_proof_is_for_one_log(world: World) -> None:
    """What was signed for another log shows nothing here."""
    key = world.registration("owner-b", word="-2")
    world.state = replace(world.state.put(replace(world.state.log, log_id=b"another log, 16b")), writes=())

    assert refusal(world, key) == [Code.POSSESSION]


def test_a_key_is_rotated(world: World) -> None:
    """The old key signs for the new one and is revoked with it; what it signed before still counts."""
    world.fire("evaluator", f.ModelRegister(MODEL))
    change = world.propose("evaluator", ASSIGN)
    assert isinstance(world.sign("owner-b", change), Accepted)
    world.enact(world.registration("owner-b", word="-2", replaces="-"))

    states = [
        key.state for key in world.state.need("principals/owner-b", r.Principal).credentials if key.use == "signoff"
    ]
    assert states == ["revoked", "active"]
    assert voids(world, change) == {}


def test_a_rotation_needs_the_old_key(world: World) -> None:
    """Without its signature over the new one nothing is replaced."""
    firing = world.registration("owner-b", word="-2", replaces="-")

    assert refusal(world, replace(firing, replaces_proof=bytes(64))) == [Code.POSSESSION]


def test_a_key_ends_by_itself(world: World) -> None:
    """From its end on a login key commands nothing and a sign-off key signs nothing; what was signed still counts."""
    until = world.now + 3600 * SECOND_US
    world.enact(
        CREATE,
        world.registration("newcomer", "login", until=until),
        world.registration("newcomer", until=until),
        f.GrantGive(NEW, "owner", "*"),
    )
    world.fire("evaluator", f.ModelRegister(MODEL))
    change, later = world.propose("evaluator", ASSIGN), world.propose("evaluator", ASSIGN)
    assert isinstance(world.sign("newcomer", change), Accepted)
    world.now = until

    assert codes(world.fire("newcomer", f.HoldPlace(MODEL))) == [Code.CREDENTIAL_INACTIVE]
    assert codes(world.sign("newcomer", later)) == [Code.CREDENTIAL_INACTIVE]
    world.enact(world.registration("newcomer", "login", word="-2"))
    new_login = c.Actor(NEW, keys.fingerprint(public_of(NEW, "login-2")))
    envelopes = (envelope("newcomer", world.statement("newcomer", later)),)
    assert codes(world.attempt(new_login, c.SignOffChange(later), envelopes=envelopes)) == [Code.SIGN_OFF_KEY]
    assert isinstance(world.sign("reviewer-a", change), Accepted)
    assert stored(world, change).state == "applied"


def test_a_key_that_ended_is_not_registered(world: World) -> None:
    """An end that has passed is refused, and an ended key signs for no successor."""
    assert refusal(world, world.registration("owner-b", word="-2", until=1)) == [Code.CREDENTIAL_INACTIVE]
    world.enact(world.registration("owner-b", word="-2", until=world.now + SECOND_US))
    world.wait(SECOND_US)
    assert refusal(world, world.registration("owner-b", word="-3", replaces="-2")) == [Code.CREDENTIAL_INACTIVE]


def test_two_changes_that_register_one_key(world: World) -> None:
    """Of two changes that are each fine the second is refused when it is applied."""
    first = world.propose("evaluator", world.registration("owner-b", word="-2"))
    second = world.propose("evaluator", world.registration("owner-b", word="-2"))
    for change in (first, second):
        world.sign("owner-a", change)
        world.sign("reviewer-a", change)

    assert (stored(world, first).state, stored(world, second).state) == ("applied", "in_review")


def test_a_grant_and_an_admin_role_at_once(world: World) -> None:
    """Two changes that are each fine and together are not: the second meets a conflict when it would be applied."""
    world.enact(CREATE)
    both = [
        world.propose("evaluator", f.GrantGive(NEW, "owner", "*")),
        world.propose("evaluator", f.GrantGive(NEW, "admin", "*")),
    ]
    for change in both:
        world.sign("owner-a", change)
        world.sign("reviewer-a", change)

    assert [stored(world, change).state for change in both] == ["applied", "in_review"]
