"""What Slack sends, as far as anything reads it: the listeners, and Bolt. Checked once, at the door, whichever door it is.

Total: any bytes give a payload or `Malformed`. Behind it, a field that is there has the type that Slack documents
(reference/interaction-payloads, interactivity/implementing-slash-commands, apis/events-api), and an id has its length.
Slack sends null for much that doesn't apply, so null passes wherever a field may be missing.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
FIELDS = 100  # of a form; a slash command has some fifteen

Id = Annotated[str, msgspec.Meta(max_length=40)]  # of a person, team, channel: what the database has room for
Name = Annotated[str, msgspec.Meta(max_length=255)]  # Slack docs: limit of block_id, action_id and callback_id


class Malformed(ValueError):
    """None of Slack's requests looks like this."""


class _Thing(msgspec.Struct):
    """A person, a team, an enterprise, a channel, a user group: an id, and perhaps whose it is."""

    id: Id | None = None
    team_id: Id | None = None
    enterprise_id: Id | None = None


class _Option(msgspec.Struct):
    value: str


class _Element(msgspec.Struct):
    """A pressed or filled in element."""

    action_id: Name | None = None
    block_id: Name | None = None
    value: str | None = None
    selected_option: _Option | None = None
    selected_options: list[_Option] | None = None
    selected_user: Id | None = None
    selected_conversation: Id | None = None
    selected_channel: Id | None = None
    selected_date: Name | None = None


class _State(msgspec.Struct):
    values: dict[str, dict[str, _Element]] | None = None


class _Block(msgspec.Struct):
    type: Name | None = None
    block_id: Name | None = None
    element: dict[str, Any] | None = None


class _View(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    type: Name | None = None
    callback_id: Name | None = None
    private_metadata: Annotated[str, msgspec.Meta(max_length=3000)] | None = None
    state: _State | None = None
    blocks: list[_Block] | None = None
    team_id: Id | None = None
    app_installed_team_id: Id | None = None


class _ResponseUrl(msgspec.Struct):
    response_url: str | None = None


class _Part(msgspec.Struct):
    """A payload, and each part of one in which Bolt looks for whose it is: event, message, authorization."""

    type: Name | None = None
    command: Name | None = None
    text: str | None = None
    value: str | None = None
    action_id: Name | None = None
    block_id: Name | None = None
    callback_id: Name | None = None
    trigger_id: Name | None = None
    response_url: str | None = None
    response_urls: list[_ResponseUrl] | None = None
    user: Id | _Thing | None = None
    user_id: Id | None = None
    team: Id | _Thing | None = None
    team_id: Id | None = None
    enterprise: Id | _Thing | None = None
    enterprise_id: Id | None = None
    channel: Id | _Thing | None = None
    channel_id: Id | None = None
    subteam: _Thing | None = None
    subteam_id: Id | None = None
    tab: Name | None = None
    bot_id: Id | None = None
    user_team: Id | None = None
    context_team_id: Id | None = None
    context_enterprise_id: Id | None = None
    thread_ts: Name | None = None
    is_enterprise_install: bool | str | None = None
    actions: list[_Element] | None = None
    view: _View | None = None
    event: _Part | msgspec.UnsetType = msgspec.UNSET  # Bolt stumbles over null
    message: _Part | None = None
    previous_message: _Part | None = None
    item: _Part | None = None
    assistant_thread: _Part | None = None
    function_data: dict[str, Any] | None = None
    authorizations: list[_Part] | None = None


def read_body(raw: bytes, content_type: str) -> dict[str, Any]:
    """The payload in the body of a request: JSON, a form's field `payload`, or the form itself. Raises Malformed.

    Bolt 1.30 reads a form that holds the word `payload`, but no field of that name, as empty, so it isn't asked.
    """
    if content_type == JSON:
        return read_payload(raw)
    fields = _read_form(raw)
    if "payload" in fields:
        return read_payload(fields["payload"])
    return checked(fields)


def _read_form(raw: bytes) -> dict[str, str]:
    """The fields of a form. Raises Malformed where they are too many, or no UTF-8."""
    if raw.count(b"&") >= FIELDS:
        raise Malformed
    pairs = (part.partition(b"=") for part in raw.split(b"&") if part)
    try:
        return {_unquoted(name): _unquoted(value) for name, _, value in pairs}
    except UnicodeDecodeError as error:
        raise Malformed from error


def _unquoted(text: bytes) -> str:
    """What a form writes as `%41` is `=41` in quoted-printable, which the standard library reads in C: by urllib a submission
    of 3 kB takes 160 µs, longer than all else until the listener. Slack sends no `%` that isn't the beginning of one."""
    text = text.replace(b"+", b" ")
    if b"%" in text:
        text = binascii.a2b_qp(text.replace(b"=", b"%3D").replace(b"%", b"="))
    return text.decode()


def read_payload(text: str | bytes) -> dict[str, Any]:
    """The payload that is written in JSON. Raises Malformed."""
    try:
        payload = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Malformed from error
    return checked(payload)


def checked(payload: object) -> dict[str, Any]:
    """The payload itself, known to have the shape of one. Raises Malformed."""
    try:
        msgspec.convert(payload, _Part)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Malformed from error
    if not isinstance(payload, dict) or not _is_text(payload):
        raise Malformed
    return payload


def _is_text(payload: Mapping[str, Any]) -> bool:
    """Whether all text in it can be written down: no database takes NUL, and half a character is none."""
    waiting: list[Any] = [payload]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if "\0" in value:
                return False
        elif isinstance(value, dict):
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return True
