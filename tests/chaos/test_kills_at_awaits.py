"""A kill at some awaits of the run's life, and a case for each of them; `make chaos` kills at every one."""

from __future__ import annotations

import ast

import pytest

from tests.chaos.every_await import kill_at_every_await
from tests.chaos.kill_points import FILES, ROOT, every_point
from tests.chaos.scenarios import EXCEPTIONS


def test_every_await_has_two_kill_points_and_no_two_share_a_name() -> None:
    awaits = sum(
        isinstance(node, ast.Await) for file in FILES for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
    )
    assert len(every_point()) == len(set(every_point())) == 2 * awaits


def test_the_exceptions_name_awaits_that_exist() -> None:
    assert set(EXCEPTIONS) <= {point.rpartition(":")[0] for point in every_point()}
    assert all(EXCEPTIONS.values())


@pytest.mark.slow
async def test_every_await_has_a_case_and_a_sample_of_kills_does_no_harm() -> None:
    report = await kill_at_every_await("sqlite", share=0.1, seed=7)
    assert report.good, str(report)
