"""What can happen to a run, each small enough to be played hundreds of times: together they reach every await."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import psycopg
import sqlalchemy as sa

from bot import connections
from bot.domain.runs import State
from bot.sandbox.datadog.workflows import make_spec
from bot.sandbox.slack.input_state import ClientRefused
from bot.storage.tables import runs, workflows
from tests.chaos.company import REVIEWS, STRANGER, TAG
from tests.chaos.patience import until, until_so
from tests.chaos.people import Busy
from tests.chaos.placed import Case, Scenario

PACE = "bot.use_cases.pace."
ANNOUNCER = "bot.slack.announcer."
IMPATIENT_DATABASE = {"bot.storage.engine.BUSY_TIMEOUT": 300, "bot.storage.engine.STATEMENT_TIMEOUT": 300}


def datadog(**faults: object) -> Callable[[Case], None]:
    return lambda case: case.company.datadog.faults.from_json(faults)


def slack_refuses(method: str, error: str, times: int | None = 1, **how: int) -> Callable[[Case], None]:
    return lambda case: case.company.slack.faults.fail(method, error, times=times, **how)


def slack_drops(method: str) -> Callable[[Case], None]:
    return lambda case: case.company.slack.faults.drop(method, times=6)  # the audit channel's post takes one too


def slow_slack(seconds: float) -> Callable[[Case], None]:
    def prepare(case: Case) -> None:
        case.company.slack.faults.delay = seconds

    return prepare


def closed_channel(case: Case) -> None:
    channel = case.company.slack.workspace.channels["C01OPS"]
    channel.is_private, channel.bot_is_member = True, False


def both(*deeds: Callable[[Case], None]) -> Callable[[Case], None]:
    def prepare(case: Case) -> None:
        for deed in deeds:
            deed(case)

    return prepare


async def run_id(case: Case) -> str:
    """The id of the case's run, once it is recorded."""
    async with connections.open_store(case.company.settings) as store:
        found = await until(lambda: store.read(lambda tx: tx.runs(1)))
    return str(found[0].id)


def commands(*texts: str, user: str = "U01PERSON", pause: float = 0.3) -> Callable[[Case], Awaitable[None]]:
    """Type commands about the run, again while the bot is away."""

    async def act(case: Case) -> None:
        name = await run_id(case)
        for text in texts:
            await asyncio.sleep(pause)
            for _ in range(20):
                ack = await case.company.slack.person(user).command("C01OPS", text.format(name))
                if ack.ok:
                    break
                await asyncio.sleep(0.2)

    return act


def wait(seconds: float) -> Callable[[Case], Awaitable[None]]:
    return lambda case: asyncio.sleep(seconds)


async def press_cancel(case: Case) -> None:
    """Once the message with the button is there, until Slack says it arrived."""
    while True:
        with contextlib.suppress(ClientRefused):
            if (await case.busy.press("cancel_run")).ok:
                await asyncio.sleep(1.0)  # for it to be passed on
                return
        await asyncio.sleep(0.1)


async def ask_again(case: Case) -> None:
    await case.busy.type_a_command("quick", "C01OPS")


def tamper(once: State | None = None, **changes: object) -> Callable[[Case], Awaitable[None]]:
    """Change the run's row as nothing but a hand in the database would, once it is in that state, and after a while
    change `account` back."""

    async def act(case: Case) -> None:
        name = await run_id(case)
        async with connections.open_store(case.company.settings) as store:

            async def in_state() -> bool:
                (run,) = await store.read(lambda tx: tx.runs(1))
                return once in (None, run.state)

            async def set_to(values: dict[str, object]) -> None:
                update = sa.update(runs).where(runs.c.id == name).values(**values)
                await store.write(lambda tx: tx.connection.execute(update))

            await until(in_state)
            await set_to(changes)
            if "account" in changes:
                await asyncio.sleep(2.0)
                await set_to({"account": "default"})

    return act


async def slow_updates(case: Case) -> None:
    """Slack takes longer than the lease from when the message is there until some time later."""
    await case.busy.person.wait_for_message("C01OPS", lambda message: "cancel_run" in str(message["blocks"]))
    case.company.slack.faults.delay = 0.8
    await asyncio.sleep(2.5)


async def end_it(case: Case) -> None:
    """SIGTERM while Slack is slow: what is being posted is finished first."""
    await asyncio.sleep(0.5)
    await case.replica.terminate()
    case.company.slack.faults.clear()
    await case.up()


async def lock_the_database(case: Case) -> None:
    """While Datadog's answer is under way, somebody else holds what it has to be written to."""
    await until_so(lambda: bool(case.company.datadog.executions))
    await asyncio.to_thread(_lock, case.company.database_url, 1.5)


def _lock(url: str, seconds: float) -> None:
    if urlsplit(url).scheme == "sqlite":
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.execute("ROLLBACK")
        return
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)
        connection.rollback()


def no_account(case: Case) -> None:
    """The policy's workflow is of an account that the bot has no keys of."""
    path = case.company.database_url
    engine = sa.create_engine(path.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sa.update(workflows).values(account="other"))
    engine.dispose()


def changed_in_datadog(case: Case) -> None:
    """Somebody edits every workflow after the policy was applied."""
    parameters = [{"name": TAG, "type": "STRING"}, {"name": "note", "type": "STRING", "defaultValue": "none"}]
    datadog = case.company.datadog
    for workflow_id in list(datadog._workflows):
        datadog.change_workflow(workflow_id, spec=make_spec(parameters, ["Another step"], api_trigger=True))


async def close_the_channel(case: Case) -> None:
    """While the run goes on, its channel is archived: first its message can't be updated, then its end not posted."""
    await case.busy.person.wait_for_message("C01OPS", lambda message: "cancel_run" in str(message["blocks"]))
    case.company.slack.faults.fail("chat.update", "is_archived", times=1)


async def close_the_thread(case: Case) -> None:
    """The channel is closed to the bot right before it tells the end."""
    await case.busy.person.wait_for_message("C01OPS", lambda message: "cancel_run" in str(message["blocks"]))
    case.company.slack.faults.fail("chat.postMessage", "is_archived", times=2)


async def approve_directly(case: Case) -> None:
    """With the button of the message that each approver got, until Slack says it arrived."""
    busy = Busy(case.company.slack.person("U02PERSON"), case.company, random.Random(1))
    while True:
        with contextlib.suppress(ClientRefused, KeyError):
            if (await busy.approve()).ok:
                return
        await asyncio.sleep(0.1)


def closed_reviews(case: Case) -> None:
    case.company.slack.workspace.channels[REVIEWS].is_archived = True


async def slow_questions(case: Case) -> None:
    """Slack takes longer than the lease from when the approvers are asked until some time later."""
    approver = case.company.slack.person("U02PERSON")
    await approver.wait_for_message(REVIEWS, lambda message: "approve_run" in str(message["blocks"]))
    case.company.slack.faults.delay = 0.8


def in_turn(*deeds: Callable[[Case], Awaitable[None]]) -> Callable[[Case], Awaitable[None]]:
    async def act(case: Case) -> None:
        for deed in deeds:
            await deed(case)

    return act


LIMITED = {"status": 429, "on": "execute", "times": 1, "headers": {"X-RateLimit-Reset": "1.5"}}
LOST = {"fail_after_accept": "drop", "times": 1}

SCENARIOS = [
    Scenario("to its end"),
    Scenario("with steps", workflow="two-steps"),
    Scenario("failing", workflow="failing"),
    Scenario("limited, then started", datadog(**LIMITED)),
    Scenario("refused", datadog(status=400, on="execute")),
    Scenario("answer lost, found again", datadog(**LOST)),
    Scenario("two lost at once", datadog(fail_after_accept="drop", times=2), ask_again),
    Scenario("lost for good", datadog(status=502, on="execute", times=1)),
    Scenario(
        "lost, searching fails", datadog(**{**LOST, "times": 3, "status": 502, "on": "list_instances"}), wait(1.5)
    ),
    Scenario("approved", act=commands("/workflow approve {}", user="U02PERSON"), workflow="guarded"),
    Scenario("refused by a person", act=commands("/workflow refuse {} not now", user="U03PERSON"), workflow="guarded"),
    Scenario("approved by one of a group", act=approve_directly, workflow="guarded-directly"),
    Scenario("approved by nobody", workflow="guarded-directly", act=wait(7)),
    Scenario("withdrawn", act=commands("/workflow cancel {}"), workflow="guarded"),
    Scenario(
        "withdrawn before anybody could be asked",
        slack_refuses("chat.postMessage", "internal_error", times=6),
        commands("/workflow cancel {}", pause=0.0),
        "guarded",
    ),
    Scenario(
        "channel for reviews closed",
        closed_reviews,
        commands("/workflow approve {}", user="U02PERSON", pause=4.0),  # after the reminder, which asks there again
        "guarded",
    ),
    Scenario(
        "edited after its approval",
        datadog(**LIMITED),
        in_turn(commands("/workflow approve {}", user="U02PERSON"), tamper(definition_hash="e" * 64)),
        "guarded",
    ),
    Scenario(
        "asking takes longer than the lease",
        act=in_turn(slow_questions, commands("/workflow approve {}", user="U02PERSON"), wait(5)),
        workflow="guarded",
        hurry={ANNOUNCER + "LEASE": 0.3},
    ),
    Scenario("definition unreadable at first", datadog(status=500, on="get_workflow", times=1)),
    Scenario("changed in Datadog meanwhile", changed_in_datadog),
    Scenario("channel closed while it runs", act=close_the_channel, workflow="two-steps"),
    Scenario("channel closed at the end", act=close_the_thread, workflow="two-steps"),
    Scenario(
        "lost, keys gone",
        datadog(**LOST),
        tamper(once=State.UNKNOWN, launched_at=None),
        hurry={PACE + "SEARCHES": (3.0, 0.5, 0.5, 0.5)},
    ),
    Scenario("too long limited", datadog(status=429, on="execute"), wait(2.5), hurry={PACE + "PATIENCE": 1.0}),
    Scenario("paused before the call", hurry={PACE + "CALL_LIMIT": 1.55, PACE + "PATIENCE": 1.5}),
    Scenario("no keys", no_account),
    Scenario("secret unreadable", datadog(**LIMITED), tamper(sealed="not what was sealed")),
    Scenario("keys gone while it runs", act=tamper(account="other"), workflow="long"),
    Scenario("cancelled by the button", act=press_cancel, workflow="long"),
    Scenario("cancelled by another", act=commands("/workflow cancel {}", user="U02PERSON"), workflow="long"),
    Scenario("cancel denied", act=commands("/workflow cancel {}", user=STRANGER), workflow="long"),
    Scenario("cancel of nothing", act=commands("/workflow cancel R-0000000000")),
    Scenario("cancelled while it waits", datadog(**LIMITED), commands("/workflow cancel {}")),
    Scenario(
        "cancelled while it is launched",
        datadog(execute_delay=2.0, **LIMITED),
        commands("/workflow cancel {}", pause=0.1),
        hurry={PACE + "CALL_LIMIT": 3.0, PACE + "LEASE": 8.0},
    ),
    Scenario("cancel refused", datadog(status=403, on="cancel"), press_cancel, "long"),
    Scenario("cancel fails at first", datadog(status=500, on="cancel", times=1), press_cancel, "long"),
    Scenario(
        "looking fails",
        datadog(status=500, on="get_instance", times=8),
        wait(4),
        hurry={"bot.use_cases.follow_run.SILENT": 0.5},
    ),
    Scenario("looking is forbidden", datadog(status=403, on="get_instance", times=2), wait(1)),
    Scenario("not visible at first", datadog(invisible_gets=2), wait(1)),
    Scenario("not visible for long", datadog(invisible_gets=6), wait(3), hurry={PACE + "NOT_VISIBLE_YET": 0.5}),
    Scenario("gone", datadog(invisible_gets=1000), wait(4), hurry={PACE + "GONE": 1.0}),
    Scenario("unfamiliar state", datadog(kind="PAUSED"), wait(2), "long", {PACE + "UNFAMILIAR": 0.7}),
    Scenario("longer than any run", act=wait(2), workflow="long", hurry={PACE + "LONGEST_RUN": 1.0}),
    Scenario("never seen again", datadog(status=500, on="get_instance"), wait(4), hurry={PACE + "LONGEST_RUN": 1.0}),
    Scenario("not in the channel", closed_channel),
    Scenario("posting fails", slack_refuses("chat.postMessage", "internal_error")),
    Scenario("posting is limited", slack_refuses("chat.postMessage", "ratelimited", status=429, retry_after=1)),
    Scenario("posting is dropped", slack_drops("chat.postMessage")),
    Scenario("update is refused", slack_refuses("chat.update", "message_not_found"), workflow="two-steps"),
    Scenario("update fails, so the end waits", slack_refuses("chat.update", "internal_error", times=3)),
    Scenario(
        "all posts of a batch limited",
        both(slack_refuses("chat.postMessage", "ratelimited", times=6, status=429, retry_after=1)),
        wait(2),
    ),
    Scenario("outputs as a file", workflow="telling-much"),
    Scenario(
        "files not allowed", slack_refuses("files.getUploadURLExternal", "missing_scope"), workflow="telling-much"
    ),
    Scenario("slower than the lease", slow_slack(0.8), wait(5), "two-steps", {ANNOUNCER + "LEASE": 0.3}),
    Scenario(
        "updates slower than the lease", act=slow_updates, workflow="four-steps", hurry={ANNOUNCER + "LEASE": 0.3}
    ),
    Scenario("more channels than room", slow_slack(0.6), wait(3), hurry={ANNOUNCER + "POSTING_AT_ONCE": 1}),
    Scenario("ended while it posts", slow_slack(0.9), end_it, "two-steps"),
    Scenario(
        "database away at the answer",
        datadog(fail_after_accept="slow:0.3", times=1),
        lock_the_database,
        hurry=IMPATIENT_DATABASE,
    ),
]
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}

# What no scenario reaches, each with the reason.
EXCEPTIONS: dict[str, str] = {}
