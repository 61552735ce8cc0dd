"""The image's steps, without a registry or a daemon: each COPY and RUN of the build, in folders of their own; then its entry
point, with the image's environment and nothing else, where nothing can be written but the volume.

What can't be tried so is left to hadolint (tests/house_rules/test_image.py): the base image, and the RUN that adds a user.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.slack import LocalSlack
from bot.sandbox.world import world_environment
from tests.integration.command_line import ROOT

pytestmark = pytest.mark.slow

# The whole file system read-only, but for one folder, for this one process.
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"'
SYSTEM = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Stage:
    """One stage of the Dockerfile: its instructions in order."""

    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, keyword: str) -> str:
        return [rest for found, rest in self.steps if found == keyword][-1]


def stages() -> list[Stage]:
    found: list[Stage] = []
    joined = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    for line in joined.splitlines():
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            found.append(Stage())
        elif keyword.isupper():
            found[-1].steps.append((keyword, rest.strip()))
    return found


@dataclass(frozen=True)
class Image:
    """Where the image's own folders are on this machine."""

    root: Path

    def here(self, words: str) -> str:
        """The words with each path of the image replaced by where it is here."""
        return re.sub(r"(?<![\w.])/(source|opt/workflow-bot|tmp/dist|data)\b", rf"{self.root}/\1", words)

    def environment(self) -> dict[str, str]:
        """What ENV of the last stage sets, and a PATH; nothing of this machine's own."""
        pairs = dict(pair.split("=", 1) for pair in stages()[1].last("ENV").split())
        return {name: self.here(value.replace("$PATH", SYSTEM)) for name, value in pairs.items()}


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The first stage, carried out."""
    root = Path(tempfile.mkdtemp(prefix="workflow-bot-image-"))
    try:
        image = Image(root)
        (root / "tmp").mkdir()
        python = root / "python"  # stands for the base image's own
        subprocess.run([sys.executable, "-m", "venv", python], check=True)
        # The machine's own way to its packages, which a base image would not need; nothing of the environment we run in.
        machine = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        environment = machine | {"PATH": f"{python}/bin:{SYSTEM}"}
        for keyword, rest in stages()[0].steps:
            if keyword == "COPY":
                copy(rest.split(), image)
            elif keyword == "RUN":
                command = image.here(re.sub(r"--no-cache(-dir)?\b", "", rest))  # what was fetched once needn't be again
                done = subprocess.run(
                    ["sh", "-c", command], cwd=root / "source", env=environment, capture_output=True, text=True, check=False
                )  # fmt: skip
                assert done.returncode == 0, f"RUN {command}\n{done.stdout}\n{done.stderr}"
        yield image
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(root)], check=True)
        shutil.rmtree(root)


def copy(words: list[str], image: Image) -> None:
    """COPY, of what .dockerignore lets through."""
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    *sources, target = words
    place = image.root / "source" / target
    place.mkdir(parents=True, exist_ok=True)
    for source in sources:
        assert source in let_through, f"{source} is kept out by .dockerignore"
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, place)


@pytest.fixture
async def around() -> AsyncIterator[tuple[LocalSlack, LocalDatadog]]:
    async with LocalSlack() as slack, LocalDatadog() as datadog:
        yield slack, datadog


def test_the_build_leaves_the_command_compiled_and_without_anything_of_the_build(image: Image) -> None:
    opt = image.root / "opt/workflow-bot"
    shown = subprocess.run(
        [opt / "bin/workflow-bot", "--version"], env={"PATH": SYSTEM}, capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("workflow-bot, version ")
    installed = {path.name for path in opt.glob("lib/*/site-packages/*")}
    assert not {"pip", "uv", "hatchling", "pytest"} & installed
    assert list(opt.glob("lib/*/site-packages/bot/__pycache__/*.pyc"))
    assert list(opt.glob("lib/*/site-packages/bot/migrations/versions/0001*.py"))


async def test_the_entry_point_serves_from_the_images_environment_where_only_the_volume_can_be_written(
    image: Image, around: tuple[LocalSlack, LocalDatadog]
) -> None:
    serve_once(image, *around)


def confined(volume: Path) -> list[str]:
    """What to put before a command, so that it can write to the volume and nowhere else.

    Where the machine allows no mounts of one's own, the modes of the image's folders have to do.
    """
    for options in ([], ["--user", "--map-root-user"]):
        command = ["unshare", *options, "--mount", "sh", "-c", READ_ONLY, str(volume)]
        with contextlib.suppress(OSError):
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
    return []


def serve_once(image: Image, slack: LocalSlack, datadog: LocalDatadog) -> None:
    last = stages()[1]
    data, home = image.root / "data", image.root / "home"
    for folder in (data, home):
        folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    own = {"HOME": str(home), "TMPDIR": str(home), "PORT": port, "HOST": "127.0.0.1"}
    secrets = world_environment(slack, datadog, "")
    del secrets["DATABASE_URL"]  # the image names its own
    environment = image.environment() | secrets | own
    subprocess.run(["chmod", "-R", "a-w", str(image.root)], check=True)
    data.chmod(0o700)
    command = [*json.loads(last.last("ENTRYPOINT")), *json.loads(last.last("CMD"))]
    check = json.loads(last.last("HEALTHCHECK").split("CMD", 1)[1])
    started = [*confined(data), "env", "-i", *(f"{name}={value}" for name, value in environment.items()), *command]
    with subprocess.Popen(started, cwd=image.here(last.last("WORKDIR")), stderr=subprocess.PIPE, text=True) as bot:
        try:
            deadline = time.monotonic() + 60
            while not _answers(f"http://127.0.0.1:{port}/healthz"):
                assert bot.poll() is None, bot.stderr and bot.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert subprocess.run(check, env=environment, check=False).returncode == 0
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/slack/events", data=b"command=/workflow", timeout=5)
            bot.terminate()
            _, words = bot.communicate(timeout=60)
        finally:
            bot.kill()
    assert bot.returncode == 0, words
    assert all(json.loads(line)["level"] in {"INFO", "WARNING"} for line in words.splitlines()), words
    assert {path.name for path in data.iterdir()} == {"workflow-bot.db"}
    assert subprocess.run(check, env=environment, stderr=subprocess.DEVNULL, check=False).returncode != 0  # it is gone


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - it is http
        return bool(answer.status == 200)
    return False
