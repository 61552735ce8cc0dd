"""The bot as something to be killed: the real `serve`, in a hurry. One process of these forks any number of bots.

Forking saves the second that importing takes, so that hundreds of kills and restarts fit into minutes. A line of JSON on
standard input asks for a bot, and is answered with its process id; the end of the input ends them all. What is changed in
a bot is how long it waits, and nothing else; with `points` the code has kill points too (see kill_points.py).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.chaos import kill_points

# Module, name and value in a hurry. Seconds; a timedelta stays one. The proportions are those of production: a call ends
# well inside a lease, and a lease is longer than any pause that is not a stop.
HURRY: Mapping[str, Any] = {
    "bot.use_cases.pace.LEASE": 3.0,
    "bot.use_cases.pace.CALL_LIMIT": 1.0,
    "bot.use_cases.pace.POLL": 0.2,
    "bot.use_cases.pace.LONGEST_PAUSE": 1.0,
    "bot.use_cases.pace.PATIENCE": 40.0,
    "bot.use_cases.pace.FIRST_WAIT": 0.3,
    "bot.use_cases.pace.LONGEST_WAIT": 3.0,
    "bot.use_cases.pace.LOOKS_PER_SECOND": 60.0,
    "bot.use_cases.pace.SHORTEST_LOOK": 0.3,
    "bot.use_cases.pace.LONGEST_LOOK": 4.0,
    "bot.use_cases.pace.NOT_VISIBLE_YET": 5.0,
    "bot.use_cases.pace.GONE": 60.0,
    "bot.use_cases.pace.SETTLE": 0.2,
    "bot.use_cases.pace.LONGEST_RETELL": 3.0,
    "bot.use_cases.pace.QUIET": 0.3,
    "bot.use_cases.pace.SEARCHES": (0.5, 1.0, 2.0, 3.0),
    "bot.use_cases.pace.CLOCK_SKEW": 0.5,
    "bot.use_cases.pace.START_WINDOW": 7.5,  # longer than any stop and a slow start together
    "bot.use_cases.persist.LONGEST_PAUSE": 1.0,
    "bot.slack.announcer.LEASE": 4.0,
    "bot.slack.witness.LEASE": 4.0,
    "bot.slack.witness.REFUSED_PAUSE": 1.0,
    "bot.slack.witness.UNREACHED_PAUSE": 1.0,
    "bot.storage.engine.CONNECT_TIMEOUT": 2,
}
SLACK_TIMEOUT = 1  # seconds, of the Slack client: its place in `build_client` has no name


def main() -> None:
    if "points" in sys.argv:
        kill_points.install()
    _import_everything()
    # The kernel buries the dead, so that a process id that answers is one that lives.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        wanted = json.loads(line)
        child = os.fork()
        if child == 0:
            _become_a_bot(wanted)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    os.killpg(0, signal.SIGKILL)  # this process leads its group


def _import_everything() -> None:
    import importlib

    for name in {*(place.rpartition(".")[0] for place in HURRY), "bot.cli.serve", "bot.storage.migrate"}:
        importlib.import_module(name)
    importlib.import_module("alembic.command")
    importlib.import_module("psycopg")


def _become_a_bot(wanted: Mapping[str, Any]) -> None:
    """Never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(wanted["environment"])
        _hurry({**HURRY, **wanted.get("hurry", {})})
        kill_points.arm(wanted.get("kill_at", ""), wanted.get("trace", ""))
        from bot.cli import main as command_line

        command_line(["serve"], standalone_mode=False)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _hurry(values: Mapping[str, Any]) -> None:
    for place, value in values.items():
        module, _, name = place.rpartition(".")
        before = getattr(sys.modules[module], name)
        made = timedelta(seconds=value) if isinstance(before, timedelta) else value
        setattr(sys.modules[module], name, tuple(made) if isinstance(made, list) else made)
    connections: Any = sys.modules["bot.connections"]
    workspace: Any = sys.modules["bot.workspace"]
    connections.CALL_LIMIT = sys.modules["bot.use_cases.pace"].CALL_LIMIT  # it has its own name for it
    build = workspace.build_client

    def impatient(*arguments: Any) -> Any:
        client = build(*arguments)
        client.timeout = SLACK_TIMEOUT
        return client

    workspace.build_client = impatient


if __name__ == "__main__":
    main()
