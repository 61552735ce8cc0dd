"""Budgets: a file that outgrows one has two errands, a listener that does so has begun to decide."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house_rules.repository import Function, files_like, functions, text

FILE_LINES = 400
FUNCTION_LINES = 40
LISTENER_LINES = 30
LISTENERS = Path("bot/slack/listeners")


def _lines(function: Function) -> int:
    """From `def` to the end, without the docstring: explaining is free."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def _too_long(paths: list[Path], limit: int) -> list[str]:
    return [
        f"{path}:{function.lineno} {function.name} has {_lines(function)} lines"
        for path in paths
        for function in functions(path)
        if _lines(function) > limit
    ]


def test_no_file_of_the_bot_is_longer_than_400_lines() -> None:
    sizes = {path: text(path).count("\n") for path in files_like("bot/*.py")}
    assert {path: lines for path, lines in sizes.items() if lines > FILE_LINES} == {}


def test_no_function_of_the_bot_is_longer_than_40_lines() -> None:
    assert _too_long(files_like("bot/*.py"), FUNCTION_LINES) == []


def test_no_listener_is_longer_than_30_lines() -> None:
    assert _too_long(files_like(f"{LISTENERS}/*.py"), LISTENER_LINES) == []


def test_a_docstring_does_not_count() -> None:
    function = ast.parse('def f():\n    """One\n    two.\n    """\n    return 1\n').body[0]
    assert isinstance(function, ast.FunctionDef)
    assert _lines(function) == 2
