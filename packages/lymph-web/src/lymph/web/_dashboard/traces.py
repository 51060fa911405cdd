"""Traces for the page: the latest ones, and one as a tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from werkzeug.exceptions import BadRequest, ServiceUnavailable

from lymph.config.printable import printable, quoted
from lymph.core.monitoring.traces import Trace, find_trace, latest_traces
from lymph.exceptions import LymphError
from lymph.web._dashboard.hosts import DashboardHost
from lymph.web._dashboard.requests import whole_number

__all__ = ['Traces']

_LATEST: Final = 200  # traces in a list, at most
_UNITS: Final = 2000  # of a trace
_SECONDS: Final = re.compile(r'\d{1,5}(\.\d{1,6})?')


class Traces:
    """Asks all instances that `host` finds. Both methods raise ServiceUnavailable."""

    def __init__(self, host: DashboardHost) -> None:
        self._host = host

    def latest(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the latest traces: at most `limit`, `failed` ones, or those with `slow` seconds.

        Raises BadRequest for values that cannot be used.
        """
        limit = whole_number(query.get('limit'), 'limit', 50, _LATEST)
        failed = query.get('failed', '0')
        if failed not in ('0', '1'):
            raise BadRequest(f'failed: expected 0 or 1, found {quoted(failed)}.')
        slow = query.get('slow') or '0'
        if not _SECONDS.fullmatch(slow):
            raise BadRequest(f'slow: expected seconds, such as 0.5, found {quoted(slow)}.')
        try:
            found = latest_traces(self._host, limit, failed=failed == '1', slow=float(slow))
        except LymphError as error:
            raise _unavailable(error) from error
        return {
            'traces': [asdict(each) for each in found.traces],
            'silent': sum(bool(each.problem) for each in found.sources),
            'asked': len(found.sources),
        }

    def show(self, trace_id: str) -> dict[str, Any]:
        """Return a trace. Raises BadRequest for what is no trace id."""
        try:
            return _facts(find_trace(self._host, trace_id))
        except ValueError as error:
            raise BadRequest(f'{error}.') from None
        except LymphError as error:
            raise _unavailable(error) from error


def _facts(trace: Trace) -> dict[str, Any]:
    left_out = max(0, len(trace.units) - _UNITS)
    return {
        'trace_id': trace.trace_id,
        'outcome': trace.outcome,
        'started': trace.started,
        'duration': trace.duration,
        'failures': trace.failures,
        'running': trace.running,
        'units': [asdict(each) for each in trace.units[:_UNITS]],
        'sources': [asdict(each) for each in trace.sources],
        'left_out': trace.left_out + left_out,
    }


def _unavailable(error: LymphError) -> ServiceUnavailable:
    return ServiceUnavailable(f'The registry cannot be asked: {printable(str(error), 500)}')
