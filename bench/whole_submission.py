"""Row 2: a submitted form until its message: permission, intent, acknowledgement, start, outcome, message in the channel.

The rival keeps no intent and no record; the bot has everything on: policy, audit chain, outbox, durable commits.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.databases import database
from bench.measurement import Row
from bench.processes import Program, started
from bench.rounds import Arena, Contender, Effort, run, scenarios

RIVALS = {"60 lines": False, "60 lines, fixed": True}
FASTEST = 1_500  # submissions a second that are prepared for
SLOW = 0.1  # seconds
NOT_COMPARED = "not compared with the 60-line bot, whose packages are missing: `make bench` brings them"


def rivals_are_installed() -> bool:
    """Whether this environment has what only the 60-line bot needs."""
    return all(importlib.util.find_spec(name) for name in ("datadog_api_client", "gunicorn"))


def count(effort: Effort, kinds: tuple[str, ...]) -> int:
    """How many measurements it takes."""
    sides = len(kinds) + (len(RIVALS) if rivals_are_installed() else 0)
    return sides * 2 * len(effort.people) * effort.rounds


def measure(
    arena: Arena,
    common: dict[str, Any],
    core: set[int],
    folder: Path,
    effort: Effort,
    kinds: tuple[str, ...],
    advance: Callable[[str], None],
) -> Row:
    """The whole bot on each kind of database, against the 60-line bot as it is and with its two first repairs."""
    rivals = RIVALS if rivals_are_installed() else {}
    row = Row(
        title="A whole submission",
        unit="submissions",
        scenarios=scenarios(effort, (0.0, SLOW)),
        comparisons=[(_name(kind), rival) for kind in kinds for rival in rivals],
        note="" if rivals else NOT_COMPARED,
    )
    with contextlib.ExitStack() as stack:
        programs: dict[str, Program] = {}
        for kind in kinds:
            url = stack.enter_context(database(kind, folder))
            arguments = {**common, "database": url}
            programs[_name(kind)] = stack.enter_context(started("bench.servers.whole_bot", arguments, core))
        view = programs[_name(kinds[0])].said["view"]
        for name, fixed in rivals.items():
            arguments = {**common, "fixed": fixed}
            programs[name] = stack.enter_context(started("bench.servers.sixty_lines", arguments, core))
        contenders = {name: Contender(program, view=view, waits_for_message=True) for name, program in programs.items()}
        run(row, contenders, arena, effort, FASTEST, advance)
    return row


def _name(kind: str) -> str:
    return {"sqlite": "bot on SQLite", "postgres": "bot on Postgres"}[kind]
