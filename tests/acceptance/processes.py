"""The bot as a process of its own, which can be killed: what a restart or a second replica meets is real."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from bot.sandbox.world import world_environment
from tests.acceptance.scene import AUDIT, Scene, until

ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def bot_process(scene: Scene) -> AsyncIterator[asyncio.subprocess.Process]:
    """`serve` on the scene's database, ready, and where Slack sends its requests from now on; killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    environment |= world_environment(scene.slack, scene.datadog, scene.database_url)
    environment |= {"PORT": str(port), "AUDIT_CHANNEL": AUDIT, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "serve", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session:

            async def ready() -> bool:
                assert process.returncode is None, "serve ended by itself"
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{url}/readyz") as answer:
                        return answer.status == 200
                return False

            await until(ready, timeout=30)
        scene.slack.bot_url = f"{url}/slack/events"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
