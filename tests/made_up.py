"""Made-up runs, workflows and inputs for tests: plain ones by keyword, and odd ones by Hypothesis."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from bot.domain.audit import Act
from bot.domain.catalogue import CatalogueEntry, Limits, Listing
from bot.domain.facts import FACTS
from bot.domain.inputs import Input, InvalidInput
from bot.domain.installations import Installation
from bot.domain.runs import Run, State
from bot.domain.workflows import AllowedValue, InputType

# The machine may be busy, and what is drawn must not depend on the day.
settings.register_profile("bot", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("bot")

NOON = datetime(2026, 7, 28, 12, 0, tzinfo=UTC)

RUN = Run(
    id="R-0123456789",
    request_key="key-1",
    request_id="request-1",
    team_id="T01LOCAL",
    user_id="U01ALICE",
    user_name="Alice",
    channel_id="C01OPS",
    workflow="restart-service",
    title="Restart a service",
    datadog_id="ccf73164-1998-4785-a7a3-8d06c7e5f558",
    account="default",
    inputs={"service": "web"},
    secrets={},
    definition_hash="d" * 64,
    policy_version=1,
    state=State.READY,
    created_at=NOON,
    due=NOON,
    token=1,
)
ACME = Installation(
    id="T01ACME",
    team_id="T01ACME",
    enterprise_id="",
    name="Acme",
    app_id="A01",
    bot_user_id="U01BOT",
    bot_id="B01BOT",
    scopes="commands",
    token="sealed",
    refresh_token="",
    expires_at=None,
    installed_at=NOON,
    installed_by="U01ALICE",
    version=1,
)


def run(**changes: Any) -> Run:
    """A run that is ready, held with token 1 and due since noon."""
    return replace(RUN, **changes)


def facts(act: Act, **given: Any) -> dict[str, Any]:
    """Every fact that the act always has; made up where it isn't given."""
    return {name: given.get(name, f"some {name}") for name in FACTS[act.value].always}


def entry(*inputs: Input, **changes: Any) -> CatalogueEntry:
    """A workflow of the catalogue."""
    fields: dict[str, Any] = {
        "name": "restart-service",
        "datadog_id": "ccf73164-1998-4785-a7a3-8d06c7e5f558",
        "title": "Restart a service",
        "tags": ("ops",),
        "definition_hash": "d" * 64,
    }
    return CatalogueEntry(**{**fields, "inputs": inputs, **changes})


def listing(of: CatalogueEntry) -> Listing:
    """The workflow as a list shows it."""
    return Listing(of.name, of.title, of.description, of.account, of.tags)


def string_input(name: str = "env", **changes: Any) -> Input:
    return Input(name=name, type=InputType.STRING, **changes)


def values(*items: Any) -> tuple[AllowedValue, ...]:
    """Allowed values that are labelled by themselves."""
    return tuple(AllowedValue(item, str(item)) for item in items)


# Everything a person can type or Datadog can hold: markup, emoji, letters from elsewhere, line ends; nothing unstorable.
TEXT = st.text(
    st.one_of(
        st.sampled_from("<>&*_~`@#!|\"'=\\ \n\t“”‘’…éß🙂日"),
        st.characters(exclude_characters="\x00", codec="utf-8"),
    ),
    max_size=40,
)
LONG_TEXT = st.builds(lambda text, times: text * times, TEXT, st.sampled_from([1, 1, 1, 20, 400]))
NUMBERS = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
ITEMS: dict[InputType, st.SearchStrategy[Any]] = {
    InputType.STRING: TEXT,
    InputType.NUMBER: NUMBERS,
    InputType.BOOLEAN: st.booleans(),
    InputType.OBJECT: OBJECTS,
}


def item_type(kind: InputType) -> InputType:
    """What a list of this type holds; the type itself where it is no list."""
    return InputType(kind.value.removeprefix("ARRAY_"))


def value_of(kind: InputType) -> st.SearchStrategy[Any]:
    """Any value of the type."""
    item = ITEMS[item_type(kind)]
    return st.lists(item, max_size=4) if kind.name.startswith("ARRAY_") else item


@st.composite
def inputs(draw: st.DrawFn, name: str = "field") -> Input:
    """One input of any type, with or without default, options and extra values, as a policy would let it pass."""
    kind = draw(st.sampled_from(list(InputType)))
    how_many = draw(st.sampled_from([0, 0, 1, 3, 99, 101, 130]))
    options: tuple[AllowedValue, ...] = ()
    if how_many and item_type(kind) is not InputType.BOOLEAN:
        prefix = draw(LONG_TEXT)
        options = tuple(_numbered(kind, number, prefix) for number in range(how_many))
    field = Input(
        name=name,
        type=kind,
        label=draw(TEXT)[:150],
        description=draw(LONG_TEXT)[:1500],
        options=options,
        extra=draw(st.booleans()),
        secret=draw(st.booleans()),
    )
    if not draw(st.booleans()):
        return field
    default = draw(value_of(kind))
    if options and not field.extra:
        default = [options[0].value] if field.is_list else options[0].value
    try:
        field.checked(default)
    except InvalidInput:
        return field
    return replace(field, has_default=True, default=default)


def _numbered(kind: InputType, number: int, prefix: str) -> AllowedValue:
    value: Any = {
        InputType.STRING: f"{prefix}{number}",
        InputType.NUMBER: number,
        InputType.OBJECT: {"number": number, "prefix": prefix},
    }[item_type(kind)]
    return AllowedValue(value, f"{prefix} {number}" if number else "")


TIMES = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=30)).map(
    lambda time: timedelta(seconds=round(time.total_seconds()))
)
LIMITS = st.builds(
    Limits,
    at_once=st.none() | st.integers(1, 1000),
    cool_down=st.none() | TIMES,
    per_person=st.none() | st.tuples(st.integers(1, 1000), TIMES),
)


@st.composite
def entries(draw: st.DrawFn, most: int = 4) -> CatalogueEntry:
    """One workflow with odd and long words, and up to `most` inputs."""
    count = draw(st.integers(0, most))
    return CatalogueEntry(
        name=draw(st.text(string.ascii_lowercase, min_size=1, max_size=80)),
        datadog_id="ccf73164-1998-4785-a7a3-8d06c7e5f558",
        title=draw(LONG_TEXT.filter(bool))[:150],
        description=draw(LONG_TEXT)[:2000],
        inputs=tuple(draw(inputs(f"field {number}")) for number in range(count)),
        definition_hash="d" * 64,
        account=draw(st.sampled_from(["default", "other"])),
        datadog_hash=draw(st.sampled_from(["", "h" * 64])),
        wording=draw(st.dictionaries(st.sampled_from(["field 0", "field 1"]), st.fixed_dictionaries({"label": TEXT}))),
        unfit=draw(TEXT),
        lock_on=tuple(f"field {number}" for number in range(draw(st.integers(0, count)))),
        limits=draw(LIMITS),
    )
