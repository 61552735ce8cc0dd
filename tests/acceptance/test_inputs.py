"""Values of every type, by form and by command: they reach Datadog as typed, and what can't is said at the field."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.domain.runs import State
from tests.acceptance.scene import (
    ALICE_IN_OPS,
    AUDIT,
    BOTH_DOORS,
    ONE_DATABASE,
    OPS,
    RESTART,
    Json,
    Scene,
    until,
    words,
)

EIGHT: list[Json] = [
    {"name": "text", "type": "STRING"},
    {"name": "number", "type": "NUMBER"},
    {"name": "flag", "type": "BOOLEAN"},
    {"name": "object", "type": "OBJECT"},
    {"name": "texts", "type": "ARRAY_STRING"},
    {"name": "numbers", "type": "ARRAY_NUMBER"},
    {"name": "flags", "type": "ARRAY_BOOLEAN"},
    {"name": "objects", "type": "ARRAY_OBJECT"},
]
VALUES: Json = {
    "text": "two words",
    "number": 0.5,
    "flag": False,
    "object": {"a": [1, None]},
    "texts": ["x", "y z"],
    "numbers": [1, 2.5],
    "flags": [True, False],
    "objects": [{"b": True}],
}
REASON: Json = {"name": "reason", "type": "STRING", "label": "Reason"}
TRICKY = [
    "payload",
    "payload=1&payload={}",
    "<!channel> and <@U01ALICE> & <https://example.com|link>",
    "a &lt; b &amp;amp; c",
    'it\'s "quoted" – “curly” and `code`',
    "🚀 日本語 \u202e ünïcödé",
    "--; DROP TABLE runs; %s {0} \\n",
]
TRICKY_IN_QUOTES = ["payload", "payload=1&payload={}", "<!channel> & <!here>", "a &lt; b", "it's 🚀", r"C:\new", ""]


async def _started(scene: Scene) -> Any:
    await scene.only_run(State.SUCCEEDED)
    (payload,) = scene.payloads
    return payload


@BOTH_DOORS
async def test_all_eight_types_are_filled_into_the_form(scene: Scene) -> None:
    await scene.offer(EIGHT)
    await scene.open_form(scene.alice)
    typed = {
        "text": "two words",
        "number": "0.5",
        "object": '{"a": [1, null]}',
        "texts": "x\ny z",
        "numbers": "1\n2.5",
        "objects": '[{"b": true}]',
        "flag": "false",
        "flags": "true\nno",
    }
    await scene.alice.fill({f"input:{name}": value for name, value in typed.items()})

    result = await scene.alice.submit()

    assert result.errors == {}
    assert await _started(scene) == VALUES


@BOTH_DOORS
async def test_all_eight_types_are_given_in_a_command(scene: Scene) -> None:
    await scene.offer(EIGHT)

    await scene.alice.command(
        OPS,
        f'/workflow run {RESTART} text="two words" number=0.5 flag=no object=\'{{"a": [1, null]}}\''
        ' texts="x,y z" numbers=[1,2.5] flags=yes,no objects=\'[{"b": true}]\'',
    )

    assert await _started(scene) == VALUES


async def test_an_input_left_empty_takes_its_default(scene: Scene) -> None:
    await scene.offer([{**parameter, "defaultValue": VALUES[parameter["name"]]} for parameter in EIGHT])
    view = await scene.open_form(scene.alice)
    assert view["state"]["values"]["input:number"]["input"]["value"] == "0.5"
    await scene.alice.fill({"input:text": "", "input:object": "", "input:number": "7"})

    await scene.alice.submit()

    assert await _started(scene) == VALUES | {"number": 7}


@ONE_DATABASE
async def test_an_input_without_a_default_has_to_be_filled_in(scene: Scene) -> None:
    await scene.open_form(scene.alice)

    result = await scene.alice.submit()

    assert result.happened == "refused"
    assert list(result.errors) == ["input:service"]


@ONE_DATABASE
async def test_a_forged_submission_with_a_value_outside_the_allowed_ones_gets_an_error_at_the_field(
    scene: Scene,
) -> None:
    await scene.open_form(scene.alice)
    forged = scene.alice.submission()
    option = {"text": {"type": "plain_text", "text": "db"}, "value": "db"}
    forged["view"]["state"]["values"]["input:service"]["input"]["selected_option"] = option

    ack = await scene.slack.deliver("interactive", forged)

    assert ack.json["response_action"] == "errors"
    assert "not one of the choices" in ack.json["errors"]["input:service"]
    assert await scene.acts() == []


@ONE_DATABASE
async def test_other_values_may_be_typed_where_the_workflow_allows_extra_values(scene: Scene) -> None:
    await scene.offer([{**REASON, "allowedValues": ["disk", "memory"], "allowExtraValues": True}])
    await scene.open_form(scene.alice)
    offered = await scene.alice.suggestions("input:reason", "full disk")
    await scene.alice.fill({"Reason": "full disk"})

    await scene.alice.submit()

    assert [option["value"] for option in offered] == ["full disk"]
    assert await _started(scene) == {"reason": "full disk"}


async def test_more_than_a_hundred_options_are_searched(scene: Scene) -> None:
    hosts = [f"host-{number:03}.example" for number in range(250)]
    await scene.offer([{"name": "host", "type": "STRING", "label": "Host", "allowedValues": hosts}])
    await scene.open_form(scene.alice)

    assert len(await scene.alice.suggestions("Host", "")) == 100
    assert [o["value"] for o in await scene.alice.suggestions("Host", "-249")] == ["host-249.example"]
    await scene.alice.fill({"Host": "host-249.example"})
    await scene.alice.submit()

    assert await _started(scene) == {"host": "host-249.example"}


@pytest.mark.parametrize(
    ("name", "typed", "error"),
    [
        ("object", '{"a": ', "not valid JSON"),
        ("object", "[1]", "This takes a JSON object"),
        ("objects", "[1]", "This takes a JSON array of objects"),
        ("numbers", "1\ntwo", "“two” is not a number"),
    ],
)
@ONE_DATABASE
async def test_a_value_that_is_wrong_is_said_at_its_field_and_the_form_stays(
    scene: Scene, name: str, typed: str, error: str
) -> None:
    parameters = [p for p in EIGHT if p["name"] in {"text", name}]
    await scene.offer(parameters)
    await scene.open_form(scene.alice)
    await scene.alice.fill({"input:text": "kept", f"input:{name}": typed})

    result = await scene.alice.submit()

    assert result.happened == "errors"
    assert list(result.errors) == [f"input:{name}"]
    assert error in result.errors[f"input:{name}"]
    view = scene.alice.view
    assert view is not None
    assert view["state"]["values"]["input:text"]["input"]["value"] == "kept"
    assert await scene.acts() == []


@ONE_DATABASE
async def test_a_number_that_is_no_number_is_said_at_its_field(scene: Scene) -> None:
    await scene.offer([{"name": "number", "type": "NUMBER"}])
    await scene.open_form(scene.alice)
    submission = scene.alice.submission()  # Slack's own client would not let it through
    submission["view"]["state"]["values"]["input:number"]["input"]["value"] = "NaN"

    ack = await scene.slack.deliver("interactive", submission)

    assert "“NaN” is not a number" in ack.json["errors"]["input:number"]


async def test_a_text_of_3000_characters_arrives_whole_and_one_more_is_refused(scene: Scene) -> None:
    await scene.offer([REASON])
    text = "<&>" * 1000
    await scene.open_form(scene.alice)
    await scene.alice.fill({"Reason": text + "!"})
    assert (await scene.alice.submit()).happened == "refused"
    await scene.alice.fill({"Reason": text})

    assert (await scene.alice.submit()).happened == "closed"

    assert await _started(scene) == {"reason": text}
    await scene.told(scene.alice, "*succeeded after", "…")
    (requested, *_) = await scene.records()
    assert requested["inputs"] == {"reason": text}


@ONE_DATABASE
async def test_the_audit_channel_shows_every_hash_however_long_the_inputs_are(scene: Scene, impatient: None) -> None:
    parameters = [{"name": f"input{number}", "type": "STRING"} for number in range(4)]
    await scene.offer(parameters)
    scene.slack.faults.fail("chat.postMessage", "ratelimited", retry_after=1, times=1)
    given = " ".join(f"input{number}={'<&>' * 250}" for number in range(4))
    for _ in range(6):
        await scene.alice.command(OPS, f"/workflow run {RESTART} {given}")

    async def whole() -> bool:
        records = await scene.world.bot.store.read(lambda tx: tx.records(0, 100))
        said = "\n".join(words(m) for m in scene.slack.messages(AUDIT))
        return len(scene.payloads) == 6 and all(f"`{record.hash[:16]}`" in said for record in records)

    await until(whole)


def _pings(scene: Scene) -> bool:
    sent = json.dumps([call.params for call in scene.slack.calls], ensure_ascii=False)
    return any(dangerous in sent for dangerous in ("<!channel>", "<!here>", "|link>"))


@BOTH_DOORS
async def test_text_from_the_form_reaches_datadog_exactly_as_typed_and_pings_nobody(scene: Scene) -> None:
    names = [f"text{number}" for number in range(len(TRICKY))]
    await scene.offer([{"name": name, "type": "STRING"} for name in names])
    await scene.open_form(scene.alice)
    typed = dict(zip(names, TRICKY, strict=True))
    await scene.alice.fill({f"input:{name}": text for name, text in typed.items()})

    assert (await scene.alice.submit()).happened == "closed"

    assert await _started(scene) == typed
    await scene.told(scene.alice, "*succeeded after")
    assert not _pings(scene)
    (requested, *_) = await scene.records()
    assert requested["inputs"] == typed


@BOTH_DOORS
async def test_text_from_a_command_reaches_datadog_exactly_as_typed_and_pings_nobody(scene: Scene) -> None:
    typed = {f"text{number}": text for number, text in enumerate(TRICKY_IN_QUOTES)}
    await scene.offer([{"name": name, "type": "STRING"} for name in typed])
    given = " ".join(f'{name}="{text}"' for name, text in typed.items())

    ack = await scene.alice.command(OPS, f"/workflow run {RESTART} {given}")

    assert ack.status == 200
    assert await _started(scene) == typed
    await scene.told(scene.alice, "*succeeded after")
    assert not _pings(scene)


@ONE_DATABASE
async def test_a_command_of_nothing_but_the_word_payload_is_answered(scene: Scene) -> None:
    """Trap 2: Bolt reads a form with that word in it as empty."""
    await scene.alice.command(OPS, "/workflow payload")
    await scene.told_privately(scene.alice, "“payload” is not something I know")

    workflow_id = scene.datadog.add_workflow(name="Payload check", parameters=[])
    await scene.apply({"payload-check": {"id": workflow_id}}, [ALICE_IN_OPS])
    await scene.alice.command(OPS, "/workflow run payload-check")

    assert await _started(scene) == {}
    assert "payload=" not in urlencode(scene.slack.delivered[-1].payload)


@ONE_DATABASE
async def test_curly_quotes_and_mentions_of_a_command_are_read_as_meant(scene: Scene) -> None:
    await scene.offer([REASON, {"name": "who", "type": "STRING"}])

    await scene.alice.command(OPS, f"/workflow run {RESTART} reason=“disk is\u00a0full” who=@bob.tanaka")

    payload = await _started(scene)
    assert payload["reason"] == "disk is full"
    assert payload["who"] in {"U02BOB", "@bob.tanaka"}
