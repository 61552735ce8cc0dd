"""The sandbox as people start it: the real command, in a process of its own, at the address that it prints."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.house_rules.repository import ROOT

COMMAND = (sys.executable, "-m", "bot", "sandbox", "--no-open", "--port", "0")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
START_LIMIT = STOP_LIMIT = 30  # seconds, on a busy machine


@dataclass
class SandboxProcess:
    """A sandbox that has printed its address. `said` grows with each line that it prints."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    url: str = ""
    _ready: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Read what it prints, to its end."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if found := ADDRESS.search(line):
                self.url = found[0]
                self._ready.set()
        self._ready.set()

    def wait_until_ready(self) -> None:
        assert self._ready.wait(START_LIMIT), "the sandbox did not start in time"
        assert self.url, "the sandbox did not start: " + "".join(self.said)

    def interrupt(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_LIMIT)


@contextlib.contextmanager
def started_sandbox(*arguments: str) -> Iterator[SandboxProcess]:
    """A running sandbox; stopped at the end, if it hasn't been already."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    sandbox = SandboxProcess(process)
    reader = threading.Thread(target=sandbox.listen, daemon=True)
    reader.start()
    try:
        sandbox.wait_until_ready()
        yield sandbox
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(STOP_LIMIT)
        reader.join()
        assert process.stderr is not None
        process.stderr.close()
