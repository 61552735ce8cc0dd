"""Whether a request is Slack's: its signature over the raw body, and its time (Slack docs: authentication/verifying-requests)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from slack_sdk.signature import SignatureVerifier

SHAPE = re.compile(r"v0=[0-9a-f]{64}")
TIMESTAMP = re.compile(r"[0-9]{1,12}")  # what Python's int() would take besides is never Slack's


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request's headers say of its signature, and it has the shape of one; whose it is is another matter."""

    timestamp: str
    signature: str


class Signature:
    """Checks against one signing secret, in constant time; times may be five minutes off."""

    def __init__(self, secret: str) -> None:
        self._verifier = SignatureVerifier(secret)

    def is_on(self, raw: bytes, signed: Signed) -> bool:
        """Whether it is on this body. Nothing of the body is read before that."""
        try:
            text = raw.decode()  # the library wants text; Slack sends UTF-8
        except UnicodeDecodeError:
            return False
        return bool(self._verifier.is_valid(text, signed.timestamp, signed.signature))


def read_signed(headers: Mapping[str, str]) -> Signed | None:
    """None where it isn't worth a look: what is sent by chance from the open internet has no such headers."""
    timestamp, signature = headers.get("X-Slack-Request-Timestamp", ""), headers.get("X-Slack-Signature", "")
    if SHAPE.fullmatch(signature) and TIMESTAMP.fullmatch(timestamp):
        return Signed(timestamp, signature)
    return None
