"""The access log: one line for each request, by the logger `lymph.web.access`.

::

    127.0.0.1 GET /hello/you/ 200 in 1.2 ms, 17 bytes

The time ends when the answer begins; the bytes are those of its body, as its Content-Length says.
The line is made once. Handlers that can write many lines at once get it without a record of
`logging`, see `lymph.core.monitoring.plain_lines`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lymph.config.printable import printable
from lymph.core.monitoring.plain_lines import LineLog
from lymph.web._answering.faults import printable_path

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['flush_access_log', 'log_request']

logger = logging.getLogger('lymph.web.access')

_ADDRESS, _METHOD, _PATH = 64, 20, 200  # characters
_log = LineLog(logger)


def log_request(
    environ: WSGIEnvironment,
    status: str,
    length: int | None,
    seconds: float,
    trace_id: str,
    health_check: bool = False,
) -> None:
    """Log that a request is answered with `status` and a body of `length` bytes (None: unknown).

    Health checks are logged at DEBUG: load balancers ask every other second.
    """
    level = logging.DEBUG if health_check else logging.INFO
    if not logger.isEnabledFor(level):
        return
    path = environ.get('PATH_INFO', '')
    if len(path) > _PATH:
        path = path[:_PATH]  # not kept until the line is written
    method = environ['REQUEST_METHOD']
    # what a proxy in front says, where a middleware believes it
    address = environ.get('REMOTE_ADDR') or '-'
    _log.write(level, _line, (address, method, path, status, seconds, length), trace_id)


def _line(
    address: str, method: str, path: str, status: str, seconds: float, length: int | None
) -> str:
    what = f'{address} {method} {path}'
    # one test is enough for nearly all lines, which need no change
    if (
        not (what.isascii() and what.isprintable())
        or len(method) > _METHOD
        or len(address) > _ADDRESS
    ):
        who = f'{printable(address, _ADDRESS)} {printable(method, _METHOD)}'
        what = f'{who} {printable_path(path)}'
    size = '' if length is None or method == 'HEAD' else f', {length} bytes'
    return f'{what} {status[:3]} in {seconds * 1000:.1f} ms{size}'


def flush_access_log() -> None:
    """Write the lines that wait to be written."""
    _log.flush()
