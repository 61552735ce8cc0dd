"""A canary in every secret, a good part of the main job with everything going wrong in it, and then a search of everything.

Besides what `everything` holds, each request that the bot sends is noted where it leaves, with its headers and its body: a
secret may go to the one place that it is for, in the one header or field that it is for, and nowhere else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot.domain.runs import State
from bot.evidence.signed_heads import make_key_pair
from bot.observability import HIDDEN, Redaction
from bot.sandbox.slack import LocalSlack
from tests.acceptance.collector import Collector
from tests.acceptance.leaks import everything, forms, leaks
from tests.acceptance.scene import ADMIN, ALICE, BOB, BOTH_DOORS, OPS, RESTART, Json, Scene, until
from tests.acceptance.scrapes import scrape
from tests.integration.command_line import command

TYPED = "canary-typed-into-the-form"
TRACES = "canary-of-the-collector"
TOKEN: Json = {"name": "token", "type": "STRING", "label": "Token"}
NOTE: Json = {"name": "note", "type": "STRING", "label": "Note"}
OTHER = {"OTHER_API_KEY": "canary-of-the-other-api-key", "OTHER_APP_KEY": "canary-of-the-other-app-key"}
SET = {
    "AUDIT_KEY": "canary-of-the-audit-key",
    "AUDIT_SIGNING_KEY": make_key_pair()[0],
    "ENCRYPTION_KEY": "canary-of-the-encryption-key",
}


@dataclass
class Sent:
    """A request as it left the bot."""

    url: str
    headers: dict[str, str]
    body: str


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Every request that anything in this process sends from now on; httpx goes the same way."""
    found: list[Sent] = []
    request = aiohttp.ClientSession._request

    async def noted(self: Any, method: str, url: Any, **options: Any) -> Any:
        headers = {**dict(self.headers), **dict(options.get("headers") or {})}
        body = options.get("data")
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
        query = str(options.get("params") or "")
        found.append(
            Sent(f"{url} {query}", {str(k): str(v) for k, v in headers.items()}, text + str(options.get("json")))
        )
        return await request(self, method, url, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", noted)
    return found


@pytest.fixture
def environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: list[Sent], collector: Collector
) -> dict[str, str]:
    for name, value in OTHER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("bot.use_cases.pace.HEADS", 0.2)
    monkeypatch.setattr("bot.use_cases.pace.HEADS_RETRY", 0.1)
    hook = "http://127.0.0.1:9/hook/canary-of-the-webhook"  # nobody is there: its failure must not tell the address
    witnesses = {"AUDIT_WITNESS_PATH": str(tmp_path / "heads.jsonl"), "AUDIT_WITNESS_URL": hook}
    traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={TRACES}"}
    return {**SET, **witnesses, **traces, "AUDIT_WITNESS_DATADOG": "logs"}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="bot")
    return caplog


async def _offer(scene: Scene) -> None:
    """A workflow that quotes its secret when it is done, one whose rule asks for approval, and one in another account."""
    outputs = {"used": f"token {TYPED}", "nested": [{"again": TYPED}]}
    first = scene.datadog.add_workflow(name="Restart", parameters=[TOKEN, NOTE], outputs=outputs, step_seconds=0.2)
    other = scene.datadog.add_workflow(name="Elsewhere", parameters=[NOTE])
    hide = {"token": {"secret": True}}
    policy = {
        "version": 1,
        "accounts": {"other": {"site": "datadoghq.eu", "api_key_env": "OTHER_API_KEY", "app_key_env": "OTHER_APP_KEY"}},
        "workflows": {
            RESTART: {"id": first, "title": "Restart", "inputs": hide},
            "asked": {"id": first, "title": "Asked", "inputs": hide},
            "elsewhere": {"id": other, "title": "Elsewhere", "account": "other"},
        },
        "rules": [
            {"allow": [ALICE], "run": [RESTART, "elsewhere"], "in": [OPS]},
            {"allow": [ALICE], "run": ["asked"], "in": [OPS], "approval": {"from": [BOB], "expires": "1h"}},
        ],
    }
    await scene.world.apply(json.dumps(policy))
    await scene.world.bot.workspace.datadog.refresh()


async def _run(scene: Scene, workflow: str) -> None:
    await scene.open_form(scene.alice, workflow)
    await scene.alice.fill({"Token": TYPED, "Note": "rotation"})
    await scene.alice.submit()


async def _ended(scene: Scene, *states: State) -> None:
    async def look() -> bool:
        return (await scene.runs())[0].state in states

    await until(look)


async def _main_job(scene: Scene) -> None:
    await _run(scene, RESTART)
    await _ended(scene, State.SUCCEEDED)
    scene.datadog.faults.status, scene.datadog.faults.on, scene.datadog.faults.times = 400, "execute", 1
    scene.datadog.faults.body = [
        {"code": "INVALID", "detail": f"token {TYPED} and key {scene.datadog.api_key} are bad"}
    ]
    await _run(scene, RESTART)
    await _ended(scene, State.NOT_STARTED)
    scene.datadog.faults.status, scene.datadog.faults.body, scene.datadog.faults.times = 500, f"<h1>{TYPED}</h1>", 1
    await _run(scene, RESTART)
    await _ended(scene, State.UNKNOWN, State.RUNNING)
    await scene.alice.command(OPS, "/workflow run asked note=x")
    await scene.alice.wait_for_view(lambda view: view["callback_id"] == "workflow_form")
    await scene.alice.fill({"Token": TYPED, "Reason": "CHG-1234"})
    await scene.alice.submit()
    await _ended(scene, State.AWAITING_APPROVAL)  # it waits with its secret, sealed
    scene.slack.faults.fail("chat.postMessage", "internal_error", times=2)
    await scene.alice.command(OPS, "/workflow run elsewhere note=x")
    await scene.alice.command(OPS, f"/workflow run {RESTART} token={TYPED}")  # refused: a command is no place for it
    await scene.bob.command(OPS, f"/workflow run {RESTART} note=x")
    await scene.alice.command(OPS, f"/workflow lock {RESTART} a deploy for 1h")
    await scene.alice.command(OPS, f"/workflow unlock {RESTART}")
    await scene.alice.command(OPS, "/workflow grants")
    await scene.slack.person(ADMIN).command(OPS, f"/workflow audit {RESTART}")
    await scene.told_privately(scene.slack.person(ADMIN), "requested")


async def _command_line(scene: Scene, folder: Path) -> Iterator[str]:
    settings = scene.world.settings
    names = {field.alias or name: getattr(settings, name) for name, field in type(settings).model_fields.items()}
    plain = {
        alias: value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for alias, value in names.items()
        if isinstance(value, str) or hasattr(value, "get_secret_value")
    }
    said = []
    for arguments in (
        ("doctor", "--format", "json"),
        ("runs", "list", "--format", "json"),
        ("audit", "tail", "-n", "100"),
        ("audit", "verify"),
        ("audit", "search", "--workflow", RESTART, "--format", "json"),
        ("audit", "export", "--format", "csv"),
        ("audit", "export", "-o", "trail.jsonl"),
        ("audit", "seal", "--before", "5", "-o", "sealed.jsonl"),
        ("policy", "drift"),
    ):
        ended = await command(folder, *arguments, **{**plain, **OTHER, "POLICY_FILE": "none.yml"})
        assert "Traceback" not in ended.words, ended.words
        said.append(ended.output + ended.words)
    return iter(said)


def _written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.glob("*.jsonl")}


@BOTH_DOORS
async def test_no_secret_is_found_anywhere_but_where_it_is_for(
    scene: Scene,
    sent: list[Sent],
    log: pytest.LogCaptureFixture,
    watchful: None,
    tmp_path: Path,
    collector: Collector,
) -> None:
    await _offer(scene)
    await _main_job(scene)

    async def tried_every_witness() -> bool:
        states = {one.name: one for one in await scene.world.bot.store.read(lambda tx: tx.witness_states())}
        return bool(states["url"].error and states["path"].told and scene.datadog.logs)

    await until(tried_every_witness)
    said = list(await _command_line(scene, tmp_path))

    settings = [secret for secret in scene.world.settings.secrets() if secret != scene.database_url]
    canaries = {TYPED, TRACES, *settings, *OTHER.values()}
    places = everything(scene, log.text)
    places |= {f"command {number}": text for number, text in enumerate(said)}
    places |= _written(tmp_path) | {"spans": "\n".join(collector.bodies), "metrics": await scrape(scene.world.url)}
    assert "database write" in places["spans"]
    assert len(places) > 15
    # The log of the process as it is before the filter: what a library logs is for the filter, below.
    assert leaks(places, canaries) == []
    assert sent
    own = [
        one for one in sent if not one.url.startswith(scene.world.url)
    ]  # Slack's own requests to the bot are its affair
    assert [problem for one in own for problem in _misplaced(one, scene, canaries)] == []


def _misplaced(one: Sent, scene: Scene, canaries: set[str]) -> Iterator[str]:
    """Whatever stands in a request and isn't for it."""
    to_datadog = one.url.startswith(scene.datadog.url)
    to_slack = one.url.startswith(scene.slack.url)
    keys = {"DD-API-KEY", "DD-APPLICATION-KEY"} if to_datadog else set()
    for name, value in one.headers.items():
        allowed = (to_slack and name == "Authorization") or (to_datadog and name.upper() in keys)
        found = {canary for canary in canaries if canary in value}
        if found and not allowed:
            yield f"{urlsplit(one.url).path}: header {name}"
        if found and to_datadog and not found <= {scene.datadog.api_key, scene.datadog.app_key, *OTHER.values()}:
            yield f"{urlsplit(one.url).path}: another secret in {name}"
        if found and to_slack and not found <= {scene.slack.bot_token, scene.slack.app_token}:
            yield f"{urlsplit(one.url).path}: another secret in {name}"
    starts = to_datadog and urlsplit(one.url.split()[0]).path.endswith("/instances")
    for canary in canaries:
        in_body = any(form in one.body for form in forms(canary))
        if in_body and not (starts and canary == TYPED):
            yield f"{urlsplit(one.url).path}: body"
        if (
            any(form in one.url for form in forms(canary))
            and canary != scene.world.settings.audit_witness_url.get_secret_value()
        ):
            yield f"{urlsplit(one.url).path}: address"


async def test_what_a_library_puts_into_the_log_is_filtered(slack: LocalSlack) -> None:
    one_time = f"{slack.url}/commands/T01/123/abc"
    clean = Redaction([SET["AUDIT_KEY"], *OTHER.values()]).clean
    for secret in (SET["AUDIT_KEY"], *OTHER.values(), one_time, slack.bot_token):
        assert clean(f"POST {secret} failed") == f"POST {HIDDEN} failed"
