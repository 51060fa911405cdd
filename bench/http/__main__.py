"""The command: measure HTTP servers and write the tables.

python -m bench.http [--quick] [--page docs/performance.md]
"""

from __future__ import annotations

import subprocess

from bench.command import Command
from bench.contest import Contest
from bench.http.contenders import standing
from bench.http.report import report
from bench.http.slices import Load, Result
from bench.machine import describe, load

__all__ = ['main']

_DISTRIBUTIONS = (
    *('lymph-web', 'gevent', 'Werkzeug', 'httptools', 'gunicorn', 'granian', 'nameko', 'eventlet'),
    *('aiohttp', 'fastapi', 'uvicorn', 'uvloop'),
)
_FULL, _QUICK = (1, 9), (1, 2)  # seconds of a slice, rounds


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, print the tables and, unless it was a quick run, write the page."""
    command = Command('http', __doc__, arguments)
    seconds, rounds = _QUICK if command.quick else _FULL
    before = load()
    loads = [Load(connections, seconds) for connections in (64, 1)]
    contest: Contest[Load, Result] = Contest()
    with standing() as servers:
        names = [server.name for server in servers]
        contest.hold(servers, loads, rounds, tell=command.progress)
    text = (
        f'{describe(_DISTRIBUTIONS)}\n{_wrk_version()}.\n'
        f'Medians of {rounds} rounds; load of the machine before: {before:.1f}.\n\n'
        f'{report(contest, names, loads)}'
    )
    command.publish(text)


def _wrk_version() -> str:
    said = subprocess.run(['wrk', '--version'], capture_output=True, text=True, check=False).stdout
    return ' '.join(said.split()[:2])


if __name__ == '__main__':
    main()
