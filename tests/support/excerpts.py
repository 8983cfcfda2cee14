"""Bundles of a part of a world's log, in segments: to be judged as they are, and with something left out or altered.

``Cut`` is such a part; ``without`` leaves entries out as whoever hides them would: the gaps grow, all hashes fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

from interlock.proofs import bundle, merkle
from interlock.service.api.excerpts import state_segments
from interlock.statemachine import codec, digest, excerpt, signoff
from interlock.statemachine import commands as c
from interlock.v1 import bundle_pb2
from tests.support.bundles import NAME, framed, signed_head

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from interlock.service.api.excerpts import Segment
    from interlock.statemachine.entry import Entry
    from interlock.statemachine.state import State
    from tests.support.world import World

FOUNDING: Final = (0, 1)


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a log. ``entries`` are all of the log, ``kept`` the positions in the bundle, ``heads`` known sizes."""

    entries: tuple[bytes, ...]
    objects: dict[bytes, bytes]
    header: bundle_pb2.BundleHeader
    kept: tuple[int, ...]
    leaves: tuple[digest.Row, ...] = ()
    rows: dict[str, bundle_pb2.BundleResource] = field(default_factory=dict)
    heads: frozenset[int] = field(default=frozenset())
    signer: str = "log"

    @classmethod
    def range(cls, world: World, begin: int, end: int) -> Self:
        """Return the range from the digest at ``begin`` up to and without ``end``."""
        header = bundle_pb2.BundleHeader(kind=bundle_pb2.BUNDLE_KIND_RANGE, digest=begin, end=end)
        if not begin:
            return cls._of(world, header, range(end))
        state = state_before(world, begin)
        identity = {e.seq for e in world.entries[:begin] if any(excerpt.is_identity(name) for name, _ in e.prev)}
        kept = {*FOUNDING, *excerpt.givers(state), *identity, *range(begin, end)}
        rows = state_segments(state, set(state.items), forms=True)
        return cls._of(world, header, kept, tuple(digest.rows_of(state)), rows)

    @classmethod
    def selection(cls, world: World, at: int, *models: str) -> Self:
        """Return the selection of models as of the digest at a position."""
        state = state_before(world, at)
        header = bundle_pb2.BundleHeader(kind=bundle_pb2.BUNDLE_KIND_SELECTIVE, digest=at, models=models)

        def read(names: Collection[str]) -> list[Entry]:
            return [entry for entry in world.entries[:at] if any(name in names for name, _ in entry.prev)]

        chosen, positions = excerpt.select(state, models, read)
        return cls._of(
            world, header, {*positions, at}, tuple(digest.rows_of(state)), state_segments(state, chosen, models)
        )

    @classmethod
    def _of(
        cls,
        world: World,
        header: bundle_pb2.BundleHeader,
        kept: Iterable[int],
        leaves: tuple[digest.Row, ...] = (),
        state: Iterable[Segment] = (),
    ) -> Self:
        entries = tuple(world.encoded())
        header.origin, header.size = NAME, len(entries)
        positions = tuple(sorted(kept))
        heads = {
            signoff.claimed_statement(envelope).checkpoint_size
            for at in positions
            if isinstance(world.entries[at].command, c.SignOffChange | c.WithdrawSignOffOfChange)
            for envelope in world.entries[at].facts.envelopes
        }
        heads |= {size for at in positions for size in codec.last_sizes_in(entries[at])}
        rows = {row.name: row for _, row in state if isinstance(row, bundle_pb2.BundleResource)}
        return cls(entries, world.objects, header, positions, leaves, rows, frozenset(heads))

    def without(self, *positions: int) -> Cut:
        """Return it with some entries left out, in gaps that fit."""
        return replace(self, kept=tuple(at for at in self.kept if at not in positions))

    def hiding(self, *names: str) -> Cut:
        """Return it with some leaves of the state left out, in gaps that fit."""
        return replace(self, rows={name: row for name, row in self.rows.items() if name not in names})

    def with_row(self, name: str, form: bytes) -> Cut:
        """Return it with another form of a resource."""
        row = bundle_pb2.BundleResource(name=name, position=self.rows[name].position, form=form)
        return replace(self, rows=self.rows | {name: row})

    def _state(self) -> list[Segment]:
        found: list[Segment] = []
        done = 0
        for at, leaf in enumerate(self.leaves):
            if leaf.name in self.rows:
                if at > done:
                    found.append((bundle.Kind.RESOURCE_GAP, gap([row.leaf() for row in self.leaves], done, at)))
                found.append((bundle.Kind.RESOURCE, self.rows[leaf.name]))
                done = at + 1
        if self.rows and done < len(self.leaves):
            rest = gap([row.leaf() for row in self.leaves], done, len(self.leaves))
            found.append((bundle.Kind.RESOURCE_GAP, rest))
        return found

    def segments(self) -> list[tuple[bundle.Kind, bytes]]:
        """Return the segments in order, as (type, data)."""
        kind = bundle.Kind
        head = bundle_pb2.BundleCheckpoint(note=signed_head(self.entries, self.signer))
        found: list[Segment | tuple[bundle.Kind, bundle_pb2.BundleHeader | bundle_pb2.BundleEntry]] = [
            (kind.HEADER, self.header),
            (kind.HEAD, head),
            *self._state(),
        ]
        done = 0
        for at in self.kept:
            found += self._gaps(done, at)
            data = self.entries[at]
            objects = [self.objects[digest] for digest in codec.content_digests(data)]
            found.append((kind.ENTRY, bundle_pb2.BundleEntry(entry=data, objects=objects)))
            done = at + 1
        found += self._gaps(done, len(self.entries))
        return [(each, message.SerializeToString(deterministic=True)) for each, message in found]

    def _gaps(self, begin: int, end: int) -> list[Segment]:
        found: list[Segment] = []
        for bound in sorted({size for size in self.heads if begin < size < end} | {end}):
            if bound > begin:
                leaves = [merkle.leaf_hash(entry) for entry in self.entries]
                found.append((bundle.Kind.GAP, gap(leaves, begin, bound)))
            begin = bound
        return found

    @property
    def data(self) -> bytes:
        """The file."""
        return framed(self.segments())


def gap(leaves: Sequence[bytes], begin: int, end: int) -> bundle_pb2.BundleGap:
    """Return what stands for the leaves [begin, end)."""
    parts = [leaves[at << level : (at + 1) << level] for level, at in merkle.subtrees_of(begin, end)]
    return bundle_pb2.BundleGap(size=end - begin, hashes=[merkle.Frontier().extend(part).root() for part in parts])


def state_before(world: World, position: int) -> State:
    """Return the state before an entry of a world."""
    from tests.unit.ledger.story import replayed_states  # noqa: PLC0415  # it imports the world too

    return replayed_states(world)[position - 1]
