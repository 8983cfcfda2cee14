"""What goes into a bundle of a part of the log: which entries, and which leaves of a state digest.

Lives here: the choice, made of the fold and of the look-up tables (``statemachine/excerpt.py`` says what belongs in).
Not here: the entries' bytes and what stands beside them (``export.py``), nor whether that is enough: whoever verifies
believes none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from interlock.proofs import bundle
from interlock.proofs.errors import RefusedError
from interlock.proofs.merkle import Frontier, subtrees_of
from interlock.proofs.tiles import TileReader
from interlock.service.api.times import to_microseconds
from interlock.service.errors import Invalid, NotFound, StoreUnavailable
from interlock.service.ledger.tree import tile_reader
from interlock.service.storage import queries
from interlock.statemachine import codec, digest, excerpt, signoff, snapshot, statements
from interlock.statemachine import resources as r
from interlock.v1 import bundle_pb2

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection

    from interlock.service.ledger.committer import Committer
    from interlock.service.ledger.digests import Digests
    from interlock.service.storage import Store
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.state import State
    from interlock.v1 import audit_pb2

_FOUNDING: Final = (0, 1)

Segment: TypeAlias = tuple[bundle.Kind, bundle_pb2.BundleResource | bundle_pb2.BundleGap | bundle_pb2.BundleCheckpoint]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of the log: the header without origin and size, the state's segments, and the entries' positions in order.

    ``documents`` are names of the documents that belong to it, None for all up to ``until``, its last entry.
    """

    header: bundle_pb2.BundleHeader
    state: tuple[Segment, ...]
    positions: Sequence[int]
    until: int
    documents: frozenset[str] | None = None


class Excerpts:
    """Chooses for the exporter."""

    def __init__(self, committer: Committer, store: Store, digests: Digests) -> None:
        self._committer = committer
        self._store = store
        self._digests = digests

    async def choose(self, request: audit_pb2.ExportBundleRequest) -> Excerpt | None:
        """Return what a request asks for; None for the whole log.

        Raises Invalid for parts that do not go together, NotFound for an unknown model or a position past the head, and
        what stating a digest raises.
        """
        asked = request.WhichOneof("from") or request.WhichOneof("to")
        if asked and request.models:
            raise Invalid("models", "not together with from or to: a selection goes from the founding to the head")
        if request.models:
            return await self._selection(sorted(set(request.models)))
        return await self._range(request) if asked else None

    async def _range(self, request: audit_pb2.ExportBundleRequest) -> Excerpt:
        head = self._committer.view.position
        first = await self._position(request, "from", 0)
        last = await self._position(request, "to", head)
        for position in (first, last):
            if position > head:
                raise NotFound(f"entries/{position}")
        if last < first:
            raise Invalid("to", "is before from")
        begin = max(await self._digests.last(first), 0)
        header = bundle_pb2.BundleHeader(kind=bundle_pb2.BUNDLE_KIND_RANGE, digest=begin, end=last + 1)
        if not begin:
            return Excerpt(header, (), tuple(range(last + 1)), last)
        state = (await self._committer.view_at(position=begin - 1)).state
        return await self._store.read(lambda connection: _range_from(connection, state, header))

    async def _position(self, request: audit_pb2.ExportBundleRequest, end: str, unset: int) -> int:
        """Return the position that one end of a range is at: of a moment, that of the last entry made by then.

        A range up to a moment has one entry more, where there is one: it shows that no other was made by then.
        """
        match request.WhichOneof("from" if end == "from" else "to"):
            case None:
                return unset
            case "from_time" | "to_time" as field:
                moment = to_microseconds(getattr(request, field), field)
                last = await self._store.read(lambda connection: queries.position_at(connection, moment))
                return max(min(last + 1, self._committer.view.position) if end == "to" else last, 0)
            case field:
                return int(getattr(request, field))

    async def _selection(self, models: list[str]) -> Excerpt:
        for model in models:
            if self._committer.view.state.find(model, r.Model) is None:
                raise NotFound(model)
        at = await self._digests.at_head()
        header = bundle_pb2.BundleHeader(kind=bundle_pb2.BUNDLE_KIND_SELECTIVE, digest=at, models=models)
        state = (await self._committer.view_at(position=at - 1)).state
        return await self._store.read(lambda connection: _selection_of(connection, state, header))


def _range_from(connection: Connection, state: State, header: bundle_pb2.BundleHeader) -> Excerpt:
    """Return a range that begins with a state: all of it, the entries that gave its facts, and the range itself."""
    begin, identity = header.digest, [name for name in state.items if excerpt.is_identity(name)]
    before = {*_FOUNDING, *excerpt.givers(state), *queries.written_by(connection, identity, begin - 1)}
    leaves = state_segments(state, set(state.items), forms=True)
    return Excerpt(header, leaves, (*sorted(before), *range(begin, header.end)), header.end - 1)


def _selection_of(connection: Connection, state: State, header: bundle_pb2.BundleHeader) -> Excerpt:
    """Return a selection of models as of the digest over ``state``."""
    at, models = header.digest, tuple(header.models)
    chosen, positions = excerpt.select(state, models, lambda names: _writers(connection, names, at - 1))
    documents = frozenset(name for name in chosen if state.find(name, r.Evidence) is not None)
    return Excerpt(header, state_segments(state, chosen, models), (*sorted(positions), at), at, documents)


def _writers(connection: Connection, names: Collection[str], until: int) -> Iterator[Entry]:
    """Yield the entries up to ``until`` that wrote any of these resources."""
    for row in queries.entries_at(connection, queries.written_by(connection, names, until)):
        objects = queries.objects(connection, codec.content_digests(row.data))
        yield codec.decode_entry(row.data, objects.__getitem__)


def state_segments(
    state: State, chosen: Collection[str], models: Collection[str] = (), *, forms: bool = False
) -> tuple[Segment, ...]:
    """Return the leaves of a state's digest as a bundle has them, in order, with gaps for those that are hidden.

    With ``forms`` each comes in its form. Else what is not ``chosen`` comes so where only its form shows that it is of
    no concern, and all others by digest: what they are comes of the entries, or is nobody's business.
    """
    rows = list(digest.rows_of(state))
    known = {
        row.name for row in rows if row.name in chosen or not row.name.startswith((*excerpt.APART, excerpt.MODELS))
    }
    shown = sorted(excerpt.shown([row.name for row in rows], known, models))
    leaves = [row.leaf() for row in rows]
    found: list[Segment] = []
    done = 0
    for at in shown:
        if at > done:
            found.append((bundle.Kind.RESOURCE_GAP, _gap_of_leaves(leaves, done, at)))
        row, leaf = rows[at], bundle_pb2.BundleResource(name=rows[at].name, position=rows[at].position)
        if forms or (row.name in known and row.name not in chosen):
            leaf.form = snapshot.encode(state.items[row.name])
        else:
            leaf.sha256 = row.sha256
        found.append((bundle.Kind.RESOURCE, leaf))
        done = at + 1
    return tuple(found)


def _gap_of_leaves(leaves: Sequence[bytes], begin: int, end: int) -> bundle_pb2.BundleGap:
    parts = ((index << level, (index + 1) << level) for level, index in subtrees_of(begin, end))
    hashes = [Frontier().extend(leaves[first:last]).root() for first, last in parts]
    return bundle_pb2.BundleGap(size=end - begin, hashes=hashes)


def heads_named(connection: Connection, positions: Sequence[int]) -> set[int]:
    """Return the sizes of the tree heads that the sign-offs at these positions name: the tree must be known there.

    So it must at the last head of a log key that a recovery ended.
    """
    found = set[int]()
    for row in queries.entries_at(connection, positions):
        try:
            found |= set(_sizes_in(codec.envelopes_in(row.data)))
            found |= set(codec.last_sizes_in(row.data))
        except codec.CodecError:
            continue  # damaged: it goes out as it is stored
    return found


def _sizes_in(envelopes: Sequence[bytes]) -> Iterator[int]:
    for envelope in envelopes:
        try:
            yield signoff.claimed_statement(envelope).checkpoint_size
        except (RefusedError, statements.StatementError):
            continue


def gap_segments(connection: Connection, begin: int, end: int, cuts: Collection[int], size: int) -> list[Segment]:
    """Return what stands for the entries [begin, end): gaps, cut where the tree must be known, and checkpoints there.

    ``size`` is that of the head, whose checkpoint stands in front of the file. Raises StoreUnavailable for tiles that
    can't be read.
    """
    shown = dict(queries.checkpoints_between(connection, begin + 1, end))
    lines = queries.cosignatures(connection, shown)
    bounds = sorted({bound for bound in (*cuts, *shown) if begin < bound < end} | {end})
    read_node = TileReader(tile_reader(connection)).read_node
    found: list[Segment] = []
    for bound in bounds:
        try:
            hashes = [read_node(level, index) for level, index in subtrees_of(begin, bound)]
        except RefusedError as error:
            raise StoreUnavailable(str(error)) from error
        found.append((bundle.Kind.GAP, bundle_pb2.BundleGap(size=bound - begin, hashes=hashes)))
        if bound in shown and bound < size:
            found.append(
                (bundle.Kind.CHECKPOINT, bundle_pb2.BundleCheckpoint(note=shown[bound] + "".join(lines.get(bound, ()))))
            )
        begin = bound
    return found
