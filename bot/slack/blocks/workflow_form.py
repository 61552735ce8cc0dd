"""A workflow's own form: one field an input, of the element that fits its type, options and number of options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    ExternalDataMultiSelectElement,
    ExternalDataSelectElement,
    InputBlock,
    InputInteractiveElement,
    MarkdownTextObject,
    NumberInputElement,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    RadioButtonsElement,
    SectionBlock,
    StaticMultiSelectElement,
    StaticSelectElement,
)
from slack_sdk.models.views import View as SlackView

from bot.domain.catalogue import CatalogueEntry
from bot.domain.inputs import BOOLEANS, TEXT_LIMIT, Input, as_text, same
from bot.domain.policy import Grant
from bot.domain.workflows import AllowedValue, InputType
from bot.slack.blocks.approval_fields import Pleading, approval_fields, approval_notes
from bot.slack.blocks.modals import STATIC_OPTIONS
from bot.slack.blocks.text import LABEL, OPTION, OPTION_VALUE, PLACEHOLDER, SECTION, TITLE, cut, escape
from bot.slack.ids import Action, View, block_of

NOTHING_SAID = Pleading()


@dataclass(frozen=True, slots=True)
class FormMemory:
    """What a form remembers between opening and submitting. Only names: everything is decided anew at submit.

    `nonce` is one for each form opened, so that a form starts at most one run however often its submission arrives.
    """

    workflow: str
    channel_id: str
    definition_hash: str
    nonce: str

    def dump(self) -> str:
        return json.dumps({"w": self.workflow, "c": self.channel_id, "d": self.definition_hash, "n": self.nonce})

    @classmethod
    def load(cls, text: str) -> FormMemory:
        """Raises ValueError for anything that `dump` did not write."""
        try:
            kept = msgspec.json.decode(text, type=_Kept)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise ValueError("not a form's memory") from error
        return cls(kept.w, kept.c, kept.d, kept.n)


class _Kept(msgspec.Struct):
    """As it is written, with the length that each can have."""

    w: Annotated[str, msgspec.Meta(max_length=100)]
    c: Annotated[str, msgspec.Meta(max_length=40)]
    d: Annotated[str, msgspec.Meta(max_length=64)]
    n: Annotated[str, msgspec.Meta(max_length=64)]


def workflow_form(
    entry: CatalogueEntry,
    memory: FormMemory,
    values: Mapping[str, Any] | None = None,
    note: str = "",
    asks: Sequence[Grant] = (),
    pleading: Pleading = NOTHING_SAID,
) -> dict[str, Any]:
    """The form, with `values` (typed) filled in, and a `note` (mrkdwn) above the fields where there is something to say.

    `asks` are the rules by which it may need approval: the form says so, and asks for the reason, of which
    `pleading` is what was typed before.
    """
    blocks: list[Block] = []
    if len(entry.title) > TITLE:  # the modal's own title holds it else
        blocks.append(SectionBlock(text=MarkdownTextObject(text=f"*{escape(cut(entry.title, 150))}*")))
    if entry.description:
        description = cut(escape(cut(entry.description, 1500)), SECTION)  # escaping makes it longer
        blocks.append(ContextBlock(elements=[MarkdownTextObject(text=description)]))
    if note:
        blocks.append(SectionBlock(text=MarkdownTextObject(text=cut(f":warning: {note}", SECTION))))
    blocks += approval_notes(asks, entry.inputs)
    blocks += [_field(field, values or {}) for field in entry.inputs]
    blocks += approval_fields(asks, pleading)
    if not entry.inputs:
        blocks.append(ContextBlock(elements=[MarkdownTextObject(text="This workflow takes no inputs.")]))
    view = SlackView(
        type="modal",
        callback_id=View.FORM,
        title=PlainTextObject(text=cut(entry.title, TITLE)),
        submit=PlainTextObject(text="Run"),
        close=PlainTextObject(text="Cancel"),
        blocks=blocks,
        private_metadata=memory.dump(),
    )
    rendered: dict[str, Any] = view.to_dict()
    return rendered


def options_of(field: Input) -> tuple[AllowedValue, ...]:
    """What may be chosen in the field, in order; empty where something is typed."""
    if field.options:
        return field.options
    return BOOLEANS if field.type is InputType.BOOLEAN else ()


def choice(option: AllowedValue) -> Option:
    """One allowed value as an option of a select."""
    return Option(value=option_key(option.value), text=PlainTextObject(text=cut(option.label or " ", OPTION)))


def typed_choice(text: str) -> Option | None:
    """A value beside the listed ones as an option: it is its own key. None where an option can't hold it."""
    return Option(value=text, text=PlainTextObject(text=cut(text, OPTION))) if 0 < len(text) <= OPTION_VALUE else None


def option_key(value: Any) -> str:
    """How a value is named in an option: as typed, or by its hash where that is longer than Slack takes."""
    text = as_text(value)
    if 0 < len(text) <= OPTION_VALUE and not text.startswith("sha256:"):
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def problems(entry: CatalogueEntry, errors: Mapping[str, str]) -> str:
    """Errors by input as lines of a note. mrkdwn."""
    titles = {field.name: field.title for field in entry.inputs}
    return "\n".join(f"*{escape(cut(titles.get(name, name), 75))}*: {escape(words)}" for name, words in errors.items())


def _field(field: Input, values: Mapping[str, Any]) -> InputBlock:
    filled = field.name in values or field.has_default
    value = values.get(field.name, field.default)
    options = options_of(field)
    element = _select(field, options, filled, value) if options and not field.secret else _typed(field, filled, value)
    return InputBlock(
        block_id=block_of(field.name),
        label=PlainTextObject(text=cut(field.title, 150)),
        element=element,
        hint=_hint(field),
        optional=not field.required,
    )


def _hint(field: Input) -> PlainTextObject | None:
    parts = [field.description] if field.description else []
    if field.is_list and not options_of(field) and field.type is not InputType.ARRAY_OBJECT:
        parts.append("One a line, or a JSON array.")
    if field.secret:
        parts.append("Kept secret: it is shown and recorded nowhere. Slack shows it while you type.")
    # Radio buttons can't be emptied, so there is nothing to say of that.
    if (
        field.has_default
        and not field.secret
        and field.default not in ("", None)
        and field.type is not InputType.BOOLEAN
    ):
        parts.append(f"Empty means {cut(as_text(field.default), 100)}.")
    return PlainTextObject(text=cut(" ".join(parts), LABEL)) if parts else None


def _select(field: Input, options: tuple[AllowedValue, ...], filled: bool, value: Any) -> InputInteractiveElement:
    chosen = [_chosen(field, options, item) for item in (value if field.is_list else [value])] if filled else []
    initial = [option for option in chosen if option is not None]
    external = len(options) > STATIC_OPTIONS or field.extra
    common: dict[str, Any] = {"action_id": Action.INPUT}
    placeholder = "Choose, or type another value" if field.extra else "Choose"
    if field.is_list:
        common |= {"initial_options": initial or None, "placeholder": placeholder}
        if external:
            return ExternalDataMultiSelectElement(**common, min_query_length=0)
        return StaticMultiSelectElement(**common, options=[choice(option) for option in options])
    common["initial_option"] = initial[0] if initial else None
    if external:
        return ExternalDataSelectElement(**common, placeholder=placeholder, min_query_length=0)
    if field.type is InputType.BOOLEAN:
        return RadioButtonsElement(**common, options=[choice(option) for option in options])
    return StaticSelectElement(**common, placeholder=placeholder, options=[choice(option) for option in options])


def _chosen(field: Input, options: tuple[AllowedValue, ...], value: Any) -> Option | None:
    known = next((option for option in options if same(option.value, value)), None)
    if known is not None:
        return choice(known)
    # Slack refuses a whole form for one chosen value that isn't on the list.
    return typed_choice(as_text(value)) if field.extra else None


def _typed(field: Input, filled: bool, value: Any) -> InputInteractiveElement:
    initial = _as_typed(field, value) if filled and not field.secret else None
    action = Action.SECRET_INPUT if field.secret else Action.INPUT
    if field.type is InputType.NUMBER:
        return NumberInputElement(
            action_id=action, is_decimal_allowed=True, initial_value=None if initial is None else initial
        )
    placeholder = {
        InputType.OBJECT: '{"key": "value"}',
        InputType.ARRAY_OBJECT: '[{"key": "value"}]',
    }.get(field.type)
    return PlainTextInputElement(
        action_id=action,
        multiline=field.type is not InputType.STRING or "\n" in (initial or ""),
        max_length=TEXT_LIMIT,
        initial_value=initial or None,
        placeholder=cut(placeholder, PLACEHOLDER) if placeholder else None,
    )


def _as_typed(field: Input, value: Any) -> str | None:
    """A value as a person would have typed it into the field; None where a text field can't hold it."""
    if isinstance(value, str):
        text = value
    elif field.is_list and isinstance(value, list) and all(isinstance(item, str) and item for item in value):
        text = "\n".join(value)
        if text.startswith("[") or any(item != item.strip() or "\n" in item for item in value):
            text = json.dumps(value, ensure_ascii=False)
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= TEXT_LIMIT else None
