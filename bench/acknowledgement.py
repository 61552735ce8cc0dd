"""Row 1: how quickly a signed slash command is acknowledged.

`/workflow help` is acknowledged with its whole answer, so bot and rivals do the same: check, find, answer. `/workflow
history` is acknowledged before its work, a question to the database and a message to Slack; its rate counts whole answers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.databases import database
from bench.measurement import Row
from bench.processes import started
from bench.rounds import Arena, Contender, Effort, run, scenarios

HELP, HISTORY, BOLT, FLOOR = "bot, help", "bot, history", "Bolt no-op", "aiohttp + verifier"
FASTEST = 9_000  # requests a second that are prepared for


def count(effort: Effort) -> int:
    """How many measurements it takes."""
    return 4 * len(effort.people) * effort.rounds


def measure(
    arena: Arena, common: dict[str, Any], core: set[int], folder: Path, effort: Effort, advance: Callable[[str], None]
) -> Row:
    """The whole bot on SQLite against a Bolt that does nothing, and against no Bolt at all."""
    row = Row(
        title="Acknowledging a slash command",
        unit="requests",
        scenarios=scenarios(effort, (0.0,)),
        comparisons=[(HELP, BOLT), (HELP, FLOOR), (HISTORY, BOLT)],
    )
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(database("sqlite", folder))
        bot = stack.enter_context(started("bench.servers.whole_bot", {**common, "database": url}, core))
        bolt = stack.enter_context(started("bench.servers.bolt_no_op", common, core))
        floor = stack.enter_context(started("bench.servers.bare_aiohttp", common, core))
        contenders = {
            HELP: Contender(bot, "help"),
            HISTORY: Contender(bot, "history", waits_for_message=True),
            BOLT: Contender(bolt, "help"),
            FLOOR: Contender(floor, "help"),
        }
        run(row, contenders, arena, effort, FASTEST, advance)
    return row
