"""A submitted workflow form: `view.state.values` to typed values (Slack docs: reference/views, view.state)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.catalogue import CatalogueEntry
from bot.domain.inputs import Input, InvalidInput, check_payload
from bot.slack.blocks.approval_fields import GLASS, REASON, Pleading
from bot.slack.blocks.workflow_form import option_key, options_of
from bot.slack.ids import Action, block_of
from bot.use_cases.run_workflow import Values


def read_form(entry: CatalogueEntry, state: Mapping[str, Any]) -> Values:
    """The values of the form, and an error for each field that holds none. An empty optional field takes its default."""
    given: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in entry.inputs:
        action = Action.SECRET_INPUT if field.secret else Action.INPUT
        element = state.get(block_of(field.name), {}).get(action.value) or {}
        try:
            _read_field(field, element, given)
        except InvalidInput as error:
            errors[field.name] = str(error)
    if not errors:
        try:
            check_payload(given)
        except InvalidInput as error:
            errors[next(iter(given))] = str(error)
    return Values(given, errors)


def read_pleading(state: Mapping[str, Any]) -> Pleading:
    """The reason for those who have to approve, and whether the glass is to be broken."""
    reason = (state.get(REASON) or {}).get(Action.APPROVAL_REASON.value) or {}
    glass = (state.get(GLASS) or {}).get(Action.BREAK_GLASS.value) or {}
    return Pleading(str(reason.get("value") or ""), bool(glass.get("selected_options")))


def _read_field(field: Input, element: Mapping[str, Any], given: dict[str, Any]) -> None:
    if "selected_options" in element:
        chosen = element["selected_options"] or []
        if chosen:
            given[field.name] = field.checked([_value_of(field, option["value"]) for option in chosen])
    elif "selected_option" in element:
        if element["selected_option"]:
            given[field.name] = field.checked(_value_of(field, element["selected_option"]["value"]))
    else:
        text = element.get("value")
        if text is not None and text != "":
            given[field.name] = field.from_text(text)


def _value_of(field: Input, key: str) -> Any:
    """The value that an option stands for. Slack doesn't check what it sends, so an unknown one is read like typed text."""
    for option in options_of(field):
        if option_key(option.value) == key:
            return option.value
    if field.options and not field.extra:
        raise InvalidInput("This value is not one of the choices any more. Choose again.")
    item = Input(name=field.name, type=_item_type(field)) if field.is_list else Input(name=field.name, type=field.type)
    return item.from_text(key)


def _item_type(field: Input) -> Any:
    return type(field.type)(field.type.value.removeprefix("ARRAY_"))
