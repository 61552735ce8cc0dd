"""Slack's payloads with something wrong in them: a field of another type, gone, nested, huge, or an id of another kind."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]
Seed = tuple[str, dict[str, Any]]

NASTY: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    10**30,
    1.5,
    "",
    " ",
    "0",
    "null",
    "true",
    "\u202e",
    "\x07",
    "\0",
    "é" * 300,
    "a" * 41,
    "a" * 256,
    "a" * 3001,
    "a" * 100_000,
    "🙂" * 200,
    "<!channel>",
    "<@U01ALICE>",
    "' OR 1=1 --",
    "{{7*7}}",
    "../../etc",
    "http://127.0.0.1:1/x",
    "https://hooks.slack.com.example.com/x",
    "U01ALICE",
    "T01OTHER",
    "C01OPS",
    "R-0000000000",
    "2026-02-30",
    "[]",
    "{}",
    '{"w": 1}',
    '{"c": []}',
    "[" * 2500,
    '{"f": "x"}',
    '{"r": "R-0000000000", "h": ""}',
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": ""},
    {"id": None},
    {"id": []},
    {"id": "U02BOB", "team_id": "T01OTHER"},
    {"value": None},
    {"value": "sha256:x"},
    [{"value": "x"}] * 200,
    {"a": {"a": {"a": {}}}},
)


def mutated(seeds: Sequence[Seed]) -> st.SearchStrategy[Seed]:
    """One of the payloads, with one to four things changed."""

    @st.composite
    def one(draw: Callable[..., Any]) -> Seed:
        kind, payload = draw(st.sampled_from(seeds))
        payload = copy.deepcopy(payload)
        for _ in range(draw(st.integers(1, 4))):
            paths = list(_paths(payload))
            if not paths:
                break
            _change(payload, draw(st.sampled_from(paths)), draw)
        return kind, payload

    return one()


def _change(payload: dict[str, Any], path: Path, draw: Callable[..., Any]) -> None:
    holder, last = _at(payload, path[:-1]), path[-1]
    match draw(st.sampled_from(("nasty", "nasty", "nasty", "gone", "wrapped", "deep", "twin", "text", "named"))):
        case "nasty":
            holder[last] = copy.deepcopy(draw(st.sampled_from(NASTY)))
        case "gone":
            del holder[last]
        case "wrapped":
            holder[last] = [holder[last]]
        case "deep":
            for _ in range(draw(st.sampled_from((50, 200)))):
                holder[last] = {"a": holder[last]}
        case "twin":
            beside = [other for other in _paths(payload) if other != path[: len(other)]]
            if beside:
                holder[last] = _at(payload, draw(st.sampled_from(beside)))
        case "text":
            holder[last] = draw(st.text(max_size=40))
        case "named" if isinstance(holder, dict):
            name = draw(st.sampled_from(("id", "", "user", "event", "view", "a\0")) | st.text(max_size=20))
            holder[name] = holder.pop(last)


def _at(payload: Any, path: Path) -> Any:
    for step in path:
        payload = payload[step]
    return payload


def _paths(value: Any, above: Path = ()) -> Iterator[Path]:
    if len(above) > 12:
        return
    steps: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    for step in steps[:40]:
        yield (*above, step)
        yield from _paths(value[step], (*above, step))
