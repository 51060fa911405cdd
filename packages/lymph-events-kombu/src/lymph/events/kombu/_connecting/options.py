"""Read and check the arguments of `kombu.Connection` in the section `container.events`.

Source: the documentation of `kombu.Connection` and of `amqp.connection.Connection`, whose arguments
are the `transport_options` of RabbitMQ.
"""

from __future__ import annotations

import datetime
import importlib.util
import inspect
import os
import socket
from collections.abc import Mapping
from typing import Any

from kombu.connection import Connection

from lymph.config import Configuration, ConfigurationError, ConfigView
from lymph.core.options import refuse_unknown
from lymph.events.kombu._connecting.tls import FILES, OPTIONS, REQUIREMENTS, check

__all__ = ['ARGUMENTS', 'read_amqp_options', 'read_arguments', 'read_seconds', 'read_tls']

ARGUMENTS = frozenset(inspect.signature(Connection.__init__).parameters) - {'self', 'kwargs'}

_HEARTBEAT = 10.0  # seconds; a dead connection is noticed after two intervals
_CONNECT_TIMEOUT = 5.0
_SHORTEST_HEARTBEAT = 0.1  # seconds; each interval is checked four times
_LONGEST_HEARTBEAT = 65535  # seconds; an unsigned 16-bit field in AMQP
_LONGEST_CONNECT = 24 * 3600
_LOGIN_METHODS = ('PLAIN', 'AMQPLAIN', 'EXTERNAL', 'GSSAPI')
_AMQP_OPTIONS = (
    *('channel_max', 'client_properties', 'confirm_publish', 'frame_max', 'locale'),
    'socket_settings',
)
_TLS_FILES = {
    'ciphers': 'ciphers that OpenSSL knows',
    'ca_certs': 'certificates in PEM',
    'certfile': 'a certificate in PEM, with its key in keyfile or behind it',
}
_SMALLEST_FRAME = 4096  # bytes; AMQP 0-9-1, 4.2.3
_INT = 2**31 - 1
_LONG = 2**63 - 1


def read_arguments(config: ConfigView) -> dict[str, Any]:
    """Return the arguments that all addresses share, without the transport and its options.

    Raises ConfigurationError for invalid values, and for the login method GSSAPI if the
    distribution gssapi is not installed.
    """
    found = {
        'heartbeat': config.get_seconds(
            'heartbeat',
            _HEARTBEAT,
            zero=True,
            least=_SHORTEST_HEARTBEAT,
            maximum=_LONGEST_HEARTBEAT,
        ),
        'connect_timeout': config.get_seconds(
            'connect_timeout', _CONNECT_TIMEOUT, maximum=_LONGEST_CONNECT
        ),
        'port': config.get_int('port', None, minimum=1, maximum=65535),
        'insist': config.get_bool('insist', None),
        'login_method': config.get_choice('login_method', _LOGIN_METHODS, None),
        'virtual_host': _virtual_host(config),
        'credential_provider': _provider(config),
        **{key: config.get_line(key, None) for key in ('password', 'uri_prefix', 'userid')},
    }
    if found['login_method'] == 'GSSAPI' and importlib.util.find_spec('gssapi') is None:
        raise config.error('login_method', 'GSSAPI needs the distribution gssapi; install it')
    return {key: value for key, value in found.items() if value is not None}


def read_seconds(query: Mapping[str, str], key: str) -> float:
    """Return the value in seconds of the option `key` in the query of a URL.

    Raises ValueError with a text that says what is expected.
    """
    try:
        return float(read_arguments(Configuration({key: query[key]}))[key])
    except ConfigurationError as error:
        raise ValueError(f'{key} of the URL: {error.text}') from None


def read_amqp_options(config: ConfigView) -> dict[str, Any]:
    """Return the `transport_options` for RabbitMQ.

    Raises ConfigurationError for unknown options, for invalid values, and for `confirm_publish:
    false`, because every event is confirmed.
    """
    options = config.view('transport_options')
    refuse_unknown(options, _AMQP_OPTIONS, plain=True)
    if not options.get_bool('confirm_publish', True):
        raise options.error('confirm_publish', 'expected true: every event is confirmed; remove it')
    properties, settings = options.view('client_properties'), options.view('socket_settings')
    found = {
        'channel_max': options.get_int('channel_max', None, minimum=0, maximum=65535),
        'frame_max': options.get_int('frame_max', None, minimum=_SMALLEST_FRAME, maximum=_INT),
        'locale': options.get_line('locale', None),
        'client_properties': {name: _property(properties, name) for name in properties} or None,
        'socket_settings': dict(_socket_setting(settings, name) for name in settings) or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def read_tls(config: ConfigView) -> bool | dict[str, Any]:
    """Return the value of `ssl`: false, true or the options of `tls.secure`.

    A section without any option is true: it asks for TLS. Raises ConfigurationError for unknown
    options, for files that cannot be read, and for options with which no TLS context can be made.
    """
    if not isinstance(config.get_raw('ssl'), Mapping):
        return config.get_bool('ssl', False)
    section = config.view('ssl')
    refuse_unknown(section, OPTIONS, plain=True)
    found: dict[str, Any] = {
        key: section.get_line(key, None) for key in OPTIONS - {'cert_reqs', 'check_hostname'}
    }
    found['check_hostname'] = section.get_bool('check_hostname', None)
    found['cert_reqs'] = _requirement(section)
    for key in FILES:
        if found[key] is not None and not os.access(found[key], os.R_OK):
            raise section.error(key, f'cannot read {section.describe(key)}; check the path')
    found = {key: value for key, value in found.items() if value is not None}
    # First each option by itself, so that the error names the one at fault.
    for key, expected in _TLS_FILES.items():
        if key in found and not _usable({name: found.get(name) for name in (key, 'keyfile')}):
            raise section.error(key, f'expected {expected}, found {section.describe(key)}')
    # `_usable` accepts a keyfile without a certfile: nothing would read it.
    keyfile_alone = 'keyfile' in found and 'certfile' not in found
    if keyfile_alone or not _usable(found):
        raise section.error(
            (), 'these options cannot be used together; check certfile, keyfile and cert_reqs'
        )
    return found or True


def _usable(options: Mapping[str, Any]) -> bool:
    try:
        check(options)
    except (OSError, ValueError):
        return False
    return True


def _requirement(section: ConfigView) -> str | None:
    value = section.get_line('cert_reqs', None)
    if value is None:
        return None
    word = value.lower().removeprefix('cert_')
    if word not in REQUIREMENTS:
        found = section.describe('cert_reqs')
        raise section.error('cert_reqs', f'expected {" or ".join(REQUIREMENTS)}, found {found}')
    return word


def _virtual_host(config: ConfigView) -> str | None:
    value = config.get_raw('virtual_host')
    if isinstance(value, int) and not isinstance(value, bool):
        # a database of Redis; RabbitMQ's settings reject it
        return str(config.get_int('virtual_host', minimum=0, maximum=_INT))
    return config.get_line('virtual_host', None)


def _provider(config: ConfigView) -> Any:
    value = config.get('credential_provider')
    if isinstance(value, (str, bytes, bool, int, float, list, datetime.date, ConfigView)):
        found = config.describe('credential_provider')
        raise config.error('credential_provider', f'expected dep:<a provider>, found {found}')
    return value


def _property(properties: ConfigView, name: str) -> object:
    """Return a value that AMQP's tables can hold: text, a boolean or a 64-bit integer."""
    value = properties.get_raw([name])
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return properties.get_int([name], minimum=-_LONG, maximum=_LONG)
    return properties.get_line([name])


def _socket_setting(settings: ConfigView, name: str) -> tuple[int, int]:
    """Return the number and the value of a TCP option.

    `name` is a constant of the module `socket` or a number.
    """
    number = getattr(socket, name, None) if name.startswith('TCP_') else None
    if name.isdecimal() and len(name) < 5:
        number = int(name)
    if not isinstance(number, int):
        raise settings.error([name], 'expected an option of TCP such as TCP_KEEPIDLE; remove it')
    return number, settings.get_int([name], minimum=0, maximum=_INT)
