"""The programs of a run: each started on its core, asked for the processor time it took, and stopped.

The measured server has a core to itself; load, stand-ins and Postgres share the others. Where the system can't pin or has
no /proc, everything works but the processor time is unknown.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STOP_LIMIT = 20.0  # seconds that a program may take to stop
QUIET_LIMIT = 15.0  # seconds that a server may take to come to rest after a round
QUIET_SHARE = 0.06  # of a core; below it a server is at rest


class NotStarted(Exception):
    """A program ended before it was ready; the message is the last of what it said."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program, and what it said when it was ready."""

    process: subprocess.Popen[str]
    said: dict[str, Any]

    @property
    def port(self) -> int:
        return int(self.said["port"])

    def cpu(self) -> float | None:
        """Seconds of processor time that it and its children have taken; None where that can't be known."""
        return _cpu(self.process.pid)

    def come_to_rest(self) -> None:
        """Wait until what was asked of it is done, so that it takes nothing from the next round."""
        end = time.monotonic() + QUIET_LIMIT
        while time.monotonic() < end:
            before = self.cpu()
            time.sleep(0.1)
            after = self.cpu()
            if before is None or after is None or after - before < 0.1 * QUIET_SHARE:
                return


def cores() -> tuple[set[int], set[int]]:
    """The core for the server, and those for everything else. Both empty where there is nothing to divide."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    mine = sorted(os.sched_getaffinity(0))
    return (set(mine[:1]), set(mine[1:])) if len(mine) > 1 else (set(), set())


def pin(process: int, where: set[int]) -> None:
    """Keep a process (0: this one), and what it starts from now on, on these cores."""
    if where:
        os.sched_setaffinity(process, where)


@contextlib.contextmanager
def started(module: str, arguments: dict[str, Any], where: set[int]) -> Iterator[Program]:
    """Run `python -m MODULE` until left. Raises NotStarted."""
    environment = os.environ | {"SSL_CERT_FILE": str(arguments["certificate"])}
    with subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        pin(process.pid, where)
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith("{"):
                raise NotStarted(f"{module} did not start: {line.strip() or 'see its error above'}")
            yield Program(process, json.loads(line))
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()


def load(job: str) -> dict[str, Any]:
    """Have a job done by the load program."""
    command = [sys.executable, "-m", "bench.load", job]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _cpu(process: int) -> float | None:
    total = 0.0
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        for task in tasks:
            with contextlib.suppress(FileNotFoundError):  # a thread that ended just now
                total += int((task / "schedstat").read_text().split()[0]) / 1e9
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return None
    for child in children:
        total += _cpu(int(child)) or 0.0
    return total
