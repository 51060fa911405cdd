"""The kazoo client of a registry: made from the configuration, or given and checked.

What kazoo leaves open is decided here: callbacks run in greenlets, a lost connection is sought
again for ever and at least once a second, credentials never reach a log. Of the client that is made
here kazoo tells each of these attempts; they are logged when the level is DEBUG, because `session`
tells once that a connection was lost, and why it was not made.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import gevent
from kazoo.client import KazooClient
from kazoo.exceptions import ConfigurationError as KazooConfigurationError
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.hosts import collect_hosts
from kazoo.protocol.serialization import Auth
from kazoo.retry import KazooRetry

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.config.references import load_reference
from lymph.discovery.zookeeper.hosts import bound_look_ups

__all__ = ['check_client', 'client_from_config']

_RETRY: dict[str, Any] = {'max_tries': -1, 'max_delay': 1.0, 'sleep_func': gevent.sleep}
_DEPENDENCY = 'dep:'


def client_from_config(config: ConfigView, key: str) -> Any:
    """Return the client at `key`.

    It is a section with kazoo's arguments (`class` defaults to kazoo.client:KazooClient), or
    `dep:name` with such a section under `dependencies`. Raises ConfigurationError.
    """
    raw = config.get_raw(key)
    if isinstance(raw, dict):
        section = config.view(key)
        return _make(section, lambda extra: config.create_instance(key, KazooClient, **extra))
    if raw is None:
        raise config.error(key, 'expected a ZooKeeper client: its hosts, or dep:<name>; add it')
    name = raw.removeprefix(_DEPENDENCY) if isinstance(raw, str) else None
    root, path = config.root, ('dependencies', name or '')
    if name == raw or not isinstance(root.get_raw(path), dict):
        return config[key]
    return _make(root.view(path), lambda extra: root.get_instance(path, **extra))


def check_client(client: Any, where: Location | str | None = None) -> None:
    """Raise ConfigurationError for what is no client, or for one that would block the hub.

    A client that is none of these is made not to wait for name servers without a limit.
    """
    if not isinstance(client, KazooClient):
        raise ConfigurationError(f'expected a kazoo client, found {client!r}', where)
    if not isinstance(client.handler, SequentialGeventHandler):
        raise ConfigurationError(
            'expected a kazoo client with handler=SequentialGeventHandler(), found one with '
            f'{type(client.handler).__name__}; make it with that handler, or leave its making to '
            'lymph: a section of the configuration',
            where,
        )
    client.logger.addFilter(_hide_credentials)
    bound_look_ups(client)


def _make(section: ConfigView, create: Any) -> Any:
    if not _is_kazoo(section):
        return create({})
    _check_hosts(section)
    extra: dict[str, Any] = {
        'connection_retry': _retry(section, 'connection_retry'),
        'command_retry': _retry(section, 'command_retry'),
        'logger': _quiet_logger(),
    }
    if 'handler' not in section:
        extra['handler'] = SequentialGeventHandler()
    try:
        return create(extra)
    except (TypeError, ValueError, KazooConfigurationError) as error:
        # the error may show values, and a value may be a password
        given = ', '.join(key for key in section if key != 'class')
        raise section.error(
            (), f'kazoo takes no such client ({type(error).__name__}); check the options {given}'
        ) from None


def _is_kazoo(section: ConfigView) -> bool:
    named = section.get_raw('class')
    if isinstance(named, str):
        named = load_reference(named, where=section.locate('class'))
    return named is None or (isinstance(named, type) and issubclass(named, KazooClient))


def _check_hosts(section: ConfigView) -> None:
    hosts = section.get_raw('hosts')
    if hosts is None:
        return
    listed = hosts if isinstance(hosts, list) else [hosts]
    try:
        if not listed or not all(isinstance(host, str) and host for host in listed):
            raise ValueError
        collect_hosts(hosts)
    except ValueError:
        raise section.error(
            'hosts', f'expected host:port, several of them or a list of them, found {hosts!r}'
        ) from None


def _retry(section: ConfigView, key: str) -> KazooRetry:
    given = section.get(key)
    if isinstance(given, KazooRetry):
        return given
    options = section.get_raw(key) or {}
    try:
        if not isinstance(options, Mapping):
            raise TypeError
        return KazooRetry(**{**_RETRY, **options})
    except (TypeError, ValueError):
        raise section.error(key, 'expected options of kazoo.retry.KazooRetry') from None


def _quiet_logger() -> logging.Logger:
    made = logging.getLogger('lymph.discovery.zookeeper.kazoo')
    made.addFilter(_only_for_debugging)  # again is ignored
    return made


def _only_for_debugging(record: logging.LogRecord) -> bool:
    return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


def _hide_credentials(record: logging.LogRecord) -> bool:
    """Take the password out of what kazoo logs when it sends it."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            Auth(one.auth_type, one.scheme, '***') if isinstance(one, Auth) else one
            for one in record.args
        )
    return True
