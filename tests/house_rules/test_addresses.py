"""Nothing in the repository depends on the machine on which it was written."""

from __future__ import annotations

import re

import pytest

from tests.house_rules.repository import files, text

# Written with brackets, so that this file holds none of what it looks for.
MACHINE_PATH = re.compile(r"(?:^|[^\w./-])/(?:work|farm|root|Users|home)/\w")
REGISTRY_HOST = re.compile(
    r"pypi[.]org/simple|files[.]pythonhosted[.]org|registry[.]npmjs|deb[.]debian[.]org|pypi[-]more|conda[.]anaconda[.]org"
)
BEYOND_THE_CHECKOUT = re.compile(r"[.][.]/shared\b")


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY_HOST], ids=["machine path", "registry host"])
def test_no_file_names_a_place_of_one_machine(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path}:{number} {line.strip()[:100]}"
        for path in files()
        for number, line in enumerate(text(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


def test_only_tests_look_beyond_the_checkout() -> None:
    product = [path for path in files() if path.parts[0] != "tests"]
    assert [str(path) for path in product if BEYOND_THE_CHECKOUT.search(text(path))] == []
