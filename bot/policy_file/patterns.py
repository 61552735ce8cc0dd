"""Regular expressions of the policy file: they are matched against what anybody types, so one must not take for ever."""

from __future__ import annotations

import re
from re import _parser  # type: ignore[attr-defined]  # the parser of `re` itself; there is no other that reads the same
from typing import Any

MANY = 3  # repeats from here on count as any number: two of them take a text's length squared at most
LETTERS = [chr(code) for code in range(256)] + ["☃"]  # what a character of a pattern is tried on


def check_pattern(pattern: str) -> str:
    """The pattern itself. Raises ValueError where it is none, or could take for ever on some text.

    Refused is a repeat whose body holds another repeat, or alternatives, without a character that shows where one round
    ends: `(a+)+` can read a text in endlessly many ways, `[a-z]+(-[a-z]+)*` in one.
    """
    try:
        re.compile(pattern)
        tree = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a valid regular expression: {error}") from None
    for body in _repeated(tree):
        inner = [*_repeated(body, within=True)]
        letters = {letter for part in inner for letter in _letters(part)}
        marks = [_of_one(op, what) for op, what in _flat(body)]
        if inner and not any(mark and not mark & letters for mark in marks):
            raise ValueError(
                "this could take for ever on some texts: a repeat or alternatives inside a repeat, with no character"
                " between rounds that they can't match; write it as in [a-z]+(-[a-z]+)*"
            )
    return pattern


def _repeated(tree: Any, *, within: bool = False) -> list[Any]:
    """The bodies of all repeats; `within` a repeat, alternatives too."""
    found = []
    for op, what in tree:
        if str(op) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and (
            what[0] != what[1] if within else what[1] >= MANY
        ):
            found.append(what[2])
        if within and str(op) == "BRANCH" and not all(_single(branch) for branch in what[1]):
            found += what[1]
        for part in _parts(op, what):
            found += _repeated(part, within=within)
    return found


def _parts(op: Any, what: Any) -> list[Any]:
    match str(op):
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return [what[2]]
        case "SUBPATTERN":
            return [what[3]]
        case "BRANCH":
            return list(what[1])
        case "ASSERT" | "ASSERT_NOT":
            return [what[1]]
        case "ATOMIC_GROUP":
            return [what]
        case "GROUPREF_EXISTS":
            return [part for part in what[1:] if part is not None]
        case _:
            return []


def _single(branch: Any) -> bool:
    return len(branch) == 1 and bool(_of_one(*branch[0]))


def _flat(body: Any) -> list[tuple[Any, Any]]:
    """What a round has to hold, groups opened."""
    found: list[tuple[Any, Any]] = []
    for op, what in body:
        found += _flat(what[3]) if str(op) == "SUBPATTERN" else [(op, what)]
    return found


def _letters(tree: Any) -> set[str]:
    found: set[str] = set()
    for op, what in tree:
        found |= _of_one(op, what)
        for part in _parts(op, what):
            found |= _letters(part)
    return found


def _of_one(op: Any, what: Any) -> set[str]:
    """The letters that an item of exactly one character matches; empty for any other item."""
    match str(op):
        case "LITERAL":
            return {letter for letter in LETTERS if ord(letter) == what} or {chr(what)}
        case "NOT_LITERAL":
            return {letter for letter in LETTERS if ord(letter) != what}
        case "ANY":
            return set(LETTERS)
        case "IN":
            return {letter for letter in LETTERS if _in_set(letter, what)}
        case _:
            return set()


def _in_set(letter: str, what: Any) -> bool:
    negated = str(what[0][0]) == "NEGATE"
    return any(_one_of_set(letter, str(op), value) for op, value in what) is not negated


_CATEGORIES = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}


def _one_of_set(letter: str, op: str, value: Any) -> bool:
    match op:
        case "LITERAL":
            return bool(ord(letter) == value)
        case "RANGE":
            return bool(value[0] <= ord(letter) <= value[1])
        case "CATEGORY":
            name = str(value).removeprefix("CATEGORY_")
            known = re.match(_CATEGORIES[name.removeprefix("NOT_")], letter) is not None
            return known is not name.startswith("NOT_")
        case _:
            return False
