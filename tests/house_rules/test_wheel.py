"""The wheel holds all that the installed command needs, and nothing of how the project is made."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house_rules.repository import ROOT, files_like


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_every_file_of_the_bot(inside: set[str]) -> None:
    assert {path.as_posix() for path in files_like("bot/*")} - inside == set()


def test_the_wheel_has_the_migrations_and_the_manifest_inside_the_package(inside: set[str]) -> None:
    wanted = {f"bot/{path.as_posix()}" for path in files_like("migrations/*")} | {"bot/manifest.yml"}
    assert wanted - inside == set()


def test_the_wheel_has_nothing_but_the_package(inside: set[str]) -> None:
    assert {Path(name).parts[0].split("-")[0] for name in inside} == {"bot", "workflow_bot"}
