"""Wrong values in a section of a configuration, and checks of how it handles them.

With any value at a key, the section is either accepted or rejected with a `ConfigurationError`: one
line that starts with file, line and key. Values are YAML, as in a file.

::

    check_refused('container.pool_size', COUNTS, build_container)
    check_taken_or_refused('container.pool_size', build_container)
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lymph.config import Configuration, ConfigurationError

__all__ = [
    'FLAGS',
    'NUMBERS',
    'STRANGE',
    'TEXTS',
    'check_refused',
    'check_taken_or_refused',
    'configuration',
]

#: Values that are neither numbers, text nor booleans.
_NEITHER = ('[]', '[1]', '{a: 1}', '[[x]]', '2020-01-01', '2020-01-01 10:00:00', '!!binary aGk=')

#: Values that are not numbers of anything: seconds, bytes, attempts, ports.
NUMBERS = (
    *(
        '.inf',
        '-.inf',
        '.nan',
        '-1',
        '-0.5',
        '1.0e+300',
        '1e300',
        '-1.0e-300',
        'true',
        '"x"',
        '""',
        '" "',
    ),
    *('0x' + 'f' * 300, *_NEITHER),
)
#: Values that are not names, paths or addresses.
TEXTS = ('5', '0.5', '0', '.inf', 'true', '""', '" "', r'"a\0b"', r'"a\nb"', *_NEITHER)
#: Values that are not booleans.
FLAGS = ('5', '0', '.nan', '"x"', '""', *_NEITHER)
#: All of these, and values that only some keys reject.
STRANGE = tuple(
    dict.fromkeys(
        (
            *NUMBERS,
            *TEXTS,
            *FLAGS,
            *('null', '~', '0', '1', '0.0', '65536', 'x', 'dep:nothing', '"dep:"', 'a.b:C', '":"'),
            *('{class: 5}', '{class: ""}', '{class: "os:getcwd"}', '[null]', '[dep:nothing]'),
            *('{a: {b: c}}', '"://"', 'tcp://', r'"\u202e"', '"' + 'x' * 300 + '"', '!!int "7"'),
        )
    )
)

_LONGEST = 1000  # characters of an error


def configuration(key: str, value: str, base: Mapping[str, Any] | None = None) -> Configuration:
    """Return a configuration with the YAML `value` at a dotted key, in addition to `base`."""
    config = Configuration(base or {})
    text = value
    for segment in reversed(key.split('.')):
        text = f'{{{json.dumps(segment)}: {text}}}'
    config.load(io.StringIO(text))
    return config


def check_refused(
    key: str,
    values: Iterable[str],
    build: Callable[[Configuration], object],
    base: Mapping[str, Any] | None = None,
) -> None:
    """Assert that `build` rejects each value at the key, in an error with its place.

    Raises AssertionError for a value that is accepted, or rejected with another error.
    """
    for value in values:
        refusal = _refusal(build, key, value, base)
        assert refusal is not None, f'{key}: {value} was taken'
        assert refusal.startswith(f'<config>:1: {key}'), f'{value}: {refusal}'


def check_taken_or_refused(
    key: str,
    build: Callable[[Configuration], object],
    base: Mapping[str, Any] | None = None,
) -> None:
    """Assert that `build` accepts or rejects any value at the key, with ConfigurationError.

    Raises AssertionError for a value that makes it raise another error.
    """
    for value in STRANGE:
        refusal = _refusal(build, key, value, base) or ''
        assert '\n' not in refusal, f'{value}: {refusal}'
        assert len(refusal) < _LONGEST, f'{value}: {refusal}'


def _refusal(
    build: Callable[[Configuration], object], key: str, value: str, base: Mapping[str, Any] | None
) -> str | None:
    """Return the error about a value, or None. Raises AssertionError for any other error."""
    config = configuration(key, value, base)
    try:
        build(config)
    except ConfigurationError as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f'{key}: {value}') from error
    return None
