"""A file is named after its errand. A name that says only what kind of thing it is gathers whatever comes by."""

from __future__ import annotations

import re

from tests.house_rules.repository import files

ROLES = re.compile(r"(^|_)(util|helper|common|misc|manager|service|base|shared)s?$")


def test_no_file_or_folder_is_named_after_a_role() -> None:
    code = [path for path in files() if path.suffix in {".py", ".js", ".sh"}]
    assert [str(path) for path in code for part in path.with_suffix("").parts if ROLES.search(part)] == []
