"""What the plugin does: errors of the error hook become events for Sentry."""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import sentry_sdk
from sentry_sdk.utils import BadDsn, event_from_exception

from lymph.config import ConfigView
from lymph.config.printable import printable
from lymph.core._loop.hooks import Hook
from lymph.core.interfaces import Interface
from lymph.core.monitoring.metrics import Aggregate
from lymph.plugins._sentry.sending import ThreadedTransport
from lymph.plugins._sentry.settings import ReportingSettings

__all__ = ['Reporting']

logger = logging.getLogger(__name__)

_NAME = 200  # characters
_BURST: Final = 20  # errors at once
_RATE: Final = 5.0  # errors a second; making the event of one takes about a millisecond


class Reporter(Protocol):
    """What reporting needs of a container."""

    identity: str
    error_hook: Hook
    metrics: Aggregate

    @property
    def interfaces(self) -> list[Interface]:
        """The installed interfaces."""


class Reporting:
    """Sends the errors of a container, from `start` to `stop`."""

    def __init__(self, container: Reporter, config: ConfigView) -> None:
        self._container = container
        self._config = config
        self._settings = ReportingSettings.from_config(config)
        self._allowance = float(_BURST)
        self._last = time.monotonic()
        self._client: sentry_sdk.Client | None = None
        self._remove: Callable[[], None] | None = None
        self._transport: ThreadedTransport | None = None

    def start(self) -> None:
        """Make the client. Raises ConfigurationError for an invalid DSN."""
        settings = self._settings
        try:
            client = sentry_sdk.Client(
                dsn=settings.dsn,
                environment=settings.environment,
                release=settings.release or self._release(),
                sample_rate=settings.sample_rate,
                server_name=settings.server_name,
                transport=ThreadedTransport,
                # the error hook says what to report: these would find errors a second time, and
                # some of them patch what gevent has patched
                default_integrations=False,
                auto_enabling_integrations=False,
                enable_backpressure_handling=False,
                include_local_variables=False,  # what identifies users is off by default
                max_breadcrumbs=0,
            )
        except BadDsn as error:
            raise settings.invalid_dsn(self._config) from error
        transport = client.transport
        assert isinstance(transport, ThreadedTransport)  # there is a DSN
        self._client, self._transport = client, transport
        self._container.metrics.add(transport)
        self._remove = self._container.error_hook.install(self.report)
        if not sentry_sdk.get_client().is_active():
            sentry_sdk.get_global_scope().set_client(client)

    def stop(self) -> None:
        """Send what is left, for a bounded time."""
        if self._transport is None or self._remove is None:
            return
        self._remove()
        client, transport = self._client, self._transport
        self._client = self._transport = self._remove = None
        if sentry_sdk.get_client() is client:
            sentry_sdk.get_global_scope().set_client(None)
        timeout = self._settings.flush_timeout
        left = transport.close(timeout)
        if left:
            logger.warning('Sentry did not take all errors within %.3g s; lost: %d', timeout, left)
        self._container.metrics.remove(transport)

    def report(self, error: BaseException, **details: Any) -> None:
        """Report an error. The arguments are those of the error hook."""
        transport = self._transport
        if transport is None:
            return
        if transport.full or not self._may_report():
            transport.dropped += 1
            return
        client = self._client
        assert client is not None  # it has the transport
        scope = sentry_sdk.Scope(client=client)
        name = _name(details)
        scope.set_transaction_name(name)
        for tag, value in self._tags(details).items():
            scope.set_tag(tag, value)
        scope.set_context('lymph', {'method': name, 'attempt': details.get('attempt')})
        mechanism = {'type': 'lymph', 'handled': False}
        event, hint = event_from_exception(error, client.options, mechanism)
        scope.capture_event(event, hint)

    def _tags(self, details: Mapping[str, Any]) -> dict[str, str]:
        tags = {'instance': self._container.identity, 'method': _name(details)}
        trace_id = details.get('trace_id')
        if isinstance(trace_id, str):
            tags['trace_id'] = trace_id
        interface = self._interface(details)
        if interface is not None:
            tags['interface'] = interface.name
            if interface.version:
                tags['version'] = str(interface.version)
        return tags

    def _interface(self, details: Mapping[str, Any]) -> Interface | None:
        """Return the interface whose code has failed, None if it is not known."""
        owner = getattr(_unwrapped(details.get('function')), '__self__', None)
        candidates = owner, details.get('component')
        for found in candidates:
            if isinstance(found, Interface):
                return found
        name = str(details.get('method', '')).rpartition('.')[0]
        fitting = [each for each in self._container.interfaces if each.name == name]
        # of several versions, the hook does not say which one was called
        return fitting[0] if len(fitting) == 1 else None

    def _release(self) -> str | None:
        if os.environ.get('SENTRY_RELEASE'):
            return None  # the SDK reads it
        interfaces = self._container.interfaces
        if len(interfaces) == 1 and interfaces[0].version:
            return f'{interfaces[0].name}@{interfaces[0].version}'
        return None

    def _may_report(self) -> bool:
        """Tell whether the rate of errors allows another one (token bucket)."""
        now = time.monotonic()
        self._allowance = min(_BURST, self._allowance + (now - self._last) * _RATE)
        self._last = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True


def _name(details: Mapping[str, Any]) -> str:
    """Return what has failed, in words of few different values."""
    method = details.get('method')
    if method is not None:
        return str(method)
    function, component = details.get('function'), details.get('component')
    name = getattr(_unwrapped(function), '__qualname__', None)
    if isinstance(name, str):
        return printable(name, _NAME)
    return f'{type(component).__name__}.{details.get("resource", "?")}'


def _unwrapped(function: object) -> object:
    return inspect.unwrap(function) if callable(function) else function
