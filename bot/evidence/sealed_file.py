"""A sealed range of the trail as a file: written once, never over another one, and read back to be sure of it.

Its lines are those of an export. What proves it is its chain, and the record in the trail that names its last hash and the
file's SHA-256.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.domain.audit import Record
from bot.domain.chain import Stored
from bot.domain.errors import Refused
from bot.domain.findings import Point
from bot.evidence.lines import NotALine, json_line, stored
from bot.use_cases.verify_trail import PAGE, SealedFile


class NewSealedFile:
    """A file that is being written. Raises Refused where there is one already, or none can be."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
        except FileExistsError:
            raise Refused(f"{path} is there already. Name a new file: a sealed one is kept for good.") from None
        except OSError as error:
            raise Refused(f"{path} can't be written: {error.strerror}.") from None
        self._folder = path.parent

    def __enter__(self) -> Self:
        return self

    def write(self, records: Iterable[Record]) -> None:
        """Add records, in order."""
        self._file.writelines(json_line(record) for record in records)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, once it is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def open_sealed(path: Path) -> SealedFile:
    """A file to be verified. Raises Refused where it can't be read, now or while its pages are."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1_000_000):
                digest.update(block)
        pages = _pages(path)
        first = next(pages, None)
    except OSError as error:
        raise Refused(f"The sealed file {path} can't be read: {error.strerror}.") from None
    if first is None:
        raise Refused(f"The sealed file {path} is empty.")
    before = str(json.loads(first[0][6])["prev"])
    return SealedFile(path.name, digest.hexdigest(), Point(first[0][0], before), itertools.chain([first], pages))


def _pages(path: Path) -> Iterator[Sequence[Stored]]:
    page: list[Stored] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                page.append(stored(line))
            except NotALine as error:
                raise Refused(f"{path.name}, line {number}: {error}") from None
            if len(page) == PAGE:
                yield page
                page = []
    if page:
        yield page
