"""The facts about an instance in a registry, and the rules that each of them has to follow.

Other processes have written what a registry contains, perhaps programs that are not lymph. All
registries check facts here before they use, store or show them:

=======================  =======  ======================================================
``identity``             text     1 to 255 characters; unique to the process
``endpoint``             text     ``tcp://host:port``, or an address with another scheme
``version``              text     ``1``, ``1.2`` or ``1.2.3``
``hostname``             text     the name of the host
``fqdn``                 text     the full name of the host
``ip``                   text     the address at which others reach it
``pid``                  integer  1 to 2**31 - 1
``http_port``            integer  1 to 65535
``http_scheme``          text     ``http``, which it is if missing, or ``https``
``log_endpoint``         text     where it publishes its log
``monitoring_endpoint``  text     where it publishes its metrics
``backdoor_endpoint``    text     where `lymph shell --remote` connects to
``started``              number   a Unix time in seconds, up to the year 9999
=======================  =======  ======================================================

Text has at most 255 characters and all of them are printable. `identity` and `endpoint` are
required; the others may be missing or null. Unknown facts are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lymph.config.printable import quoted
from lymph.core.addresses import check_host
from lymph.core.transport.endpoints import scheme_of, split_tcp
from lymph.core.versioning import parse_version

__all__ = ['LENGTH', 'check_endpoint', 'check_facts', 'check_name']

LENGTH: Final = 255  # characters of a text, bytes of a name: what a file system allows for one

_REQUIRED = ('identity', 'endpoint')
_PID_MAX = 2**31 - 1
_PORT_MAX = 65535
_STARTED_MAX = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that datetime can show


def check_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known facts in `data`, without those that are None.

    Raises ValueError, with a text of one line, for the first fact that is missing or breaks a rule.
    """
    facts = {name: data.get(name) for name in _RULES}
    for name, value in facts.items():
        kind = _RULES[name][0]
        if (value is not None or name in _REQUIRED) and not _is_a(kind, value):
            raise ValueError(f'expected {name} as {kind}, found {quoted(value)}')
    known = {name: value for name, value in facts.items() if value is not None}
    for name, value in known.items():
        _, expected, holds = _RULES[name]
        if not holds(value):
            raise ValueError(f'expected {name} as {expected}, found {quoted(value)}')
    return known


def check_endpoint(endpoint: object) -> str:
    """Return `endpoint` if it follows the rule for `endpoint`; raises ValueError if not."""
    if isinstance(endpoint, str) and _is_endpoint(endpoint):
        return endpoint
    raise ValueError(f'expected an endpoint like tcp://127.0.0.1:4123, found {quoted(endpoint)}')


def check_name(name: object) -> str:
    """Return `name` if it is valid for a service or a group; raises ValueError if not."""
    if isinstance(name, str) and name.isprintable() and 0 < len(name.encode()) <= LENGTH:
        return name
    raise ValueError(
        f'expected a name of 1 to {LENGTH} bytes without control characters, found {quoted(name)}'
    )


def _is_a(kind: str, value: object) -> bool:
    return isinstance(value, _KINDS[kind]) and not isinstance(value, bool)


def _is_text(value: str) -> bool:
    return len(value) <= LENGTH and value.isprintable()


def _is_identity(value: str) -> bool:
    return bool(value) and _is_text(value)


def _is_endpoint(value: str) -> bool:
    scheme = scheme_of(value)
    if scheme is None or not _is_text(value):
        return False
    if scheme != 'tcp':
        return len(value) > len(f'{scheme}://')
    try:
        host, port = split_tcp(value)
        check_host(host)
    except ValueError:
        return False
    return port > 0


def _is_version(value: str) -> bool:
    try:
        parse_version(value)
    except ValueError:
        return False
    return True


def _is_time(value: float) -> bool:
    return 0 <= value <= _STARTED_MAX  # False for infinity and NaN, too


_KINDS: dict[str, Any] = {'text': str, 'integer': int, 'number': (int, float)}
_TEXT = ('text', f'printable text of at most {LENGTH} characters', _is_text)

# fact -> its type, the rule in words, and a function that checks a value of that type
_RULES: dict[str, tuple[str, str, Callable[[Any], bool]]] = {
    'identity': ('text', f'printable text of 1 to {LENGTH} characters', _is_identity),
    'endpoint': ('text', 'an address like tcp://127.0.0.1:4123', _is_endpoint),
    'version': ('text', '1, 1.2 or 1.2.3', _is_version),
    'hostname': _TEXT,
    'fqdn': _TEXT,
    'ip': _TEXT,
    'pid': ('integer', f'a number from 1 to {_PID_MAX}', lambda pid: 1 <= pid <= _PID_MAX),
    'http_port': ('integer', f'a number from 1 to {_PORT_MAX}', lambda p: 1 <= p <= _PORT_MAX),
    'http_scheme': ('text', 'http or https', lambda scheme: scheme in ('http', 'https')),
    'log_endpoint': _TEXT,
    'monitoring_endpoint': _TEXT,
    'backdoor_endpoint': _TEXT,
    'started': ('number', 'a Unix time up to the year 9999', _is_time),
}
