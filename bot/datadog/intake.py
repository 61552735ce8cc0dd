"""Puts a line into Datadog's logs or events, so that a third party keeps it. Only the API key goes along.

Datadog API reference: Send logs (answers 202), Post an event. A line may arrive twice, which does no harm.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import httpx

from bot.datadog.sites import Site
from bot.domain.errors import NotWitnessed

SERVICE = "workflow-bot"
TOTAL_TIMEOUT = 15.0  # seconds


class Intake:
    """One organisation's intake. `base_url` is a stand-in's, empty for the site's own hosts; `kind` is logs or events."""

    def __init__(self, http: httpx.AsyncClient, site: Site, api_key: str, base_url: str, kind: str) -> None:
        self._http = http
        self._api_key = api_key
        self._kind = kind
        if kind == "logs":
            self._url = f"{base_url.rstrip('/') or site.logs_url}/api/v2/logs"
        else:
            self._url = f"{base_url.rstrip('/') or site.api_url}/api/v1/events"

    async def __call__(self, seq: int, line: str) -> None:
        """Raises NotWitnessed."""
        content = json.dumps(self._body(seq, line)).encode()
        headers = {"DD-API-KEY": self._api_key, "Content-Type": "application/json"}
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT):
                answer = await self._http.post(self._url, content=content, headers=headers)
        except (httpx.HTTPError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotWitnessed(f"Datadog's {self._kind} could not be reached ({type(error).__name__}).") from None
        if not 200 <= answer.status_code < 300:
            raise NotWitnessed(f"Datadog's {self._kind} answered with status {answer.status_code}.")

    def _body(self, seq: int, line: str) -> Any:
        if self._kind == "logs":
            return [{"ddsource": SERVICE, "service": SERVICE, "message": line}]
        title = f"Head of the audit trail: record {seq}"
        return {"title": title, "text": line, "tags": [f"service:{SERVICE}"], "alert_type": "info"}
