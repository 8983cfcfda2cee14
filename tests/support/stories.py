"""A log in which every command occurs, with signatures, texts and a document: to be bundled, mutated, verified.

People sign as clients do: naming the head that they have seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, get_args

from interlock.proofs import dsse, keys
from interlock.statemachine import codec, digest, drafting, rules, verdicts
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.statemachine.changes import content_of
from interlock.statemachine.codec import encode_content
from interlock.statemachine.named import texts_of
from interlock.statemachine.recovery import build_consent
from interlock.v1 import bundle_pb2
from tests.support.bundles import Parts, root_of
from tests.support.world import DAY_US, LOG_ID, World, envelope, key_of, public_of, sha256_of

if TYPE_CHECKING:
    from interlock.client.verify import Trust

SALT: Final = bytes(range(32))
DOCUMENT: Final = b"what was measured"
TEXTS: Final = ("Until we know why", "Looks right to me", "A title")
"""Texts of the story; each is salted with ``SALT``."""

ERASED: Final = "What should not have been said"
"""Another one, of which the log says that it was erased."""


def digest_of(text: str) -> bytes:
    """Return the digest under which an entry names a text of the story."""
    return hashlib.sha256(SALT + text.encode()).digest()


def sign(world: World, who: str, change: str, decision: str = "approve", *, comment: str = "") -> None:
    """Sign as a client does, or take that back."""
    entries = world.encoded()
    statement = replace(
        world.statement(who, change, decision),
        checkpoint_size=len(entries),
        checkpoint_root=root_of(entries).hex(),
        comment_digest=digest_of(comment).hex() if comment else "",
    )
    kind = c.WithdrawSignOffOfChange if decision == "withdraw" else c.SignOffChange
    world.must(who, kind(change), envelopes=(envelope(who, statement),))


def propose(world: World, *firings: f.Firing, draft: bool = False, apply_separately: bool = False) -> str:
    """Propose a change that has a title; return its name."""
    name = world.state.next_name("changes")
    drafted = drafting.draft(
        rules.current(),
        world.policy,
        world.state,
        name=name,
        revision=1,
        triggers=firings,
        texts=(("title", digest_of("A title")),),
        apply_separately=apply_separately,
    )
    assert isinstance(drafted, e.Content), drafted
    world.must("evaluator", c.ProposeChange(encode_content(drafted), draft))
    return name


def every_command() -> World:
    """Return the log."""
    world = World.found(countersigned_by=["owner-a", "reviewer-a"])
    world.must("evaluator", c.Fire(f.ModelRegister("models/m")))
    world.must("owner-a", c.Fire(f.HoldPlace("models/m", digest_of("Until we know why"))))
    report = world.upload("evaluator", "evaluation_results", word=DOCUMENT.decode())
    secret = world.upload("evaluator", "evaluation_results", classification="restricted")
    world.must("evaluator", c.GrantEvidenceAccess(secret, "principals/auditor"))
    world.must("auditor", c.OpenEvidence(secret))
    _revise(world, report)
    world.must("auditor", c.AttemptRefused("interlock.v1.HoldService/PlaceHold", bytes(32), ("RIGHT_MISSING",)))
    lift = propose(world, f.HoldLift("holds/1"), apply_separately=True)
    sign(world, "owner-a", lift, comment="Looks right to me")
    sign(world, "owner-a", lift, "withdraw")
    sign(world, "owner-b", lift, comment=ERASED)
    world.must("admin", c.EraseText(digest_of(ERASED)))
    sign(world, "reviewer-a", lift)
    world.must("owner-a", c.ApplyApprovedChange(lift))
    misuse = "models/m/determinations/misuse"
    reported = f.DeterminationReport(misuse, "ruled_out", "", (report,))
    rule_out = world.propose("evaluator", reported, f.DeterminationRuleOut(misuse), evidence=[report])
    sign(world, "owner-a", rule_out)
    sign(world, "reviewer-a", rule_out)
    _decide(world)
    world.must(c.SYSTEM, digest.digest_of(world.state))
    world.must("admin", c.AcceptClock(world.now))
    world.must(c.SYSTEM, c.ReportAnonymously("models/m", "other", title_digest=digest_of("A title")))
    _recover(world)
    return world


def _recover(world: World) -> None:
    """Have the recovery quorum bring back an account that was suspended."""
    world.must("admin", c.Fire(f.PrincipalSuspend("principals/engineer")))
    end = max(world.now, world.state.time) + DAY_US
    document = codec.encode_recovery(
        e.RecoveryDocument(LOG_ID, (f.PrincipalRestore("principals/engineer"),), end, b"story")
    )
    names = [f"principals/recovery-{number}" for number in (1, 2)]
    envelopes = tuple(
        dsse.sign(dsse.IN_TOTO_TYPE, build_consent(document, name), key_of(name, "recovery")).to_json()
        for name in names
    )
    actor = c.Actor(names[0], keys.fingerprint(public_of(names[0], "recovery")))
    world.must(actor, c.Recover(document), envelopes=envelopes)


def _revise(world: World, report: str) -> None:
    """Take a draft through every kind of revision, and back."""
    change = propose(world, f.HoldLift("holds/1"), draft=True)
    world.must("evaluator", c.AttachEvidence(change, world.revised(change, evidence=[report])))
    world.must("evaluator", c.DetachEvidence(change, world.revised(change, evidence=[])))
    later = content_of(world.revised(change)).not_before + world.state.time + 1
    world.must("evaluator", c.AmendChange(change, world.revised(change, not_before=later)))
    world.must("evaluator", c.RebaseChange(change, world.revised(change)))
    world.must("evaluator", c.SubmitChange(change))
    world.must("evaluator", c.WithdrawProposedChange(change))


def _decide(world: World) -> None:
    """Have the gate's answer recorded, as signed decisions are."""
    at = max(world.now, world.state.time + 1)
    judged = verdicts.judge(world.policy, world.state, "models/m", "internal", sha256_of("weights"), at)
    world.must("release-bot", verdicts.command_for(judged))


@lru_cache(maxsize=1)
def whole_bundle() -> Parts:
    """Return the bundle of that log with everything in it; equal each time."""
    world = every_command()
    parts = Parts.of(world, sizes=(2, 9, 20), documents=(DOCUMENT,))
    known = {digest_of(text): text for text in TEXTS}
    for position, entry in enumerate(world.entries):
        texts = [bundle_pb2.BundleText(salt=SALT, text=known[d]) for d in texts_of(entry) if d in known]
        parts = parts.with_row(position, texts=texts)
    return parts


@lru_cache(maxsize=1)
def whole_trust() -> Trust:
    """Return what an auditor believes of it."""
    from tests.support.bundles import trust_in  # noqa: PLC0415  # beside its one use

    return trust_in(every_command())


def one_of_each() -> dict[str, int]:
    """Return the position of the first entry of each command, by the command's name."""
    found: dict[str, int] = {}
    for position, entry in enumerate(every_command().entries):
        found.setdefault(type(entry.command).__name__, position)
    return found


def every_name() -> set[str]:
    """Return the names of all commands."""
    return {kind.__name__ for kind in get_args(c.Command)}
