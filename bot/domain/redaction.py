"""Takes secrets out of texts: the one place that does, for logs, for what Datadog quotes, and for what a workflow puts out.

A secret is looked for in every form in which it may be quoted: as it was typed, on one line, and escaped for JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

HIDDEN = "(secret)"
SHORTEST = 4  # characters; hiding shorter values would leave holes in every word

# Half of a surrogate pair, which JSON can hold, can't be written to a database or a log.
NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\s]+")


class Redactor:
    """Knows some secrets, none shorter than `shortest`, and puts `mark` in the place of each."""

    def __init__(self, secrets: Iterable[str], mark: str = HIDDEN, shortest: int = SHORTEST) -> None:
        self._mark = mark
        self._shortest = shortest
        self._forms: list[str] = []
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Look for these too."""
        forms = {form for secret in secrets if len(secret) >= self._shortest for form in _written_forms(secret)}
        # The longest first: one secret may be part of another.
        self._forms = sorted(forms.union(self._forms), key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without secrets."""
        for form in self._forms:
            text = text.replace(form, self._mark)
        return text

    def value(self, value: Any) -> Any:
        """The value without secrets in its texts, however deep."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.value(key): self.value(item) for key, item in value.items()}
            case list() | tuple():
                return [self.value(item) for item in value]
            case _:
                return value


def hide(value: Any, secrets: Collection[str]) -> Any:
    """The value with every secret in its texts replaced, however deep."""
    return Redactor(secrets).value(value)


def _written_forms(secret: str) -> Iterator[str]:
    yield from filter(None, (secret, NOT_PRINTED.sub(" ", secret).strip(), json.dumps(secret)[1:-1]))
