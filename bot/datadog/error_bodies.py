"""What Datadog, or a proxy in front of it, says went wrong: a body in, one sentence and a code out. Pure.

Datadog's own description of its API and its real answers differ: an entry of `errors` is a string or an object, and a
proxy answers with HTML. All of it is outside text: it is cut, put on one line, and a page is stripped of its tags.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.redaction import NOT_PRINTED, Redactor

TEXT_LIMIT = 200  # characters kept of a body that isn't JSON
SENTENCE_LIMIT = 500  # characters kept of what JSON errors say together
READ_LIMIT = 4_000  # characters looked at in a body that isn't JSON
CODE_LIMIT = 60

_SCRIPT = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>?")


@dataclass(frozen=True, slots=True)
class ErrorText:
    """The sentence (without a full stop, empty if nothing was said) and the first error's code, if it had one."""

    sentence: str
    code: str | None = None


def read_error(body: bytes, hidden: Iterable[str] = ()) -> ErrorText:
    """Put an error body in words. Each text in `hidden` (keys, values of inputs) is replaced wherever it is quoted."""
    text = body.decode("utf-8", errors="replace")
    secrets = Redactor(hidden, mark="…", shortest=1)
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return ErrorText(_cut(secrets.text(_without_tags(text[:READ_LIMIT])), TEXT_LIMIT))
    entries = list(_entries(parsed))
    words = "; ".join(dict.fromkeys(filter(None, (secrets.text(_words(entry)) for entry in entries))))
    return ErrorText(_cut(words, SENTENCE_LIMIT), next(filter(None, map(_code, entries)), None))


def _entries(parsed: Any) -> Iterator[Any]:
    if isinstance(parsed, Mapping):
        found = next((parsed[key] for key in ("errors", "error", "message") if parsed.get(key)), None)
    else:
        found = parsed
    if isinstance(found, list):
        yield from found
    elif found is not None:
        yield found


def _words(entry: Any) -> str:
    if isinstance(entry, str):
        return _one_line(entry)
    if not isinstance(entry, Mapping):
        return ""
    title, detail = (_one_line(entry[key]) if isinstance(entry.get(key), str) else "" for key in ("title", "detail"))
    if title and detail and title.lower() not in detail.lower():
        return f"{title}: {detail}"
    return detail or title or _code(entry) or ""


def _code(entry: Any) -> str | None:
    code = entry.get("code") if isinstance(entry, Mapping) else None
    return code if isinstance(code, str) and re.fullmatch(rf"\w{{1,{CODE_LIMIT}}}", code, re.ASCII) else None


def _without_tags(text: str) -> str:
    # Only where there are some: `a < b` in a plain sentence stays. In JSON errors `<no value>` is Datadog's own text.
    if re.search(r"<[a-zA-Z!/]", text):
        text = html.unescape(_TAG.sub(" ", _SCRIPT.sub(" ", text)))
    return _one_line(text)


def _one_line(text: str) -> str:
    return NOT_PRINTED.sub(" ", text).strip().rstrip(".")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
