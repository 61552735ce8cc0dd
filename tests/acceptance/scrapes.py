"""Reading the bot's metrics as Prometheus does: what tests of what is seen from outside share."""

from __future__ import annotations

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.scene import until


async def scrape(url: str) -> str:
    """The page as it stands, of the bot at this address."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


def values(text: str) -> dict[str, float]:
    """Each value by what it is of: the name without its prefix, and its labels in alphabetical order."""
    return {
        " ".join(
            [sample.name.removeprefix("workflow_bot_"), *(f"{k}={v}" for k, v in sorted(sample.labels.items()))]
        ): (sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def seen(url: str, *names: str) -> dict[str, float]:
    """All values, once each of these is above 0."""

    async def look() -> dict[str, float] | None:
        found = values(await scrape(url))
        return found if all(found.get(name, 0) > 0 for name in names) else None

    return await until(look)
