"""The health endpoint: tells a load balancer whether to send requests here.

Source: the manual, section 4.6.1.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Request, Response

from lymph.config import ConfigView
from lymph.core.failures import Killed, log_failure
from lymph.core.options import refuse_unknown

__all__ = ['Health']

logger = logging.getLogger(__name__)


def _log(error: BaseException) -> None:
    log_failure(logger, error, 'the health check failed')


@dataclass(frozen=True)
class Health:
    """Answers requests for one path: 200 while the interface is healthy, 503 otherwise.

    An interface is unhealthy while its container drains, and when its check raises; `log` is
    called with that error.
    """

    is_healthy: Callable[[], bool]
    is_draining: Callable[[], bool]
    endpoint: str = '/_health/'
    enabled: bool = True
    log: Callable[[BaseException], None] = _log

    @classmethod
    def from_config(
        cls,
        config: ConfigView,
        is_healthy: Callable[[], bool],
        is_draining: Callable[[], bool],
        log: Callable[[BaseException], None] = _log,
    ) -> Health:
        """Read `enabled` and `endpoint`. Raises ConfigurationError for invalid values."""
        refuse_unknown(config, ('enabled', 'endpoint'), plain=True)
        endpoint = config.get_line('endpoint', cls.endpoint)
        if not endpoint.startswith('/'):
            found = config.describe('endpoint')
            raise config.error('endpoint', f"expected a path like '/_health/', found {found}")
        enabled = config.get_bool('enabled', cls.enabled)
        return cls(is_healthy, is_draining, endpoint, enabled, log)

    def answers(self, path: str) -> bool:
        """Return whether the health endpoint answers requests for `path`."""
        return self.enabled and path == self.endpoint

    def respond(self, request: Request) -> Response:
        """Return the answer to a GET or HEAD request. Raises MethodNotAllowed for others."""
        if request.method not in ('GET', 'HEAD'):
            raise MethodNotAllowed(['GET', 'HEAD'])
        status = self.status()
        return Response(
            json.dumps({'status': status}) + '\n',
            200 if status == 'healthy' else 503,
            {'Cache-Control': 'no-store'},
            mimetype='application/json',
        )

    def status(self) -> str:
        """Return ``healthy``, ``unhealthy`` or ``draining``."""
        if self.is_draining():
            return 'draining'
        try:
            return 'healthy' if self.is_healthy() else 'unhealthy'
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
            self.log(error)
            return 'unhealthy'
