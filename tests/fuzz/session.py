"""One session: junk at every route of both ways to serve, changed payloads over both doors, and then a good run."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bot import bootstrap
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import open_world, world_environment
from bot.settings import read_settings
from tests.acceptance.scene import ADMIN, ALICE, AUDIT, BOB, GENERAL, OPS, Scene
from tests.fuzz.barrage import Fallen, fire, post, send_envelope, send_junk
from tests.fuzz.http_junk import requests
from tests.fuzz.mutations import Seed, mutated
from tests.fuzz.seeds import PROOF, collect
from tests.fuzz.target import Target, serving
from tests.integration.command_line import command

Progress = Callable[[str, int, int], None]


@dataclass
class Session:
    """What is fired, and what came of it by the name of the part."""

    database_url: str
    installs_url: str  # a second database, for the bot that workspaces install
    folder: Path
    requests: int
    payloads: int
    seed: int
    progress: Progress
    fallen: dict[str, Fallen] = field(default_factory=dict)
    routes: set[str] = field(default_factory=set)
    kinds: int = 0


async def run_session(session: Session) -> None:
    """Raises AssertionError where the bot stumbles, answers with 5xx, lets a secret out, or is not well at the end."""
    slack = LocalSlack(signing_secret=_canary(), bot_token=f"xoxb-{_canary()}", app_token=f"xapp-{_canary()}")
    async with slack, LocalDatadog(api_key=_canary(), app_key=_canary()) as datadog:
        for user, name in ((ALICE, "Alice Moreau"), (BOB, "Bob Tanaka"), (ADMIN, "Ada Admin")):
            slack.add_person(user, name)
        for channel, name in ((OPS, "ops"), (GENERAL, "general"), (AUDIT, "audit")):
            slack.add_channel(channel, name)
        own = {"AUDIT_CHANNEL": AUDIT, "ADMINS": ADMIN, "ENCRYPTION_KEY": _canary(), "AUDIT_KEY": _canary()}
        async with open_world(slack, datadog, session.database_url, environment=own) as world:
            seeds = await collect(Scene(slack, datadog, session.database_url, world))
        session.kinds = len({str(payload.get("type", "command")) for _, payload in seeds})
        environment = world_environment(slack, datadog, session.database_url) | own
        await _over_http(session, slack, environment, seeds)
        socket = environment | {"SLACK_APP_TOKEN": slack.app_token}
        await _over_a_socket(session, slack, socket, seeds)
        installs = {name: value for name, value in environment.items() if name not in ("SLACK_BOT_TOKEN", "ADMINS")}
        installs |= {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": _canary(), "DATABASE_URL": session.installs_url}
        await _while_installing(session, installs | {"PUBLIC_URL": "https://bot.example.com"})
        await _is_well(session, environment)


async def _over_http(session: Session, slack: LocalSlack, environment: dict[str, str], seeds: list[Seed]) -> None:
    async with _target(session, environment) as target, aiohttp.ClientSession() as browser:
        slack.bot_url = f"{target.url}/slack/events"
        junk = requests(await _routes(session, environment), slack.signing_secret)
        await _fire(session, target, "junk", junk, session.requests * 7 // 10, lambda one: send_junk(target, one))
        sent = mutated(seeds)
        half = session.payloads // 2
        await _fire(
            session,
            target,
            "payloads over HTTP",
            sent,
            half,
            lambda one: post(target, browser, slack.signing_secret, one),
        )
        await _proof(slack, target)


async def _over_a_socket(session: Session, slack: LocalSlack, environment: dict[str, str], seeds: list[Seed]) -> None:
    slack.bot_url = None
    async with _target(session, environment) as target:
        rest = session.payloads - session.payloads // 2
        await _fire(
            session, target, "payloads over a socket", mutated(seeds), rest, lambda one: send_envelope(slack, one)
        )
        assert slack.sockets.opened == 1  # none was lost over what came
        await _proof(slack, target)


async def _while_installing(session: Session, environment: dict[str, str]) -> None:
    async with _target(session, environment) as target:
        junk = requests(await _routes(session, environment), environment["SLACK_SIGNING_SECRET"])
        rest = session.requests - session.requests * 7 // 10
        await _fire(session, target, "junk at the install pages", junk, rest, lambda one: send_junk(target, one))


async def _fire(session: Session, target: Target, name: str, shots: object, count: int, one: object) -> None:
    if not count:
        return
    fallen = await fire(target, shots, count, session.seed, one, lambda done: session.progress(name, done, count))  # type: ignore[arg-type]  # a shot is whatever its `one` takes
    session.fallen[name] = fallen
    assert fallen.fired == count


@contextlib.asynccontextmanager
async def _target(session: Session, environment: dict[str, str]) -> AsyncIterator[Target]:
    hidden = read_settings(environment).secrets()
    async with serving(session.folder, environment, set(hidden) - {environment["DATABASE_URL"]}) as target:
        yield target
    assert (stumbled := target.stumbled()) == [], stumbled


async def _routes(session: Session, environment: dict[str, str]) -> list[str]:
    """Every path that the application itself knows, so that a new one is fired at without anybody thinking of it."""
    async with bootstrap.open_bot(read_settings(environment)) as bot:
        found = sorted({resource.canonical for resource in bot.web.router.resources()})
    session.routes |= set(found)
    return found


async def _proof(slack: LocalSlack, target: Target) -> None:
    """After all that, Alice runs something, and it is run."""
    alice = slack.person(ALICE)
    assert (await alice.command(OPS, f"/workflow run {PROOF}")).ok
    await alice.wait_for_message(OPS, lambda m: "Proof" in str(m) and "*succeeded" in str(m), timeout=60)
    assert target.stumbled() == []


async def _is_well(session: Session, environment: dict[str, str]) -> None:
    verified = await command(session.folder, "audit", "verify", **environment)
    assert verified.code == 0, verified.output + verified.words


def _canary() -> str:
    return f"canary{secrets.token_hex(16)}"
