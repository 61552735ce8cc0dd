"""Requests that no client of good will sends, as bytes for a socket: to every route, in every way to get HTTP wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from bot.sandbox.slack.signing import signed_headers

METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "G\0T", "PRI", "")
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "http/1.1", "HTTP/1.1 x", "")
ASIDE = (
    "/",
    "//",
    "/..%2f",
    "/slack/events/",
    "/slack//events",
    "/%00",
    "/%ff%fe",
    "/.env",
    "/metrics/..",
    "*",
    "",
    "http://a/b",
)
TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "text/plain",
    "application/json;;;",
    "\xff",
    "",
)
NAMES = (
    "Cookie",
    "X-Slack-Retry-Num",
    "Accept",
    "Accept-Encoding",
    "Expect",
    "Upgrade",
    "Connection",
    "Range",
    "Host",
    "X-Forwarded-For",
    "Content-Length",
    "Transfer-Encoding",
    "Content-Encoding",
    "Authorization",
    "X Y",
    "X\0",
    "",
)
VALUES = (
    "100-continue",
    "websocket",
    "chunked",
    "gzip",
    "-1",
    "1e3",
    "99999999999999999999",
    "0x10",
    "a" * 9000,
    "a, b",
    "\0",
    "\xe9",
    "keep-alive, close",
    "identity, chunked",
    "; ; =",
    "application/openmetrics-text; version=9",
    "",
)
FIELDS = ("code", "state", "error", "name[]", "payload", "ssl_check", "%", "")


TAME = ("signed", "signed", "none")
KINDS = ("signed", "signed", "none", "broken", "many", "strange", "flood")


@dataclass(frozen=True)
class Junk:
    """One request. `whole`: a server that reads it as it stands has to answer."""

    raw: bytes
    whole: bool


def requests(routes: Sequence[str], secret: str) -> st.SearchStrategy[Junk]:
    """Requests to these paths and beside them; some are signed with the secret."""

    @st.composite
    def one(draw: Callable[..., object]) -> Junk:
        body = draw(bodies())
        assert isinstance(body, bytes)
        tame = draw(st.booleans())  # nothing wrong with it as HTTP, so that it gets past aiohttp's parser
        method = draw(st.sampled_from(("POST", "GET", *METHODS[:7]) if tame else METHODS))
        version = "HTTP/1.1" if tame else draw(st.sampled_from(VERSIONS[:1] * 8 + VERSIONS))
        path = str(draw(st.sampled_from(tuple(routes) * 4 + ("/slack/events",) * 8 + ASIDE)))
        if draw(st.booleans()):
            path += "?" + str(draw(queries()))
        headers = draw(header_lists(body, secret, TAME if tame else KINDS))
        assert isinstance(headers, list)
        lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in headers)]
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        raw = head + body
        cut = None if tame else draw(st.one_of(st.none(), st.none(), st.none(), st.integers(0, len(raw))))
        assert cut is None or isinstance(cut, int)
        plain = all(name in PLAIN for name, _ in headers) and version == "HTTP/1.1" and method in METHODS[:7]
        return Junk(raw[:cut], whole=cut is None and plain and path.startswith("/"))

    return one()


PLAIN = frozenset({"Host", "Content-Type", "Content-Length", "X-Slack-Signature", "X-Slack-Request-Timestamp"})


@st.composite
def header_lists(
    draw: Callable[..., object], body: bytes, secret: str, kinds: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Headers, most of them as they should be, and then some."""
    headers = [("Host", "bot"), ("Content-Type", str(draw(st.sampled_from(TYPES[:2] * 3 + TYPES))))]
    headers.append(("Content-Length", str(len(body))))
    offset = draw(st.sampled_from((0, 0, 0, 0, -301, 301, 10**9)))
    assert isinstance(offset, int)
    headers += list(signed_headers(secret, body, int(time.time()) + offset).items())
    kind = draw(st.sampled_from(kinds))
    if kind == "none":
        headers = headers[:3]
    elif kind == "broken":
        at = draw(st.integers(0, len(headers) - 1))
        assert isinstance(at, int)
        headers[at] = (headers[at][0], str(draw(st.sampled_from(VALUES) | st.text(max_size=80))))
    elif kind == "many":
        headers += [headers[-1], headers[-2], headers[1]]
    elif kind == "strange":
        more = draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=6))
        assert isinstance(more, list)
        headers += more
    elif kind == "flood":
        count = draw(st.sampled_from((65, 200, 5000)))
        assert isinstance(count, int)
        headers += [(f"X-{number}", "x") for number in range(count)]
    return headers


def bodies() -> st.SearchStrategy[bytes]:
    """Bodies: JSON and forms, broken, deep, large, of other encodings, and noise."""
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(("type", "user", "team", "view", "event", "actions", "command")), inner, max_size=4
            )
        ),
        max_leaves=8,
    )
    as_json = values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
    depth = st.sampled_from((10, 1000, 100_000))
    return st.one_of(
        st.just(b""),
        as_json,
        as_json.map(lambda raw: b"payload=" + raw),
        st.binary(max_size=60),
        st.text(max_size=40).map(lambda text: text.encode("utf-16")),
        depth.map(lambda n: b"[" * n),
        depth.map(lambda n: b'{"a":' * n + b"1" + b"}" * n),
        st.sampled_from(
            (b'{"a": ' + b"9" * 5000 + b"}", b'{"a": 1e999}', b'{"a": NaN}', b'"\\ud800"', b"\xff\xfe\x00")
        ),
        st.sampled_from(
            (b"command=/workflow&text=help", b"command=%00&text=%ff", b"ssl_check=1", b"&" * 5000, b"a=b&" * 3000)
        ),
        st.sampled_from((b"text=" + b"a" * 900_000, b"text=" + b"a" * 1_100_000)),
        st.just(b"5\r\nhello\r\nZZ\r\n"),
    )


def queries() -> st.SearchStrategy[str]:
    """What may stand behind a question mark."""
    value = st.sampled_from(("", "x", "%00", "%ff", "a" * 7000, "../..", "<script>", "%0d%0aX: y")) | st.text(
        st.characters(codec="latin-1", exclude_characters="\r\n "), max_size=20
    )
    return st.lists(st.tuples(st.sampled_from(FIELDS), value), max_size=4).map(
        lambda pairs: "&".join(f"{name}={text}" for name, text in pairs)
    )
