"""Whether a request is Slack's: its signature over the raw body, and its time (Slack docs: authentication/verifying-requests)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from slack_sdk.signature import SignatureVerifier

SHAPE = re.compile(r"v0=[0-9a-f]{64}")
TIMESTAMP = re.compile(r"[0-9]{1,12}")  # what Python's int() would take besides is never Slack's


class Signature:
    """Checks against one signing secret, in constant time; times may be five minutes off."""

    def __init__(self, secret: str) -> None:
        self._verifier = SignatureVerifier(secret)

    def is_on(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        """Whether it is on this body. Nothing of the body is read before that."""
        if not looks_signed(headers):
            return False
        try:
            text = raw.decode()  # the library wants text; Slack sends UTF-8
        except UnicodeDecodeError:
            return False
        timestamp, signature = headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"]
        return bool(self._verifier.is_valid(text, timestamp, signature))


def looks_signed(headers: Mapping[str, str]) -> bool:
    """Whether it is worth a look: what is sent by chance from the open internet has no such headers."""
    timestamp, signature = headers.get("X-Slack-Request-Timestamp", ""), headers.get("X-Slack-Signature", "")
    return bool(SHAPE.fullmatch(signature) and TIMESTAMP.fullmatch(timestamp))
