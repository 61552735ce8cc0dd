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


# Phones make one dash of two hyphens.
_OPTION = re.compile(r"(?:--|—|–)(dry-run|break-glass|reason)(?:=(.*))?", re.DOTALL)
# What follows is a sentence, in which quotes are apostrophes and `=` is a sign like others.
_FREE_TEXT = frozenset({Subcommand.APPROVE, Subcommand.REFUSE})


class UnreadableCommand(ValueError):
    """The text is no command; the message says how to write it."""


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand (None: nothing was typed), its words, its `key=value` pairs as typed, and the options of `run`."""

    subcommand: Subcommand | None
    words: tuple[str, ...] = ()
    pairs: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
    break_glass: bool = False
    reason: str = ""


def read_command(text: str) -> Command:
    """Parse the text that Slack sent. Raises UnreadableCommand."""
    parts = _unescape(text).split(maxsplit=1)
    if not parts:
        return Command(None)
    first, rest = parts[0], "".join(parts[1:])
    try:
        subcommand = Subcommand(first.lower())
    except ValueError:
        known = ", ".join(Subcommand)
        raise UnreadableCommand(f"“{first[:60]}” is not something I know. Try one of: {known}.") from None
    if subcommand in _FREE_TEXT:
        return Command(subcommand, tuple(rest.split()))
    options, tokens = _options(_tokens(rest))
    if options and subcommand is not Subcommand.RUN:
        raise UnreadableCommand(
            f"--{next(iter(options))} goes with run only. Without it, {subcommand} does what it says."
        )
    words: list[str] = []
    pairs: dict[str, str] = {}
    for token in tokens:
        key, equals, value = token.partition("=")
        if equals and key:
            if key in pairs:
                raise UnreadableCommand(f"“{key[:60]}” is given twice. Give each input once.")
            pairs[key] = value
        else:
            words.append(token)
    return Command(
        subcommand,
        tuple(words),
        pairs,
        dry_run="dry-run" in options,
        break_glass="break-glass" in options,
        reason=options.get("reason", ""),
    )


def _options(tokens: list[str]) -> tuple[dict[str, str], list[str]]:
    """The options among the tokens, and the other tokens. Raises UnreadableCommand."""
    options: dict[str, str] = {}
    others: list[str] = []
    waiting = iter(tokens)
    for token in waiting:
        found = _OPTION.fullmatch(token)
        if found is None:
            others.append(token)
            continue
        value = found[2] if found[2] is not None or found[1] != "reason" else next(waiting, "")
        if found[1] == "reason" and not value:
            raise UnreadableCommand('Write the reason behind it: --reason "the disk is full".')
        options[found[1]] = value or ""
    return options, others


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
    lexer = shlex.shlex(text.translate(_TYPOGRAPHY), posix=True)
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
