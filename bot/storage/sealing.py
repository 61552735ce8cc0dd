"""Keeps secret inputs unreadable in the database: sealed until the run is over, and known afterwards by a fingerprint alone."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.domain.errors import UnreadableSecret


class FernetSealer:
    """Seals with the first key; opens with any, so that a key can be rotated. Keys are any secret texts."""

    def __init__(self, keys: list[str]) -> None:
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(key, b"seal"))) for key in keys])
        self._fingerprint_keys = [_derive(key, b"fingerprint") for key in keys]

    def seal(self, values: Mapping[str, Any]) -> str:
        """The values, encrypted."""
        return self._fernet.encrypt(json.dumps(dict(values)).encode()).decode()

    def unseal(self, sealed: str, max_age: int | None = None) -> dict[str, Any]:
        """The values again. Raises UnreadableSecret when none of the keys fits, or it is older than `max_age` seconds."""
        try:
            values: dict[str, Any] = json.loads(self._fernet.decrypt(sealed.encode(errors="replace"), max_age))
        except InvalidToken:
            raise UnreadableSecret from None
        return values

    def fingerprint(self, value: Any) -> str:
        """The same for the same value under the same key, and of no use for finding it: 64 bits of HMAC-SHA-256."""
        return _fingerprint(value, self._fingerprint_keys[0])

    def is_fingerprint(self, fingerprint: str, value: Any) -> bool:
        """Whether the value has this fingerprint under any of the keys."""
        return any(hmac.compare_digest(_fingerprint(value, key), fingerprint) for key in self._fingerprint_keys)


def _fingerprint(value: Any, key: bytes) -> str:
    return hmac.digest(key, json.dumps(value).encode(), "sha256").hex()[:16]


def _derive(key: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"workflow-bot " + purpose).derive(key.encode())
