"""The HTTP door: what isn't Slack's is turned away, what Slack checks is answered, and nothing makes it stumble."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.acceptance.scene import OPS, Json, Scene

FORM = "application/x-www-form-urlencoded"
COMMAND = urlencode({"command": "/workflow", "text": "help", "team_id": "T01LOCAL", "user_id": "U01ALICE"})


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database is enough here: nothing gets as far as that."""
    return sqlite_url


class Knocker:
    """Posts to the bot as anybody on the internet can."""

    def __init__(self, scene: Scene, session: aiohttp.ClientSession) -> None:
        self.scene, self.session = scene, session

    async def post(
        self, body: str | bytes, headers: dict[str, str] | None = None, content_type: str = FORM
    ) -> tuple[int, str]:
        """The status and the text; signed unless other headers are given."""
        raw = body.encode() if isinstance(body, str) else body
        signed = self.scene.slack.sign(raw) if headers is None else headers
        url = f"{self.scene.world.url}/slack/events"
        async with self.session.post(
            url, data=io.BytesIO(raw), headers=signed | {"Content-Type": content_type}
        ) as answer:
            return answer.status, await answer.text()

    async def get(self, path: str) -> tuple[int, Json]:
        async with self.session.get(self.scene.world.url + path) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def knock(scene: Scene) -> AsyncIterator[Knocker]:
    async with aiohttp.ClientSession() as session:
        yield Knocker(scene, session)


async def test_a_request_that_slack_signed_is_let_in(knock: Knocker) -> None:
    status, text = await knock.post(COMMAND)

    assert status == 200
    assert "Run Datadog workflows" in json.loads(text)["text"]


@pytest.mark.parametrize("changed", ["body", "secret", "signature", "missing"])
async def test_a_wrong_signature_is_turned_away_with_401(knock: Knocker, changed: str) -> None:
    headers = knock.scene.slack.sign(COMMAND)
    body = COMMAND
    if changed == "body":
        body = COMMAND.replace("help", "list")
    elif changed == "secret":
        knock.scene.slack.signing_secret = "somebody else's"
        headers = knock.scene.slack.sign(COMMAND)
    elif changed == "signature":
        headers["X-Slack-Signature"] = "v0="
    else:
        headers = {}

    assert (await knock.post(body, headers))[0] == 401


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
async def test_a_timestamp_more_than_five_minutes_off_is_turned_away(knock: Knocker, seconds: int) -> None:
    headers = knock.scene.slack.sign(COMMAND, timestamp=int(time.time()) + seconds)

    assert (await knock.post(COMMAND, headers))[0] == 401


@pytest.mark.parametrize("timestamp", ["yesterday", "", "-1", "1e9", "٣", "9" * 30, "1.5"])
async def test_a_timestamp_that_is_no_number_is_turned_away_and_not_an_error(knock: Knocker, timestamp: str) -> None:
    """Trap 3: Bolt answers 500 to it."""
    headers = knock.scene.slack.sign(COMMAND) | {"X-Slack-Request-Timestamp": timestamp}

    assert (await knock.post(COMMAND, headers))[0] == 401


@pytest.mark.parametrize("headers", [{}, None])
async def test_a_request_without_a_body_is_no_error_of_the_bot(knock: Knocker, headers: dict[str, str] | None) -> None:
    status, _ = await knock.post("", headers)

    assert 400 <= status < 500


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("[1, 2]", "application/json"),
        ("{not json", "application/json"),
        ("null", "application/json"),
        ("payload=%7Bnot+json", FORM),
        ("payload=%5B1%5D", FORM),
        (b"\xff\xfe\x00", FORM),
        (COMMAND, "multipart/form-data; boundary=x"),
        (COMMAND, "text/plain"),
        ("a=b", FORM),
    ],
)
async def test_a_body_that_slack_never_sends_is_no_error_of_the_bot(
    knock: Knocker, body: str | bytes, content_type: str
) -> None:
    status, _ = await knock.post(body, content_type=content_type)

    assert status < 500


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "x"])
async def test_a_content_type_that_slack_never_uses_is_turned_away(knock: Knocker, content_type: str) -> None:
    assert (await knock.post(COMMAND, content_type=content_type))[0] == 415


async def test_what_is_compressed_is_none_of_slacks(knock: Knocker) -> None:
    body = gzip.compress(COMMAND.encode())

    assert (await knock.post(body, knock.scene.slack.sign(COMMAND) | {"Content-Encoding": "gzip"}))[0] == 401


async def test_a_body_larger_than_any_of_slacks_is_turned_away(knock: Knocker) -> None:
    assert (await knock.post("text=" + "a" * 1_100_000))[0] == 413


async def test_slacks_check_of_the_address_is_answered(knock: Knocker) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a"})

    status, text = await knock.post(body, content_type="application/json")

    assert status == 200
    assert json.loads(text) == {"challenge": "3eZbrw1a"}


async def test_slacks_check_of_the_certificate_is_answered(knock: Knocker) -> None:
    assert (await knock.post(urlencode({"ssl_check": "1", "token": "x"})))[0] == 200


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "block_actions", "actions": [{"action_id": "of_another_version", "block_id": "b"}]},
        {"type": "block_actions", "actions": []},
        {"type": "block_suggestion", "action_id": "of_another_version", "block_id": "b", "value": "x"},
        {"type": "view_submission", "view": {"id": "V1", "callback_id": "of_another_version"}},
        {"type": "view_closed", "view": {"id": "V1", "callback_id": "of_another_version"}},
        {"type": "shortcut", "callback_id": "of_another_version"},
        {"type": "message_action", "callback_id": "of_another_version"},
        {"type": "a_type_of_the_future"},
    ],
)
async def test_what_the_bot_does_not_know_is_answered_with_200(scene: Scene, payload: Json) -> None:
    common = {"team": {"id": scene.slack.team_id}, "user": {"id": "U01ALICE", "team_id": scene.slack.team_id}}

    ack = await scene.slack.deliver("interactive", common | payload)

    assert ack.status == 200


@pytest.mark.parametrize("metadata", ["", "{}", "not json", "[]", '{"w": 1}'])
async def test_a_form_whose_memory_is_not_ours_starts_nothing_and_is_answered(scene: Scene, metadata: str) -> None:
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Service": "web"})
    submission = scene.alice.submission()
    submission["view"]["private_metadata"] = metadata

    ack = await scene.slack.deliver("interactive", submission)

    assert ack.status == 200
    assert ack.json["response_action"] == "update"
    assert scene.starts == []


async def test_health_and_readiness_are_told(knock: Knocker) -> None:
    assert await knock.get("/healthz") == (200, {"status": "ok"})
    status, body = await knock.get("/readyz")
    assert (status, body["status"]) == (200, "ready")
    assert body["checks"] == {"database": "ok", "writes": "ok", "trail": "ok", "slack": "ok", "loops": "ok"}


async def test_while_slack_refuses_to_say_who_the_bot_is_it_is_not_ready(knock: Knocker) -> None:
    knock.scene.slack.faults.fail("auth.test", "internal_error", status=500)

    status, body = await knock.get("/readyz")

    assert (status, body["reason"]) == (503, "Slack does not answer")
    assert (await knock.get("/healthz"))[0] == 200


@pytest.mark.parametrize("door", ["socket"])
async def test_in_socket_mode_nothing_comes_in_by_http(knock: Knocker) -> None:
    assert (await knock.post(COMMAND))[0] == 404
    assert (await knock.get("/healthz"))[0] == 200
    assert (await knock.scene.alice.command(OPS, "/workflow help")).ok
