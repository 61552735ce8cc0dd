"""The database: there, of the right schema, on a disk that holds what it is given, and with keys that fit what is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from bot import connections
from bot.cli.doctor.case import Case, Held
from bot.cli.doctor.findings import Area, Check, Finding, Findings, Looking, Says
from bot.cli.doctor.workspaces import NO_DATABASE, UPGRADE, check_databases
from bot.domain.audit import Record
from bot.domain.audit_keys import NO_KEY, NONE, key_of
from bot.domain.errors import InvalidSettings, UnreadableSecret
from bot.settings import Settings
from bot.storage import migrate
from bot.storage.condition import network_file_system, refuses_writing, sqlite_file, waits_for_the_disk
from bot.storage.engine import cause_of

says = Says(Area.DATABASE)


async def check_database(case: Case) -> Findings:
    """From the outside in: what can't be reached isn't asked further."""
    url = case.settings.database_url.get_secret_value()
    try:
        file = sqlite_file(url)
    except InvalidSettings as error:
        yield says.wrong(Check.CONNECTION, str(error), "docs/settings.md says what DATABASE_URL takes.")
        return
    if file is not None and not file.exists():
        advice = UPGRADE if case.workspace else "Run: workflow-bot db upgrade"
        yield says.fail(Check.CONNECTION, f"there is no file {file} yet.", advice)
        return
    yield Looking("whether the database answers")
    try:
        current, newest = await asyncio.to_thread(migrate.revisions, url)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        yield _unreachable(cause_of(error), file)
        return
    yield says.ok(Check.CONNECTION, f"{file}" if file else "Postgres answers")
    yield _schema(current, newest, case.workspace)
    if file is not None:
        yield _storage(file)
    elif not await asyncio.to_thread(waits_for_the_disk, url):
        found = "synchronous_commit is off: a crash of the server can forget that a run was launched."
        yield says.fail(Check.STORAGE, found, "ALTER ROLE … SET synchronous_commit = on")
    else:
        yield says.ok(Check.STORAGE, "a commit is on the disk when it returns")
    if current == newest:
        yield await _writing(url)
    for finding in _held(case):
        yield finding
    async for each in check_databases(case):
        yield each


def _held(case: Case) -> Iterator[Finding]:
    """What goes with what the database holds: keys, and what keeps the trail from being changed unnoticed."""
    settings, held = case.settings, case.held
    if held is None:
        return
    keys = (_encryption_key(settings, held, oauth=case.all.oauth), _audit_key(settings, held))
    yield from (finding for finding in keys if finding is not None)
    yield from _trail(settings, held)


def _trail(settings: Settings, held: Held) -> Iterator[Finding]:
    if held.tampers:
        found = "the bot may change the audit trail, as its owner may."
        yield says.look(Check.ROLE, found, "Have it run as a role that can't: workflow-bot db role NAME")
    elif sqlite_file(settings.database_url.get_secret_value()) is None:
        yield says.ok(Check.ROLE, "the bot can't change the audit trail")
    for witness in held.witnesses if settings.has_witnesses else ():
        if witness.error:
            found = f"“{witness.name}” was told of the audit trail up to record {witness.told}, and not since."
            yield says.look(Check.WITNESSES, found, f"{witness.error} It is tried again every 30 s.")


def _unreachable(cause: str, file: Path | None) -> Finding:
    if file is None:
        advice = (
            "Check host, port, name, role and password in DATABASE_URL, that the server runs and lets this machine in,"
            " and that the role may log in."
        )
    else:
        advice = (
            f"Check that it is an SQLite file, and that the user who runs the bot may read and write {file.parent}."
        )
    return says.fail(Check.CONNECTION, f"the database can't be opened: {cause}.", advice)


def _schema(current: str | None, newest: str | None, workspace: str) -> Finding:
    if current == newest:
        return says.ok(Check.SCHEMA, f"revision {current}, what this version needs")
    if current is None:
        return says.fail(Check.SCHEMA, NO_DATABASE if workspace else "the database is empty.", UPGRADE)
    if migrate.is_ahead(current):
        found = f"at revision {current}, which this version doesn't know: a newer version of the bot has made it."
        return says.fail(
            Check.SCHEMA, found, "Run the newer version here too, or go back to the backup made before it."
        )
    return says.fail(Check.SCHEMA, f"at revision {current}; this version needs {newest}.", UPGRADE)


def _storage(file: Path) -> Finding:
    kind = network_file_system(file)
    if kind:
        found = f"{file} is on a network file system ({kind}), where SQLite loses and mixes up what is written."
        return says.fail(Check.STORAGE, found, "Put it on a local disk, or use Postgres.")
    return says.ok(Check.STORAGE, "on a local disk")


async def _writing(url: str) -> Finding:
    refusal = await asyncio.to_thread(refuses_writing, url)
    if not refusal:
        return says.ok(Check.WRITING, "the bot may write")
    advice = (
        "Give the user who runs the bot the right to write: to the file and its folder (SQLite), or to the tables"
        " (Postgres; a standby never takes writes)."
    )
    return says.fail(Check.WRITING, f"nothing can be written: {refusal}.", advice)


def _encryption_key(settings: Settings, held: Held, *, oauth: bool) -> Finding | None:
    if not held.sealed:
        return None
    sealer = connections.build_sealer(settings)
    lost = []
    for whose, sealed in sorted(held.sealed.items()):
        try:
            sealer.unseal(sealed)
        except UnreadableSecret:
            lost.append(whose)
    if not lost:
        return says.ok(Check.ENCRYPTION_KEY, f"opens all that is sealed: {len(held.sealed)}")
    found = f"doesn't open {len(lost)} of {len(held.sealed)} sealed, such as what belongs to {lost[0]}: it was changed."
    advice = (
        "Put the old key back behind the new one (ENCRYPTION_KEY=new,old). Where it wasn't set before, the old key was"
        f" the signing secret, or, where there was none, the {'client secret' if oauth else 'bot token'}."
    )
    return says.fail(Check.ENCRYPTION_KEY, found, advice)


def _audit_key(settings: Settings, held: Held) -> Finding | None:
    if not held.records:
        return None
    keys = settings.audit_keys
    first, last = held.records[0], held.records[-1]
    began, ended = (key_of(record.body, record.hash, keys) for record in (first, last))
    if ended is None:
        return _foreign_key(last)
    if began is not None and keys.index(began) < keys.index(ended):
        found = f"has a key in front that record {last.seq} of the audit trail was not chained with any more."
        return says.fail(Check.AUDIT_KEY, found, "Put the newest first: AUDIT_KEY=new,old")
    if began is None:
        found = f"lacks the key that record {first.seq} of the audit trail was chained with, before it was changed."
        advice = "Put it behind the newer one (AUDIT_KEY=new,old), until that part is sealed: workflow-bot audit seal"
        return says.fail(Check.AUDIT_KEY, found, advice)
    if not any(keys):
        found = "not set when the audit trail began: its owner could write it anew."
        advice = f"Give it one from now on, AUDIT_KEY=new,{NONE}, and rely on witnesses: docs/audit.md."
        return says.look(Check.AUDIT_KEY, found, advice)
    begins = "" if ended == keys[0] else "; the newest key begins with the next record"
    return says.ok(Check.AUDIT_KEY, f"fits the audit trail{begins}")


def _foreign_key(last: Record) -> Finding:
    found = f"isn't the key that record {last.seq} of the audit trail was chained with"
    if key_of(last.body, last.hash, NO_KEY) is not None:
        advice = (
            f"Set AUDIT_KEY=new,{NONE}: the new key is for what comes now. Where one was set before that record, somebody has"
            " written the trail anew: compare it with its witnesses."
        )
        return says.fail(Check.AUDIT_KEY, f"{found}: none was set then.", advice)
    found += ": it was changed or is missing. Nothing can be recorded."
    return says.fail(Check.AUDIT_KEY, found, "Put that one back, or behind the new one: AUDIT_KEY=new,old")
