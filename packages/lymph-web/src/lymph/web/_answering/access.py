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
from lymph.core.monitoring.plain_lines import flush_lines, log_line
from lymph.web._answering.faults import path_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['flush_access_log', 'log_request']

logger = logging.getLogger('lymph.web.access')

_ADDRESS, _METHOD = 64, 20  # characters


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
    method = printable(environ['REQUEST_METHOD'], _METHOD)
    # what a proxy in front says, where a middleware believes it
    address = printable(environ.get('REMOTE_ADDR') or '-', _ADDRESS)
    line = f'{address} {method} {path_of(environ)} {status[:3]} in {seconds * 1000:.1f} ms'
    if length is not None and method != 'HEAD':
        line = f'{line}, {length} bytes'
    log_line(logger, level, line, trace_id)


def flush_access_log() -> None:
    """Write the lines that wait to be written."""
    flush_lines(logger)
