"""Slack's rules for the small parts of Block Kit: text, options, confirm dialogs, filters.

Pure: takes JSON, adds what is wrong to a list. Source of all figures: Slack docs:
reference/block-kit/composition-objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.records import Json

TEXT_KINDS = ("plain_text", "mrkdwn")
PLAIN = ("plain_text",)


@dataclass(frozen=True)
class Problem:
    """One thing Slack would refuse: where (a JSON pointer) and why."""

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"[ERROR] {self.message} [json-pointer:{self.pointer}]"


class Problems(list[Problem]):
    """What is wrong with a view or message, in reading order."""

    def add(self, at: str, message: str) -> None:
        self.append(Problem(at, message))


def check_fields(problems: Problems, value: Any, at: str, required: str, optional: str = "") -> bool:
    """Check that `value` is an object with the required properties and no unknown one; False if it can't be read on."""
    if not isinstance(value, dict):
        problems.add(at, "must provide an object")
        return False
    wanted, known = required.split(), {*required.split(), *optional.split()}
    missing = [name for name in wanted if value.get(name) is None]
    for name in missing:
        problems.add(at, f"missing required field: {name}")
    for name in sorted(set(value) - known):
        problems.add(at, f"invalid additional property: {name}")
    return not missing


def check_string(problems: Problems, value: Any, at: str, most: int, least: int = 1) -> bool:
    """Check a string's type and length in characters; absent (None) is fine."""
    if value is None:
        return True
    if not isinstance(value, str):
        problems.add(at, "must be a string")
    elif len(value) > most:
        problems.add(at, f"must be less than {most + 1} characters")
    elif len(value) < least:
        problems.add(at, f"must be more than {least - 1} characters")
    else:
        return True
    return False


def check_count(problems: Problems, value: Any, at: str, most: int, least: int = 1) -> list[Any]:
    """Check that it is an array of `least` to `most` items and return it, or an empty list."""
    if not isinstance(value, list):
        problems.add(at, "must provide an array")
        return []
    if len(value) > most:
        problems.add(at, f"no more than {most} items allowed [{len(value)} given]")
    if len(value) < least:
        problems.add(at, f"no fewer than {least} items allowed [{len(value)} given]")
    return value


def check_integer(problems: Problems, value: Any, at: str, least: int, most: int) -> None:
    """Check a whole number's range; absent is fine."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        problems.add(at, "must be an integer")
    elif not least <= value <= most:
        problems.add(at, f"must be between {least} and {most}")


def check_boolean(problems: Problems, value: Any, at: str) -> None:
    """Check for true or false; absent is fine."""
    if value is not None and not isinstance(value, bool):
        problems.add(at, "must be a boolean")


def check_text(problems: Problems, value: Any, at: str, most: int = 3000, kinds: tuple[str, ...] = PLAIN) -> None:
    """Check a text object of 1 to `most` characters; absent is fine."""
    if value is None:
        return
    if not isinstance(value, dict):
        problems.add(at, "must provide an object")
        return
    kind = value.get("type")
    if kind not in kinds:
        problems.add(
            f"{at}/type", f"must be one of: {', '.join(kinds)}" if kind in TEXT_KINDS else f"unsupported type: {kind}"
        )
        return
    if check_fields(problems, value, at, "type text", "emoji" if kind == "plain_text" else "verbatim"):
        check_string(problems, value["text"], f"{at}/text", most)
    check_boolean(problems, value.get("emoji"), f"{at}/emoji")
    check_boolean(problems, value.get("verbatim"), f"{at}/verbatim")


def check_option(problems: Problems, value: Any, at: str, *, kinds: tuple[str, ...] = PLAIN, url: bool = False) -> None:
    """Check an option: text 75, value 150, description 75 characters; `url` (3000) only in an overflow menu."""
    if not check_fields(problems, value, at, "text value", "description url" if url else "description"):
        return
    check_text(problems, value["text"], f"{at}/text", 75, kinds)
    check_string(problems, value["value"], f"{at}/value", 150)
    check_text(problems, value.get("description"), f"{at}/description", 75, kinds)
    check_string(problems, value.get("url"), f"{at}/url", 3000)


def check_options(problems: Problems, value: Any, at: str, most: int = 100, least: int = 1, **how: Any) -> None:
    """Check an array of options."""
    for index, option in enumerate(check_count(problems, value, at, most, least)):
        check_option(problems, option, f"{at}/{index}", **how)


def check_option_groups(problems: Problems, value: Any, at: str, least: int = 1) -> None:
    """Check up to 100 groups of up to 100 options, each with a label of at most 75 characters."""
    for index, group in enumerate(check_count(problems, value, at, 100, least)):
        here = f"{at}/{index}"
        if check_fields(problems, group, here, "label options"):
            check_text(problems, group["label"], f"{here}/label", 75)
            check_options(problems, group["options"], f"{here}/options")


def check_options_or_groups(problems: Problems, holder: Json, at: str, least: int = 1) -> None:
    """Check that exactly one of `options` and `option_groups` is given, and that one."""
    if ("options" in holder) == ("option_groups" in holder):
        problems.add(at, "must define either options or option_groups")
    elif "options" in holder:
        check_options(problems, holder["options"], f"{at}/options", least=least)
    else:
        check_option_groups(problems, holder["option_groups"], f"{at}/option_groups", least=least)


def check_suggestions(answer: Any) -> Problems:
    """Check the answer to a block_suggestion request: at most 100 options or 100 groups; none is fine."""
    problems = Problems()
    if check_fields(problems, answer, "", "", "options option_groups"):
        check_options_or_groups(problems, answer, "", least=0)
    return problems


def check_confirm(problems: Problems, value: Any, at: str) -> None:
    """Check a confirm dialog: title 100, text 300, confirm and deny 30 characters; absent is fine."""
    if value is None or not check_fields(problems, value, at, "title text confirm deny", "style"):
        return
    check_text(problems, value["title"], f"{at}/title", 100)
    check_text(problems, value["text"], f"{at}/text", 300, TEXT_KINDS)
    check_text(problems, value["confirm"], f"{at}/confirm", 30)
    check_text(problems, value["deny"], f"{at}/deny", 30)
    check_style(problems, value.get("style"), f"{at}/style")


def check_style(problems: Problems, value: Any, at: str) -> None:
    """Check a button's style; absent is fine."""
    if value is not None and value not in ("primary", "danger"):
        problems.add(at, "must be one of: primary, danger")


def check_filter(problems: Problems, value: Any, at: str) -> None:
    """Check the filter of a conversations select."""
    if value is None:
        return
    if check_fields(problems, value, at, "", "include exclude_external_shared_channels exclude_bot_users"):
        for kind in value.get("include", []):
            if kind not in ("im", "mpim", "private", "public"):
                problems.add(f"{at}/include", f"unsupported type: {kind}")
        if not value:
            problems.add(at, "must define at least one filter")


def check_dispatch_config(problems: Problems, value: Any, at: str) -> None:
    """Check when a text input sends block_actions."""
    if value is None or not check_fields(problems, value, at, "trigger_actions_on"):
        return
    for trigger in check_count(problems, value["trigger_actions_on"], f"{at}/trigger_actions_on", 2):
        if trigger not in ("on_enter_pressed", "on_character_entered"):
            problems.add(f"{at}/trigger_actions_on", f"unsupported type: {trigger}")
