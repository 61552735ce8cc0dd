"""The bot at work: its port, the processes that serve, and whether another deployment uses the same app."""

from __future__ import annotations

import errno
import socket

import aiohttp

from bot.cli.doctor.case import Case
from bot.cli.doctor.findings import Area, Check, Finding, Findings, Says
from bot.domain.replicas import strangers
from bot.slack.egress import open_session

says = Says(Area.SERVING)

HEALTH_SECONDS = 3.0  # that a bot on this machine may take to say that it is one


async def check_serving(case: Case) -> Findings:
    """Look at the port and at what replicas say of themselves in the database."""
    alive = [one for one in case.replicas if one.is_alive(case.now())]
    silent = [one for one in case.replicas if not one.is_alive(case.now())]
    yield await _port(case, serving_here=any(one.host == socket.gethostname()[:255] for one in alive))
    if case.held is None:
        return
    if not alive and not silent:
        yield says.look(Check.REPLICAS, "nothing serves from this database.", "Start it: workflow-bot serve")
        return
    for one in silent:
        found = f"{one.host} said its last word at {one.seen_at:%Y-%m-%d %H:%M} UTC, and did not say that it stops."
        advice = "It was killed, or can't reach the database: look at its log. The word goes away after a day."
        yield (says.look if alive else says.fail)(Check.REPLICAS, found, advice)
    versions = sorted({one.version for one in alive})
    if len(versions) > 1:
        found = f"{len(alive)} serve, of versions {' and '.join(versions)}."
        yield says.look(Check.REPLICAS, found, "Bring all to one version; during an upgrade this goes by.")
    elif alive:
        door = "Socket Mode" if alive[-1].socket_mode else "HTTP"
        yield says.ok(Check.REPLICAS, f"{len(alive)} serve over {door}: {', '.join(one.host for one in alive)}")
    others = strangers(case.replicas, case.now())
    if others:
        found = (
            f"Slack has {others} more socket(s) of this app than this database has bots: another deployment uses it."
        )
        advice = "Slack gives each request to either of them. Stop one, or make an app of its own for each."
        yield says.fail(Check.DEPLOYMENTS, found, advice)
    elif any(one.connections is not None for one in alive):
        yield says.ok(Check.DEPLOYMENTS, "Slack has no other socket of this app")


async def _port(case: Case, *, serving_here: bool) -> Finding:
    host, port = case.settings.host, case.settings.port
    if not port:
        return says.ok(Check.PORT, "0: any free one is taken")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and serving_here and await _is_bot(host, port):
                return says.ok(Check.PORT, f"{port}, where a bot of this machine serves")
            reason = (error.strerror or str(error)).lower()
            advice = "Stop what holds it (`ss -ltnp` shows it), or set another PORT; HOST has to be this machine's."
            return says.fail(Check.PORT, f"{host}:{port} can't be listened on: {reason}.", advice)
    return says.ok(Check.PORT, f"{port} is free" if not serving_here else f"{port}")


async def _is_bot(host: str, port: int) -> bool:
    """Whether what listens there answers as the bot does."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # nothing is bound
    address = f"http://{f'[{reached}]' if ':' in reached else reached}:{port}"
    async with open_session(address) as session:
        try:
            limit = aiohttp.ClientTimeout(total=HEALTH_SECONDS)
            async with session.get(f"{address}/healthz", timeout=limit, allow_redirects=False) as answer:
                return answer.status == 200 and await answer.json() == {"status": "ok"}
        except (TimeoutError, aiohttp.ClientError, ValueError):
            return False
