"""Runs the command line with an environment of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from bot.cli import main
from bot.sandbox import demo
from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import world_environment

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    output: str
    words: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The output as JSON Lines."""
        return [json.loads(line) for line in self.output.splitlines()]


def bare_environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """An environment with none of the machine's own settings."""
    own = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "HOME") if name in os.environ}
    return {**own, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "POLICY_FILE": str(folder / "workflows.yml"), **more}


async def start(folder: Path, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Start a command in `folder`, as a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *arguments,
        cwd=folder,
        env=bare_environment(folder, environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def command(folder: Path, *arguments: str, **environment: str) -> Ended:
    """Run a command in `folder` to its end, in this process: starting one of its own takes seconds on a busy machine."""
    return await asyncio.to_thread(_run, folder, arguments, environment)


def _run(folder: Path, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Ended:
    wanted = bare_environment(folder, environment)
    env: dict[str, str | None] = {name: None for name in os.environ if name not in wanted}
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers = []  # so that the command closes none of pytest's own
    try:
        with contextlib.chdir(folder):
            result = CliRunner().invoke(main, arguments, env=env | wanted)
    finally:
        root.handlers, root.level = handlers, level
    surprise = "".join(traceback.format_exception(*result.exc_info)) if result.exc_info and _surprising(result) else ""
    return Ended(result.exit_code, result.stdout, result.stderr + surprise)


def _surprising(result: Result) -> bool:
    return result.exception is not None and not isinstance(result.exception, SystemExit)


@dataclass(frozen=True)
class Surroundings:
    """Both stand-ins with the demo's people and workflows, and the environment that leads to them."""

    slack: LocalSlack
    datadog: LocalDatadog
    environment: dict[str, str]
    policy: str


def furnish(slack: LocalSlack, datadog: LocalDatadog, database_url: str) -> Surroundings:
    """Put the demo into both stand-ins."""
    demo.furnish_slack(slack)
    policy = demo.furnish_datadog(datadog)
    environment = world_environment(slack, datadog, database_url)
    environment |= {"AUDIT_CHANNEL": demo.AUDIT, "ADMINS": demo.ALICE, "ENCRYPTION_KEY": "a key of the tests"}
    environment["AUDIT_KEY"] = "another key of the tests"
    return Surroundings(slack, datadog, environment, policy)
