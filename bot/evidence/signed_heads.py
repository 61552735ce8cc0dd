"""Heads of the trail, signed with Ed25519: one line of JSON each, which a third party checks with the public key alone.

The signature covers the line's other fields in canonical form (RFC 8785). Keys are 32 bytes in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bot.domain.errors import InvalidSettings, Refused
from bot.domain.findings import Attestation, Point, Witnessed

TYPE = "workflow-bot audit head"
VERSION = 1


class Signer:
    """Signs with the private key. Raises InvalidSettings where the text is no key."""

    def __init__(self, private_key: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(_raw(private_key, "AUDIT_SIGNING_KEY"))
        self.public_key = base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def __call__(self, head: Point, at: str) -> str:
        """The line that says that the trail had this head at this moment."""
        told: dict[str, Any] = {
            "type": TYPE,
            "v": VERSION,
            "seq": head.seq,
            "hash": head.hash,
            "at": at,
            "key": key_id(self.public_key),
        }
        signature = base64.b64encode(self._key.sign(rfc8785.dumps(told))).decode()
        return json.dumps({**told, "signature": signature})


def make_key_pair() -> tuple[str, str]:
    """A new private key and its public key."""
    key = Ed25519PrivateKey.generate()
    private = base64.b64encode(key.private_bytes_raw()).decode()
    return private, base64.b64encode(key.public_key().public_bytes_raw()).decode()


def key_id(public_key: str) -> str:
    """A short name for a public key."""
    return hashlib.sha256(base64.b64decode(public_key)).hexdigest()[:16]


def public_keys(texts: Iterable[str]) -> dict[str, Ed25519PublicKey]:
    """Public keys by their ids; each text is a key, or the path of a file that holds one. Raises InvalidSettings."""
    keys = {}
    for text in texts:
        path = Path(text)
        key = path.read_text("utf-8").strip() if len(text) < 1000 and path.is_file() else text
        keys[key_id(key)] = Ed25519PublicKey.from_public_bytes(_raw(key, "--public-key"))
    return keys


def read_heads(path: Path, keys: Mapping[str, Ed25519PublicKey]) -> Witnessed:
    """What a file of such lines says: heads signed with one of the keys, and a fault for each line that isn't.

    Raises Refused where the file can't be read.
    """
    attestations, faults = [], []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                told = _checked(line, keys)
                if isinstance(told, Attestation):
                    attestations.append(Attestation(told.seq, told.hash, f"{path.name}, line {number},"))
                else:
                    faults.append(f"{path.name}, line {number}: {told}")
    except OSError as error:
        raise Refused(f"The witness {path} can't be read: {error.strerror}.") from None
    return Witnessed(attestations, faults)


def _checked(line: str, keys: Mapping[str, Ed25519PublicKey]) -> Attestation | str:
    try:
        told = json.loads(line)
        signature = base64.b64decode(told.pop("signature"), validate=True)
        seq, hash_, key = int(told["seq"]), str(told["hash"]), str(told["key"])
        if told["type"] != TYPE:
            return "it is no head of an audit trail."
        signed = rfc8785.dumps(told)
    except (ValueError, KeyError, TypeError, AttributeError, rfc8785.CanonicalizationError):
        return "it is no head of an audit trail."
    if key not in keys:
        return f"it is signed with a key that was not given ({key[:16]})."
    try:
        keys[key].verify(signature, signed)
    except InvalidSignature:
        return "its signature is not that of its key: it was made up, or changed."
    return Attestation(seq, hash_, "")


def _raw(key: str, name: str) -> bytes:
    try:
        raw = base64.b64decode(key.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise InvalidSettings(
            f"{name} is no Ed25519 key: 32 bytes in base64. Make a pair with: workflow-bot audit keygen"
        )
    return raw
