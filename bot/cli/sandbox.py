"""`sandbox`: the real bot in a browser page, between a local Slack and a local Datadog. Needs no account and no setting."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
import webbrowser
from pathlib import Path

import click

from bot.cli.output import sentences, wait_for, words
from bot.domain.errors import InvalidSettings
from bot.observability import configure_logging


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=3210, show_default=True, help="0 takes a free one.")
@click.option("--open/--no-open", "browse", default=True, help="Open the page in your browser (default).")
@click.option("--socket-mode", is_flag=True, help="Have the bot listen over Socket Mode instead of HTTP.")
@sentences
def sandbox(port: int, browse: bool, socket_mode: bool) -> None:
    """Try the bot in a browser. Everything in it is made up, and gone when you stop it with Ctrl-C."""
    configure_logging("WARNING", "text", [])
    wait_for(_sandbox(port, browse, socket_mode))


async def _sandbox(port: int, browse: bool, socket_mode: bool) -> None:
    # Imported here alone: production has no part of the sandbox in it.
    from bot.sandbox import demo
    from bot.sandbox.datadog import LocalDatadog
    from bot.sandbox.slack import LocalSlack
    from bot.sandbox.world import open_world

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workflow-bot-sandbox-")))
        slack = LocalSlack(port=port)
        try:
            await stack.enter_async_context(slack)
        except OSError:
            raise InvalidSettings(f"Port {port} is in use. Choose another: make sandbox PORT={port + 1}") from None
        datadog = await stack.enter_async_context(LocalDatadog())
        slack.datadog_faults = datadog.faults
        demo.furnish_slack(slack)
        policy = demo.furnish_datadog(datadog)
        environment = {"AUDIT_CHANNEL": demo.AUDIT, "ADMINS": demo.ALICE}
        database = f"sqlite:///{folder / 'sandbox.db'}"
        world = await stack.enter_async_context(
            open_world(slack, datadog, database, socket_mode=socket_mode, environment=environment)
        )
        await world.apply(policy)
        words.print(f"The sandbox is at [bold]{slack.url}[/]  (Ctrl-C stops it)")
        if browse:
            await asyncio.to_thread(webbrowser.open, slack.url)
        await stop.wait()
    words.print("\nStopped. Everything in the sandbox is gone.")
