"""The text after the slash command: `run NAME key=value …`. Total: any text gives a command or words about what is wrong."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.domain.catalogue import CatalogueEntry
from bot.domain.inputs import InvalidInput, check_payload
from bot.slack.ids import Subcommand
from bot.use_cases.run_workflow import Values

# What phones type instead of quotes and spaces. A curly apostrophe stays: it is one more often than a quote.
_TYPOGRAPHY = str.maketrans({"“": '"', "”": '"', "„": '"', "\u00a0": " ", "\u2007": " ", "\u202f": " "})
_REFERENCE = re.compile(r"<[@#]([^|>]+)(?:\|[^>]*)?>")
_LINK = re.compile(r"<((?:https?|mailto):[^|>]+)(?:\|[^>]*)?>")


DRY_RUN = frozenset({"--dry-run", "—dry-run", "–dry-run"})  # phones make dashes of two hyphens


class UnreadableCommand(ValueError):
    """The text is no command; the message says how to write it."""


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand (None: nothing was typed), its words, and its `key=value` pairs as typed."""

    subcommand: Subcommand | None
    words: tuple[str, ...] = ()
    pairs: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


def read_command(text: str) -> Command:
    """Parse the text that Slack sent. Raises UnreadableCommand."""
    tokens = _tokens(text)
    if not tokens:
        return Command(None)
    first, rest = tokens[0], tokens[1:]
    try:
        subcommand = Subcommand(first.lower())
    except ValueError:
        known = ", ".join(Subcommand)
        raise UnreadableCommand(f"“{first[:60]}” is not something I know. Try one of: {known}.") from None
    words: list[str] = []
    pairs: dict[str, str] = {}
    for token in rest:
        if token in DRY_RUN:
            continue
        key, equals, value = token.partition("=")
        if equals and key:
            if key in pairs:
                raise UnreadableCommand(f"“{key[:60]}” is given twice. Give each input once.")
            pairs[key] = value
        else:
            words.append(token)
    dry_run = any(token in DRY_RUN for token in rest)
    if dry_run and subcommand is not Subcommand.RUN:
        raise UnreadableCommand(f"--dry-run goes with run only. Without it, {subcommand} does what it says.")
    return Command(subcommand, tuple(words), pairs, dry_run)


def read_pairs(entry: CatalogueEntry, pairs: Mapping[str, str]) -> Values:
    """The values of `key=value` pairs, with an error for each that can't be one. Secrets are taken from the form only."""
    given: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, text in pairs.items():
        field = entry.input(name)
        if field is None:
            known = ", ".join(f.name for f in entry.inputs) or "none"
            errors[name] = f"This workflow has no input of that name. Its inputs: {known}."
        elif field.secret:
            errors[name] = "This input is secret: type it into the form, not into a command."
        else:
            try:
                given[name] = field.from_text(text)
            except InvalidInput as error:
                errors[name] = str(error)
    if not errors:
        try:
            check_payload(given)
        except InvalidInput as error:
            raise UnreadableCommand(str(error)) from None
    return Values(given, errors)


def _tokens(text: str) -> list[str]:
    lexer = shlex.shlex(_unescape(text).translate(_TYPOGRAPHY), posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""  # a backslash is a backslash: Windows paths and regular expressions are values too
    try:
        return list(lexer)
    except ValueError:
        raise UnreadableCommand(
            'A quote is opened and not closed. Write values with spaces as key="two words".'
        ) from None


def _unescape(text: str) -> str:
    """What the person typed, from what Slack made of it (Slack docs: interactivity/implementing-slash-commands)."""
    text = _REFERENCE.sub(lambda match: match[1], text)
    text = _LINK.sub(lambda match: match[1].removeprefix("mailto:"), text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
