"""Log records for pages: which ones a page wants, and what it is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.exceptions import BadRequest

from lymph.config.printable import quoted

__all__ = ['WantedRecords', 'record_facts']

_LEVELS: Final = {'debug': 10, 'info': 20, 'warning': 30, 'error': 40, 'critical': 50}
_MESSAGE: Final = 8_000  # characters of a message, and of a traceback its last ones
_NAME: Final = 200  # characters of a logger


@dataclass(frozen=True)
class WantedRecords:
    """Records of at least a level, of one service, of one trace; None: of all."""

    levelno: int = 0
    service: str | None = None
    trace_id: str | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> WantedRecords:
        """Read `level`, `service` and `trace`. Raises BadRequest for an unknown level."""
        level = query.get('level', 'debug')
        if level not in _LEVELS:
            expected = ', '.join(_LEVELS)
            raise BadRequest(f'level: expected one of {expected}; found {quoted(level)}.')
        return cls(
            0 if level == 'debug' else _LEVELS[level],
            query.get('service') or None,
            query.get('trace') or None,
        )

    def admits(self, facts: Mapping[str, Any], services: frozenset[str]) -> bool:
        """Tell whether a record of an instance of these services is wanted."""
        return (
            facts['levelno'] >= self.levelno
            and (self.service is None or self.service in services)
            and (self.trace_id is None or facts['trace_id'] == self.trace_id)
        )


def record_facts(facts: Mapping[str, Any], services: frozenset[str]) -> dict[str, Any]:
    """Return what pages are told of a record as `lymph.core.monitoring.log_reader` reads it."""
    exception = facts.get('exception')
    return {
        'identity': facts['identity'][:_NAME],
        'number': facts['number'],
        'time': facts['time'],
        'level': facts['level'][:_NAME],
        'levelno': facts['levelno'],
        'logger': facts['logger'][:_NAME],
        'message': facts['message'][:_MESSAGE],
        'trace_id': None if facts['trace_id'] is None else facts['trace_id'][:_NAME],
        'exception': None if exception is None else exception[-_MESSAGE:],
        'services': sorted(services),
    }
