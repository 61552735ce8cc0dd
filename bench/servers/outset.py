"""How every server of the benchmark begins and says that it is ready.

The first argument is a JSON object: `slack` and `datadog` (the stand-ins' addresses), `certificate` (the file to trust)
and whatever the server wants besides. Ready is said by one line of JSON on standard output, with the `port` in it.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any
from unittest import mock

BOT_TOKEN = "xoxb-benchmark"
SIGNING_SECRET = "benchmark-signing-secret"
PATH = "/slack/events"


def given() -> dict[str, Any]:
    """What the program was started with; and from here on the stand-ins' certificate is trusted.

    OpenSSL's own default is told by SSL_CERT_FILE, which the starter sets. httpx asks certifi, and nothing else.
    """
    logging.disable(logging.WARNING)
    arguments: dict[str, Any] = json.loads(sys.argv[1])
    mock.patch("certifi.where", return_value=arguments["certificate"]).start()
    return arguments


def ready(port: int, **more: Any) -> None:
    """Say that requests are taken at `port`."""
    print(json.dumps({"port": port, **more}), flush=True)
