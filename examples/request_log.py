"""A plugin that logs what a process does: each unit of work, for whom, and how it ended.

lymph's log lines begin with the trace id of the work, so the line itself does not repeat it.
"""

from __future__ import annotations

import logging
import time

import lymph

logger = logging.getLogger('request_log')


class RequestLog(lymph.Plugin, lymph.Interceptor):
    kinds = ('rpc', 'event', 'task', 'http')

    def intercept(self, work, proceed):
        started = time.monotonic()
        outcome = 'done'
        try:
            return proceed()
        except lymph.Refused as error:
            outcome = f'refused ({error.reason})'
            raise
        except BaseException as error:  # also what ends the work from outside, as in a drain
            outcome = type(error).__name__
            raise
        finally:
            logger.info(
                '%s %s for %s: %s in %.1f ms',
                work.kind,
                work.name,
                work.peer,
                outcome,
                (time.monotonic() - started) * 1000,
            )
