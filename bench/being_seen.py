"""Row 5: what it costs to be seen. The bot without metrics, with them as it always has them, and with traces beside."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.databases import database
from bench.measurement import Row
from bench.processes import cores, started
from bench.rounds import Arena, Contender, Effort, run, scenarios

UNSEEN, METRICS, TRACES = "unseen", "metrics", "metrics and traces"
ASKED = ("help", "history", "submission")
FASTEST = 9_000  # requests a second that are prepared for


def count(effort: Effort) -> int:
    """How many measurements it takes."""
    return 3 * len(ASKED) * len(effort.people) * effort.rounds


def measure(
    arena: Arena, common: dict[str, Any], core: set[int], folder: Path, effort: Effort, advance: Callable[[str], None]
) -> Row:
    """Each on an SQLite database of its own, answers at once; what is asked for goes from next to nothing to the main job."""
    row = Row(
        title="Being seen",
        unit="requests",
        scenarios=scenarios(effort, (0.0,)),
        comparisons=[(f"{seen}, {what}", f"{UNSEEN}, {what}") for what in ASKED for seen in (METRICS, TRACES)],
    )
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(started("bench.servers.collector", common, cores()[1]))
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}"}
        ways: dict[str, dict[str, Any]] = {UNSEEN: {"unseen": True}, METRICS: {}, TRACES: {"environment": traces}}
        contenders: dict[str, Contender] = {}
        for seen, arguments in ways.items():
            (folder / seen).mkdir()
            url = stack.enter_context(database("sqlite", folder / seen))
            bot = stack.enter_context(
                started("bench.servers.whole_bot", {**common, "database": url, **arguments}, core)
            )
            contenders[f"{seen}, help"] = Contender(bot, "help")
            contenders[f"{seen}, history"] = Contender(bot, "history", waits_for_message=True)
            contenders[f"{seen}, submission"] = Contender(bot, view=bot.said["view"], waits_for_message=True)
        run(row, contenders, arena, effort, FASTEST, advance)
    return row
