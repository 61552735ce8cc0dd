"""A check is switched off in one line, for one rule, with a reason: `# noqa: S608 - names are constants here`."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house_rules.repository import files_like, text, tree

KINDS = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no|mypy:|ruff:|nosec|pyright:)", re.IGNORECASE)
WITH_REASON = [
    re.compile(r"#\s*noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*\s+(-|—|–|:)?\s*\S.{2,}"),
    re.compile(r"#\s*type:\s*ignore\[[a-z0-9, -]+\]\s*(#|-|—|–)\s*\S.{2,}"),
    re.compile(r"#\s*pragma:\s*no (cover|branch)\s*(-|—|–|:)\s*\S.{2,}"),
]


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _bare(comment: str) -> bool:
    found = KINDS.search(comment)
    return bool(found) and not any(pattern.match(comment, found.start()) for pattern in WITH_REASON if found)


@pytest.mark.parametrize(
    ("comment", "bare"),
    [
        ("noqa", True),
        ("noqa: S608", True),
        ("noqa: S608 - names are constants", False),
        ("type: ignore", True),
        ("type: ignore[arg-type]", True),
        ("type: ignore[arg-type]  # the stub is older than the library", False),
        ("type: ignore[arg-type]  # as above", False),
        ("pragma: no cover", True),
        ("ruff: noqa", True),
        ("why this is so", False),
    ],
)
def test_a_suppression_needs_a_rule_and_a_reason(comment: str, bare: bool) -> None:
    assert _bare(f"# {comment}") is bare


def test_no_suppression_is_without_a_reason() -> None:
    found = [
        f"{path}:{line} {comment}"
        for path in files_like("*.py")
        for line, comment in _comments(text(path))
        if _bare(comment)
    ]
    assert found == []


def _marks_without_reason(path: Path) -> Iterator[str]:
    called = {id(node.func): node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and node.attr in {"skip", "skipif", "xfail"} and "mark" in ast.dump(node):
            call = called.get(id(node))
            if call is None or not any(keyword.arg == "reason" for keyword in call.keywords):
                yield f"{path}:{node.lineno} {node.attr}"


def test_no_test_is_skipped_or_expected_to_fail_without_a_reason() -> None:
    assert [mark for path in files_like("tests/*.py") for mark in _marks_without_reason(path)] == []
