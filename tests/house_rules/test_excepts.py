"""Errors are caught by name. Where `except Exception` is right, broad_excepts.txt names the function and the reason."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house_rules.repository import ROOT, files_like, functions, tree

ALLOWED_AT_MOST = 6
BROAD = {"Exception", "BaseException"}


def _allowed() -> dict[str, str]:
    lines = (ROOT / "tests/house_rules/broad_excepts.txt").read_text().splitlines()
    entries = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#")]
    return {entry[0]: entry[1] if len(entry) > 1 else "" for entry in entries}


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(node, ast.Name) and node.id in BROAD for node in ast.walk(handler.type))


def _innermost_function(path: Path, line: int) -> str:
    around = [f for f in functions(path) if f.lineno <= line <= (f.end_lineno or f.lineno)]
    return max(around, key=lambda function: function.lineno).name if around else "module"


def _found() -> list[str]:
    return [
        f"{path.as_posix()}::{_innermost_function(path, node.lineno)}"
        for path in files_like("bot/*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    ]


def test_every_broad_except_is_listed_with_its_reason() -> None:
    allowed = _allowed()
    assert sorted(set(_found()) - set(allowed)) == []
    assert [place for place, reason in allowed.items() if not reason] == []


def test_the_list_names_nothing_that_is_gone() -> None:
    assert sorted(set(_allowed()) - set(_found())) == []


def test_there_are_at_most_six_broad_excepts() -> None:
    assert len(_found()) <= ALLOWED_AT_MOST
