"""The kazoo client of a registry: created from the configuration, or passed in and checked.

This module makes the decisions that kazoo leaves to its users: callbacks run in greenlets, a lost
connection is retried without end and at least once a second, and credentials never reach a log.

kazoo logs every attempt to connect. A client that is created here logs them at level DEBUG only:
`session` already logs once that the connection was lost, and why it cannot be restored. A client
that was passed in logs each of these lines at most once a minute, unless its level is DEBUG.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import ConfigurationError as KazooConfigurationError
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.protocol.serialization import Auth

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.config.references import load_reference
from lymph.core.failures import described
from lymph.core.monitoring.log_limits import Reminder
from lymph.discovery.zookeeper._client.hosts import bound_look_ups
from lymph.discovery.zookeeper._client.options import read_options

__all__ = ['check_client', 'client_from_config']

_DEPENDENCY = 'dep:'
_WITH_EACH_ATTEMPT = (
    'Cannot resolve %s: %s',
    'Connecting to %s(%s):%s, use_ssl: %r',
    'Connection dropped: %s',
    'Connection time-out: %s',
    'Failed connecting to Zookeeper within the connection retry policy.',
    'Session has expired',
    'Transition to CONNECTING',
    'Zookeeper connection established, state: %s',
    'Zookeeper connection lost',
    'Zookeeper session closed, state: %s',
    'cannot find %s: %s',
)


def client_from_config(config: ConfigView, key: str) -> Any:
    """Return the client that is configured at `key`.

    The value is a section with the arguments of a kazoo client (`class` defaults to
    kazoo.client:KazooClient), or `dep:name` with such a section under `dependencies`. Raises
    ConfigurationError for any other value, and for arguments that kazoo rejects.
    """
    raw = config.get_raw(key)
    if isinstance(raw, dict):
        section = config.view(key)
        return _make(section, lambda extra: config.create_instance(key, KazooClient, **extra))
    if not (isinstance(raw, str) and raw.startswith(_DEPENDENCY)):
        raise config.error(
            key,
            'expected a ZooKeeper client: a mapping such as {hosts: "127.0.0.1:2181"}, or '
            f'dep:<name> with that under dependencies; found {config.describe(key)}',
        )
    root, path = config.root, ('dependencies', raw.removeprefix(_DEPENDENCY))
    if not isinstance(root.get_raw(path), dict):
        return config[key]
    return _make(root.view(path), lambda extra: root.get_instance(path, **extra))


def check_client(client: Any, where: Location | str | None = None) -> None:
    """Check that `client` can be used, and adapt it to lymph.

    Afterwards its log shows no credentials and repeats itself at most once a minute, and its
    look-ups of host names have a time limit. `where` is the place in the configuration for errors.
    Raises ConfigurationError for an object that is not a kazoo client, and for a client whose
    handler would block the hub.
    """
    if not isinstance(client, KazooClient):
        raise ConfigurationError(f'expected a kazoo client, found {described(client)}', where)
    if not isinstance(client.handler, SequentialGeventHandler):
        raise ConfigurationError(
            'expected a kazoo client with handler=SequentialGeventHandler(), found one with '
            f'{type(client.handler).__name__}; make it with that handler, or leave its making to '
            'lymph: a section of the configuration',
            where,
        )
    client.logger.addFilter(_hide_credentials)
    if not any(isinstance(each, _Attempts) for each in client.logger.filters):
        client.logger.addFilter(_Attempts())
    bound_look_ups(client)


def _make(section: ConfigView, create: Any) -> Any:
    factory = _factory(section)
    if not (isinstance(factory, type) and issubclass(factory, KazooClient)):
        return create({})
    options = {'logger': _quiet_logger(), **read_options(section, factory)}
    try:
        return create(options)
    except (TypeError, ValueError, KazooConfigurationError) as error:
        # kazoo's error may quote values, and a value may be a password
        given = ', '.join(key for key in section if key != 'class')
        raise section.error(
            (), f'kazoo takes no such client ({type(error).__name__}); check the options {given}'
        ) from None


def _factory(section: ConfigView) -> object:
    named = section.get_raw('class')
    if isinstance(named, str):
        return load_reference(named, where=section.locate('class'))
    return KazooClient if named is None else named


def _quiet_logger() -> logging.Logger:
    made = logging.getLogger('lymph.discovery.zookeeper.kazoo')
    made.addFilter(_only_for_debugging)  # no effect if the logger already has it
    return made


class _Attempts(logging.Filter):
    """Passes the lines that kazoo logs for each attempt to connect at most once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._reminders = {text: Reminder() for text in _WITH_EACH_ATTEMPT}

    def filter(self, record: logging.LogRecord) -> bool:
        reminder = self._reminders.get(record.msg) if isinstance(record.msg, str) else None
        if reminder is None or logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
            return True
        return reminder.due(time.monotonic())


def _only_for_debugging(record: logging.LogRecord) -> bool:
    return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


def _hide_credentials(record: logging.LogRecord) -> bool:
    """Replace the password in the line that kazoo logs when it sends credentials."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            Auth(one.auth_type, one.scheme, '***') if isinstance(one, Auth) else one
            for one in record.args
        )
    return True
