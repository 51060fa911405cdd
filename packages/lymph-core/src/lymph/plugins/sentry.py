"""Errors to Sentry: what the error hook is called with, sent from a native thread.

::

    plugins:
        sentry:
            dsn: https://KEY@sentry.example.com/PROJECT

Needs ``pip install 'lymph-core[sentry]'``. docs/errors.md is the guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from lymph.config.lazy import lazy
from lymph.core._calling.caller_side import CallerSide
from lymph.core.plugins import Plugin
from lymph.plugins._sections import as_view

__all__ = ['Sentry']

_new_reporting = lazy('lymph.plugins._sentry.reporting:Reporting')  # needs the extra


class Sentry(Plugin):
    """Sends each error that nothing else handles to Sentry, without arguments and variables.

    Its keys are those of `lymph.plugins._sentry.settings.ReportingSettings`. Raises
    ConfigurationError for an invalid section, and if the SDK is not installed.
    """

    def __init__(self, container: CallerSide, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(container, config)
        view = as_view(self.config, 'sentry')
        if find_spec('sentry_sdk') is None:
            raise view.error(
                [],
                'errors for Sentry need its SDK, which is not installed; '
                "pip install 'lymph-core[sentry]'",
            )
        self._reporting = _new_reporting(container, view)

    def on_start(self) -> None:
        """Make the client. Raises ConfigurationError for an invalid DSN."""
        super().on_start()
        self._reporting.start()

    def on_stop(self) -> None:
        """Send the errors that are left, for at most `flush_timeout` seconds."""
        self._reporting.stop()
        super().on_stop()
