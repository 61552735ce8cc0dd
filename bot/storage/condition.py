"""What state a database is in, asked without changing anything: for `doctor`."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from bot.storage.engine import parse_url
from bot.storage.migrate import plain_engine
from bot.storage.tables import audit_head, audit_records

MOUNTS = Path("/proc/self/mountinfo")
# File systems on which SQLite's write-ahead log does not work: its readers and writers share memory (SQLite docs: WAL).
NETWORKED = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "gpfs", "fuse.sshfs", "fuse.s3fs", "ncpfs")


def sqlite_file(text: str) -> Path | None:
    """The file of an SQLite database; None for Postgres. Raises InvalidSettings."""
    url = parse_url(text)
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def refuses_writing(text: str) -> str:
    """Why nothing can be written, in the database's words; empty where it can. Raises sqlalchemy errors if it's away."""
    engine = plain_engine(text)
    try:
        with engine.connect() as connection:
            try:
                # No row fits, but the right to change the table is needed all the same, and a transaction that may write.
                connection.execute(sa.update(audit_head).values(seq=0).where(sa.false()))
                chosen = sa.select(audit_records).where(sa.false())
                connection.execute(sa.insert(audit_records).from_select(list(audit_records.c), chosen))
            except sa.exc.DBAPIError as error:
                return str(error.orig).strip().splitlines()[0]
            finally:
                connection.rollback()
    except sa.exc.OperationalError as error:
        # On SQLite a transaction that may write is begun with the first statement, outside of the `try` above.
        if "readonly" not in str(error.orig):
            raise
        return str(error.orig)
    finally:
        engine.dispose()
    return ""


def waits_for_the_disk(text: str) -> bool:
    """Whether a commit is on the disk when it returns. Always so on SQLite; on Postgres unless a pooler or role says no."""
    url = parse_url(text)
    if url.get_backend_name() == "sqlite":
        return True
    engine = plain_engine(text)
    try:
        with engine.connect() as connection:
            return str(connection.execute(sa.text("SHOW synchronous_commit")).scalar()) != "off"
    finally:
        engine.dispose()


def network_file_system(file: Path) -> str:
    """The type of the network file system that the file would be on; empty for a local one, or where that can't be told."""
    try:
        lines = MOUNTS.read_text("utf-8").splitlines()
    except OSError:
        return ""
    place = file.resolve()
    best, kind = -1, ""
    for line in lines:  # "36 35 98:0 /root /mounted/on options - type source options" (proc(5))
        before, _, after = line.partition(" - ")
        mounted = Path(before.split()[4].encode().decode("unicode_escape"))
        if place.is_relative_to(mounted) and len(mounted.parts) >= best:
            best, kind = len(mounted.parts), after.split()[0]
    return kind if kind.startswith(NETWORKED) else ""
