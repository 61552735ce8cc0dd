"""Fires at a bot and looks at each answer: none of 5xx, no stumble in the log, no secret anywhere, memory flat."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from bot.sandbox.slack import LocalSlack
from bot.sandbox.slack.delivery import encoded
from bot.sandbox.slack.signing import signed_headers
from bot.web import BODY_LIMIT
from tests.fuzz.http_junk import Junk
from tests.fuzz.mutations import Seed
from tests.fuzz.target import Target

HASTE = 0.05  # seconds that an answer is waited for where none has to come
WARM = 0.3  # of the shots; memory is compared from then on

Show = Callable[[int], None]


@dataclass
class Fallen:
    """What was fired and what came back, by status; memory in kB once warm and at the end."""

    answers: Counter[str] = field(default_factory=Counter)
    warm: int = 0
    after: int = 0

    @property
    def fired(self) -> int:
        return self.answers.total()


async def fire(
    target: Target,
    shots: st.SearchStrategy[Any],
    count: int,
    seed: int,
    one: Callable[[Any], Coroutine[Any, Any, str]],
    show: Show,
) -> Fallen:
    """Draw so many shots and fire them one after the other. Raises AssertionError with the smallest that hurts."""
    loop, fallen = asyncio.get_running_loop(), Fallen()

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        report_multiple_bugs=False,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(shots)
    def each(shot: Any) -> None:
        status = asyncio.run_coroutine_threadsafe(one(shot), loop).result(60)
        fallen.answers[status] += 1
        assert not status.startswith("5"), status
        assert (stumbled := target.stumbled()) == [], stumbled
        if fallen.fired == int(count * WARM):
            fallen.warm = target.memory()
        show(fallen.fired)

    await asyncio.to_thread(each)
    fallen.after = target.memory()
    return fallen


async def send_junk(target: Target, junk: Junk) -> str:
    """The status of the answer, or that there was none."""
    answer = b""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        try:
            writer.write(junk.raw)
            async with asyncio.timeout(10 if junk.whole else HASTE):
                await writer.drain()
                answer = await reader.read(65536)
        finally:
            writer.close()
    except (ConnectionError, TimeoutError):
        pass
    assert not target.leaks(answer.decode(errors="replace"))
    head = answer.partition(b"\r\n\r\n")[0]
    assert b"aiohttp" not in head
    assert b"Python" not in head
    assert answer or not junk.whole, "no answer"
    return answer.split(b" ", 2)[1].decode() if answer.startswith(b"HTTP/1") else "none"


async def post(target: Target, session: aiohttp.ClientSession, secret: str, seed: Seed) -> str:
    """Send a payload as Slack would, signed; the status of the answer."""
    kind, payload = seed
    try:
        body, content_type = encoded(kind, payload)
        raw = body.encode()
    except (RecursionError, TypeError, ValueError):
        return "can't be sent"
    headers = {"Content-Type": content_type, **signed_headers(secret, raw)}
    try:
        async with session.post(f"{target.url}/slack/events", data=io.BytesIO(raw), headers=headers) as answer:
            assert not target.leaks(await answer.text())
            return str(answer.status)
    except aiohttp.ClientError:
        assert len(raw) > BODY_LIMIT  # refused while it was still being sent
        return "none"


async def send_envelope(slack: LocalSlack, seed: Seed) -> str:
    """Send it over the socket, and go on after what answer there is."""
    kind, payload = seed
    kinds = {"command": "slash_commands", "event": "events_api"}
    try:
        json.dumps(payload).encode()
    except (RecursionError, ValueError):
        return "can't be sent"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HASTE):
            await slack.sockets.send(kinds.get(kind, "interactive"), payload, None)
            return "answered"
    return "no answer"
