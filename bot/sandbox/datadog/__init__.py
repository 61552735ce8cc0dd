"""A stand-in for Datadog's workflow API on loopback: strict where Datadog is, and able to fail on purpose.

It follows Datadog's API description and recorded answers. Where neither says what Datadog does, it takes the stricter
choice; each such choice is marked "assumed" where it is made.
"""

from bot.sandbox.datadog.faults import Faults
from bot.sandbox.datadog.server import Execution, LocalDatadog, RequestSeen

__all__ = ["Execution", "Faults", "LocalDatadog", "RequestSeen"]
