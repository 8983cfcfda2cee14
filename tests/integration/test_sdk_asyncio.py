"""The asyncio SDK against a real server: the same story, awaited; and what only asyncio can get wrong."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, TypeVar

import pytest

from interlock.client import AsyncInterlock, DataLossError, NotAllowedError, RefusedError, UnavailableError
from interlock.v1 import gate_pb2, ledger_pb2, trigger_pb2
from tests.support.server import ForkedServer, copy_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    Connect = Callable[[str], AsyncInterlock]

Result = TypeVar("Result")


@pytest.fixture(scope="module")
def home(installations: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the profiles of a server that all tests of this file share."""
    with ForkedServer(copy_of(installations("minimal"), tmp_path_factory.mktemp("shared") / "data")) as running:
        yield running.home


def _play(home: Path, story: Callable[[Connect], Awaitable[Result]]) -> Result:
    """Run a story with clients for the people of a server; all are closed afterwards."""

    async def run() -> Result:
        async with AsyncExitStack() as stack:

            def connect(who: str) -> AsyncInterlock:
                client = AsyncInterlock.from_profile(str(home / who), timeout_seconds=10, environment={})
                stack.push_async_exit(client)
                return client

            return await story(connect)

    return asyncio.run(run())


async def _released(connect: Connect, folder: Path, model: str = "m") -> str:
    """Bring a model through the gate's `internal`; return the change's name."""
    evaluator = connect("evaluator")
    await evaluator.models.create(model)
    report = folder / "report.md"
    report.write_text(f"# {model}")
    document = await evaluator.evidence.upload(report, kind="evaluation_results")
    of = f"models/{model}/determinations/misuse"
    level = f"models/{model}/levels/deployment"
    triggers = [
        trigger_pb2.Trigger(determination_rule_out=trigger_pb2.DeterminationRuleOut(determination=of)),
        trigger_pb2.Trigger(level_assign=trigger_pb2.LevelAssign(level=level, to="basic")),
    ]
    change = await evaluator.changes.propose(triggers, title="Release", summary="why", evidence=[document.name])
    for who in ("owner", "reviewer"):
        client = connect(who)
        await client.sign(await client.review(change.name))
    return change.name


def test_a_program_brings_a_model_through_the_gate(home: Path, tmp_path: Path) -> None:
    """Register, upload, propose, review, sign, check, list, verify: every kind of call, awaited."""

    async def story(connect: Connect) -> tuple[bool, list[str], bool]:
        change = await _released(connect, tmp_path)
        bot, owner = connect("release-bot"), connect("owner")
        listed = [row.name async for row in owner.changes.list()]
        report = await owner.verify()
        assert change in listed
        models = [row.name async for row in owner.models.list() if row.name == "models/m"]
        return await bot.gate.allows("m", "internal"), models, report.verified

    assert _play(home, story) == (True, ["models/m"], True)


def test_a_watch_tells_flips_and_goes_over_a_session_that_ends(server_process: ForkedServer, tmp_path: Path) -> None:
    """Now, then at the flip, although the session ended between the two; models that change are told as well."""

    async def story(connect: Connect) -> None:
        bot, owner = connect("release-bot"), connect("owner")
        await _released(connect, tmp_path)
        async with aclosing(bot.gate.watch("m", "internal")) as watch, aclosing(owner.models.watch()) as models:  # type: ignore[type-var]  # generators
            assert (await anext(watch)).answer.verdict == gate_pb2.VERDICT_ALLOW
            assert (await anext(models)).complete
            await connect("release-bot").identity.logout()
            await owner.holds.place("m")
            assert (await anext(watch)).answer.verdict == gate_pb2.VERDICT_DENY
            assert len((await anext(models)).model.holds) == 1

    _play(server_process.home, story)


def test_a_refusal_lists_everything_that_is_unmet(home: Path) -> None:
    """Errors are the blocking client's, with all that they carry."""

    async def story(connect: Connect) -> None:
        with pytest.raises(NotAllowedError):
            await connect("release-bot").models.create("m")
        with pytest.raises(RefusedError) as refused:
            await connect("owner").models.get("no-such-model")
        assert refused.value.reason
        denied = await connect("release-bot").gate.check("no-such-model", "internal")
        assert denied.verdict != gate_pb2.VERDICT_ALLOW

    _play(home, story)


def test_many_calls_at_once_share_one_login(home: Path) -> None:
    """Twenty calls of a fresh client wait for the same session."""

    async def story(connect: Connect) -> set[str]:
        client = connect("owner")
        answers = await asyncio.gather(*(client.identity.whoami() for _ in range(20)))
        return {answer.expire_time.ToJsonString() for answer in answers}

    assert len(_play(home, story)) == 1


def test_a_document_goes_up_and_comes_back(home: Path, tmp_path: Path) -> None:
    """The bytes are those that went up; a file that is there is never overwritten."""
    data = os.urandom(3 << 20)
    (tmp_path / "there.bin").write_bytes(data)

    async def story(connect: Connect) -> None:
        evaluator, owner = connect("evaluator"), connect("owner")
        record = await evaluator.evidence.upload(tmp_path / "there.bin", kind="evaluation_results")
        await owner.evidence.download(record.name, tmp_path / "back.bin")
        with pytest.raises(FileExistsError):
            await owner.evidence.download(record.name, tmp_path / "back.bin")

    _play(home, story)

    assert (tmp_path / "back.bin").read_bytes() == data


def test_a_tail_follows_and_can_be_left(home: Path) -> None:
    """New entries come as they are written; leaving the loop ends the stream, and the client goes on."""

    async def story(connect: Connect) -> list[int]:
        owner, evaluator = connect("owner"), connect("evaluator")
        start = (await owner.audit.checkpoint()).size
        seen: list[int] = []
        async with aclosing(owner.audit.tail(start - 1, follow=True)) as tail:  # type: ignore[type-var]  # a generator
            await evaluator.models.create("tailed-1")
            await evaluator.models.create("tailed-2")
            async for record in tail:
                seen.append(ledger_pb2.LedgerEntry.FromString(record.entry).seq - start)
                if len(seen) == 2:
                    break
        await owner.identity.whoami()
        return seen

    assert _play(home, story) == [0, 1]


def test_a_cancelled_call_leaves_the_client_as_it_was(home: Path) -> None:
    """Cancelling one task, even while it waits for the login, is no harm to the next."""

    async def story(connect: Connect) -> str:
        client = connect("owner")
        task = asyncio.create_task(client.identity.whoami())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return (await client.identity.whoami()).principal.name

    assert _play(home, story) == "principals/owner"


def test_a_server_that_is_gone_is_unavailable(server_process: ForkedServer) -> None:
    """What cannot be asked is never an answer."""
    server_process.stop()

    async def story(_connect: Connect) -> None:
        client = AsyncInterlock.from_profile(str(server_process.home / "owner"), timeout_seconds=0.3, environment={})
        async with client:
            with pytest.raises(UnavailableError):
                await client.gate.allows("m", "internal")

    _play(server_process.home, story)


def test_a_log_seen_by_one_kind_of_client_is_known_to_the_other(home: Path) -> None:
    """Both remember in the profile folder: a checkpoint that another key signed is refused by either."""

    async def story(connect: Connect) -> None:
        client = connect("owner")
        text = await client.audit.checkpoint_note()
        with pytest.raises(DataLossError):
            client.audit.remember(text.replace("\n\n", "\n \n"))

    _play(home, story)
