"""The contracts of pyproject.toml hold, and the two rules that the import linter cannot express."""

from __future__ import annotations

import sys

import pytest
from importlinter.cli import lint_imports

from tests.house_rules.repository import ROOT, files_like, imported_modules

# What may be imported by name in the innermost room; the rest of it is the standard library. msgspec reads JSON ten times
# as fast as the standard library, which is what verifying a trail mostly does.
DOMAIN_MAY_USE = {"bot", "msgspec", "pydantic", "rfc8785"}


def test_every_import_contract_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    # Without its cache: a stale one reports failures that are none.
    kept = lint_imports(config_filename="pyproject.toml", no_cache=True) == 0
    assert kept, capsys.readouterr().out


def test_blocks_take_only_models_from_the_slack_sdk() -> None:
    from_sdk = [
        f"{path}: {module}"
        for path in files_like("bot/slack/blocks/*.py")
        for module in imported_modules(path)
        if module.startswith("slack_sdk") and not module.startswith("slack_sdk.models")
    ]
    assert from_sdk == []


def test_the_domain_needs_nothing_but_the_standard_library_and_pydantic() -> None:
    foreign = [
        f"{path}: {module}"
        for path in files_like("bot/domain/*.py")
        for module in imported_modules(path)
        if (top := module.split(".")[0]) not in sys.stdlib_module_names and top not in DOMAIN_MAY_USE
    ]
    assert foreign == []
