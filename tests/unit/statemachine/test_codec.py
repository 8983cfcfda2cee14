"""Values and messages: every value has its message, every field its twin, and bytes are read strictly."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest
from google.protobuf.descriptor import FieldDescriptor

from interlock.statemachine import codec
from interlock.statemachine import commands as c
from interlock.statemachine import entry as e
from interlock.statemachine import firings as f
from interlock.v1 import change_pb2, ledger_pb2, trigger_pb2
from tests.support.world import MINIMAL_CAST, World, genesis_document, sketch
from tests.unit.statemachine.firings import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor

ARMS = {arm.name: arm.message_type for arm in ledger_pb2.Command.DESCRIPTOR.oneofs_by_name["kind"].fields}
TRIGGER_ARMS = {arm.name: arm.message_type for arm in trigger_pb2.Trigger.DESCRIPTOR.oneofs_by_name["kind"].fields}
COMMANDS: dict[type, c.Command] = {
    type(command): command
    for command in (
        c.Genesis(b"document"),
        c.CloseGenesis(),
        c.Fire(f.HoldPlace("-", bytes(32))),
        c.ProposeChange(b"content", draft=True),
        c.SubmitChange("changes/1"),
        c.AmendChange("changes/1", b"content"),
        c.AttachEvidence("changes/1", b"content"),
        c.DetachEvidence("changes/1", b"content"),
        c.RebaseChange("changes/1", b"content"),
        c.SignOffChange("changes/1"),
        c.WithdrawSignOffOfChange("changes/1"),
        c.ApplyApprovedChange("changes/1"),
        c.WithdrawProposedChange("changes/1"),
        c.RecordEvidence("k", b"t", "m", "s", 2**40, ("a", "b"), -1, 7, "public", "evidence/1", "1e25"),
        c.GrantEvidenceAccess("evidence/1", "principals/p"),
        c.OpenEvidence("evidence/1"),
        c.EraseText(b"d" * 32),
        c.AttemptRefused("m", b"d", ("A", "B")),
        c.AcceptClock(1_777_593_600_000_000),
        c.RecordDecision(model="models/m", context="api", artifact="s", allowed=True, statement_digest=b"d"),
        c.StateDigest(b"r", 2**40),
        c.ReportAnonymously("models/m", "other", 7, bytes(32)),
        c.Recover(b"document"),
    )
}
TYPES = {
    "str": {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_ENUM},
    "bytes": {FieldDescriptor.TYPE_BYTES},
    "int": {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_INT32},
    "bool": {FieldDescriptor.TYPE_BOOL},
}
PARTS = [
    (e.FoundingPrincipal, ledger_pb2.GenesisPrincipal.DESCRIPTOR),
    (e.FoundingCredential, ledger_pb2.GenesisCredential.DESCRIPTOR),
    (e.FoundingGrant, ledger_pb2.GenesisGrant.DESCRIPTOR),
]


def arm_of(command: c.Command) -> str:
    """Return the arm of ``Command`` under which a command is written."""
    message = ledger_pb2.LedgerEntry.FromString(codec.encode_entry(entry(command)))
    return message.command.WhichOneof("kind") or ""


def entry(command: c.Command, **parts: Any) -> e.Entry:  # noqa: ANN401  # fields of an entry
    """Return an entry with nothing left out."""
    full = e.Entry(
        seq=7,
        time=2**60,
        rules_version=1,
        rules_digest=b"r" * 32,
        policy=e.PolicyRef("policies/p/versions/1", "1", b"p" * 32),
        actor=c.Actor("principals/p", "ab"),
        request_id="id",
        command=command,
        facts=c.Facts(2**60, (b"one", b"two"), ("clock", "rules")),
        transitions=(e.Transition("r", "t", "a", "b"), e.Transition("r", "t", "b", "c")),
        prev=(("a", -1), ("b", 6)),
    )
    return replace(full, **parts)


def resolve(digest: bytes) -> bytes:
    """Look up the one content that the examples name."""
    return {hashlib.sha256(b"content").digest(): b"content"}[digest]


def twins(kind: type) -> dict[str, str]:
    """Return field names and types of a value; content stands by its digest."""
    hints = get_type_hints(kind)
    rows = {item.name: hints[item.name] for item in fields(kind)}
    if "content" in rows:
        rows["content_digest"] = rows.pop("content")
    if "pack" in rows:
        rows["pack_digest"] = rows.pop("pack")
    return {name: "list" if get_args(hint) else hint.__name__ for name, hint in rows.items()}


def check_twins(kind: type, descriptor: Descriptor | None) -> None:
    """Fail unless every field of the value has one of the same name and a fitting type in the message, and back."""
    rows = twins(kind)
    assert descriptor is not None
    assert set(rows) == set(descriptor.fields_by_name)
    for name, hint in rows.items():
        field = descriptor.fields_by_name[name]
        assert field.is_repeated == (hint == "list")
        assert field.type in TYPES["str" if hint == "list" else hint]


def test_every_trigger_has_its_message() -> None:
    """The arms of Trigger are the triggers, one for one."""
    assert set(TRIGGER_ARMS) == set(codec.FIRINGS)
    assert set(codec.FIRINGS.values()) == set(get_args(f.Firing))
    for arm, kind in codec.FIRINGS.items():
        assert arm == kind.trigger.value.replace(".", "_")


def test_every_command_has_its_message() -> None:
    """The arms of Command are the commands, one for one."""
    assert {arm_of(command) for command in COMMANDS.values()} == set(ARMS)
    assert set(COMMANDS) == set(get_args(c.Command))


@pytest.mark.parametrize("arm", sorted(TRIGGER_ARMS))
def test_every_field_of_a_trigger_has_its_twin(arm: str) -> None:
    """A trigger's value and its message have the same fields of fitting types."""
    check_twins(codec.FIRINGS[arm], TRIGGER_ARMS[arm])


@pytest.mark.parametrize("kind", [kind for kind in COMMANDS if kind is not c.Fire], ids=lambda kind: kind.__name__)
def test_every_field_of_a_command_has_its_twin(kind: type) -> None:
    """A command's value and its message have the same fields of fitting types."""
    check_twins(kind, ARMS[arm_of(COMMANDS[kind])])


@pytest.mark.parametrize(("kind", "descriptor"), PARTS)
def test_every_field_of_the_founding_has_its_twin(kind: type, descriptor: Descriptor) -> None:
    """The rows of the founding document have the same fields of fitting types."""
    check_twins(kind, descriptor)


@pytest.mark.parametrize(
    ("kind", "descriptor"),
    [(e.Content, change_pb2.ChangeContent.DESCRIPTOR), (e.Entry, ledger_pb2.LedgerEntry.DESCRIPTOR),
     (e.GenesisDocument, ledger_pb2.GenesisDocument.DESCRIPTOR), (e.PolicyRef, ledger_pb2.PolicyRef.DESCRIPTOR),
     (c.Actor, ledger_pb2.Actor.DESCRIPTOR), (c.Facts, ledger_pb2.Facts.DESCRIPTOR)],
)  # fmt: skip
def test_values_that_are_copied_by_hand_leave_nothing_out(kind: type, descriptor: Descriptor) -> None:
    """Each field of the message is a field of the value, and the other way round."""
    assert {item.name for item in fields(kind)} == set(descriptor.fields_by_name)


def test_the_contents_fields_are_numbered_in_the_designed_order() -> None:
    """Content bytes have their fields in the order of the domain design, without maps."""
    rows = sorted(change_pb2.ChangeContent.DESCRIPTOR.fields, key=lambda field: field.number)

    assert [(field.number, field.name) for field in rows] == list(
        enumerate(
            ("log_id", "change", "revision", "policy_digest", "rules_digest", "base", "triggers", "evidence",
             "not_before", "texts", "apply_separately", "named_evidence"),
            start=1,
        )
    )  # fmt: skip
    messages = [field.message_type for field in rows if field.message_type is not None]
    assert not any(message.GetOptions().map_entry for message in messages)


def test_the_entrys_fields_are_numbered_in_the_designed_order() -> None:
    """An entry has its fields in the order of the ledger design."""
    rows = sorted(ledger_pb2.LedgerEntry.DESCRIPTOR.fields, key=lambda field: field.number)

    assert [field.name for field in rows] == [item.name for item in fields(e.Entry)]
    assert [field.number for field in rows] == list(range(1, 12))


@pytest.mark.parametrize("kind", list(COMMANDS), ids=lambda kind: kind.__name__)
def test_commands_come_back(kind: type) -> None:
    """An entry that is written and read again is the same, for every command."""
    one = entry(COMMANDS[kind])

    assert codec.decode_entry(codec.encode_entry(one), resolve) == one


@pytest.mark.parametrize("kind", get_args(f.Firing), ids=lambda kind: kind.__name__)
def test_triggers_come_back(kind: type[f.Firing]) -> None:
    """A trigger that is written and read again is the same, in an entry and in content bytes."""
    fire = entry(c.Fire(EXAMPLES[kind]))
    content = e.Content(b"l", "changes/1", 1, b"p", b"r", (), (EXAMPLES[kind],))

    assert codec.decode_entry(codec.encode_entry(fire), resolve) == fire
    assert codec.decode_content(codec.encode_content(content)) == content


def test_content_comes_back() -> None:
    """Content with nothing left out is the same after writing and reading."""
    content = e.Content(
        b"l" * 16, "changes/1", 2**31 - 1, b"p" * 32, b"r" * 32, (("a", -1), ("b", 2**62)), tuple(EXAMPLES.values()),
        (("evidence/1", "0a" * 32),), 2**62, (("title", b"t" * 32),), apply_separately=True,
        named_evidence=(("evidence/2", "0b" * 32),),
    )  # fmt: skip

    assert codec.decode_content(codec.encode_content(content)) == content


def test_the_founding_document_comes_back() -> None:
    """A founding document is the same after writing and reading."""
    document = genesis_document(World.found().policy, MINIMAL_CAST)

    assert codec.decode_genesis(codec.encode_genesis(document)) == document


def test_a_pack_comes_back() -> None:
    """A pack's files are the same after writing and reading, whatever their order."""
    files = {**sketch(), "notes.md": b"\x00\xff"}

    data = codec.encode_pack(files)

    assert codec.decode_pack(data) == files
    assert codec.encode_pack(dict(reversed(files.items()))) == data


def test_a_pack_with_a_path_twice() -> None:
    """A pack that names a path twice says two things, and is refused."""
    one = codec.encode_pack({"policy.yaml": b"a"})

    with pytest.raises(codec.CodecError):
        codec.decode_pack(one + one)


DECODERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "content": (
        codec.decode_content,
        codec.encode_content(e.Content(b"l", "changes/1", 1, b"p", b"r", (), (f.HoldLift("holds/1"),))),
    ),
    "genesis": (codec.decode_genesis, codec.encode_genesis(genesis_document(World.found().policy, MINIMAL_CAST))),
    "pack": (codec.decode_pack, codec.encode_pack(sketch())),
    "entry": (lambda data: codec.decode_entry(data, resolve), codec.encode_entry(entry(c.CloseGenesis()))),
}


@pytest.mark.parametrize("kind", sorted(DECODERS))
@pytest.mark.parametrize(
    "tail", [b"\xfa\x3f\x00", b"\xff", b"\x0a\x7f", b"\x00"], ids=["unknown", "cut", "short", "zero"]
)
def test_what_follows_is_refused(kind: str, tail: bytes) -> None:
    """Unknown fields and torn bytes at the end are refused everywhere."""
    decode, good = DECODERS[kind]
    decode(good)

    with pytest.raises(codec.CodecError):
        decode(good + tail)


def test_a_recovery_that_names_a_key_without_an_end_for_the_old_one() -> None:
    """Regression, found by fuzzing: an absent head was read as an empty one, so one document had two forms."""
    with pytest.raises(codec.CodecError):
        codec.decode_recovery(b"\x2a\x00")


def test_an_entry_without_a_command() -> None:
    """An entry that names no command is none."""
    with pytest.raises(codec.CodecError):
        codec.decode_entry(b"\x08\x01", resolve)


def test_an_entry_whose_trigger_has_an_unknown_number() -> None:
    """Regression: a number without a name in an enum raised KeyError."""
    report = entry(c.Fire(f.DeterminationReport("models/m/determinations/t", "reached")))
    message = ledger_pb2.LedgerEntry.FromString(codec.encode_entry(report))
    message.command.fire.determination_report.conclusion = 9  # type: ignore[assignment]

    with pytest.raises(codec.CodecError):
        codec.decode_entry(message.SerializeToString(), resolve)


def test_an_object_under_the_digest_of_another() -> None:
    """What is looked up by digest must have it."""
    data = codec.encode_entry(entry(c.ProposeChange(b"content")))

    with pytest.raises(codec.CodecError):
        codec.decode_entry(data, lambda _digest: b"other content")


def test_an_object_that_is_not_there() -> None:
    """What can't be looked up says so."""
    data = codec.encode_entry(entry(c.ProposeChange(b"else")))

    with pytest.raises(LookupError):
        codec.decode_entry(data, resolve)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (c.ProposeChange(b"content"), (hashlib.sha256(b"content").digest(),)),
        (c.AmendChange("changes/1", b"content"), (hashlib.sha256(b"content").digest(),)),
        (c.SubmitChange("changes/1"), ()),
        (
            c.ProposeChange(b"content", pack=codec.encode_pack(sketch())),
            (hashlib.sha256(b"content").digest(), World.found().policy.digest),
        ),
        (c.Genesis(DECODERS["genesis"][1]), (World.found().policy.digest,)),
    ],
)
def test_objects_that_an_entry_names(command: c.Command, expected: tuple[bytes, ...]) -> None:
    """An entry names the content and the pack that it first brings, the founding names its pack."""
    assert codec.content_digests(codec.encode_entry(entry(command))) == expected


@pytest.mark.parametrize(
    ("enum", "value", "word"),
    [("Conclusion", "CONCLUSION_RULED_OUT", "ruled_out"), ("ChangeState", "CHANGE_STATE_IN_REVIEW", "in_review")],
)
def test_words_of_enums(enum: str, value: str, word: str) -> None:
    """The domain's words are the enum's names without their prefix."""
    assert codec.enum_word(enum, value) == word
