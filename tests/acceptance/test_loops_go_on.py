"""A surprise in one of the bot's loops, that nobody thought of: the loop is started again, and nothing waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.runs import State
from bot.storage.store import Transaction
from tests.acceptance.scene import ONE_DATABASE, OPS, RESTART, Scene, until
from tests.acceptance.steps import offer_lasting

RUN = f"/workflow run {RESTART} service=web"

Break = Callable[[str], list[str]]


@pytest.fixture
def surprised(monkeypatch: pytest.MonkeyPatch, watchful: None) -> Break:
    """Has a question to the database fail, three times from now on, with what no loop expects. Returns the failures so far."""
    monkeypatch.setattr("bot.supervision.SHORTEST_PAUSE", 0.05)
    monkeypatch.setattr("bot.use_cases.pace.DEFINITIONS", 0.1)

    def break_(question: str) -> list[str]:
        failures: list[str] = []
        real = getattr(Transaction, question)

        def failing(self: Any, *given: Any, **named: Any) -> Any:
            if len(failures) < 3:
                failures.append(question)
                raise RuntimeError("a surprise")
            return real(self, *given, **named)

        monkeypatch.setattr(Transaction, question, failing)
        return failures

    return break_


@pytest.mark.parametrize("question", ["runs_due", "messages_due"])
@ONE_DATABASE
async def test_a_run_is_told_to_its_end_though_a_loop_falls_over(
    surprised: Break, scene: Scene, question: str, caplog: pytest.LogCaptureFixture
) -> None:
    await offer_lasting(scene, seconds=0.2)
    failures = surprised(question)

    await scene.alice.command(OPS, RUN)

    await scene.told(scene.alice, "*succeeded after")
    await scene.only_run(State.SUCCEEDED)
    assert len(failures) == 3
    assert caplog.text.count("has fallen over, and is started again") == 3


@ONE_DATABASE
async def test_a_change_in_datadog_is_noticed_though_the_comparing_falls_over(surprised: Break, scene: Scene) -> None:
    (workflow_id,) = scene.datadog._workflows
    failures = surprised("entries")

    async def fallen_over() -> bool:  # before there is anything to notice: a look may be under way
        return len(failures) == 3

    await until(fallen_over)
    scene.datadog.change_workflow(workflow_id, published=False)

    async def noticed() -> bool:
        return "definition changed" in await scene.acts()

    await until(noticed)
