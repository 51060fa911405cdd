"""What the subcommands of `lymph node` do: they look at a running node, or change it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import gevent

from lymph.cli._arguments.durations import short_duration
from lymph.cli._running.node_asking import RemoteNode, open_node
from lymph.cli.output import say, write
from lymph.cli.printing import Printer, line, lines
from lymph.cli.settings import Settings
from lymph.cli.texts import Text

__all__ = ['add_cpu', 'run_change', 'run_ps', 'run_scale', 'run_tail']

_TITLES = (
    *('NAME', 'STATE', 'PID', 'UPTIME', 'RESTARTS', 'CPU', 'MEMORY'),
    *('OPERATIONS', 'LAST END'),
)
_STYLES = {
    'running': 'green', 'starting': 'yellow', 'stopping': 'yellow', 'waiting': 'red',
    'failed': 'bold red',
}  # fmt: skip
_MIB = 2**20
_SHORTEST = 0.1  # seconds between two looks
#: Puts the cursor at the start of the screen, and clears it.
_CLEAR = '\x1b[H\x1b[2J'

_CHANGED = {'start': 'started', 'stop': 'stopped', 'restart': 'restarted'}


def run_ps(
    settings: Settings,
    names: Sequence[str],
    as_json: bool,
    watch: bool,
    interval: float,
    pid: int | None,
) -> None:
    """Print what a node runs, once or again and again; a terminal shows the latest alone."""
    printer = Printer(settings)
    with open_node(settings, pid) as node:
        before: dict[int, tuple[float, float]] = {}
        while True:
            processes = node.call('get_processes', names=list(names))
            before = add_cpu(processes, before, time.monotonic())
            if as_json:
                printer.json(processes, line=watch)
            else:
                # After the call, so that the screen is not empty while the node is asked.
                if watch and sys.stdout.isatty():
                    write(_CLEAR)
                printer.listing(_TITLES, [_row(each) for each in processes])
            if not watch:
                return
            gevent.sleep(max(interval, _SHORTEST))
            if not (as_json or sys.stdout.isatty()):
                write('\n')


def run_change(settings: Settings, action: str, names: Sequence[str], pid: int | None) -> None:
    """Have a node start, stop or restart what is named, and wait until it has."""
    with open_node(settings, pid) as node:
        changed = node.call(action, names=list(names))
    say(f'{_CHANGED[action]} {", ".join(changed) or "nothing"}')


def run_scale(settings: Settings, name: str, numprocesses: int, pid: int | None) -> None:
    """Have a node run a definition so many times, and wait until it does."""
    with open_node(settings, pid) as node:
        running = node.call('scale', name=name, numprocesses=numprocesses)
    say(f'{name} has {len(running)} process{"" if len(running) == 1 else "es"}')


def run_tail(
    settings: Settings, names: Sequence[str], last: int, as_json: bool, pid: int | None
) -> None:
    """Print the last lines of processes, and those that follow, until somebody ends it."""
    printer = Printer(settings)
    with open_node(settings, pid) as node:
        _follow(node, printer, names, last, as_json)


def _follow(
    node: RemoteNode, printer: Printer, names: Sequence[str], last: int, as_json: bool
) -> None:
    after = None
    width = 0
    while True:
        page = node.call('tail', names=list(names), after=after, last=last)
        after = page['next']
        if page['lost']:
            say(f'{page["lost"]} lines were lost')
        width = max([width, *(len(name) for _, _, name, _ in page['lines'])])
        for _, moment, name, text in page['lines']:
            when = datetime.fromtimestamp(moment, timezone.utc)
            if as_json:
                stamp = when.isoformat(timespec='milliseconds').replace('+00:00', 'Z')
                printer.json({'time': stamp, 'name': name, 'line': text}, line=True)
            else:
                stamp = when.astimezone().replace(tzinfo=None).isoformat(' ', 'milliseconds')
                label = line(f'{name:<{width}} | ', 'bold')
                printer.show(Text.assemble(line(f'{stamp} '), label, lines(text)))


def add_cpu(
    processes: Sequence[dict[str, Any]], before: Mapping[int, tuple[float, float]], now: float
) -> dict[int, tuple[float, float]]:
    """Add the share of one processor that each process uses, as `cpu` in percent.

    It is that since the last look, or since its start. Returns what the next look needs.
    """
    seen = {}
    for facts in processes:
        used, pid = facts['cpu_time'], facts['pid']
        facts['cpu'] = None
        if used is None or pid is None:
            continue
        at, then = before.get(pid, (now - facts['uptime'], 0.0))
        if now > at:
            facts['cpu'] = round(max(used - then, 0.0) / (now - at) * 100, 1)
        seen[pid] = now, used
    return seen


def _row(facts: Mapping[str, Any]) -> Sequence[str | Text]:
    state, cpu, memory = facts['state'], facts['cpu'], facts['memory']
    return (
        line(facts['name'], 'bold'),
        line(state, _STYLES.get(state, '')),
        '' if facts['pid'] is None else str(facts['pid']),
        '' if facts['uptime'] is None else short_duration(facts['uptime']),
        str(facts['restarts']),
        '' if cpu is None else f'{cpu:.1f}%',
        '' if memory is None else f'{memory / _MIB:.1f}M',
        facts.get('operations') or '',  # a node of an older version tells none
        facts['last_end'] or '',
    )
