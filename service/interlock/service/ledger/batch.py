"""One batch in the writer thread: calls decided one after the other at the head, rows collected, nothing committed.

A call goes through the same beats each time: 1 the answer remembered under its request id, if there is one · 2 the
instant, read here, after the last entry's · 3 prepare · 4 the clock allows it · 5 decide · 6 the view after, and the
reply · 7 the rows. Only step 7 changes anything here, and it comes when nothing can fail any more: whatever an earlier
step raises fails this call alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from interlock.proofs.errors import ProofError, RefusedError, TileError
from interlock.proofs.merkle import leaf_hash
from interlock.service.clock import MICROSECONDS
from interlock.service.errors import ClockBehind, LedgerUnhealthy, Refusal, RequestIdReused, StoreUnavailable
from interlock.service.ledger.checkpoints import no_private_half, signed_anew
from interlock.service.ledger.concerns import rows_of
from interlock.service.ledger.policies import digest_of_pack, object_digest
from interlock.service.ledger.proving import head_of
from interlock.service.ledger.steps import step_of
from interlock.service.ledger.view import View
from interlock.service.storage import queries, writes
from interlock.service.storage.rows import RequestKey, StoredRequest
from interlock.service.storage.writes import Writes
from interlock.statemachine import codec, signoff, statements
from interlock.statemachine import commands as c
from interlock.statemachine.decide import decide
from interlock.statemachine.triggers import DIRECTIONS, Direction
from interlock.statemachine.unmet import Code, RefusalKind, Refused, refused
from interlock.statemachine.verdicts import serving_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from interlock.service.clock import GuardedClock
    from interlock.service.ledger.calls import Call, Prepared
    from interlock.service.ledger.checkpoints import CheckpointSigner
    from interlock.service.ledger.concerns import EntryRows
    from interlock.service.ledger.health import LedgerHealth
    from interlock.service.ledger.policies import Policies
    from interlock.service.ledger.steps import Step
    from interlock.service.ledger.tree import Tree
    from interlock.statemachine.decide import Accepted
    from interlock.statemachine.policy import Policy
    from interlock.statemachine.state import State

CLOCK_SLACK_US: Final = 2 * MICROSECONDS
"""How far the clock may be behind the last entry before it counts as behind."""

REMEMBERED_US: Final = 24 * 60 * 60 * MICROSECONDS
"""How long an answer is remembered under its request id."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: what a reader sees there, and the tree to append to."""

    view: View
    tree: Tree


@dataclass(frozen=True, slots=True)
class Side:
    """Work in the writer's transaction that makes no entry, such as a session."""

    run: Callable[[Connection], Any]


@dataclass(frozen=True, slots=True)
class Done:
    """What a job gave; for the caller once the batch is committed."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """What a job raised; carried to the caller, who raises it."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Signing:
    """A tree head to be signed, by the key that is the log's where this stands among the entries, and to be kept."""

    size: int
    root: bytes


Outcome = Done | Failed
Job: TypeAlias = "Call[Any] | Side | Signing"


def is_behind(now: int, state: State) -> bool:
    """Say whether a clock that shows ``now`` (microseconds) counts as behind the log."""
    return bool(state.size) and now < state.time - CLOCK_SLACK_US


def tightens(command: c.Command, envelopes: Sequence[bytes] = ()) -> bool:
    """Say whether a command may be written while the clock is behind: what only tightens, and the trace of a no.

    Of a sign-off its statement says so, in one of the ``envelopes``: a reject tightens. That it is genuine is judged
    by ``decide``; here it need only be a reject, for nothing else can come of one.
    """
    match command:
        case c.Fire(firing=firing):
            return DIRECTIONS[firing.trigger] is Direction.TIGHTENS
        case c.WithdrawSignOffOfChange() | c.WithdrawProposedChange() | c.AttemptRefused():
            return True
        case c.SignOffChange():
            return len(envelopes) == 1 and _is_reject(envelopes[0])
        case _:
            return False


def _is_reject(envelope: bytes) -> bool:
    try:
        return signoff.claimed_statement(envelope).decision == "reject"
    except (RefusedError, statements.StatementError):
        return False


_NO_JUMP: Final = refused(
    RefusalKind.UNMET, Code.CLOCK, "a clock that has jumped forward and was not accepted yet", "it has not"
)


class Batch:
    """Jobs on top of one head, in one open transaction."""

    def __init__(
        self,
        connection: Connection,
        head: Head,
        clock: GuardedClock,
        policies: Policies,
        health: LedgerHealth,
        signer: CheckpointSigner,
    ) -> None:
        self._connection = connection
        self._signer = signer
        self._before = head
        self._clock = clock
        self._policies = policies
        self._health = health
        self._view = head.view
        self._frontier = head.tree.frontier
        self._leaves: list[bytes] = []
        self._entries: list[bytes] = []
        self._steps: list[Step] = []
        self._rows: list[tuple[EntryRows, bytes]] = []
        self._writes = Writes()
        self._answered: dict[RequestKey, StoredRequest] = {}
        self.accepts_clock = False
        """Whether one of the entries accepts the clock that it is dated by."""
        self.accepts_loss = False
        """Whether one of them accepts that the log is behind its high-water mark."""

    @property
    def entries(self) -> tuple[bytes, ...]:
        """The bytes of the entries that this batch appends."""
        return tuple(self._entries)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What each of these entries leaves."""
        return tuple(self._steps)

    @property
    def rows(self) -> tuple[tuple[EntryRows, bytes], ...]:
        """What each of these entries puts into the tables, with its leaf hash."""
        return tuple(self._rows)

    def take(self, jobs: Sequence[Job]) -> tuple[Outcome, ...]:
        """Do every job in order. Raises what the database raises: then the whole batch is void."""
        keys = [key for job in jobs if not isinstance(job, Side | Signing) and (key := _key_of(job)) is not None]
        if keys:
            since = self._instant_at(self._clock.now_us()) - REMEMBERED_US
            self._answered = queries.requests(self._connection, keys, since)
        return tuple(self._do(job) for job in jobs)

    def flush(self) -> Head:
        """Write what was collected, and return the head as it is once the transaction is committed."""
        tree, tiles = self._before.tree.append(self._leaves, self._frontier)
        self._writes.add_tiles(tiles)
        self._writes.flush(self._connection)
        return Head(self._view, tree)

    def _do(self, job: Job) -> Outcome:
        match job:
            case Side():
                return self._side(job)
            case Signing():
                return self._side(Side(partial(self._sign, job)))
            case _:
                return self._call(job)

    def _sign(self, job: Signing, connection: Connection) -> str:
        note = self._signer.sign(self._view.state.log.log_key, job.size, job.root)
        writes.put_checkpoint(connection, job.size, note)
        return note

    def _side(self, job: Side) -> Outcome:
        """Run a side job in a savepoint of its own."""
        try:
            with self._connection.begin_nested():
                return Done(job.run(self._connection))
        except LedgerUnhealthy as error:
            return Failed(error)
        except IntegrityError as error:
            # Undoes one statement only. After any other error of the database nobody knows whether the transaction is
            # still open (SQLite ends it by itself when the disk is full), so that one fails the batch.
            return Failed(StoreUnavailable(repr(error)))

    def _call(self, call: Call[Any]) -> Outcome:
        try:
            return Done(self._answer(call))
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001  # carried to the caller, who raises it: the others must not suffer
            return Failed(error)

    def _answer(self, call: Call[Any]) -> Any:  # noqa: ANN401  # the call's own reply type
        if not (self._health.ok or self.accepts_loss or (call.restores and self._health.lost is not None)):
            raise LedgerUnhealthy(self._health.code)
        # 1. The same request again gets the same answer.
        key = _key_of(call)
        known = self._answered.get(key) if key is not None else None
        if known is not None:
            if known.digest != call.request_digest:
                raise RequestIdReused
            return call.reply_type.FromString(known.reply)
        # 2. to 5. Decide at the head, now.
        prepared, accepted = self._decide(call)
        # 6. The view after, and what the caller is told.
        data = codec.encode_entry(accepted.entry)
        leaf = leaf_hash(data)
        frontier = self._frontier.append(leaf)
        objects = _objects_of(prepared)
        policy = self._policy_after(accepted.state, objects)
        after = View(accepted.state, policy, self._view.rules, frontier.root())
        reply = call.render(after, accepted)
        remembered = None
        if key is not None:
            remembered = StoredRequest(
                key, call.request_digest, reply.SerializeToString(), accepted.entry.seq, accepted.entry.time
            )
        rows = rows_of(accepted, data)
        step = step_of(after, rows.resources)
        anew = self._signed_anew(accepted.state)
        # 7. Nothing below fails.
        self._view, self._frontier = after, frontier
        self.accepts_clock = self.accepts_clock or isinstance(prepared.command, c.AcceptClock)
        self.accepts_loss = self.accepts_loss or call.restores
        self._leaves.append(leaf)
        self._entries.append(data)
        self._steps.append(step)
        self._rows.append((rows, leaf))
        self._writes.add_entry(rows.entry, resources=rows.resources, triggers=rows.triggers, models=rows.models)
        for row in rows.snapshots:
            self._writes.add_snapshot(row)
        for digest, content in objects.items():
            self._writes.add_object(digest, content)
        for text in prepared.texts:
            self._writes.add_text(text)
        for digest in prepared.forget:
            self._writes.forget_text(digest)
        for size, note in anew.items():
            self._writes.renew_checkpoint(size, note)
        if remembered is not None:
            self._answered[remembered.key] = remembered
            self._writes.add_request(remembered)
        return reply

    def _signed_anew(self, state: State) -> dict[int, str]:
        """Return the checkpoints that a new key of the log has to sign in place of the old one; none without one.

        Whichever command names a key: without its private half on the disk, nothing could be signed after the entry.
        """
        if not self._view.state.size or state.log.log_key == self._view.state.log.log_key:
            return {}
        if not self._signer.waits(state.log.log_key):
            raise Refusal(Refused(RefusalKind.UNMET, (no_private_half(),)))
        try:
            return signed_anew(self._connection, self._signer, state.log, head_of(self._before.view))
        except (TileError, ProofError) as error:  # who asks for a proof next finds it, and says what it is
            raise LedgerUnhealthy(Code.LEDGER) from error

    def _decide(self, call: Call[Any]) -> tuple[Prepared, Accepted]:
        view = self._view
        now = self._clock.now_us()
        ahead = self._clock.ahead_us > 0
        instant = self._instant_at(now)
        prepared = call.prepare(view, instant)
        if isinstance(prepared, Refused):
            raise Refusal(prepared)
        if isinstance(prepared.command, c.AcceptClock):
            if not ahead:
                raise Refusal(_NO_JUMP)
            instant = self._instant_at(self._clock.shown_us())
        elif (ahead or is_behind(now, view.state)) and not tightens(prepared.command, prepared.envelopes):
            raise ClockBehind
        # What a verdict leans on holds here: nothing is decided without a sound ledger, nor such a command without a
        # sane clock.
        facts = c.Facts(instant, prepared.envelopes, serving_for(view.state, prepared.command))
        decided = decide(view.rules, view.policy, view.state, prepared.command, facts, call.actor, call.request_id)
        if isinstance(decided, Refused):
            raise Refusal(decided)
        return prepared, decided

    def _instant_at(self, now: int) -> int:
        """Return the time of the next entry: the clock's, and always later than the last."""
        state = self._view.state
        return max(now, state.time + 1) if state.size else now

    def _policy_after(self, state: State, objects: dict[bytes, bytes]) -> Policy:
        """Return the policy that is in force once an entry is in."""
        policy = self._view.policy
        if state.policy is None or state.policy.digest == policy.digest:
            return policy

        def find(digest: bytes) -> bytes | None:
            waiting = objects.get(digest) or self._writes.find_object(digest)
            return waiting or queries.objects(self._connection, (digest,)).get(digest)

        return self._policies.load(state.policy.digest, find)


def _key_of(call: Call[Any]) -> RequestKey | None:
    return RequestKey(call.actor.principal, call.method, call.request_id) if call.request_id else None


def _objects_of(prepared: Prepared) -> dict[bytes, bytes]:
    """Return what is kept beside the entry, by digest; the content of its command always."""
    contents = [*prepared.objects]
    content = getattr(prepared.command, "content", None)
    if isinstance(content, bytes):
        contents.append(content)
    kept = {object_digest(data): data for data in contents}
    return kept | {digest_of_pack(data): data for data in prepared.packs}
