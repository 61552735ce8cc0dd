"""The page of the local Datadog that a run's message links to: for people without keys, escaped, and without scripts."""

from __future__ import annotations

import aiohttp

from bot.datadog.sites import Site, run_url
from bot.sandbox.datadog import LocalDatadog

HOSTILE = '<img src=x onerror="alert(1)">&'


async def started(datadog: LocalDatadog, workflow_id: str, **payload: object) -> str:
    keys = {"DD-API-KEY": datadog.api_key, "DD-APPLICATION-KEY": datadog.app_key}
    url = f"{datadog.url}/api/v2/workflows/{workflow_id}/instances"
    async with aiohttp.ClientSession(headers=keys) as session:
        answer = await session.post(url, json={"meta": {"payload": payload}})
        return str((await answer.json())["data"]["id"])


async def page(url: str) -> tuple[aiohttp.ClientResponse, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer, await answer.text()


async def test_the_page_of_an_instance_shows_status_steps_and_inputs_and_says_that_it_is_a_stand_in() -> None:
    now = 1_000.0
    async with LocalDatadog(clock=lambda: now) as datadog:
        parameters = [{"name": "env", "type": "STRING"}]
        workflow = datadog.add_workflow(name="Restart", parameters=parameters, steps=["Drain", "Restart pods"])
        instance = await started(datadog, workflow, env="staging")
        link = run_url(Site("local", datadog.url, datadog.url), workflow, instance)
        answer, text = await page(link)
        assert answer.status == 200
        for word in ("stand-in", "Restart", "Running", instance, "Drain", "not reached yet".capitalize(), "staging"):
            assert word in text
        assert 'http-equiv="refresh"' in text
        now += 60
        _, text = await page(link)
    assert "Succeeded" in text
    assert 'http-equiv="refresh"' not in text, "what is over doesn't change any more"


async def test_nothing_on_the_page_is_read_as_html_and_no_script_could_run() -> None:
    async with LocalDatadog() as datadog:
        workflow = datadog.add_workflow(name=HOSTILE, parameters=[{"name": "x", "type": "STRING"}], steps=[HOSTILE])
        instance = await started(datadog, workflow, x=HOSTILE)
        for address in (f"?instance={instance}", "", "?instance=%3Cimg%3E"):
            answer, text = await page(f"{datadog.url}/workflow/{workflow}{address}")
            assert "<img" not in text
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
            assert "script-src" not in answer.headers["Content-Security-Policy"]


async def test_what_is_not_there_is_said_to_be_missing() -> None:
    async with LocalDatadog() as datadog:
        workflow = datadog.add_workflow(name="Restart")
        assert (await page(f"{datadog.url}/workflow/{workflow}?instance=none"))[0].status == 404
        assert (await page(f"{datadog.url}/workflow/none"))[0].status == 404
        answer, text = await page(f"{datadog.url}/workflow/{workflow}")
        assert (answer.status, "has not been started yet" in text) == (200, True)


async def test_only_the_page_may_be_read_without_keys() -> None:
    async with LocalDatadog() as datadog:
        assert (await page(f"{datadog.url}/api/v2/workflows"))[0].status == 403
