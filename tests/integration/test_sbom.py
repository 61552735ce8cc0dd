"""The software bill of materials names what is shipped, all of it and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.integration.command_line import ROOT


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `make sbom` writes."""
    folder = tmp_path_factory.mktemp("sbom")
    places = [f"SBOM={folder}/bill.json", f"SBOM_ENVIRONMENT={folder}/environment"]
    done = subprocess.run(["make", "sbom", *places], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (folder / "bill.json").read_text("utf-8")
    assert str(folder) not in text  # nothing of the machine on which it was made
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def shipped() -> dict[str, str]:
    """What requirements.lock has for this kind of machine."""
    joined = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    wanted = [Requirement(re.split(r"\s--hash", line)[0]) for line in joined.splitlines() if re.match(r"\w", line)]
    here = [one for one in wanted if one.marker is None or one.marker.evaluate()]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in here}


def test_every_package_that_is_shipped_is_in_it_in_its_version_and_no_other(bill: dict[str, Any]) -> None:
    assert {canonicalize_name(each["name"]): each["version"] for each in bill["components"]} == shipped()
    assert bill["metadata"]["component"]["name"] == "workflow-bot"


def test_it_says_under_which_licences_they_are_and_what_needs_what(bill: dict[str, Any]) -> None:
    silent = {each["name"] for each in bill["components"] if not each.get("licenses")}
    assert silent <= {"httpx-aiohttp"}  # whose metadata names none; its LICENSE is BSD-3-Clause
    needs = {each["ref"].split("==")[0]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert any(each.startswith("SQLAlchemy==") for each in needs["alembic"])


def test_each_package_can_be_looked_up_for_vulnerabilities(bill: dict[str, Any]) -> None:
    assert [each["name"] for each in bill["components"] if not each["purl"].startswith("pkg:pypi/")] == []
