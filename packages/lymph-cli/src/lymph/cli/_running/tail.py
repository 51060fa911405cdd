"""Prints the logs of all instances of services as they are written."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click
import gevent

from lymph.cli._arguments.instances import Wanted, find_instances, parse_wanted
from lymph.cli._arguments.subjects import serves
from lymph.cli._logging.log_lines import json_line
from lymph.cli._running.asking import open_client
from lymph.cli._running.log_following import Followed, LogReader, Wants, watch
from lymph.cli.output import say, write
from lymph.cli.printing import Printer, Text, line, lines
from lymph.cli.settings import Settings
from lymph.discovery.base import BaseServiceRegistry

__all__ = ['run']

_STYLES = {'WARNING': 'yellow', 'ERROR': 'red', 'CRITICAL': 'bold red', 'DEBUG': 'dim'}
_SHOWN = 8  # characters of an identity

Matches = Callable[[dict[str, Any]], bool]


def run(
    settings: Settings,
    names: Sequence[str],
    level: str | None,
    grep: str | None,
    trace: str | None,
    as_json: bool,
) -> None:
    """Print records until the reader or the user ends it.

    Raises UsageError for a bad pattern or name; where one instance is named, what `find_instances`
    does.
    """
    matches = _filter(level, grep, trace)
    services = [parse_wanted(name) for name in dict.fromkeys(names)]
    printer = Printer(settings)
    with open_client(settings) as client, LogReader() as reader:
        registry = client.container.registry
        watchers = [
            gevent.spawn(watch, registry, *watched, reader)
            # A list: `_watched` may raise, so it is called before the first greenlet starts.
            for watched in [_watched(registry, each) for each in services]
        ]
        try:
            say(f'following {", ".join(names)}; Ctrl-C ends')
            for followed, facts in reader:
                if matches(facts):
                    _show(printer, followed, facts, as_json)
        finally:
            gevent.killall(watchers)


def _watched(registry: BaseServiceRegistry, wanted: Wanted) -> tuple[str, Wants]:
    """Return the name of a service to watch, and which of its instances to follow."""
    if wanted.prefix:
        instances = find_instances(registry, wanted)
        identities = {each.identity for each in instances}
        return wanted.name, lambda instance: instance.identity in identities
    version = wanted.version
    return wanted.name, lambda instance: version is None or serves(instance.version, version)


def _filter(level: str | None, grep: str | None, trace: str | None) -> Matches:
    # Given a name, `getLevelName` returns the number.
    lowest = 0 if level is None else int(logging.getLevelName(level.upper()))
    try:
        pattern = None if grep is None else re.compile(grep)
    except re.error as error:
        raise click.UsageError(f'--grep: expected a regular expression: {error}') from error

    def matches(facts: dict[str, Any]) -> bool:
        if facts['levelno'] < lowest or (trace is not None and facts['trace_id'] != trace):
            return False
        if pattern is None:
            return True
        texts = (facts['message'], facts.get('exception', ''))
        return any(pattern.search(text) for text in texts)

    return matches


def _show(printer: Printer, followed: Followed, facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write(json_line({'service': followed.name, 'identity': followed.identity, **facts}) + '\n')
        return
    moment = datetime.fromtimestamp(facts['time']).isoformat(' ', 'milliseconds')
    level = facts['level']
    shown = Text.assemble(
        line(f'{moment} '),
        line(f'{level:<8} ', _STYLES.get(level, '')),
        line(f'{followed.name} {followed.identity[:_SHOWN]} ', 'bold'),
        line(f'{facts["logger"]} [{facts["trace_id"] or "-"}] '),
        line(facts['message']),
    )
    if facts.get('exception'):
        parts = facts['exception'].rstrip('\n').split('\n')
        shown = Text.assemble(shown, *(Text.assemble('\n  ', lines(each)) for each in parts))
    printer.show(shown)
