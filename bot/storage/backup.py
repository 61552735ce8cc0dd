"""A copy of an SQLite database while it is in use, and proof that the copy is whole."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from bot.domain.errors import Refused

PAGES = 256  # copied at a time, so that a bot that serves can write in between


def insist_on_new(target: Path) -> None:
    """Raises Refused where the file is there already."""
    if target.exists():
        raise Refused(f"{target} is there already. Name a new file; a backup is never written over.")


def back_up(source: Path, target: Path) -> int:
    """Copy the database, with what is still in its write-ahead log, into a new file that its owner alone can read.

    Returns its size in bytes. Raises Refused where the file is there already or the copy is not whole, and sqlite3.Error.
    """
    partial = target.with_name(f"{target.name}.unfinished")
    try:
        insist_on_new(target)
        os.close(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as mine,
            closing(sqlite3.connect(partial)) as theirs,
        ):
            mine.backup(theirs, pages=PAGES)
            # One file, whole by itself: without this it would ask for a write-ahead log beside it.
            theirs.execute("PRAGMA journal_mode=DELETE")
            said = theirs.execute("PRAGMA integrity_check").fetchone()[0]
        if said != "ok":
            raise Refused(f"The copy is not whole ({said}). No backup was made.")
        partial.rename(target)  # only now has it its name: what was cut short is never taken for a backup
    finally:
        partial.unlink(missing_ok=True)
    return target.stat().st_size
