"""The section of the plugin, read and checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from lymph.config import ConfigurationError, ConfigView
from lymph.core.options import refuse_unknown

__all__ = ['ReportingSettings']

_KEYS: Final = ('dsn', 'environment', 'release', 'sample_rate', 'server_name', 'flush_timeout')
_FLUSH_TIMEOUT: Final = 2.0  # seconds, as in the SDK


@dataclass(frozen=True)
class ReportingSettings:
    """The keys of the section.

    =============  ==================  =========================================================
    key            default             meaning
    =============  ==================  =========================================================
    dsn            SENTRY_DSN          where errors are sent, and as which project
    environment    SENTRY_ENVIRONMENT  such as ``production``, which is the default of the SDK
    release        SENTRY_RELEASE      by default the interface and its version, if there is one
    sample_rate    1.0                 the share of errors that are sent
    server_name    the host name       the name of this machine
    flush_timeout  2                   seconds to send what is left when the container stops
    =============  ==================  =========================================================
    """

    dsn: str
    by_variable: bool  # whether SENTRY_DSN has the DSN
    environment: str | None = None
    release: str | None = None
    sample_rate: float = 1.0
    server_name: str | None = None
    flush_timeout: float = _FLUSH_TIMEOUT

    @classmethod
    def from_config(cls, config: ConfigView) -> ReportingSettings:
        """Read the section. Raises ConfigurationError, also if there is no DSN."""
        refuse_unknown(config, _KEYS)
        dsn: str | None = config.get_line('dsn', None)
        if dsn is None and not os.environ.get('SENTRY_DSN'):
            raise config.error(
                'dsn',
                'expected the DSN of a project in Sentry, found nothing; set it here or as '
                'SENTRY_DSN',
            )
        return cls(
            dsn=dsn or os.environ['SENTRY_DSN'],
            by_variable=dsn is None,
            environment=config.get_line('environment', None),
            release=config.get_line('release', None),
            sample_rate=config.get_float('sample_rate', 1.0, minimum=0, maximum=1),
            server_name=config.get_line('server_name', None),
            flush_timeout=config.get_seconds('flush_timeout', _FLUSH_TIMEOUT, maximum=60),
        )

    def invalid_dsn(self, config: ConfigView) -> ConfigurationError:
        """Return the error about a DSN that the SDK rejects. Does not quote it: it has a key."""
        text = 'expected a DSN such as https://KEY@sentry.example.com/PROJECT, found another text'
        if self.by_variable:
            return ConfigurationError(f'SENTRY_DSN: {text}')
        return config.error('dsn', text)
