"""The image runs as nobody in particular, installs only what the lock names by hash, and takes no secret in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.house_rules.repository import ROOT, text


def _instructions(keyword: str) -> list[str]:
    joined = text(Path("Dockerfile")).replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in joined.splitlines() if line.startswith(keyword + " ")]


def test_the_image_runs_as_a_numbered_user_that_is_not_root() -> None:
    # A number, so that an orchestrator can check it (runAsNonRoot) without the image's list of users.
    user = _instructions("USER")[-1].split(":")[0]
    assert user.isdigit()
    assert int(user) > 0


def test_the_image_installs_by_hash() -> None:
    installs = [line for line in _instructions("RUN") if "pip install" in line and "-r " in line]
    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_every_base_image_has_a_version() -> None:
    outside = [line.split()[0] for line in _instructions("FROM")]
    assert [image for image in outside if ("/" not in image and ":" not in image) or image.endswith(":latest")] == []


def test_what_is_private_or_local_does_not_reach_the_image() -> None:
    ignored = text(Path(".dockerignore")).splitlines()
    # All is left out but what is named after it.
    assert ignored[0] == "*"
    assert not {"!.env", "!data", "!.git", "!.venv"} & set(ignored)


def test_the_image_has_a_health_check_and_listens_to_the_outside() -> None:
    assert len(_instructions("HEALTHCHECK")) == 1
    assert any("HOST=0.0.0.0" in line for line in _instructions("ENV"))


def _hadolint(file: Path) -> str:
    """What the linter for Dockerfiles says (it looks into the shell of each RUN too); nothing where all is well."""
    program = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([program, "--no-color", file], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_hadolint_has_nothing_to_say() -> None:
    assert _hadolint(ROOT / "Dockerfile") == ""


def test_hadolint_would_say_it(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM debian:latest\nRUN cd /tmp && echo $x | cat\n")
    said = _hadolint(wrong)
    assert {rule for rule in ("DL3007", "DL3003", "DL4006", "SC2086") if rule in said} == {
        "DL3007",
        "DL3003",
        "DL4006",
        "SC2086",
    }
