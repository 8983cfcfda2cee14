"""What is fuzzed: everything that reads bytes of somebody else. A target takes bytes and may refuse them in its way.

Each names the errors by which it refuses. Whatever else comes out of it is a finding: an exception that nobody
declared, a recursion without end, a run past the limits of time and memory that the runner sets.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from google.protobuf import message_factory
from protovalidate import Validator

from interlock.cli.change_file import load_change_file
from interlock.client.errors import InvalidRequestError, UnauthenticatedError, UnavailableError
from interlock.client.oidc.listener import OddRequestError
from interlock.proofs import bundle, cosignature, dsse, note
from interlock.proofs.errors import RefusedError
from interlock.service.api import deployment_token, pages, resume
from interlock.service.api.token_seal import TokenSeal
from interlock.service.errors import Invalid, InvalidRequest
from interlock.service.genesis.plan import PlanError
from interlock.service.genesis.reviewed import read_reviewed
from interlock.service.identity.tokens import TokenError
from interlock.service.wire import RequestReader
from interlock.statemachine import codec, decision, signoff, statements
from interlock.statemachine import commands as c
from interlock.statemachine.policy.loader import examine_pack
from interlock.v1 import audit_pb2, change_pb2
from tests.fuzz import readers
from tests.support.bundles import NAME, VKEY, judged
from tests.support.parted import a_range, a_selection
from tests.support.service import contract
from tests.support.stories import every_command, whole_bundle, whole_trust
from tests.support.world import LOG_ID, public_of, sketch

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGEST_BYTES: Final = 32
SEAL: Final = TokenSeal.of(LOG_ID, b"secret")
_NOW: Final = 1_790_000_000_000_000
_WITNESS: Final = cosignature.WitnessKey("w.example", public_of("log", "log"))

_CHANGE: Final = b"""title: Filters in force
summary: |
  Both were verified.
triggers:
  - determination.rule_out: models/m/determinations/misuse
  - level.assign: {level: models/m/levels/deployment, to: guarded}
evidence: [evidence/1]
not_before: 2026-12-01T00:00:00Z
apply_separately: true
"""
_GENESIS: Final = b"""format: 1
policy: minimal
recovery_threshold: 2
principals:
  - id: rso
    kind: human
    person: jane-doe
    grants: [{role: rso, scope: "*"}]
    keys: {login: "%s", signoff: "%s"}
""" % (b"3b" * 32, b"9c" * 32)


@dataclass(frozen=True, slots=True)
class Target:
    """A reader of bytes, and the exceptions by which it refuses them."""

    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]

    def try_on(self, data: bytes) -> None:
        """Read the data; a refusal is fine. Raises whatever the target raises that is none."""
        try:
            self.read(data)
        except self.refuses:
            return


@lru_cache(maxsize=1)
def _readers() -> tuple[RequestReader, ...]:
    """Return the reader of every method's requests, by name."""
    validator, methods = Validator(), contract()
    kinds = [message_factory.GetMessageClass(methods[name].input_type) for name in sorted(methods)]
    return tuple(RequestReader(kind, validator) for kind in kinds)


def _request(data: bytes) -> None:
    """The first byte chooses the method."""
    if data:
        readers = _readers()
        readers[data[0] % len(readers)].read(data[1:])


def _stored(data: bytes) -> None:
    """Read what the ledger and bundles hold; the first byte chooses."""
    forms: tuple[Callable[[bytes], object], ...] = (
        lambda rest: codec.decode_entry(rest, lambda _digest: rest),
        codec.content_digests,
        codec.decode_content,
        codec.decode_genesis,
        codec.decode_pack,
        lambda rest: codec.parse_strict(change_pb2.ChangeContent, rest, "content"),
    )
    if data:
        forms[data[0] % len(forms)](data[1:])


def _token(data: bytes) -> None:
    """Read tokens that clients send back: as they are, and with a check that fits, as one who knows the form makes."""
    question = ("models/m", "api", "")
    listing = audit_pb2.ListEntriesRequest(page_token="t")
    forms: tuple[tuple[Callable[[bytes], bytes], Callable[[str], object]], ...] = (
        (
            lambda rest: SEAL.close(resume.scope_of(question), rest),
            lambda text: resume.read_token(SEAL, question, text),
        ),
        (
            lambda rest: SEAL.close(deployment_token.scope_of("models/m"), rest),
            lambda text: deployment_token.read_token(SEAL, "models/m", text),
        ),
        (lambda rest: pages._check(pages._scope(listing), rest) + rest, _page),  # noqa: SLF001
    )
    if data:
        sealed, read = forms[data[0] % len(forms)]
        read(base64.urlsafe_b64encode(sealed(data[1:])).decode())
        read(data[1:].decode("utf-8", "replace"))


def _page(text: str) -> None:
    pages.page_of(audit_pb2.ListEntriesRequest(page_token=text)).number_after()


def _signed(data: bytes) -> None:
    """Read an envelope and, whoever signed it, what it says."""
    envelope = dsse.RawEnvelope.from_json(data)
    dsse.RawEnvelope.from_json(envelope.to_json())
    signoff.claimed_statement(data)


def _statement(data: bytes) -> None:
    """Read the payload of a signed statement of each kind; the first byte chooses."""
    forms: tuple[Callable[[bytes], object], ...] = (
        signoff.parse_statement,
        lambda rest: signoff.parse_countersignature(rest, bytes(_DIGEST_BYTES)),
        decision.parse_decision,
    )
    if data:
        forms[data[0] % len(forms)](data[1:])


def _note(data: bytes) -> None:
    """Read a signed note, a checkpoint, a cosignature, and keys."""
    for read in (
        note.split_note,
        lambda text: note.open_checkpoint(text, note.NoteVerifier.from_vkey(VKEY), origin=NAME),
        lambda text: cosignature.open_cosignatures(text, [_WITNESS]),
        lambda text: note.NoteVerifier.from_vkey(text.decode("utf-8", "replace")),
        lambda text: cosignature.WitnessKey.from_vkey(text.decode("utf-8", "replace")),
    ):
        try:
            read(data)
        except RefusedError:
            continue


def _bundle(data: bytes) -> None:
    """Read a file as a bundle, and judge it with a digest that fits: refusing it is the report's business."""
    judged(data, whole_trust())
    fitting = data + hashlib.sha256(data).digest()
    judged(fitting, whole_trust())
    for _segment in bundle.read_segments(BytesIO(fitting).read):
        pass


def _altered(data: bytes) -> None:
    """Judge the good bundle with some bytes altered (two bytes of place, one of mask) and a digest that fits."""
    whole = bytearray(whole_bundle().data[:-_DIGEST_BYTES])
    for start in range(0, len(data) - 2, 3):
        whole[int.from_bytes(data[start : start + 2]) % len(whole)] ^= data[start + 2]
    altered = bytes(whole) + hashlib.sha256(whole).digest()
    report = judged(altered, whole_trust())
    if report.verified and altered != whole_bundle().data:
        raise AssertionError(data)


def _pack(data: bytes) -> None:
    """Read a policy pack of one file; what is wrong with it is listed, nothing is raised."""
    examine_pack({"policy.yaml": data})


def _from_file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    def written(data: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=_memory()) as file:
            file.write(data)
            file.flush()
            read(Path(file.name))

    return written


def _memory() -> str | None:
    """Return a folder that is no disk, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # only where files are short-lived


def _decided(data: bytes) -> None:
    expected = decision.Expected(key=public_of("log", "log"), log_id=LOG_ID.hex(), artifact="0" * 64, context="api")
    decision.check_decision(data, expected, _NOW)


TARGETS: Final[dict[str, Target]] = {
    "request": Target(_request, (InvalidRequest,)),
    "token": Target(_token, (Invalid,)),
    "stored": Target(_stored, (codec.CodecError,)),
    "envelope": Target(_signed, (RefusedError, statements.StatementError)),
    "statement": Target(_statement, (RefusedError, statements.StatementError, decision.DecisionError)),
    "decision": Target(_decided, ()),
    "note": Target(_note, ()),
    "bundle": Target(_bundle, (RefusedError,)),
    "altered-bundle": Target(_altered, ()),
    "pack": Target(_pack, ()),
    "change-file": Target(_from_file(load_change_file), (InvalidRequestError,)),
    "genesis-file": Target(_from_file(read_reviewed), (PlanError,)),
    "oidc-token": Target(readers.read_token, (TokenError,)),
    "provider-login": Target(readers.read_login, (OddRequestError, UnauthenticatedError, UnavailableError)),
    "identity-document": Target(readers.read_document, (statements.StatementError, RefusedError, codec.CodecError)),
    "altered-part": Target(readers.judge_part, ()),
}


def seeds(name: str) -> list[bytes]:
    """Return good inputs of a target, made and not kept: the fuzzer begins from them beside its corpus."""
    rows = whole_bundle().rows
    entries = every_command().entries[::-1]
    entries = sorted(entries, key=lambda entry: isinstance(entry.command, c.Recover))  # sign-offs are what most sign
    envelopes = [envelope for entry in entries for envelope in entry.facts.envelopes[::-1]]
    statements = [dsse.RawEnvelope.from_json(envelope).payload for envelope in envelopes]
    makers: dict[str, Callable[[], list[bytes]]] = {
        "request": lambda: [bytes([form]) + b"\n\x08models/m" for form in range(len(_readers()))],
        "token": lambda: [bytes([form]) + b"\x02" + LOG_ID + bytes(40) for form in range(3)],
        "stored": lambda: (
            [bytes([form]) + row.entry for row in rows for form in range(6)] + [b"\3" + rows[0].objects[0]]
        ),
        "envelope": lambda: envelopes,
        "decision": lambda: envelopes,
        "statement": lambda: [bytes([form]) + statement for statement in statements for form in range(3)],
        "note": lambda: [whole_bundle().head.encode(), VKEY.encode()],
        "bundle": lambda: [
            whole_bundle().data[:-_DIGEST_BYTES],
            whole_bundle().data[:4000],
            a_range().data[:-_DIGEST_BYTES],
            a_selection().data[:-_DIGEST_BYTES],
        ],
        "altered-bundle": lambda: [b"\0\x64\x01"],
        "pack": lambda: [sketch()["policy.yaml"]],
        "change-file": lambda: [_CHANGE],
        "genesis-file": lambda: [_GENESIS],
        "oidc-token": readers.token_seeds,
        "provider-login": readers.login_seeds,
        "identity-document": readers.document_seeds,
        "altered-part": readers.part_seeds,
    }
    return makers[name]()
