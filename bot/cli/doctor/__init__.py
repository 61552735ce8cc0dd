"""`doctor`: looks at every setting and everything they lead to, and says what to do about what is wrong."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import click
from rich.table import Column, Table

from bot.cli.doctor.app_manifest import check_manifest
from bot.cli.doctor.case import Case, open_case
from bot.cli.doctor.database import check_database
from bot.cli.doctor.datadog import check_datadog
from bot.cli.doctor.environment import check_settings, wrong_setting
from bot.cli.doctor.findings import Area, Finding, Findings, Looking, State
from bot.cli.doctor.policy import check_policy
from bot.cli.doctor.serving import check_serving
from bot.cli.doctor.slack import check_slack
from bot.cli.output import format_option, load_all_settings, output, print_json, sentences, wait_for, words
from bot.domain.errors import InvalidSettings

CHECKS: dict[Area, Callable[[Case], Findings]] = {
    Area.SETTINGS: check_settings,
    Area.DATABASE: check_database,
    Area.SLACK: check_slack,
    Area.DATADOG: check_datadog,
    Area.POLICY: check_policy,
    Area.SERVING: check_serving,
}
COLOURS = {State.OK: "green", State.LOOK: "yellow", State.FAIL: "bold red"}
WORDS = {State.FAIL: "to mend", State.LOOK: "to look at", State.OK: "in order"}
SILENCE = 2.0  # seconds without a word, after which it is said what takes so long


@click.command()
@click.argument("areas", nargs=-1, type=click.Choice([area.value for area in Area]), metavar="[AREA]...")
@click.option(
    "--manifest",
    type=click.Path(path_type=Path),
    help="The app's manifest, saved from its page in Slack: name what it lacks.",
)
@format_option
@sentences
def doctor(areas: tuple[str, ...], manifest: Path | None, form: str) -> None:
    """Check settings, database, Slack, Datadog, policy and what serves, and say what to do about what is wrong.

    AREA is one of these: settings, database, slack, datadog, policy, serving. Nothing is changed and nothing is started.
    Exits with 1 when something has to be mended.
    """
    asked = list(dict.fromkeys(Area(area) for area in areas)) or list(Area)
    counts = wait_for(_examine(asked, manifest, form))
    if form == "text":
        told = [f"{counts[state]} {what}" for state, what in WORDS.items() if counts[state] or state is State.OK]
        output.print(", ".join(told), style="bold")
    if counts[State.FAIL]:
        raise SystemExit(1)


async def _examine(areas: list[Area], manifest: Path | None, form: str) -> Counter[State]:
    counts: Counter[State] = Counter()
    with _Telling(form) as telling:
        try:
            settings = load_all_settings()
        except InvalidSettings as error:
            for line in str(error).split("\n"):
                telling.tell(wrong_setting(line))
                counts[State.FAIL] += 1
            return counts
        telling.look("what the database holds")
        case = await open_case(settings, os.environ)
        checks = [CHECKS[area](case) for area in areas]
        if manifest is not None:
            checks.append(check_manifest(case, manifest))
        for check in checks:
            async for each in check:
                if isinstance(each, Looking):
                    telling.look(each.at)
                else:
                    telling.tell(each)
                    counts[each.state] += 1
    return counts


class _Telling:
    """Writes each finding as it comes; in between, on a terminal, what is being looked at, where that takes long."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._area: Area | None = None
        self._status = words.status("")
        self._shown = False
        self._alarm: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._be_quiet()

    def look(self, at: str) -> None:
        """Something is being looked at that may take a while."""
        self._status.update(f"looking at {at} …")
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(SILENCE, self._show)

    def tell(self, finding: Finding) -> None:
        self._be_quiet()
        if self._form == "json":
            row = {"area": finding.area, "check": finding.title, "state": finding.state}
            print_json(row | {"found": finding.found, "advice": finding.advice})
            return
        if finding.area is not self._area:
            output.print(f"\n{finding.area.capitalize()}" if self._area else finding.area.capitalize(), style="bold")
            self._area = finding.area
        if output.is_terminal:
            output.print(_line(finding), soft_wrap=False)
            return
        # Whoever reads on has a width of their own.
        output.print(f"{finding.state:>4}  {finding.title:<30}  {finding.found}".rstrip(), markup=False)
        if finding.advice:
            output.print(f"{'':38}→ {finding.advice}", markup=False)

    def _show(self) -> None:
        self._shown = True
        self._status.start()

    def _be_quiet(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._shown:
            self._status.stop()
            self._shown = False


def _line(finding: Finding) -> Table:
    """State, what was checked, what is so; beneath, after an arrow, what to do."""
    columns = (
        Column(width=4, style=COLOURS[finding.state]),
        Column(width=30, overflow="fold"),
        Column(overflow="fold"),
    )
    table = Table.grid(*columns, padding=(0, 2, 0, 0))
    table.add_row(f"  {finding.state}"[-4:], _plain(finding.title), _plain(finding.found))
    if finding.advice:
        table.add_row("", "", f"[{'default' if finding.state is State.FAIL else 'dim'}]→ {_plain(finding.advice)}[/]")
    return table


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
