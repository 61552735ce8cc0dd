"""One-time codes of authenticator apps (TOTP, RFC 6238), their secrets sealed like secret inputs."""

from __future__ import annotations

import hmac
from datetime import datetime

import pyotp

from bot.storage.sealing import FernetSealer

ISSUER = "Workflow Bot"
STEPS_APART = 1  # a code counts one step (30 s) early or late, for clocks and typing (RFC 6238, section 5.2)


class TotpCodes:
    """Six digits, every 30 seconds, by pyotp."""

    def __init__(self, sealer: FernetSealer) -> None:
        self._sealer = sealer

    def new_secret(self) -> str:
        """A new secret, sealed."""
        return self._sealer.seal({"totp": pyotp.random_base32()})

    def uri(self, sealed: str, name: str) -> str:
        """What an authenticator app takes: `otpauth://…`, with the secret in it. Raises UnreadableSecret."""
        return self._totp(sealed).provisioning_uri(name=name, issuer_name=ISSUER)

    def step_of(self, sealed: str, code: str, now: datetime) -> int | None:
        """The time step whose code this is, or None. Raises UnreadableSecret."""
        totp = self._totp(sealed)
        step = totp.timecode(now)
        near = [step + apart for apart in range(-STEPS_APART, STEPS_APART + 1)]
        typed = code.replace(" ", "").encode()
        return next((one for one in near if hmac.compare_digest(totp.generate_otp(one).encode(), typed)), None)

    def _totp(self, sealed: str) -> pyotp.TOTP:
        return pyotp.TOTP(str(self._sealer.unseal(sealed)["totp"]))
