"""A run's inputs exactly as they would be sent, for those who decide on them: nothing cut, nothing invisible."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

from slack_sdk.models.blocks import (
    Block,
    MarkdownTextObject,
    RichTextBlock,
    RichTextElementParts,
    RichTextPreformattedElement,
    SectionBlock,
)

from bot.domain.inputs import as_text
from bot.domain.runs import Run
from bot.slack.blocks.text import SECTION, code, escape

MOST = 80  # blocks; a modal holds 100 (Slack docs: surfaces/modals), and more is said around them
LINE = 200  # characters of a value that stands beside its name; a longer one stands below
# Letters and signs that show nothing, or turn the text around them: a person could take one value for another.
INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def exact_inputs(run: Run) -> list[Block]:
    """Every input, whole; of a secret its fingerprint."""
    blocks: list[Block] = []
    lines: list[str] = []
    for name, value in run.inputs.items():
        text = visible(as_text(value))
        if _fits_a_line(text):
            lines.append(f"*{escape(visible(name))}*  {code(text)}")
            continue
        blocks += _sections(lines)
        lines = []
        blocks += [*_sections([f"*{escape(visible(name))}*"]), *_preformatted(text)]
    lines += [f"*{escape(visible(name))}*  _secret_, fingerprint {code(seen)}" for name, seen in run.secrets.items()]
    blocks = [*blocks, *_sections(lines)] or _sections(["This workflow takes no inputs."])
    return blocks if len(blocks) <= MOST else _as_json(run)


def _as_json(run: Run) -> list[Block]:
    """Very many long inputs: together as the JSON that would be sent, which takes the fewest blocks."""
    payload = {**run.inputs, **{name: f"(secret, fingerprint {seen})" for name, seen in run.secrets.items()}}
    return _preformatted(visible(json.dumps(payload, indent=1, ensure_ascii=False)))


def size_of(blocks: Sequence[Block]) -> int:
    """What blocks count for in a message, in characters of JSON (python-slack-sdk passes it on; Slack counts about so)."""
    return len(json.dumps([block.to_dict() for block in blocks]))


def visible(text: str) -> str:
    """The text with every invisible character spelled out as `\\u…`; line breaks and tabs stay."""
    return "".join(char if not _hides(char) else char.encode("unicode_escape").decode() for char in text)


def _hides(char: str) -> bool:
    return char not in "\n\t" and unicodedata.category(char) in INVISIBLE


def _fits_a_line(text: str) -> bool:
    """Whether a code span shows it as it is: on one line, and no sign in it that code spans change."""
    return 0 < len(text) <= LINE and not set(text) & set("\n\t`") and text == text.strip() and "  " not in text


def _preformatted(text: str) -> list[Block]:
    parts = [text[start : start + SECTION] for start in range(0, len(text), SECTION)] or ['""']
    return [
        RichTextBlock(elements=[RichTextPreformattedElement(elements=[RichTextElementParts.Text(text=part)])])
        for part in parts
    ]


def _sections(lines: Sequence[str]) -> list[Block]:
    """Lines in as few sections as hold them."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + 1 + len(line) <= SECTION:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return [SectionBlock(text=MarkdownTextObject(text=text)) for text in texts]
