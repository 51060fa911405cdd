"""Read and check the arguments of a kazoo client in a section of the configuration.

Source: the documentation of `kazoo.client.KazooClient` and `kazoo.retry.KazooRetry`.
"""

from __future__ import annotations

import inspect
import logging
import os
from typing import Any

import gevent
from kazoo.client import KazooClient
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.retry import KazooRetry
from kazoo.security import ACL

from lymph.config import ConfigView
from lymph.config.printable import is_line
from lymph.core.options import refuse_unknown
from lymph.discovery.zookeeper._client.paths import read_hosts

__all__ = ['read_options']

_RETRY: dict[str, Any] = {'max_tries': -1, 'max_delay': 1.0, 'sleep_func': gevent.sleep}
_RETRY_KEYS = ('backoff', 'deadline', 'delay', 'ignore_expire', 'max_delay', 'max_jitter')

_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(KazooClient.__init__).parameters.items()
    if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name != 'self'
}
_FLAGS = ('check_hostname', 'randomize_hosts', 'read_only', 'use_ssl', 'verify_certs')
_TEXTS = ('ca', 'certfile', 'keyfile', 'keyfile_password')
_FILES = ('ca', 'certfile', 'keyfile')
_LONGEST_SESSION = 24 * 3600  # seconds; kazoo sends milliseconds in 32 bits
_MOST_TRIES = 1_000_000


def read_options(section: ConfigView, factory: type[KazooClient]) -> dict[str, Any]:
    """Return the arguments for `factory` that replace the raw values of the section.

    Raises ConfigurationError for values that kazoo rejects or fails on later, and for unknown
    keys. A subclass of KazooClient may take further keys, which are not checked.
    """
    if factory is KazooClient:
        refuse_unknown(section, _DEFAULTS)
    # A key without a value means kazoo's default, which is often another one than None.
    options: dict[str, Any] = {
        name: _DEFAULTS[name]
        for name in section
        if name in _DEFAULTS and section.get_raw([name]) is None
    }
    options |= {name: section.get_bool(name) for name in _present(section, _FLAGS)}
    options |= {name: section.get_line(name) for name in _present(section, _TEXTS)}
    for name in _present(section, _FILES):
        if not os.access(options[name], os.R_OK):
            raise section.error(name, f'cannot read {section.describe(name)}; check the path')
    if _present(section, ('timeout',)):
        options['timeout'] = section.get_seconds('timeout', maximum=_LONGEST_SESSION)
    if _present(section, ('hosts',)):
        options['hosts'] = _hosts(section)
    if _present(section, ('auth_data',)):
        options['auth_data'] = _auth_data(section)
    if _present(section, ('client_id',)):
        raise section.error('client_id', 'expected nothing: a session is one process; remove it')
    _check_sasl(section)
    _check_acl(section)
    logger = _object(section, 'logger', logging.Logger)
    if logger is not None:
        options['logger'] = logger
    else:
        # kazoo's default is None, which would replace the logger that the caller has for this
        options.pop('logger', None)
    options['handler'] = (
        _object(section, 'handler', SequentialGeventHandler) or SequentialGeventHandler()
    )
    for key in ('connection_retry', 'command_retry'):
        options[key] = _retry(section, key)
    return options


def _present(section: ConfigView, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if section.get_raw([name]) is not None]


def _hosts(section: ConfigView) -> str:
    try:
        return read_hosts(section.get_raw('hosts'))
    except ValueError as error:
        raise section.error('hosts', f'{error}, found {section.describe("hosts")}') from None


def _auth_data(section: ConfigView) -> list[tuple[str, str]]:
    value = section.get_raw('auth_data')
    pairs = [tuple(each) for each in value if isinstance(each, list)] if _listed(value) else []
    texts = all(isinstance(text, str) and is_line(text) for pair in pairs for text in pair)
    if not texts or not _listed(value) or any(len(pair) != 2 for pair in pairs):
        # The error does not show what was found: it has credentials in it.
        raise section.error(
            'auth_data', 'expected a list of [scheme, credential], such as [[digest, "user:word"]]'
        )
    return pairs


def _listed(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, list) for each in value)


def _check_sasl(section: ConfigView) -> None:
    options = section.view('sasl_options')
    for name in options:
        options.get_line([name])
    if options:
        options.get_line('mechanism')


def _check_acl(section: ConfigView) -> None:
    value = section.get('default_acl')
    listed = value if isinstance(value, list) else [value]
    if value is not None and not all(isinstance(each, ACL) for each in listed):
        raise section.error(
            'default_acl',
            'expected dep:<a list of kazoo.security.ACL>; what lymph makes follows the option acl '
            'of the registry',
        )


def _object(section: ConfigView, key: str, kind: type) -> Any:
    value = section.get(key)
    if value is not None and not isinstance(value, kind):
        found = section.describe(key)
        raise section.error(key, f'expected dep:<a {kind.__name__}>, found {found}; leave it out')
    return value


def _retry(section: ConfigView, key: str) -> KazooRetry:
    given = section.get(key)
    if isinstance(given, KazooRetry):
        return given
    options = section.view(key)
    refuse_unknown(options, ('max_tries', *_RETRY_KEYS), plain=True)
    found = {
        'max_tries': options.get_int('max_tries', None, minimum=-1, maximum=_MOST_TRIES),
        'delay': options.get_seconds('delay', None, zero=True),
        'max_delay': options.get_seconds('max_delay', None),
        'deadline': options.get_seconds('deadline', None),
        'backoff': options.get_float('backoff', None, minimum=1, maximum=1000),
        'max_jitter': options.get_float('max_jitter', None, minimum=0, maximum=1),
        'ignore_expire': options.get_bool('ignore_expire', None),
    }
    return KazooRetry(
        **{**_RETRY, **{name: value for name, value in found.items() if value is not None}}
    )
