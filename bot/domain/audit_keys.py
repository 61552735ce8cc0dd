"""The keys that the chain is made with: several, newest first, so that the key can be changed while the trail goes on.

A record is made with the newest. Once one was, no older key is valid any more: whoever comes by an old one can write nothing
behind that record, and nothing in front of it, as it holds the hash of the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.domain.audit import link
from bot.domain.errors import NotRecorded

Hash = Callable[[bytes], str]
Keys = tuple[bytes, ...]  # newest first, never empty; b"" is none: plain SHA-256
NO_KEY: Keys = (b"",)
NONE = "none"  # in place of the oldest key, of a trail that began without one

OLDER = (
    "AUDIT_KEY here is an older one, and the audit trail goes on with a newer one, so nothing was recorded. Set AUDIT_KEY as"
    " it is for the bots that have the newer one."
)
UNKNOWN = (
    "AUDIT_KEY doesn't hold the key that the audit trail was made with last, so nothing was recorded. Set it as it was. To"
    f" change it: AUDIT_KEY=new,old, or AUDIT_KEY=new,{NONE} where there was none."
)


def read_keys(text: str) -> Keys:
    """The keys that AUDIT_KEY names, with commas between."""
    keys = [word.strip().encode() for word in text.split(",") if word.strip()]
    if len(keys) > 1 and keys[-1] == NONE.encode():
        keys[-1] = b""
    return tuple(keys) or NO_KEY


class ValidKey:
    """Which key is valid, at the place to which a trail was read. A key is what it makes of a record's bytes: their hash."""

    def __init__(self, oldest_first: Sequence[Hash], first: int) -> None:
        self.hash_of, *self.newer = oldest_first
        self.since = first  # the first record that was made with it
        self._older: list[Hash] = []

    def fit(self, body: bytes, stored: object) -> tuple[int, str]:
        """How many keys further the one is that a record fits, 0 where it is valid already or none fits, and the hash by it."""
        own = self.hash_of(body)
        if own != stored:
            for further, hash_of in enumerate(self.newer, 1):
                if (other := hash_of(body)) == stored:
                    return further, other
        return 0, own

    def move_on(self, further: int, seq: int) -> None:
        """From the record `seq` on the key is valid that is so many further, and none before it any more."""
        if further:
            keys = [self.hash_of, *self.newer]
            self._older += keys[:further]
            self.hash_of, self.newer, self.since = keys[further], keys[further + 1 :], seq

    def is_over(self, body: bytes, stored: object) -> bool:
        """Whether a record was made with a key that is not valid any more."""
        return any(hash_of(body) == stored for hash_of in self._older)


def key_of(body: bytes, stored: str, keys: Keys) -> bytes | None:
    """The key that a record's hash was made with; None where it is none of these."""
    return next((key for key in keys if link(body, key) == stored), None)


def mark(key: bytes) -> str:
    """What tells one key from another, and neither from anything else."""
    return link(b"the mark of an audit key", key)[:16]


def marks_with(marks: str, keys: Keys) -> str:
    """The marks of all keys that a trail was made with, newest first, when a record is made with the newest of `keys` now.

    Raises NotRecorded where that one may not be next: it was followed by another already, or the last one isn't known here.
    """
    used, newest = marks.split(), mark(keys[0])
    if used and used[0] == newest:
        return marks
    if newest in used:
        raise NotRecorded(OLDER)
    if used and used[0] not in map(mark, keys):
        raise NotRecorded(UNKNOWN)
    return " ".join([newest, *used])
