"""Everything that a scene has produced, to be searched for what must not be in it."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from bot.domain.audit import Record
from bot.evidence.lines import csv_line, json_line
from bot.storage.engine import parse_url
from bot.storage.tables import audit_records, metadata
from tests.acceptance.scene import Scene


def forms(secret: str) -> set[str]:
    """How a secret may be written without being hidden by that."""
    raw = secret.encode()
    return {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), base64.b64encode(raw).decode(), raw.hex()}


def leaks(places: dict[str, str], secrets: Collection[str]) -> list[tuple[str, str]]:
    """Each place in which one of the secrets stands."""
    return [
        (place, secret)
        for place, text in places.items()
        for secret in secrets
        if any(form in text for form in forms(secret))
    ]


def everything(scene: Scene, logs: str) -> dict[str, str]:
    """Database, Slack in both directions, what a SIEM would get, and the log. What can't be read is left out."""
    return {
        "database": "\n".join(_database(scene.database_url)),
        "exports": "".join(_exports(scene.database_url)),
        "calls to Slack": json.dumps([call.params for call in scene.slack.calls]),
        "answers to Slack": "\n".join(delivered.ack.body for delivered in scene.slack.delivered),
        "messages": json.dumps([m for c in scene.slack.workspace.channels for m in scene.slack.messages(c)]),
        "logs in Datadog": json.dumps([*scene.datadog.logs, *scene.datadog.events]),
        "paths at Datadog": "\n".join(seen.path for seen in scene.datadog.requests),
        "logs": logs,
    }


@contextlib.contextmanager
def _connected(url: str) -> Iterator[sa.Connection]:
    parsed = parse_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(parsed)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _database(url: str) -> Iterator[str]:
    """Every row of every table, and of SQLite also what its files still hold."""
    with _connected(url) as connection:
        for table in metadata.sorted_tables:
            yield from (repr(row) for row in connection.execute(sa.select(table)))
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        yield from (file.read_bytes().decode("latin-1") for file in path.parent.glob(path.name + "*"))


def _exports(url: str) -> Iterator[str]:
    with _connected(url) as connection:
        for row in connection.execute(sa.select(audit_records)):
            record = Record(row.seq, bytes(row.body), row.hash)
            yield json_line(record) + csv_line(record)
