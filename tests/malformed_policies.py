"""Policy files that must be refused: by mutation of one that uses every field, and by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

GOOD: Json = {
    "version": 1,
    "accounts": {"eu": {"site": "datadoghq.eu", "api_key_env": "EU_API_KEY", "app_key_env": "EU_APP_KEY"}},
    "people": {"sre": {"users": ["U01ALICE"], "groups": ["S01SRE"]}, "developers": {"users": ["U02BOB"]}},
    "workflows": {
        "restart-service": {
            "id": "ccf73164",
            "account": "eu",
            "title": "Restart a service",
            "description": "Rolls the pods",
            "tags": ["ops"],
            "inputs": {
                "env": {
                    "label": "Where",
                    "description": "Which cluster",
                    "type": "string",
                    "options": ["staging", "production"],
                    "extra_values": False,
                    "default": "staging",
                    "secret": False,
                },
                "ticket": {"pattern": "[A-Z]+-[0-9]+"},
            },
            "limits": {"at_once": 2, "cool_down": "5m", "per_person": "10/h"},
            "lock_on": ["env"],
        }
    },
    "rules": [
        {"allow": ["sre"], "run": ["restart-service"], "in": ["C01OPS"], "when": {"env": ["staging"]}},
        {"deny": ["U09GUEST"], "run": ["*"]},
    ],
    "freezes": [
        {"run": ["tag:ops"], "from": "2026-12-20T08:00Z", "until": "2026-12-24T18:00+01:00", "reason": "holidays"}
    ],
    "tests": [
        {
            "who": "U01ALICE",
            "groups": ["S01SRE"],
            "in": "C01OPS",
            "run": "restart-service",
            "with": {"env": "staging", "ticket": "OPS-1"},
            "expect": "allow",
        }
    ],
}

ANYTHING = {("workflows", "restart-service", "inputs", "env", "default")}  # what a default may be depends on the type
REQUIRED: list[tuple[str | int, ...]] = [
    ("version",),
    ("accounts", "eu", "site"),
    ("accounts", "eu", "api_key_env"),
    ("accounts", "eu", "app_key_env"),
    ("workflows", "restart-service", "id"),
    ("rules", 0, "allow"),
    ("rules", 0, "run"),
    ("rules", 1, "deny"),
    ("freezes", 0, "run"),
    ("freezes", 0, "from"),
    ("freezes", 0, "until"),
    ("freezes", 0, "reason"),
    ("tests", 0, "who"),
    ("tests", 0, "run"),
    ("tests", 0, "expect"),
]
MISNAMED: dict[tuple[str | int, ...], list[Any]] = {
    ("accounts", "eu", "api_key_env"): ["the key itself", "eu_api_key", ""],
    ("accounts", "eu", "site"): [""],
    ("people", "sre", "users", 0): ["alice", "@alice", "S01SRE", "C01OPS", "", "u01alice", "U01 ALICE"],
    ("people", "sre", "groups", 0): ["sre", "U01ALICE", ""],
    ("workflows", "restart-service", "id"): ["", "x" * 101],
    ("workflows", "restart-service", "account"): ["us", "EU", ""],
    ("workflows", "restart-service", "title"): ["", "x" * 151],
    ("workflows", "restart-service", "description"): ["x" * 2001],
    ("workflows", "restart-service", "tags", 0): ["OPS", "two words", "", "x" * 81],
    ("workflows", "restart-service", "inputs", "env", "label"): ["", "x" * 151],
    ("workflows", "restart-service", "inputs", "env", "description"): ["x" * 1501],
    ("workflows", "restart-service", "inputs", "env", "type"): ["text", "array", ""],
    ("workflows", "restart-service", "inputs", "env", "options"): [[], ["production"], [1, 2]],
    ("workflows", "restart-service", "inputs", "env", "default"): ["dev", 7, None, ["staging"]],
    ("workflows", "restart-service", "limits", "at_once"): [0, -1, 1.5],
    ("workflows", "restart-service", "limits", "cool_down"): ["0m", "5", "m", "5 minutes", "-5m", "5M", "9999999s"],
    ("workflows", "restart-service", "limits", "per_person"): ["10", "10/", "/h", "0/h", "10/hour", "10 / h", "h/10"],
    ("rules", 0, "allow"): [[], ["nobody"], ["alice"], ["U"], ["*", "Sre"]],
    ("rules", 0, "run"): [[], ["restart"], ["tag:oops"], ["ops"], ["**"], [""]],
    ("rules", 0, "in"): [[], ["ops"], ["#ops"], ["U01ALICE"], ["*"]],
    ("rules", 0, "when"): [{"env": []}, {"env": ["dev"]}, {"env": [["staging"]]}, {"env": [1]}],
    ("freezes", 0, "run"): [[], ["nothing"]],
    ("freezes", 0, "from"): [
        "2026-12-20",
        "2026-12-20T08:00",
        "2026-13-01T00:00Z",
        "2026-02-30T00:00Z",
        "2026-12-20T25:00Z",
        "tomorrow",
        "2026-12-20T08:00+99:00",
        "2027-01-01T00:00Z",
        "1766217600",
        "",
    ],
    ("freezes", 0, "reason"): ["", "x" * 501],
    ("tests", 0, "who"): ["sre", "*", ""],
    ("tests", 0, "groups", 0): ["sre"],
    ("tests", 0, "in"): ["ops", "*"],
    ("tests", 0, "expect"): ["maybe", "ALLOW", ""],
}
PATTERNS = [
    "[",
    "(",
    "*",
    "a{2,1}",
    "(?P<a>x)(?P<a>y)",
    "(?P=no)",
    "\\",
    "(?z)",
    "(a+)+",
    "(a*)*b",
    "(a|aa)+",
    "(.*a){20}",
    "([a-zA-Z]+)*$",
    "(x+x+)+y",
    r"(\w+\s?)*",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(?:a+)+?",
    "(?=(a+)+)b",
    "a{99999999999}",
    "(" * 400 + ")" * 400,
    "x" * 501,
]
START = "version: 1\nworkflows:\n  w:\n    id: a\n"
DEFAULT = START + "    inputs:\n      e:\n        type: object\n        default:\n"


def laughs(levels: int, indent: str) -> str:
    lines = [f"{indent}- &a0 [ha, ha]"]
    lines += [f"{indent}- &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


BY_HAND: dict[str, str | bytes] = {
    "empty": "",
    "only a comment": "# later\n",
    "null": "~\n",
    "a list": "- version: 1\n",
    "a text": "version 1\n",
    "a number": "1\n",
    "two documents": "version: 1\n---\nversion: 1\n",
    "not closed": "version: 1\nrules: [\n",
    "not closed quotes": 'version: 1\nrules: "\n',
    "tab": "version: 1\nrules:\n\t- x\n",
    "bad indent": "version: 1\n rules: []\n",
    "a key without value in flow": "version: 1\nrules: [}\n",
    "a version to come": "version: 2\n",
    "version true": "version: true\n",
    "version 1.0": "version: 1.0\n",
    "version in quotes": "version: '1'\n",
    "a yaml version": "%YAML 9.9\n---\nversion: 1\n",
    "duplicate at the top": "version: 1\nversion: 1\n",
    "duplicate workflow": START + "  w:\n    id: b\n",
    "duplicate field": START + "    id: b\n",
    "duplicate in flow": "version: 1\npeople: { sre: {users: [U01]}, sre: {users: [U02]} }\n",
    "a number as name": "version: 1\npeople: { 1: { users: [U01ALICE] } }\n",
    "a number as key": "version: 1\n1: x\n",
    "null as key": "version: 1\n~: x\n",
    "a date as name": "version: 1\nworkflows: { 2026-01-01: [] }\n",
    "a list as key": "version: 1\n? [a, b]\n: x\n",
    "a mapping as key": "version: 1\n? {a: b}\n: x\n",
    "a python tag": "version: !!python/object/apply:os.system ['true']\n",
    "a python name": "version: 1\nrules: !!python/name:os.system\n",
    "a python module": "version: 1\nrules: !!python/module:os\n",
    "a tag of one's own": "version: 1\nrules: !rule []\n",
    "a set": "version: 1\nrules: !!set {a}\n",
    "bytes": "version: 1\nrules: !!binary aGk=\n",
    "bytes that are none": "version: 1\nrules: !!binary '*'\n",
    "an ordered map": "version: 1\nrules: !!omap [a: 1]\n",
    "an int that is none": "version: !!int x\n",
    "an unknown alias": "version: 1\nrules: *rules\n",
    "a cycle at the top": "&a\nversion: 1\nrules: *a\n",
    "a cycle of lists": "version: 1\nrules: &a [*a]\n",
    "a cycle of workflows": "version: 1\nworkflows: &a {w: *a}\n",
    "a cycle in a default": DEFAULT + "          x: &a [*a]\n",
    "a cycle of two": DEFAULT + "          x: &a {b: &b {a: *a}}\n",
    "laughs where nothing may be": "version: 1\nx:\n" + laughs(10, " "),
    "laughs in a default": DEFAULT.replace("object", "array_string") + laughs(9, " " * 10),
    "laughs in options": DEFAULT.replace("default", "options") + laughs(30, " " * 10),
    "laughs in when": START + "rules:\n- allow: ['*']\n  run: [w]\n  when:\n    e:\n" + laughs(12, " " * 4),
    "laughs of mappings": DEFAULT
    + "".join(
        f"          k{n}: &k{n} {{{', '.join(f'x{i}: *k{n - 1}' for i in range(10)) if n else 'x: ha'}}}\n"
        for n in range(9)
    ),
    "laughs by merging": START + "    <<: *nothing\n",
    "deep lists": "version: 1\nrules: " + "[" * 100 + "]" * 100 + "\n",
    "very deep lists": "version: 1\nrules: " + "[" * 5000 + "]" * 5000 + "\n",
    "never closed": "[" * 5000,
    "deep mappings": "version: 1\nrules: " + "{a: " * 100 + "1" + "}" * 100 + "\n",
    "deep default": DEFAULT + "          x: " + "[" * 80 + "]" * 80 + "\n",
    "a huge number": "version: " + "1" * 5000 + "\n",
    "a huge file": "version: 1\n# " + "x" * 4_100_000 + "\n",
    "a huge file of rules": START + "rulez:\n" + "- x\n" * 1_100_000,
    "infinity": DEFAULT.replace("object", "number").replace("default:\n", "default: .inf\n"),
    "not a number": DEFAULT.replace("object", "number").replace("default:\n", "default: .nan\n"),
    "a number too exact": DEFAULT.replace("object", "number").replace("default:\n", "default: 9007199254740993\n"),
    "a date in a default": DEFAULT + "          2026: x\n",
    "NUL": "version: 1\nrules: []\n\0",
    "NUL in a text": START + '    title: "a\\0b\x00"\n',
    "a control character": "version: 1\nrules: [\x07]\n",
    "half of a pair": b"version: 1\nrules: ['\xed\xa0\x80']\n",
    "Latin-1": "version: 1\npeople: { büro: {} }\n".encode("latin-1"),
    "UTF-16": "version: 1\n".encode("utf-16"),
    "UTF-32": "version: 1\n".encode("utf-32"),
    "a picture": b"\x89PNG\r\n\x1a\n\x00\x00",
    "a zip": b"PK\x03\x04\xff",
    "a BOM in the middle": "version: 1\n\ufeffrules: 7\n",
    "allow and deny": START + "rules: [{allow: ['*'], deny: ['*'], run: [w]}]\n",
    "neither allow nor deny": START + "rules: [{run: [w]}]\n",
    "approval by nobody": START + "rules: [{allow: ['*'], run: [w], approval: {}}]\n",
    "approval by a stranger": START + "rules: [{allow: ['*'], run: [w], approval: {from: [nobody]}}]\n",
    "approval of a deny": START + "rules: [{deny: ['*'], run: [w], approval: {from: [U01]}}]\n",
    "approval by more people than there are": START
    + "rules: [{allow: ['*'], run: [w], approval: {from: [U012, U013], count: 3}}]\n",
    "approval by everyone, asked nowhere": START + "rules: [{allow: ['*'], run: [w], approval: {from: ['*']}}]\n",
    "approval after its end": START
    + "rules: [{allow: ['*'], run: [w], approval: {from: [U012], expires: 1h, escalate: {to: [U013], after: 2h}}}]\n",
    "approval that is waited for too long": START
    + "rules: [{allow: ['*'], run: [w], approval: {from: [U012], expires: 31d}}]\n",
    "approval by no number": START + "rules: [{allow: ['*'], run: [w], approval: {from: [U012], count: 0}}]\n",
    "a field of approval with a near miss": START
    + "rules: [{allow: ['*'], run: [w], approval: {from: [U012], expire: 1h}}]\n",
    "a key by value": START + "accounts: {eu: {site: datadoghq.eu, api_key: abc, app_key: def}}\n",
    "keys and token": START
    + "accounts: {eu: {site: datadoghq.eu, api_key_env: A, app_key_env: B, access_token_env: C}}\n",
    "a workflow without anything": "version: 1\nworkflows: { w: }\n",
    "too many inputs": START + "    inputs: {" + ", ".join(f"i{n}: {{}}" for n in range(91)) + "}\n",
    "an input without a name": START + "    inputs: { '': {} }\n",
    "an input with a long name": START + "    inputs: { " + "x" * 201 + ": {} }\n",
    "a person named like a set": START + "people: { U01ALICE: {users: [U01ALICE]} }\n",
    "a workflow named like a tag": "version: 1\nworkflows: { 'tag:ops': { id: a } }\n",
    "a workflow named like all": "version: 1\nworkflows: { '*': { id: a } }\n",
    "a freeze that ends before it begins": START
    + "freezes: [{run: ['*'], from: 2026-12-24T00:00Z, until: 2026-12-23T00:00Z, reason: x}]\n",
    "a freeze by number": START + "freezes: [{run: ['*'], from: 5, until: 6, reason: x}]\n",
}


def malformed() -> Iterator[tuple[str, bytes]]:
    """Each file with a name of its own; `GOOD` itself is none of them."""
    for name, text in BY_HAND.items():
        yield name, text if isinstance(text, bytes) else text.encode()
    for place, value in _values(GOOD):
        if place not in ANYTHING:
            for wrong in _wrong_types(value):
                yield f"{_dotted(place)} as {json.dumps(wrong)}", _with(place, wrong)
        if isinstance(value, dict) and place[-1:] not in (("with",), ("when",)) and not _names(place):
            yield f"{_dotted(place)} with an unknown field", _with((*place, "colour"), "red")
    for place in REQUIRED:
        yield f"without {_dotted(place)}", _with(place, None, remove=True)
    for place, bad in MISNAMED.items():
        for wrong in bad:
            yield f"{_dotted(place)} as {json.dumps(wrong)[:40]}", _with(place, wrong)
    for pattern in PATTERNS:
        yield (
            f"the pattern {pattern[:40]}",
            _with(("workflows", "restart-service", "inputs", "ticket", "pattern"), pattern),
        )


def _names(place: tuple[str | int, ...]) -> bool:
    """Whether the keys of this mapping are names that the file gives; an unknown one is no error there by itself."""
    return place in {("accounts",), ("people",), ("workflows",)} or place[-1:] == ("inputs",)


def _values(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if place[-1:] not in (("with",), ("options",)) and place[-2:-1] != ("when",):
        yield place, value
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in pairs:
            yield from _values(item, (*place, key))


def _wrong_types(value: Any) -> list[Any]:
    kinds: list[Any] = [True, 7, 1.5, "text", [7], {"a": 7}]
    same = (bool,) if isinstance(value, bool) else (int,) if isinstance(value, int) else (type(value),)
    wrong = [kind for kind in kinds if type(kind) not in same]
    return wrong if isinstance(value, list | dict) else [kind for kind in wrong if kind != value]


def _with(place: tuple[str | int, ...], value: Any, *, remove: bool = False) -> bytes:
    changed: Any = {"": copy.deepcopy(GOOD)}
    *path, last = ("", *place)
    within = changed
    for part in path:
        within = within[part]
    if remove:
        del within[last]
    else:
        within[last] = value
    return json.dumps(changed[""], indent=1, ensure_ascii=False).encode()


def _dotted(place: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in place) or "the file"
