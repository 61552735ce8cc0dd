"""How every command speaks: data to standard output, as text or JSON Lines; words to standard error; errors as sentences."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.table import Column, Table

from bot.cli.chosen import chosen
from bot.domain.errors import InvalidSettings, WorkflowBotError
from bot.observability import configure_logging, hide_in_logs
from bot.settings import Settings, read_settings

P = ParamSpec("P")
T = TypeVar("T")

words = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False, soft_wrap=True)

PIPED_WIDTH = 300  # columns of a table that goes to no terminal

format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="json prints one object a line."
)


def sentences(command: Callable[P, T]) -> Callable[P, T]:
    """Turn an expected failure into its sentence and exit code 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except WorkflowBotError as error:
            words.print(str(error), style="red", markup=False)
            raise SystemExit(1) from None
        except BrokenPipeError:
            # Whoever read our output has seen enough; closing it must not say so a second time.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise SystemExit(0) from None

    return run


@contextlib.contextmanager
def wrong_usage() -> Iterator[None]:
    """Turn what is said of a setting into wrong usage, exit code 2: the value was given with the command."""
    try:
        yield
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None


def load_settings() -> Settings:
    """The settings for the one workspace that the command is about. Raises as `load_all_settings` and `chosen`."""
    settings = chosen(load_all_settings())
    hide_in_logs(settings.slack_bot_token.get_secret_value())
    return settings


def load_all_settings() -> Settings:
    """The settings of this environment, with logging set up by them. Raises InvalidSettings."""
    settings = read_settings(os.environ)
    configure_logging(settings.log_level, settings.log_format, settings.secrets())
    return settings


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous work to its end."""
    return asyncio.run(work)


def print_json(row: Mapping[str, Any]) -> None:
    """One line of JSON."""
    click.echo(json.dumps(row, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    # One form for every moment: that of the trail and of whatever says isoformat() itself.
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]], *, empty: str) -> None:
    """Rows as a table; where there are none, a sentence."""
    # Folded rather than cut: half an id is of no use to anybody. What is piped on has all the room it needs.
    heads = [Column(column, overflow="fold") for column in columns]
    table = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(cell.replace("[", "\\[") for cell in row))
    if table.row_count:
        Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)
    else:
        words.print(empty)
