"""The access log: one line for each request, by the logger ``lymph.web.access``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lymph.config.printable import printable
from lymph.web._answering.faults import path_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['log_request']

logger = logging.getLogger('lymph.web.access')


def log_request(environ: WSGIEnvironment, status: str, seconds: float, level: int) -> None:
    """Log a request with its status line and how long it took until its answer began."""
    if logger.isEnabledFor(level):
        logger.log(
            level,
            '%s %s %s %s in %.1f ms',
            # what a proxy in front says, where a middleware believes it
            printable(environ.get('REMOTE_ADDR') or '-', 64),
            printable(environ['REQUEST_METHOD'], 20),
            path_of(environ),
            status.partition(' ')[0],
            seconds * 1000,
        )
