"""A run's inputs exactly as they would be sent, for those who decide on them: nothing cut, nothing invisible."""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slack_sdk.models.blocks import (
    Block,
    MarkdownTextObject,
    RichTextBlock,
    RichTextElement,
    RichTextElementParts,
    RichTextPreformattedElement,
    RichTextSectionElement,
    SectionBlock,
)

from bot.domain.inputs import as_text
from bot.domain.runs import Run
from bot.slack.blocks.text import SECTION, code, escape

MOST = 80  # blocks; a modal holds 100 (Slack docs: surfaces/modals), and more is said around them
LINE = 200  # characters of a value that stands beside its name; a longer one stands below
TOGETHER = 4 * SECTION  # characters in one block of rich text
# Letters and signs that show nothing, or turn the text around them: a person could take one value for another.
INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Zs"})
# Unicode's Default_Ignorable_Code_Point, as far as the categories don't say it; and the braille pattern without a dot.
IGNORABLE = frozenset(
    chr(point)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0000, 0xE0FFF),
    )
    for point in range(first, last + 1)
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """One input, all of it visible; of a secret `text` is the fingerprint."""

    name: str
    text: str
    secret: bool = False

    @property
    def fits_a_line(self) -> bool:
        """Whether a line of mrkdwn shows it as it is: short, and no sign in it that code spans change."""
        short = len(self.name) <= LINE and len(self.text) <= LINE
        return short and not set(self.text) & set("\n\t`") and "  " not in self.text and "\n" not in self.name

    @property
    def line(self) -> str:
        return f"*{escape(self.name)}*  {'_secret_, fingerprint ' if self.secret else ''}{code(self.text)}"

    @property
    def elements(self) -> list[tuple[int, RichTextElement]]:
        """The same as rich text, which shows any text as it is; and how long each part is."""
        note = "secret, fingerprint" if self.secret else "" if self.text else "empty"
        head = [(part, _BOLD) for part in _parts(self.name or '""')] + [(note, _ITALIC)] * bool(note)
        named = [(len(part), RichTextSectionElement(elements=[_Text(text=part, style=how)])) for part, how in head]
        return [
            *named,
            *((len(part), RichTextPreformattedElement(elements=[_Text(text=part)])) for part in _parts(self.text)),
        ]


_Text = RichTextElementParts.Text
_BOLD = RichTextElementParts.TextStyle(bold=True)
_ITALIC = RichTextElementParts.TextStyle(italic=True)


def exact_inputs(run: Run) -> list[Block]:
    """Every input, whole; of a secret its fingerprint. At most `MOST` blocks."""
    shown = [_Shown(visible(name), visible(as_text(value))) for name, value in run.inputs.items()]
    shown += [_Shown(visible(name), seen, secret=True) for name, seen in run.secrets.items()]
    if not shown:
        return list(_sections(["This workflow takes no inputs."]))
    blocks: list[Block] = []
    groups = [(fits, list(some)) for fits, some in itertools.groupby(shown, lambda one: one.fits_a_line)]
    for fits, some in groups:
        blocks += _sections([one.line for one in some]) if fits else _rich(some)
    # Where lines and longer ones alternate, all of them as rich text take the fewest blocks.
    return blocks if len(blocks) <= MOST else list(_rich(shown))


def size_of(blocks: Sequence[Block]) -> int:
    """What blocks count for in a message, in characters of JSON (slackapi/bolt-js issue 2509)."""
    return len(json.dumps([block.to_dict() for block in blocks], ensure_ascii=False))


def visible(text: str) -> str:
    """The text with every invisible character spelled out as `\\x…`, `\\u…` or `\\U…`, and white space at the ends too.

    Line breaks and tabs within stay. Backslashes before something that reads like a spelled one are doubled, so that what
    was typed is never shown as what was spelled out: no two texts look the same.
    """
    leading = len(text) - len(text.lstrip(" \n\t"))
    last, line_ends, doubles = True, True, False  # seen from behind: nothing but space up to the end; up to the line's
    shown: list[str] = []
    for index in range(len(text) - 1, -1, -1):
        char = text[index]
        space, ends = char in " \t", char == "\n"
        last, line_ends = last and (space or ends), ends or (line_ends and space)
        if index < leading or (ends and last) or (space and line_ends) or _hides(char):
            shown.append(_spelled(char))
            doubles = True
        elif char == "\\":
            shown.append("\\\\" if doubles else char)
        else:
            shown.append(char)
            doubles = char in "uUx"
    return "".join(reversed(shown))


def _hides(char: str) -> bool:
    return char not in " \n\t" and (unicodedata.category(char) in INVISIBLE or char in IGNORABLE)


def _spelled(char: str) -> str:
    point = ord(char)
    if point > 0xFFFF:
        return f"\\U{point:08x}"
    return f"\\u{point:04x}" if point > 0xFF else f"\\x{point:02x}"


def _parts(text: str) -> list[str]:
    return [text[start : start + SECTION] for start in range(0, len(text), SECTION)]


def _rich(some: Iterable[_Shown]) -> list[RichTextBlock]:
    """As rich text in as few blocks as hold it."""
    blocks: list[list[RichTextElement]] = [[]]
    free = TOGETHER
    for length, element in (each for one in some for each in one.elements):
        if length > free:
            blocks.append([])
            free = TOGETHER
        blocks[-1].append(element)
        free -= length
    return [RichTextBlock(elements=elements) for elements in blocks]


def _sections(lines: Sequence[str]) -> list[SectionBlock]:
    """Lines in as few sections as hold them."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + 1 + len(line) <= SECTION:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return [SectionBlock(text=MarkdownTextObject(text=text)) for text in texts]
