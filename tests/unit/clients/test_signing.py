"""Sign-offs made by the client count: the very code that decides accepts them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from interlock.client.errors import ProfileError
from interlock.client.opened import Opened, OpenedEvidence
from interlock.client.profile import Profile
from interlock.client.proving import SignedCheckpoint
from interlock.client.review import OpenedChange, open_change
from interlock.client.signing import Consent, Signer, roles_to_act_in
from interlock.proofs import dsse
from interlock.statemachine import commands as c
from interlock.statemachine import firings as f
from interlock.statemachine import resources as r
from interlock.statemachine import signoff
from interlock.statemachine.decide import Accepted
from interlock.v1 import change_pb2
from tests.support.world import LOG_ID, World, key_of, public_of, sha256_of

if TYPE_CHECKING:
    from pathlib import Path

HEAD = SignedCheckpoint("note", 2, bytes(range(32)))


@pytest.fixture
def world() -> World:
    """Give a world with a change that rules a threshold out, on one document."""
    world = World.found()
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    report = world.upload("evaluator", "evaluation_results", word="report")
    world.propose("evaluator", f.DeterminationRuleOut("models/m/determinations/misuse"), evidence=[report])
    return world


def _opened(world: World, change: str = "changes/1") -> OpenedChange:
    stored = world.state.need(change, r.Change)
    return open_change(change_pb2.Change(name=stored.name, revision=stored.revision, content=stored.content), LOG_ID)


def _signer(folder: Path, who: str, *, with_key: bool = True) -> Signer:
    name = f"principals/{who}"
    pem = key_of(name, "signoff").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))
    (folder / "signoff.key").write_bytes(pem)
    key = folder / "signoff.key" if with_key else None
    profile = Profile(folder, name, "a:1", "interlock", b"", LOG_ID, "", bytes(32), folder / "login.key", key, None)
    return Signer(profile, lambda _path: b"pass")


def _statement(envelope: bytes, who: str) -> signoff.Statement:
    raw = dsse.RawEnvelope.from_json(envelope)
    verified = dsse.verify(raw, public_of(f"principals/{who}", "signoff"), payload_type=dsse.IN_TOTO_TYPE)
    return signoff.parse_statement(verified.payload)


def test_an_approval_is_accepted_and_completes_the_quorum(world: World, tmp_path: Path) -> None:
    """Two people's client-made sign-offs apply the change."""
    for who, role in (("owner-a", "owner"), ("reviewer-a", "reviewer")):
        signed = _signer(tmp_path, who).sign(_opened(world), HEAD, Consent("approve", (role,)))
        decided = world.attempt(who, c.SignOffChange("changes/1"), envelopes=(signed.envelope,))
        assert isinstance(decided, Accepted), decided

    assert world.state.need("changes/1", r.Change).state == "applied"


def test_a_withdrawal_is_accepted(world: World, tmp_path: Path) -> None:
    """A client-made withdrawal takes the signer's own approval back."""
    signer = _signer(tmp_path, "owner-a")
    approval = signer.sign(_opened(world), HEAD, Consent("approve", ("owner",)))
    world.must("owner-a", c.SignOffChange("changes/1"), envelopes=(approval.envelope,))

    withdrawal = signer.sign(_opened(world), HEAD, Consent("withdraw"))
    decided = world.attempt("owner-a", c.WithdrawSignOffOfChange("changes/1"), envelopes=(withdrawal.envelope,))

    assert isinstance(decided, Accepted), decided


def test_the_statement_binds_everything(world: World, tmp_path: Path) -> None:
    """Content digest, signer, roles, checkpoint, documents with what was seen, and the comment's digest are signed."""
    opened = _opened(world)
    consent = Consent(
        "reject", ("reviewer", "owner"), "misses cyber", Opened(frozenset({("evidence/1", sha256_of("report"))}))
    )

    signed = _signer(tmp_path, "owner-a").sign(opened, HEAD, consent)
    statement = _statement(signed.envelope, "owner-a")

    assert statement.content_sha256 == hashlib.sha256(opened.change.content).hexdigest()
    assert (statement.change, statement.decision, statement.signer) == ("changes/1", "reject", "principals/owner-a")
    assert statement.roles == ("owner", "reviewer")
    assert (statement.checkpoint_size, statement.checkpoint_root) == (2, HEAD.root.hex())
    assert statement.evidence == (signoff.SeenEvidence("evidence/1", sha256_of("report"), "full"),)
    assert signed.comment is not None
    assert statement.comment_digest == hashlib.sha256(signed.comment.salt + b"misses cyber").hexdigest()


def test_a_document_that_was_not_opened_is_said_not_to_be(world: World, tmp_path: Path) -> None:
    """Nobody signs that they saw what they did not."""
    signed = _signer(tmp_path, "owner-a").sign(_opened(world), HEAD, Consent("approve", ("owner",)))

    assert [row.seen for row in _statement(signed.envelope, "owner-a").evidence] == ["not_opened"]


def test_what_was_opened_is_known_by_name_and_digest(world: World, tmp_path: Path) -> None:
    """Another document of the same bytes was not opened; of an original, a redacted version may have been."""
    copy = world.upload("evaluator", "evaluation_results", word="report", classification="restricted")
    opened = OpenedEvidence(tmp_path)
    opened.add("evidence/1", sha256_of("report"))
    opened.add("evidence/9", sha256_of("black bars"), copy)

    known = OpenedEvidence(tmp_path).load()

    assert [known.seen(name, sha256_of("report")) for name in ("evidence/1", copy, "evidence/3")] == [
        "full",
        "redacted",
        "not_opened",
    ]
    assert known.seen("evidence/1", sha256_of("another")) == "not_opened"


@pytest.mark.parametrize("kept", ["", "{}", "[1]", '[["evidence/1", "00"]]', '["00"]', "nothing"])
def test_a_file_of_another_form_says_that_nothing_was_opened(kept: str, tmp_path: Path) -> None:
    """Such as one that an older client wrote."""
    (tmp_path / "opened.json").write_text(kept)

    assert OpenedEvidence(tmp_path).load() == Opened()


def test_documents_that_a_trigger_names_are_signed_too(world: World, tmp_path: Path) -> None:
    """Attached or not, each is in the statement once, with what was seen of it; the rules take it as it is made."""
    named = world.upload("evaluator", "risk_report", word="named")
    misuse = "models/m/determinations/misuse"
    reported = f.DeterminationReport(misuse, "ruled_out", "", (named, "evidence/1"))
    change = world.propose("evaluator", reported, f.DeterminationRuleOut(misuse), evidence=["evidence/1"])
    consent = Consent("approve", ("owner",), opened=Opened(frozenset({(named, sha256_of("named"))})))

    signed = _signer(tmp_path, "owner-a").sign(_opened(world, change), HEAD, consent)

    assert _statement(signed.envelope, "owner-a").evidence == (
        signoff.SeenEvidence("evidence/1", sha256_of("report"), "not_opened"),
        signoff.SeenEvidence("evidence/2", sha256_of("named"), "full"),
    )
    assert isinstance(world.attempt("owner-a", c.SignOffChange(change), envelopes=(signed.envelope,)), Accepted)


def test_no_two_statements_are_alike(world: World, tmp_path: Path) -> None:
    """Each sign-off has a nonce of its own, so that none can be taken for another's repetition."""
    signer = _signer(tmp_path, "owner-a")

    one, other = (signer.sign(_opened(world), HEAD, Consent("approve", ("owner",))) for _ in range(2))

    assert _statement(one.envelope, "owner-a").nonce != _statement(other.envelope, "owner-a").nonce


def test_without_a_sign_off_key_nothing_is_signed(world: World, tmp_path: Path) -> None:
    """A login key never signs off."""
    with pytest.raises(ProfileError) as caught:
        _signer(tmp_path, "owner-a", with_key=False).sign(_opened(world), HEAD, Consent("approve"))

    assert caught.value.reason == "NO_KEY"


@pytest.mark.parametrize(
    ("held", "asked", "wished", "roles"),
    [
        ({"rso", "ceo"}, {"ceo", "owner"}, (), ("ceo",)),
        ({"rso"}, {"owner"}, (), ("rso",)),
        ({"rso", "ceo"}, {"rso", "ceo"}, ("rso",), ("rso",)),
        ((), {"owner"}, (), ()),
    ],
    ids=["overlap", "no overlap", "wished", "none held"],
)
def test_the_roles_acted_in(held: set[str], asked: set[str], wished: tuple[str, ...], roles: tuple[str, ...]) -> None:
    """By default those held that the change asks for; all held where none is asked, so that the refusal says why."""
    assert roles_to_act_in(held, asked, wished) == roles
