"""The locks pin every package by hash, agree with each other and with pyproject.toml, and name no address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house_rules.repository import project, text

RUNTIME, DEV, BENCH, SETUP = (f"requirements{of}.lock" for of in ("", "-dev", "-bench", "-setup"))
every_lock = pytest.mark.parametrize("lock", [RUNTIME, DEV, BENCH, SETUP])


def _entries(lock: str) -> list[str]:
    """One string for each package: its line with the continued ones."""
    joined = text(Path(lock)).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _pins(lock: str) -> dict[str, Version]:
    pins: dict[str, Version] = {}
    for entry in _entries(lock):
        name, _, version = entry.split()[0].partition("==")
        pins[canonicalize_name(name.split("[")[0])] = Version(version)
    return pins


def _missing_or_outside(lock: str, wanted: list[str]) -> list[str]:
    pins = _pins(lock)
    requirements = [Requirement(one) for one in wanted]
    return [
        str(requirement)
        for requirement in requirements
        if (version := pins.get(canonicalize_name(requirement.name))) is None or version not in requirement.specifier
    ]


@every_lock
def test_every_package_has_an_exact_version_and_hashes(lock: str) -> None:
    assert _entries(lock)
    loose = [entry for entry in _entries(lock) if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)]
    assert loose == []


@every_lock
def test_a_lock_names_no_address_and_no_path(lock: str) -> None:
    lines = text(Path(lock)).splitlines()
    assert [line for line in lines if re.search(r"://|index-url|find-links|trusted-host|(^|[\s\"'=])[/~]", line)] == []


@pytest.mark.parametrize(("smaller", "larger"), [(RUNTIME, DEV), (DEV, BENCH), (SETUP, DEV)])
def test_two_locks_never_want_different_versions(smaller: str, larger: str) -> None:
    one, other = _pins(smaller), _pins(larger)
    assert {name: (one[name], other[name]) for name in one.keys() & other.keys() if one[name] != other[name]} == {}


def test_the_development_lock_holds_all_of_the_runtime_lock() -> None:
    assert _pins(RUNTIME).keys() - _pins(DEV).keys() == set()


def test_the_locks_satisfy_pyproject() -> None:
    assert _missing_or_outside(RUNTIME, project()["dependencies"]) == []
    assert _missing_or_outside(DEV, project()["optional-dependencies"]["dev"]) == []
    assert _missing_or_outside(BENCH, project()["optional-dependencies"]["bench"]) == []


def test_the_benchmarks_lock_holds_all_of_the_development_lock() -> None:
    assert _pins(DEV).keys() - _pins(BENCH).keys() == set()
